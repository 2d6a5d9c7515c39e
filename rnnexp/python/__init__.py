"""Runs and sweeps that Python code asks for, in a script or a notebook: `rnnexp.run`, `rnnexp.sweep`."""
