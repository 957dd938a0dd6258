"""The Western Electric rules: patterns of points that are very rare while a process is in control.

A point is given as its distance from the centre line in standard deviations of what is plotted. A rule names the
point that completes its pattern, so that the signal comes with the first measurement that makes it certain.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

# With this tolerance, rounding doesn't move a point on a limit to the outside.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Rule:
    """`needed` of `window` consecutive points are more than `distance` standard deviations away, on the same side."""

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
# The distribution of ranges is skewed, and neighbouring moving ranges share a value. So only the limits apply to them.
LIMITS_ONLY = RULES[:1]

# The rules of a point depend on this many points before it.
LOOKBACK = max(rule.window for rule in RULES) - 1


def broken(distances: Sequence[float], rules: Collection[Rule] = RULES) -> list[list[str]]:
    """For each point, the names of the rules whose pattern it completes."""
    return [
        [rule.name for rule in rules if rule.completed_at(distances, index)] for index in range(len(distances))
    ]
