"""Why a goal is missed where it is: what is known of it, and no more."""

REASONS = {
    "200, 32, 32 against not recording": "one small kernel more a time step; 0.98 to 1.06 in four runs",
    "400, 100, 16 against torch": "not explained; 4.4 to 5.0 in four runs",
    "400, 100, 16 against better": "1.8 where other work took the second core, 2.5 to 2.8 in three more runs",
    "200, 128, 128 against Keras": "the products bound both; 1.2 to 1.3 in four runs",
    "200, 128, 128 against better": "of both, Keras without XLA was the faster one here; as against that",
    "200, 128, 128 against torch": "the products bound both; 1.6 to 2.0 in four runs",
    "against not recording": "a sum of squares in float64 at every time step; 0.84 to 1.05 in four runs",
    "job of a sweep": "every process traces its graphs anew; figures take the second core",
    "memory, no XLA": "the graph of the loop over segments and of its adjoint, 5 to 15 MiB of 900",
}
"""Part of the comparison -> the reason; the first part that is in it counts."""


def reason(comparison: str) -> str:
    """Return why `comparison`, a goal's work "against" what it is compared with, is missed; "" if unknown."""
    return next((why for part, why in REASONS.items() if part in comparison), "")
