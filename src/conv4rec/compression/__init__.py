"""Vectors as sparse codes, and an index that searches them: CompresSAE, METHOD.md section 5."""
