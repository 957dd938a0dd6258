"""A job for load tests. It exists only if LOAD_TEST is set.

Each run notes its start and its end in Redis. So a test of a deployment sees whether a job was lost or ran twice.
"""

import time

import redis
from django.conf import settings

from .celery import app


@app.task
def noted(number: int, seconds: float) -> None:
    """Notes `start NUMBER`, works for `seconds`, and notes `end NUMBER`, in the list `load-jobs` of database 3."""
    with redis.Redis(host=settings.REDIS_HOST, port=settings.REDIS_PORT, db=3) as notes:
        notes.rpush("load-jobs", f"start {number}")
        time.sleep(seconds)
        notes.rpush("load-jobs", f"end {number}")
