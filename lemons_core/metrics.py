"""Reference labels and probabilities to figures, each with the interval that belongs to it.

Only numpy: a page or the command line can ask for a figure without loading a learning library.
"""

from math import sqrt

_Z95 = 1.959963984540054  # standard normal quantile of a two-sided 95 % interval


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, (low, high) in 0-1; (nan, nan) when n is 0.

    Unlike the textbook p +- 1.96 se it stays within 0-1 and holds for shares near 0 or 1.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if n == 0:
        return float("nan"), float("nan")
    share = successes / n
    centre = share + _Z95**2 / (2 * n)
    spread = _Z95 * sqrt(share * (1 - share) / n + _Z95**2 / (4 * n**2))
    scale = 1 + _Z95**2 / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
