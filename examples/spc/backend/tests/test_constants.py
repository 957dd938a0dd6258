"""The constants against a derivation of their own, and against what tables print."""

from itertools import pairwise
from math import pi, sqrt
from statistics import NormalDist

import pytest

from spc import constants

SIZES = range(constants.SMALLEST, constants.LARGEST + 1)

# n: A2, d2, D3, D4, with the three decimals that tables print.
PUBLISHED = {
    2: (1.880, 1.128, 0, 3.267),
    3: (1.023, 1.693, 0, 2.574),
    4: (0.729, 2.059, 0, 2.282),
    5: (0.577, 2.326, 0, 2.114),
    6: (0.483, 2.534, 0, 2.004),
    7: (0.419, 2.704, 0.076, 1.924),
    8: (0.373, 2.847, 0.136, 1.864),
    9: (0.337, 2.970, 0.184, 1.816),
    10: (0.308, 3.078, 0.223, 1.777),
    11: (0.285, 3.173, 0.256, 1.744),
    12: (0.266, 3.258, 0.283, 1.717),
    13: (0.249, 3.336, 0.307, 1.693),
    14: (0.235, 3.407, 0.328, 1.672),
    15: (0.223, 3.472, 0.347, 1.653),
    16: (0.212, 3.532, 0.363, 1.637),
    17: (0.203, 3.588, 0.378, 1.622),
    18: (0.194, 3.640, 0.391, 1.608),
    19: (0.187, 3.689, 0.403, 1.597),
    20: (0.180, 3.735, 0.415, 1.585),
    21: (0.173, 3.778, 0.425, 1.575),
    22: (0.167, 3.819, 0.434, 1.566),
    23: (0.162, 3.858, 0.443, 1.557),
    24: (0.157, 3.895, 0.451, 1.548),
    25: (0.153, 3.931, 0.459, 1.541),
}


@pytest.mark.parametrize("size", SIZES)
def test_the_factors_are_those_that_tables_print(size):
    ours = (constants.a2(size), constants.d2(size), constants.d3_limit(size), constants.d4_limit(size))
    # Tables derive some from rounded d2 and d3: their last digit may be one off.
    assert ours == pytest.approx(PUBLISHED[size], abs=0.00105)
    assert constants.d2(size) == pytest.approx(PUBLISHED[size][1], abs=0.0005)
    assert constants.a2(size) == pytest.approx(PUBLISHED[size][0], abs=0.00051)


STEP = 0.05
GRID = [-8 + STEP * number for number in range(321)]
DENSITY = [NormalDist().pdf(x) for x in GRID]
WIDTHS = range(241)
BELOW = [NormalDist().cdf(-8 + STEP * number) for number in range(len(GRID) + len(WIDTHS))]


def simpson(values):
    return STEP / 3 * (values[0] + 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2]) + values[-1])


def moments_of_range(size):
    """Mean and standard deviation of the range of `size` normal values, integrated from its distribution.

    P(range < w) is the chance that all the others are within w above the smallest one.
    """
    beyond = []
    for width in WIDTHS:
        others = [(BELOW[index + width] - BELOW[index]) ** (size - 1) for index in range(len(GRID))]
        beyond.append(1 - size * simpson([one * density for one, density in zip(others, DENSITY, strict=True)]))
    mean = simpson(beyond)
    square = 2 * simpson([STEP * width * chance for width, chance in zip(WIDTHS, beyond, strict=True)])
    return mean, sqrt(square - mean**2)


@pytest.mark.parametrize("size", SIZES)
def test_d2_and_d3_are_the_moments_of_the_range(size):
    assert (constants.d2(size), constants.d3(size)) == pytest.approx(moments_of_range(size), abs=1e-5)


def test_for_pairs_both_are_known_exactly():
    assert constants.d2(2) == pytest.approx(2 / sqrt(pi), abs=5e-6)
    assert constants.d3(2) == pytest.approx(sqrt(2 - 4 / pi), abs=5e-6)


def test_larger_subgroups_have_larger_ranges_and_closer_limits():
    for smaller, larger in pairwise(SIZES):
        assert constants.d2(smaller) < constants.d2(larger)
        assert constants.a2(smaller) > constants.a2(larger)
        assert constants.d3_limit(smaller) <= constants.d3_limit(larger)
        assert constants.d4_limit(smaller) > constants.d4_limit(larger)


@pytest.mark.parametrize("size", [0, 1, 26])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"2 to 25 values, not of {size}"):
        constants.d2(size)
