"""From gradients to an update: clipping, optimizers."""
