"""The file that health checks of Celery's processes look at."""

import pytest

from config import alive
from config.celery import app


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    monkeypatch.setattr(alive, "FILE", tmp_path / "alive")
    return alive.FILE


class Timer:
    """Of a consumer: remembers what it was asked to call."""

    def call_repeatedly(self, seconds, function):
        self.seconds, self.function, self.cancelled = seconds, function, False
        return self

    def cancel(self):
        self.cancelled = True


class Consumer:
    def __init__(self):
        self.timer = Timer()


def test_a_worker_touches_it_while_it_takes_tasks(file):
    consumer = Consumer()
    step = alive.SignOfLife(consumer)
    step.start(consumer)
    assert file.exists()
    file.unlink()
    consumer.timer.function()
    assert file.exists()
    step.stop(consumer)
    assert consumer.timer.cancelled
    assert not file.exists()


def test_stopping_before_it_started_is_no_error(file):
    consumer = Consumer()
    alive.SignOfLife(consumer).stop(consumer)


def test_the_worker_has_that_step():
    assert alive.SignOfLife in app.steps["consumer"]


def test_beat_touches_it_at_every_tick_and_ticks_often_enough(file):
    scheduler = alive.Scheduler(app)
    app.conf.beat_schedule, before = {}, app.conf.beat_schedule
    try:
        assert scheduler.tick() <= alive.INTERVAL_SECONDS
    finally:
        app.conf.beat_schedule = before
    assert file.exists()
