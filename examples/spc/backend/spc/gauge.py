"""A simulated gauge: it generates readings of a process that drifts at times.

A reading depends on its key, slot and index only, so reading a slot again gives the same values.
"""

from random import Random

SLOT_SECONDS = 5
"""The gauge takes one subgroup in each slot of time."""

_CYCLE = 60
_DRIFTING = 12
_DRIFT_AT_END = 2.5
"""The last 12 of every 60 slots (5 minutes) drift, by up to this many standard deviations."""


def drift(key: str, slot: int) -> float:
    """The drift of the process in this slot, in standard deviations. Each key drifts at another time."""
    position = (slot + Random(key).randrange(_CYCLE)) % _CYCLE - (_CYCLE - _DRIFTING)
    if position < 0:
        return 0.0
    direction = Random(f"{key}/{(slot - position) // _CYCLE}").choice((-1, 1))
    return direction * _DRIFT_AT_END * (position + 1) / _DRIFTING


def readings(key: str, slot: int, size: int, target: float, sigma: float) -> list[float]:
    """One subgroup of `size` values of the process in this slot."""
    center = target + drift(key, slot) * sigma
    return [round(Random(f"{key}/{slot}/{index}").gauss(center, sigma), 4) for index in range(size)]
