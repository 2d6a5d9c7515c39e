"""Why a goal is missed where it is: what is known of it, and no more."""

REASONS = {
    "200, 32, 32 against JAX": "level without recording; recording adds one kernel to each time step",
    "400, 100, 16 against torch": "not explained; one run differs from the next by more than what is missing",
    "against not recording": "a sum of squares in float64 at every time step; it shows where steps are small",
    "against floor": "elementwise work and calls of kernels between the products; the floor has neither",
    "memory, no XLA": "the graph of the loop over segments and of its adjoint, 5 to 15 MiB of 900",
    "first step of a process": "XLA compiles, stock Keras does not",
    "whole run": "looks, validations, figures, tracking and the model beside the training",
    # Those of the other contestants, which were met in some runs and missed in others.
    "": "one run differs from the next by more than what is missing",
}
"""Part of the comparison -> the reason; the first part that is in it counts."""


def reason(comparison: str) -> str:
    """Return why `comparison`, a goal's work "against" what it is compared with, is missed."""
    return next(why for part, why in REASONS.items() if part in comparison)
