"""Why a goal is missed where it is: what is known of it, and no more."""

REASONS = {
    "200, 32, 32 against not recording": "one small kernel more a time step; 0.86 to 1.06 in five runs",
    "200, 32, 32 against JAX": "XLA's calls of small kernels bound both; 1.10 to 1.20 in five runs",
    "200, 32, 32 against better": "XLA's calls of small kernels bound both; 1.6 to 2.6 in five runs",
    "400, 100, 16 against torch": "not explained; 4.8 to 6.1 in five runs",
    "400, 100, 16 against better": "1.8 where other work took the second core, 2.6 to 3.6 in four more runs",
    "200, 128, 128 against Keras": "the products bound both; 1.0 (a disturbed run) to 1.3 in five runs",
    "200, 128, 128 against better": "as against Keras without XLA, which is as fast as the one with XLA here",
    "200, 128, 128 against torch": "the products bound both; 1.6 to 2.7 in five runs",
    "against floor": "elementwise work between the products; 1.03 to 1.29 in four runs, 1.76 in a fifth",
    "against not recording": "a sum of squares in float64 at every time step; 0.99 to 1.09 in five runs",
    "memory, no XLA": "the graph of the loop over segments and of its adjoint, 5 to 15 MiB of 900",
    "first step of a process": "XLA compiles, stock Keras does not",
    "job of a sweep": "every process traces its graphs anew; figures take the second core",
    "whole run": "looks, validations, figures, tracking and the model beside the training",
}
"""Part of the comparison -> the reason; the first part that is in it counts."""


def reason(comparison: str) -> str:
    """Return why `comparison`, a goal's work "against" what it is compared with, is missed, if known."""
    return next((why for part, why in REASONS.items() if part in comparison), "not explained")
