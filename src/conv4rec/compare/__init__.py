"""Peers and our model, on the same split, in the same run."""
