from random import Random

import pytest

from spc import charts

# Five subgroups of four. The means are 10.5, 9.5, 11, 10 and 9; the ranges 3, 1, 2, 4 and 2.
SUBGROUPS = [9, 10, 11, 12, 9, 9, 10, 10, 10, 11, 11, 12, 8, 10, 10, 12, 8, 9, 9, 10]
# The moving ranges are 2, 3, 1, 4, 2 and 0.
SINGLE = [10, 12, 9, 10, 14, 12, 12]


def test_xbar_r_by_hand():
    """Grand mean 10, mean range 2.4; for n=4 the tables have A2 0.729, D3 0 and D4 2.282."""
    base = charts.baseline(SUBGROUPS, 4)
    assert base == charts.Baseline(center=10, spread=pytest.approx(2.4))
    xbar, r = charts.charts(SUBGROUPS, 4, base)
    assert (xbar.name, xbar.values) == ("X-bar", [10.5, 9.5, 11, 10, 9])
    assert (r.name, r.values) == ("R", [3, 1, 2, 4, 2])
    assert xbar.limits.center == 10
    assert xbar.limits.upper == pytest.approx(10 + 0.729 * 2.4, abs=0.002)
    assert xbar.limits.lower == pytest.approx(10 - 0.729 * 2.4, abs=0.002)
    assert (r.limits.center, r.limits.lower) == (pytest.approx(2.4), 0)
    assert r.limits.upper == pytest.approx(2.282 * 2.4, abs=0.002)


def test_individuals_by_hand():
    """Mean 79/7, mean moving range 2; limits are 2.659 mean moving ranges off, that of ranges is 3.267 of them."""
    base = charts.baseline(SINGLE, 1)
    individuals, moving = charts.charts(SINGLE, 1, base)
    assert (individuals.name, individuals.values) == ("Individuals", SINGLE)
    assert (moving.name, moving.values) == ("Moving range", [2, 3, 1, 4, 2, 0])
    assert individuals.limits.center == pytest.approx(79 / 7)
    assert individuals.limits.upper == pytest.approx(79 / 7 + 2.659 * 2, abs=0.002)
    assert individuals.limits.lower == pytest.approx(79 / 7 - 2.659 * 2, abs=0.002)
    assert (moving.limits.center, moving.limits.lower) == (2, 0)
    assert moving.limits.upper == pytest.approx(3.267 * 2, abs=0.002)


def test_the_factors_of_seven_and_more_have_a_lower_limit_of_ranges():
    limits = charts.spread_limits(charts.Baseline(center=0, spread=10), 7)
    assert (limits.lower, limits.upper) == (pytest.approx(0.76, abs=0.01), pytest.approx(19.24, abs=0.01))


@pytest.mark.parametrize("size", [1, 2, 5, 25])
def test_limits_are_three_sigma_off(size):
    base = charts.Baseline(50, 3)
    location, spread = charts.location_limits(base, size), charts.spread_limits(base, size)
    assert location.upper - location.center == pytest.approx(3 * location.sigma)
    assert location.center - location.lower == pytest.approx(3 * location.sigma)
    assert spread.upper - spread.center == pytest.approx(3 * spread.sigma)
    assert spread.lower == pytest.approx(max(0, spread.center - 3 * spread.sigma))


def test_limits_come_from_the_baseline_alone():
    base = charts.baseline(SINGLE, 1)
    before, _ = charts.charts(SINGLE, 1, base)
    after, _ = charts.charts([*SINGLE, 1000], 1, base)
    assert after.limits == before.limits
    assert after.broken == [*before.broken, ["WE1"]]


def test_points_above_the_limits_are_flagged_on_the_chart_they_are_on():
    base = charts.baseline(SUBGROUPS, 4)
    xbar, r = charts.charts([*SUBGROUPS, 12, 12, 12, 12, 5, 8, 12, 15], 4, base)
    assert xbar.broken == [[], [], [], [], [], ["WE1"], []]
    assert r.broken == [[], [], [], [], [], [], ["WE1"]]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 7, 9, 10, 11])
def test_an_incomplete_subgroup_is_left_out(count):
    groups = charts.subgroups(list(range(count)), 5)
    assert groups == [list(range(start, start + 5)) for start in range(0, count // 5 * 5, 5)]


@pytest.mark.parametrize(("values", "size"), [([], 1), ([1], 1), ([1] * 9, 5)])
def test_a_baseline_takes_two_subgroups(values, size):
    with pytest.raises(ValueError, match=f"2 subgroups of {size}; {len(values)} values"):
        charts.baseline(values, size)


@pytest.mark.parametrize("value", [0, 0.1, 1 / 3, 1e12, -7.7])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_process_without_variation(value, size):
    """No point is off, until one is."""
    steady = [value] * (20 * size)
    base = charts.baseline(steady, size)
    assert all(broken == [] for chart in charts.charts(steady, size, base) for broken in chart.broken)
    location, _ = charts.charts([*steady, *[value + 1] * size], size, base)
    assert "WE1" in location.broken[-1]


@pytest.mark.parametrize("seed", range(10))
def test_any_data(seed):
    """Moved and stretched, data has moved and stretched limits, and breaks the same rules."""
    random = Random(seed)
    size = random.randint(1, 25)
    values = [random.gauss(0, 1) for _ in range(40 * size)]
    other = [100 + 8 * value for value in values]
    plain = charts.charts(values, size, charts.baseline(values[: 25 * size], size))
    moved = charts.charts(other, size, charts.baseline(other[: 25 * size], size))
    assert moved[0].limits.center == pytest.approx(100 + 8 * plain[0].limits.center)
    for one, two in zip(plain, moved, strict=True):
        assert two.limits.sigma == pytest.approx(8 * one.limits.sigma)
        assert two.broken == one.broken
        assert len(one.values) == len(one.broken) == (39 if one.name == "Moving range" else 40)
    # The spread estimates the standard deviation.
    assert plain[0].limits.sigma * size**0.5 == pytest.approx(1, rel=0.5)
