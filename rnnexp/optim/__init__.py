"""From gradients to an update: regularizers, clipping, optimizers."""
