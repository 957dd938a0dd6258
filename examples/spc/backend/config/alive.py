"""Celery's processes update a file while they work, so that a health check needs almost no CPU time:

    test: test -n "$(find /dev/shm/celery-alive -newermt '15 seconds ago')"

A worker without a connection to the broker takes no tasks, and does not update the file.
"""

from pathlib import Path

from celery import beat, bootsteps

# In memory, and writable even if the container's own files are read-only.
FILE = Path("/dev/shm/celery-alive")
INTERVAL_SECONDS = 5


class SignOfLife(bootsteps.StartStopStep):
    """A part of a worker's consumer. It runs while the worker takes tasks and answers `inspect`."""

    requires = {"celery.worker.consumer.tasks:Tasks", "celery.worker.consumer.control:Control"}

    def __init__(self, parent, **options):
        super().__init__(parent, **options)
        self.timer = None

    def start(self, parent):
        FILE.touch()
        self.timer = parent.timer.call_repeatedly(INTERVAL_SECONDS, FILE.touch)

    def stop(self, parent):
        if self.timer:
            self.timer.cancel()
            self.timer = None
        FILE.unlink(missing_ok=True)


class Scheduler(beat.Scheduler):
    """Beat's schedule in memory. Its jobs run every few seconds, so it need not survive a restart."""

    def tick(self, *args, **kwargs):
        seconds = super().tick(*args, **kwargs)
        FILE.touch()
        return min(seconds, INTERVAL_SECONDS)
