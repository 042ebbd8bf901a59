"""What theory says of a model, beside what is measured: recovery, bounds, sets that cover, kernels that are read."""
