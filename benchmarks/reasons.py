"""Why a goal is missed where it is: what is known of it, and no more."""

REASONS = {
    "200, 32, 32 against not recording": "one small kernel more a time step",
    "200, 32, 32 against JAX": "XLA's calls of small kernels bound both",
    "200, 32, 32 against better": "XLA's calls of small kernels bound both",
    "400, 100, 16 against better": "XLA's calls of small kernels bound both",
    "200, 128, 128 against Keras": "the products bound both: the floor is as far from Keras as the goal",
    "200, 128, 128 against better": "as against Keras without XLA, which is as fast as the one with XLA here",
    "200, 128, 128 against torch": "the products bound both",
    "against floor": "elementwise work between the products",
    "against not recording": "a sum of squares in float64 at every time step",
    "memory, no XLA": "the graph of the loop over segments and of its adjoint, 5 to 15 MiB of 900",
    "first step of a process": "XLA compiles, stock Keras does not",
    "job of a sweep": "eight figures, and graphs that every process traces anew",
    "whole run": "looks, validations, figures, tracking and the model beside the training",
}
"""Part of the comparison -> the reason; the first part that is in it counts."""


def reason(comparison: str) -> str:
    """Return why `comparison`, a goal's work "against" what it is compared with, is missed, if known."""
    return next((why for part, why in REASONS.items() if part in comparison), "not explained")
