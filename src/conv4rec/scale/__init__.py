"""Past one machine: the same training and scoring on a Ray cluster. Ray is imported here and only when asked for."""
