"""Stores readings of the simulated gauge for the characteristics that are marked as simulated."""

from datetime import UTC, datetime, timedelta

from django.db import transaction

from spc import gauge

from .models import Characteristic, Measurement

# An outage leaves a gap, as with a real gauge that nobody read.
CATCH_UP_SLOTS = 12
KEPT_SUBGROUPS = 1000
DELETED_AT_ONCE = 100


def gather(now: datetime) -> list[int]:
    """Takes the readings that are due. Returns the characteristics that got new readings."""
    simulated = Characteristic.objects.filter(simulated=True).values_list("pk", flat=True)
    return [pk for pk in simulated if _gather_one(pk, now)]


def _gather_one(pk: int, now: datetime) -> bool:
    """Reads each slot only once, however often this runs. The lock and the newest reading ensure that."""
    with transaction.atomic():
        locked = Characteristic.objects.select_for_update(no_key=True)
        characteristic = locked.filter(pk=pk, simulated=True).first()
        if characteristic is None:
            return False
        slots = _slots_due(characteristic, now)
        Measurement.objects.bulk_create(
            reading for slot in slots for reading in _readings(characteristic, slot)
        )
        _delete_old(characteristic)
        return bool(slots)


def _slots_due(characteristic: Characteristic, now: datetime) -> range:
    current = int(now.timestamp() // gauge.SLOT_SECONDS)
    first = current - CATCH_UP_SLOTS + 1
    newest = characteristic.measurements.filter(simulated=True).first()
    if newest:
        first = max(first, int(newest.measured_at.timestamp() // gauge.SLOT_SECONDS) + 1)
    return range(first, current + 1)


def _readings(characteristic: Characteristic, slot: int) -> list[Measurement]:
    # A capable process: its tolerance is 8 standard deviations.
    sigma = (characteristic.upper_limit - characteristic.lower_limit) / 8
    values = gauge.readings(
        f"{characteristic.pk}", slot, characteristic.subgroup_size, characteristic.target, sigma
    )
    start = datetime.fromtimestamp(slot * gauge.SLOT_SECONDS, UTC)
    return [
        Measurement(
            characteristic=characteristic,
            value=value,
            measured_at=start + timedelta(milliseconds=index),
            simulated=True,
        )
        for index, value in enumerate(values)
    ]


def _delete_old(characteristic: Characteristic) -> None:
    """Removes only whole subgroups, so that the grouping of the other values doesn't change."""
    size = characteristic.subgroup_size
    measurements = characteristic.measurements
    if measurements.count() < (KEPT_SUBGROUPS + DELETED_AT_ONCE) * size:
        return
    old = measurements.order_by("measured_at", "id").values("pk")[: DELETED_AT_ONCE * size]
    Measurement.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
    oldest = measurements.last()
    characteristic.signals.filter(at__lt=oldest.measured_at).delete()
