from datetime import UTC, datetime, timedelta

import celery
import pytest

from measurements import live
from measurements.models import Characteristic, Measurement

START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def queued(monkeypatch):
    """No task reaches a broker here: name and arguments of each are listed instead."""
    tasks = []

    def apply_async(self, args=(), kwargs=None, **options):
        tasks.append((self.name.rpartition(".")[2], *args))

    monkeypatch.setattr(celery.Task, "apply_async", apply_async)
    return tasks


@pytest.fixture
def sent(monkeypatch):
    """The events that would go to browsers."""
    events = []
    monkeypatch.setattr(live, "send", events.extend)
    return events


@pytest.fixture
def characteristic(db):
    """Makes one whose limits are far apart; `**fields` change it."""

    def make(**fields):
        defaults = {"name": "diameter", "unit": "mm", "target": 10, "lower_limit": 0, "upper_limit": 20}
        return Characteristic.objects.create(**defaults | fields)

    return make


@pytest.fixture
def measure():
    """Adds values, a minute apart; again, after those that are there."""

    def measure(characteristic, values):
        count = characteristic.measurements.count()
        Measurement.objects.bulk_create(
            Measurement(
                characteristic=characteristic, value=value, measured_at=START + timedelta(minutes=count + index)
            )
            for index, value in enumerate(values)
        )

    return measure
