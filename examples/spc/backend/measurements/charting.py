"""Computes the charts of a characteristic from its measurements. Stores the charts and their signals."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from spc import charts
from spc.rules import LOOKBACK

from . import live
from .models import Baseline, Characteristic, Chart, Signal

BASELINE_SUBGROUPS = 25
SHOWN_SUBGROUPS = 60

Row = tuple[datetime, float]


def compute(characteristic_id: int) -> None:
    """A second call stores the same result, even at the same time."""
    with transaction.atomic():
        # Waits for another computation of the same chart, but doesn't delay new measurements.
        locked = Characteristic.objects.select_for_update(no_key=True)
        characteristic = locked.filter(pk=characteristic_id).first()
        if characteristic is None:
            return
        size = characteristic.subgroup_size
        count = characteristic.measurements.count()
        rows = _newest_rows(characteristic, count // size)
        if len(rows) < 2 * size:
            Chart.objects.filter(characteristic=characteristic).delete()
            return
        baseline = _baseline(characteristic, rows)
        content = {"kind": charts.kind(size), "measurements": count, "charts": _plot(rows, size, baseline)}
        events = _store(characteristic, content)
        events += _raise_signals(characteristic, content["charts"], baseline.until)
        if events:
            transaction.on_commit(lambda: live.send(events))


def _newest_rows(characteristic: Characteristic, complete: int) -> list[Row]:
    """Time and value of the shown measurements, and of those before them that the rules of the first points need.

    Returns whole subgroups. They are counted from the oldest measurement. So a new measurement doesn't change earlier
    subgroups, and a late one changes the subgroups after it.
    """
    size = characteristic.subgroup_size
    # One more, because a moving range needs the value before it.
    first = max(0, complete - SHOWN_SUBGROUPS - LOOKBACK - 1)
    ordered = characteristic.measurements.order_by("measured_at", "id").values_list("measured_at", "value")
    rows = list(ordered[first * size : complete * size])
    return rows[: len(rows) // size * size]


def _baseline(characteristic: Characteristic, rows: Sequence[Row]) -> Baseline:
    """The stored baseline, or one of the newest subgroups, which is stored as soon as there are enough of them."""
    size = characteristic.subgroup_size
    stored = Baseline.objects.filter(characteristic=characteristic).first()
    if stored and stored.subgroup_size == size:
        return stored
    if stored:
        stored.delete()
    rows = rows[-BASELINE_SUBGROUPS * size :]
    made = charts.baseline([value for _, value in rows], size)
    baseline = Baseline(
        characteristic=characteristic,
        subgroup_size=size,
        center=made.center,
        spread=made.spread,
        until=rows[-1][0],
    )
    if len(rows) == BASELINE_SUBGROUPS * size:
        baseline.save()
    return baseline


def _plot(rows: Sequence[Row], size: int, baseline: Baseline) -> list[dict]:
    base = charts.Baseline(baseline.center, baseline.spread)
    # A subgroup is complete when its last value is measured.
    times = [at for at, _ in rows[size - 1 :: size]]
    return [_as_json(chart, times) for chart in charts.charts([value for _, value in rows], size, base)]


def _as_json(chart: charts.ControlChart, times: Sequence[datetime]) -> dict:
    # There is no moving range for the first point.
    times = times[len(times) - len(chart.values) :]
    points = [
        {"at": live.iso(at), "value": value, "rules": broken}
        for at, value, broken in zip(times, chart.values, chart.broken, strict=True)
    ]
    limits = chart.limits
    return {
        "name": chart.name,
        "center": limits.center,
        "lower": limits.lower,
        "upper": limits.upper,
        "sigma": limits.sigma,
        "points": points[-SHOWN_SUBGROUPS:],
    }


def _store(characteristic: Characteristic, content: dict) -> list[dict]:
    """Does nothing if the stored chart is the same."""
    stored = Chart.objects.filter(characteristic=characteristic).first()
    if stored and all(getattr(stored, name) == value for name, value in content.items()):
        return []
    now = timezone.now()
    Chart.objects.update_or_create(characteristic=characteristic, defaults=content | {"computed_at": now})
    return [{"type": "chart", "characteristic": characteristic.pk, "computed_at": live.iso(now)}]


def _raise_signals(characteristic: Characteristic, plotted: Sequence[dict], since: datetime) -> list[dict]:
    """Points of the baseline raise no signals, because the baseline is in control by definition. So nothing raises
    signals before a baseline is stored: until then, the baseline contains all points up to now."""
    raised = set(
        Signal.objects.filter(characteristic=characteristic, at__gt=since).values_list("chart", "rule", "at")
    )
    events = []
    for chart in plotted:
        for point in chart["points"]:
            at = datetime.fromisoformat(point["at"])
            for rule in point["rules"]:
                if at <= since or (chart["name"], rule, at) in raised:
                    continue
                raised.add((chart["name"], rule, at))
                signal = Signal.objects.create(
                    characteristic=characteristic, chart=chart["name"], rule=rule, at=at, value=point["value"]
                )
                events.append(_event(signal))
    return events


def _event(signal: Signal) -> dict:
    return {
        "type": "signal",
        "id": signal.pk,
        "characteristic": signal.characteristic_id,
        "rule": signal.rule,
        "chart": signal.chart,
        "at": live.iso(signal.at),
        "value": signal.value,
        "raised_at": live.iso(signal.raised_at),
    }
