"""Models behind one seam: ours, and those that people would pick instead."""
