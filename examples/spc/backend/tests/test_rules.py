"""The rules on distances from the centre line, in standard deviations."""

from random import Random

import pytest

from spc import rules


def broken(*distances):
    """Index and name of every rule that is broken."""
    return [(index, name) for index, names in enumerate(rules.broken(distances)) for name in names]


@pytest.mark.parametrize("side", [1, -1])
def test_one_point_beyond_three_sigma(side):
    assert broken(0, side * 3.01, 0) == [(1, "WE1")]


def test_a_point_on_the_limit_is_not_beyond_it():
    assert broken(0, 3, 0, -3, 0) == []
    assert broken(0, 0.1 * 3 * 10, 0) == []


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("pattern", [(2.1, 2.1), (2.1, 0.5, 2.1), (2.1, -0.5, 2.1)])
def test_two_of_three_beyond_two_sigma(pattern, side):
    points = [0, *(side * distance for distance in pattern)]
    assert broken(*points) == [(len(points) - 1, "WE2")]


@pytest.mark.parametrize("points", [(2.1, 0.5, -0.5, 2.1), (2.1, -2.1), (2.1, 0.5, -2.1), (2, 2, 2), (2.1, 0.5, 0.5)])
def test_no_two_of_three(points):
    assert broken(*points) == []


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("pattern", [(1.1, 1.1, 1.1, 1.1), (1.1, 0.5, 1.1, 1.1, 1.1), (1.1, 1.1, 1.1, -0.5, 1.1)])
def test_four_of_five_beyond_one_sigma(pattern, side):
    points = [0, *(side * distance for distance in pattern)]
    assert broken(*points) == [(len(points) - 1, "WE3")]


@pytest.mark.parametrize(
    "points", [(1.1, 1.1, 1.1, 0.5, 0.5), (1.1, 1.1, 1.1, -1.1, 0.5), (1, 1, 1, 1, 1), (1.1, 0.5, 0.5, 1.1, 1.1, 1.1)]
)
def test_no_four_of_five(points):
    assert broken(*points) == []


@pytest.mark.parametrize("side", [1, -1])
def test_eight_on_one_side(side):
    assert broken(*[side * 0.1] * 8) == [(7, "WE4")]
    assert broken(*[side * 0.1] * 9) == [(7, "WE4"), (8, "WE4")]


@pytest.mark.parametrize("points", [[0.1] * 7, [0.1] * 4 + [0] + [0.1] * 7, [0.1] * 7 + [-0.1] * 7])
def test_no_eight_on_one_side(points):
    assert broken(*points) == []


def test_a_point_names_every_rule_that_it_breaks():
    assert rules.broken([0.1] * 4 + [1.5] * 2 + [2.5] * 2 + [3.5])[-1] == ["WE1", "WE2", "WE3", "WE4"]


def test_ranges_are_held_to_the_limits_only():
    assert rules.broken([0.1] * 9 + [3.1], rules.LIMITS_ONLY) == [[]] * 9 + [["WE1"]]


def spelled_out(points, index):
    """The four rules again, each in its own words, for points before `index` that are there."""
    found = []
    for name, needed, window, distance in [("WE1", 1, 1, 3), ("WE2", 2, 3, 2), ("WE3", 4, 5, 1), ("WE4", 8, 8, 0)]:
        for above in (True, False):
            beyond = [(point > distance) if above else (point < -distance) for point in points[: index + 1]]
            if beyond[-1] and beyond[-window:].count(True) >= needed:
                found.append(name)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_any_points(seed):
    """Points that wander, so that every rule is broken here and there."""
    random = Random(seed)
    points = [random.gauss(random.choice([-1, 0, 1]), 1.2) for _ in range(200)]
    result = rules.broken(points)
    assert result == [spelled_out(points, index) for index in range(200)]
    assert {name for names in result for name in names} >= {"WE1", "WE2"}
    # The other side of the centre line is no different.
    assert rules.broken([-point for point in points]) == result
    # What came more than the lookback before a point is nothing to it.
    assert rules.broken(points[100 - rules.LOOKBACK :])[rules.LOOKBACK :] == result[100:]


def test_a_process_in_control_hardly_ever_breaks_one():
    """Of 10,000 points each rule is broken about as often as probability theory has it."""
    random = Random(1)
    names = [name for names in rules.broken([random.gauss(0, 1) for _ in range(10_000)]) for name in names]
    expected = {"WE1": 27, "WE2": 20, "WE3": 45, "WE4": 78}
    for name, count in expected.items():
        assert 0.5 * count < names.count(name) < 1.6 * count
