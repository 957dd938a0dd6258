"""The jobs. A job can safely run twice, and can be cancelled at any time and run again."""

from django.db import InterfaceError, OperationalError, ProgrammingError, transaction
from django.utils import timezone
from psycopg.errors import UndefinedTable

from config.celery import app

from . import charting, planning, simulation
from .models import CapacityPlan, Characteristic


class NotMigrated(Exception):
    """The database has no tables yet."""


class DatabaseTask(app.Task):
    """A task that needs the database. If the database is missing, it logs one line instead of a traceback."""

    throws = (NotMigrated, OperationalError, InterfaceError)

    def __call__(self, *args, **kwargs):
        try:
            return super().__call__(*args, **kwargs)
        except ProgrammingError as error:
            if isinstance(error.__cause__, UndefinedTable):
                raise NotMigrated("The database has no tables yet: run `python manage.py migrate`.") from None
            raise


@app.task(base=DatabaseTask, autoretry_for=(OperationalError, InterfaceError), retry_backoff=True, max_retries=5)
def compute_chart(characteristic: int) -> None:
    charting.compute(characteristic)


@app.task(base=DatabaseTask)
def gather_measurements() -> None:
    for characteristic in simulation.gather(timezone.now()):
        compute_chart.delay(characteristic)


@app.task(base=DatabaseTask)
def refresh_charts() -> None:
    """Handles changes that bypassed the API, and lost requests for a chart."""
    for characteristic in Characteristic.objects.values_list("pk", flat=True):
        compute_chart.delay(characteristic)
    if not CapacityPlan.objects.exists():
        plan_capacity.delay()


@app.task(base=DatabaseTask)
def plan_capacity() -> None:
    planning.compute(timezone.now())


def recompute_later(characteristic: int) -> None:
    """Requests the chart after the commit. If there is no broker, `refresh_charts` computes it later."""
    transaction.on_commit(lambda: compute_chart.delay(characteristic), robust=True)
