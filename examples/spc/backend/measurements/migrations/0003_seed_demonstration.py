"""Puts two characteristics with a baseline of made-up measurements into an empty database, as a demonstration.

They are marked as simulated: the simulated gauge goes on from there. Delete them in the admin, and it stops.
"""

from datetime import datetime, timedelta, timezone
from random import Random

from django.db import migrations
from django.utils.timezone import now

CHARACTERISTICS = [
    {
        "name": "Shaft diameter",
        "unit": "mm",
        "target": 10.0,
        "lower_limit": 9.92,
        "upper_limit": 10.08,
        "subgroup_size": 5,
        "sampling_interval": 15,
        "sampling_minutes": 8,
        "gauge": "micrometer",
    },
    {
        "name": "Fill weight",
        "unit": "g",
        "target": 500.0,
        "lower_limit": 488.0,
        "upper_limit": 512.0,
        "subgroup_size": 1,
        "sampling_interval": 10,
        "sampling_minutes": 4,
        "gauge": "scale",
    },
]
SUBGROUPS = 30
SECONDS_BETWEEN = 5
# Any would do whose numbers look like a process in control; the tests say that this one's do.
SEED = 4


def seed(apps, schema_editor):
    Characteristic = apps.get_model("measurements", "Characteristic")
    Measurement = apps.get_model("measurements", "Measurement")
    if Characteristic.objects.exists():
        return
    random = Random(SEED)
    newest = int(now().timestamp()) // SECONDS_BETWEEN * SECONDS_BETWEEN
    for fields in CHARACTERISTICS:
        characteristic = Characteristic.objects.create(simulated=True, **fields)
        sigma = (characteristic.upper_limit - characteristic.lower_limit) / 8
        Measurement.objects.bulk_create(
            Measurement(
                characteristic=characteristic,
                value=round(random.gauss(characteristic.target, sigma), 4),
                measured_at=datetime.fromtimestamp(newest - SECONDS_BETWEEN * back, timezone.utc)
                + timedelta(milliseconds=index),
                simulated=True,
            )
            for back in reversed(range(SUBGROUPS))
            for index in range(characteristic.subgroup_size)
        )


class Migration(migrations.Migration):
    dependencies = [("measurements", "0002_charts_signals_and_plans")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
