"""How far random convolutions carry a gradient over an image."""

import math

from rnnexp.runtime import checks


def effective_width(time_steps: int, size: int) -> float:
    """Return the standard deviation, in pixels, of the effective receptive field along one side of an image.

        sigma = sqrt(n (K^2 - 1) / 12)

    The gradient of a pixel of h_T by an image n convolutions before is a sum over all paths of n taps. With
    independent random taps of equal variance its mean square at a distance is the share of the paths that end
    there: n steps of a walk, each uniform over the K places of a row. Its reach, n (K - 1) / 2, grows as n
    and its width as sqrt(n) only (Luo et al. 2016, https://arxiv.org/abs/1701.04128).

    Args:
        time_steps: n, convolutions in a row, at least 1.
        size: K, taps along each side, odd.
    """
    n, taps = checks.integer("time_steps", time_steps, 1), checks.integer("size", size, 1)
    return math.sqrt(n * (taps**2 - 1) / 12)
