"""The factors that turn a mean range into control limits, for subgroups of 2 to 25.

Of n values from a normal distribution with standard deviation 1, the range has mean d2 and standard deviation d3.
We computed these two by numerical integration, and the tests repeat it. The usual factors follow from them.
"""

from math import sqrt

SMALLEST, LARGEST = 2, 25

_D2_D3 = {
    2: (1.12838, 0.85250),
    3: (1.69257, 0.88837),
    4: (2.05875, 0.87981),
    5: (2.32593, 0.86408),
    6: (2.53441, 0.84804),
    7: (2.70436, 0.83321),
    8: (2.84720, 0.81983),
    9: (2.97003, 0.80783),
    10: (3.07751, 0.79705),
    11: (3.17287, 0.78731),
    12: (3.25846, 0.77848),
    13: (3.33598, 0.77042),
    14: (3.40676, 0.76302),
    15: (3.47183, 0.75621),
    16: (3.53198, 0.74991),
    17: (3.58788, 0.74405),
    18: (3.64006, 0.73859),
    19: (3.68896, 0.73348),
    20: (3.73495, 0.72869),
    21: (3.77834, 0.72417),
    22: (3.81938, 0.71991),
    23: (3.85832, 0.71589),
    24: (3.89535, 0.71207),
    25: (3.93063, 0.70844),
}


def _entry(size: int) -> tuple[float, float]:
    try:
        return _D2_D3[size]
    except KeyError:
        raise ValueError(f"Ranges are of {SMALLEST} to {LARGEST} values, not of {size!r}.") from None


def d2(size: int) -> float:
    """Mean range of `size` values, in standard deviations of one value."""
    return _entry(size)[0]


def d3(size: int) -> float:
    """Standard deviation of that range, in the same unit."""
    return _entry(size)[1]


def a2(size: int) -> float:
    """The limits of a subgroup's mean are this many mean ranges away from the centre."""
    return 3 / (d2(size) * sqrt(size))


def d3_limit(size: int) -> float:
    """The factor D3: the lower limit of ranges, in mean ranges. It is at least 0, as every range."""
    return max(0.0, 1 - 3 * d3(size) / d2(size))


def d4_limit(size: int) -> float:
    """The factor D4: the upper limit of ranges, in mean ranges."""
    return 1 + 3 * d3(size) / d2(size)
