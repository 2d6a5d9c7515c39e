"""How long a run takes, before anything of its kind was timed on this machine."""

# Fitted to training steps measured on a 2-core CPU (make bench): 1.4 ms at T, H, B = 200, 32, 32; 4.2 ms at
# 400, 100, 16; 22.9 ms at 200, 128, 128. The rule is within a factor of 1.5 of each.
_START = 4.0
_PER_STEP_OF_TIME = 5e-6
_PER_UNIT = 3e-9
_PER_WEIGHT = 2.8e-8 / 1000


def seconds(seq_len: int, units: int, batch_size: int, steps: int) -> float:
    """4 + steps T (5 + 0.003 B H + 0.000028 B H^2) 1e-6 seconds: a rule for a plain cell on two cores.

    The first term is what compiling, probing and drawing take; the others are the loop over time, the
    elementwise work and the product with W_hh.

    >>> round(seconds(seq_len=200, units=64, batch_size=64, steps=5000))
    29
    """
    step = _PER_STEP_OF_TIME + _PER_UNIT * batch_size * units + _PER_WEIGHT * batch_size * units**2
    return _START + steps * seq_len * step
