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
    """How the process ran while it was in control; limits follow from it alone, so that new data can't widen them."""

    center: float
    """Mean of the values."""
    spread: float
    """Mean range of the subgroups; of subgroups of one, mean moving range."""


@dataclass(frozen=True)
class Limits:
    center: float
    lower: float
    upper: float
    sigma: float
    """Standard deviation of what is plotted: zones of the rules are 1, 2 and 3 of it wide."""

    def distances(self, values: Sequence[float]) -> list[float]:
        """How far each value is from the centre, in standard deviations."""
        return [self._distance(value) for value in values]

    def _distance(self, value: float) -> float:
        offset = value - self.center
        if self.sigma:
            return offset / self.sigma
        # A baseline without any variation: a value is on the line, but for rounding, or infinitely far from it.
        return 0.0 if isclose(value, self.center, rel_tol=1e-14) else offset * inf


@dataclass(frozen=True)
class ControlChart:
    """One of the two lines; `broken` has, for each value, the rules whose pattern it completes."""

    name: str
    limits: Limits
    values: list[float]
    broken: list[list[str]]


def kind(size: int) -> str:
    return INDIVIDUALS if size == 1 else XBAR_R


def subgroups(values: Sequence[float], size: int) -> list[Sequence[float]]:
    """Consecutive groups of `size`; a group that isn't complete yet is left out."""
    return [values[start : start + size] for start in range(0, len(values) - size + 1, size)]


def baseline(values: Sequence[float], size: int) -> Baseline:
    """The mean and the spread within complete subgroups; at least two of them."""
    groups = subgroups(values, size)
    if len(groups) < 2:
        raise ValueError(f"A baseline takes 2 subgroups of {size}; {len(values)} values are too few.")
    ranges = _moving_ranges(values) if size == 1 else _ranges(groups)
    return Baseline(center=fmean(fmean(group) for group in groups), spread=fmean(ranges))


def location_limits(base: Baseline, size: int) -> Limits:
    """Of subgroup means, or of individual values where the size is 1."""
    sigma = base.spread / constants.d2(max(size, 2)) / sqrt(size)
    return Limits(base.center, base.center - 3 * sigma, base.center + 3 * sigma, sigma)


def spread_limits(base: Baseline, size: int) -> Limits:
    """Of ranges, or of moving ranges where the size is 1: those are ranges of 2."""
    size = max(size, 2)
    return Limits(
        center=base.spread,
        lower=base.spread * constants.d3_limit(size),
        upper=base.spread * constants.d4_limit(size),
        sigma=base.spread * constants.d3(size) / constants.d2(size),
    )


def charts(values: Sequence[float], size: int, base: Baseline) -> tuple[ControlChart, ControlChart]:
    """The chart of the location and that of the spread.

    Both have a point for each complete subgroup; the first individual value has no moving range, so that chart has
    one point fewer.
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
