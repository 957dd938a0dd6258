"""A file that Celery's processes touch while they do their work, for health checks that cost next to nothing:

    test: test -n "$(find /dev/shm/celery-alive -newermt '15 seconds ago')"

The worker's has the broker's connection in it: without one it takes nothing off a queue, and touches nothing.
"""

from pathlib import Path

from celery import beat, bootsteps

# In memory, and writable where the container's own files are not.
FILE = Path("/dev/shm/celery-alive")
INTERVAL_SECONDS = 5


class SignOfLife(bootsteps.StartStopStep):
    """A part of a worker's consumer: there once it takes tasks and answers `inspect`, gone when it stops."""

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
    """Beat's schedule in memory: its jobs come every few seconds, so there is nothing to remember over a restart."""

    def tick(self, *args, **kwargs):
        seconds = super().tick(*args, **kwargs)
        FILE.touch()
        return min(seconds, INTERVAL_SECONDS)
