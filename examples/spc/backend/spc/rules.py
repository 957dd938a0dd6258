"""The Western Electric rules: patterns of points that a process in control hardly ever shows.

A point is given as its distance from the centre line in standard deviations of what is plotted. A rule names the
point that completes its pattern, so that the signal comes with the first measurement that makes it certain.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

# Rounding must not push a point that lies on a limit beyond it.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Rule:
    """`needed` of `window` consecutive points lie more than `distance` standard deviations off, on one side."""

    name: str
    needed: int
    window: int
    distance: float

    def completed_at(self, distances: Sequence[float], index: int) -> bool:
        return any(self._on_side(distances, index, side) for side in (1, -1))

    def _on_side(self, distances: Sequence[float], index: int, side: int) -> bool:
        def beyond(distance: float) -> bool:
            return side * distance > self.distance + _ROUNDING

        window = distances[max(0, index - self.window + 1) : index + 1]
        return beyond(distances[index]) and sum(map(beyond, window)) >= self.needed


RULES = (
    Rule("WE1", needed=1, window=1, distance=3),
    Rule("WE2", needed=2, window=3, distance=2),
    Rule("WE3", needed=4, window=5, distance=1),
    Rule("WE4", needed=8, window=8, distance=0),
)
# Ranges are skewed, and neighbouring moving ranges share a value: only the limits themselves mean something there.
LIMITS_ONLY = RULES[:1]

# So many points before the first one of interest decide its rules.
LOOKBACK = max(rule.window for rule in RULES) - 1


def broken(distances: Sequence[float], rules: Collection[Rule] = RULES) -> list[list[str]]:
    """For each point the names of the rules whose pattern it completes."""
    return [
        [rule.name for rule in rules if rule.completed_at(distances, index)] for index in range(len(distances))
    ]
