"""Plans when inspectors take the next samples: the APS worker's job (advanced planning and scheduling)."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from spc import planner

from . import live
from .models import CapacityPlan, Characteristic

HORIZON_HOURS = 8
KEPT_PLANS = 60


def compute(now: datetime) -> None:
    """A second call adds a plan with the same content."""
    tasks = [_task(characteristic, now) for characteristic in _measured()]
    planned = planner.plan(tasks, settings.INSPECTORS, HORIZON_HOURS * 60)
    with transaction.atomic():
        plan = CapacityPlan.objects.create(
            computed_at=now,
            horizon_hours=HORIZON_HOURS,
            inspectors=settings.INSPECTORS,
            jobs=[_as_json(job, now) for job in planned],
            late=sum(job.late for job in planned),
        )
        kept = CapacityPlan.objects.values_list("pk", flat=True)[:KEPT_PLANS]
        CapacityPlan.objects.exclude(pk__in=list(kept)).delete()
        event = {"type": "plan", "computed_at": live.iso(plan.computed_at), "late": plan.late}
        transaction.on_commit(lambda: live.send([event]))


def _measured():
    return Characteristic.objects.annotate(last_at=Max("measurements__measured_at"))


def _task(characteristic: Characteristic, now: datetime) -> planner.Task:
    """The next sample is due one interval after the last measurement, or at once if there is none."""
    due = 0.0
    if characteristic.last_at:
        due = (characteristic.last_at - now) / timedelta(minutes=1) + characteristic.sampling_interval
    return planner.Task(
        characteristic=characteristic.pk,
        first_due=due,
        interval=characteristic.sampling_interval,
        minutes=characteristic.sampling_minutes,
        gauge=characteristic.gauge,
    )


def _as_json(job: planner.Planned, now: datetime) -> dict:
    return {
        "characteristic": job.characteristic,
        "due": live.iso(now + timedelta(minutes=job.due)),
        "start": live.iso(now + timedelta(minutes=job.start)),
        "minutes": job.minutes,
        "inspector": job.inspector,
        "late": job.late,
    }
