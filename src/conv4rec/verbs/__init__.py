"""What a model can tell beside lists: why, about whom, what is alike, and what interaction types mean to it."""
