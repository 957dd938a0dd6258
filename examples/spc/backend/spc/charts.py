"""X-bar/R charts of subgroups, and individuals charts with moving ranges."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isclose, sqrt
from statistics import fmean

from . import constants, rules

XBAR_R = "xbar-r"
INDIVIDUALS = "individuals"


@dataclass(frozen=True)
class Baseline:
    """The process while it was in control. Only these values determine the limits, so new data can't widen them."""

    center: float
    """Mean of the values."""
    spread: float
    """Mean range of the subgroups. For subgroups of one value, the mean moving range."""


@dataclass(frozen=True)
class Limits:
    center: float
    lower: float
    upper: float
    sigma: float
    """Standard deviation of the plotted values. The zones of the rules end at 1, 2 and 3 times this value."""

    def distances(self, values: Sequence[float]) -> list[float]:
        """The distance of each value from the centre, in standard deviations."""
        return [self._distance(value) for value in values]

    def _distance(self, value: float) -> float:
        offset = value - self.center
        if self.sigma:
            return offset / self.sigma
        # A baseline without variation: each value is on the line (except for rounding) or infinitely far from it.
        return 0.0 if isclose(value, self.center, rel_tol=1e-14) else offset * inf


@dataclass(frozen=True)
class ControlChart:
    """One of the two lines. For each value, `broken` contains the rules whose pattern it completes."""

    name: str
    limits: Limits
    values: list[float]
    broken: list[list[str]]


def kind(size: int) -> str:
    return INDIVIDUALS if size == 1 else XBAR_R


def subgroups(values: Sequence[float], size: int) -> list[Sequence[float]]:
    """Consecutive groups of `size` values. Omits a group that is not complete yet."""
    return [values[start : start + size] for start in range(0, len(values) - size + 1, size)]


def baseline(values: Sequence[float], size: int) -> Baseline:
    """The mean, and the spread within complete subgroups. Needs at least two subgroups."""
    groups = subgroups(values, size)
    if len(groups) < 2:
        raise ValueError(f"A baseline takes 2 subgroups of {size}; {len(values)} values are too few.")
    ranges = _moving_ranges(values) if size == 1 else _ranges(groups)
    return Baseline(center=fmean(fmean(group) for group in groups), spread=fmean(ranges))


def location_limits(base: Baseline, size: int) -> Limits:
    """The chart of subgroup means, or of individual values if the size is 1."""
    sigma = base.spread / constants.d2(max(size, 2)) / sqrt(size)
    return Limits(base.center, base.center - 3 * sigma, base.center + 3 * sigma, sigma)


def spread_limits(base: Baseline, size: int) -> Limits:
    """The chart of ranges. If the size is 1, of moving ranges, which are ranges of 2 values."""
    size = max(size, 2)
    return Limits(
        center=base.spread,
        lower=base.spread * constants.d3_limit(size),
        upper=base.spread * constants.d4_limit(size),
        sigma=base.spread * constants.d3(size) / constants.d2(size),
    )


def charts(values: Sequence[float], size: int, base: Baseline) -> tuple[ControlChart, ControlChart]:
    """The chart of the location and the chart of the spread.

    Both have one point for each complete subgroup. But the first individual value has no moving range, so the chart of
    moving ranges has one point fewer.
    """
    location, spread = location_limits(base, size), spread_limits(base, size)
    if size == 1:
        return (
            _chart("Individuals", location, list(values), rules.RULES),
            _chart("Moving range", spread, _moving_ranges(values), rules.LIMITS_ONLY),
        )
    groups = subgroups(values, size)
    return (
        _chart("X-bar", location, [fmean(group) for group in groups], rules.RULES),
        _chart("R", spread, _ranges(groups), rules.LIMITS_ONLY),
    )


def _chart(name: str, limits: Limits, values: list[float], applied: Collection[rules.Rule]) -> ControlChart:
    return ControlChart(name, limits, values, rules.broken(limits.distances(values), applied))


def _ranges(groups: Sequence[Sequence[float]]) -> list[float]:
    return [max(group) - min(group) for group in groups]


def _moving_ranges(values: Sequence[float]) -> list[float]:
    return [abs(after - before) for before, after in pairwise(values)]
