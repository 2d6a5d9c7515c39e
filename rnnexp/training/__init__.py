"""Training: `model` takes the training step (backward pass, clip, update, record), `trainer` runs the loop.

`replica` is one network under training with its measurements, validations and checkpoints.
"""
