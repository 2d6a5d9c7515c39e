"""Comparisons with stock Keras and PyTorch: `python -m benchmarks`."""
