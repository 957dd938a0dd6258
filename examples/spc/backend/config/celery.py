"""The Celery application: `celery -A config worker`, `… beat`, `… flower`."""

import os

from celery import Celery
from django.conf import settings

from spc.gauge import SLOT_SECONDS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from .alive import SignOfLife  # noqa: E402

app = Celery("spc")
app.steps["consumer"].add(SignOfLife)
app.autodiscover_tasks()
if settings.LOAD_TEST:
    app.conf.include = ["config.load_jobs"]

app.conf.update(
    broker_url=f"redis://{settings.REDIS_HOST}:{settings.REDIS_PORT}/0",
    # The broker may start later or stop for a while, so retry forever.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "socket_connect_timeout": 2,
        # After this time, another worker gets the tasks of a killed one. It is longer than any task or retry takes.
        "visibility_timeout": 120,
    },
    task_ignore_result=True,
    # Every task may run twice. So it leaves the queue when it is done, and runs again if its process is killed.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_soft_time_limit=20,
    task_time_limit=30,
    task_routes={"measurements.tasks.plan_capacity": {"queue": "aps"}},
    worker_concurrency=2,
    worker_prefetch_multiplier=1,
    # For Flower.
    worker_send_task_events=True,
    task_send_sent_event=True,
    beat_scheduler="config.alive:Scheduler",
)


def every(seconds: int, task: str) -> dict:
    """A task that expires when the next one is due, so that tasks don't pile up while no worker runs."""
    return {"task": f"measurements.tasks.{task}", "schedule": seconds, "options": {"expires": seconds}}


app.conf.beat_schedule = {
    "gather measurements": every(SLOT_SECONDS, "gather_measurements"),
    "refresh charts": every(30, "refresh_charts"),
    "plan capacity": every(60, "plan_capacity"),
}
