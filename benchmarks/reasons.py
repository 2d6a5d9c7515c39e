"""Why a goal is missed where it is: what is known of it, and no more."""

REASONS = {
    "200, 32, 32 against JAX": "not explained; 0.87 to 1.01 in five runs",
    "200, 32, 32 against better": "XLA's calls of small kernels bound both; 1.40 to 1.61 in five runs",
    "400, 100, 16 against torch": "not explained; 4.0 to 5.0 in five runs",
    "400, 100, 16 against floor": "elementwise work between the products; 1.07 to 1.44 in five runs",
    "200, 128, 128 against Keras": "the products bound both; 1.2 to 2.0 in three runs",
    "200, 128, 128 against better": "of both, Keras without XLA was the faster one here; as against that",
    "200, 128, 128 against torch": "the products bound both; 1.5 to 1.9 in five runs",
    "against not recording": "a sum of squares in float64 at every time step; 0.94 to 1.11 in five runs",
    "memory, no XLA": "the graph of the loop over segments and of its adjoint, 5 to 15 MiB of 900",
    "first step of a process": "XLA compiles, stock Keras does not",
    "whole run": "looks, validations, figures, tracking and the model beside the training",
}
"""Part of the comparison -> the reason; the first part that is in it counts."""


def reason(comparison: str) -> str:
    """Return why `comparison`, a goal's work "against" what it is compared with, is missed; "" if unknown."""
    return next((why for part, why in REASONS.items() if part in comparison), "")
