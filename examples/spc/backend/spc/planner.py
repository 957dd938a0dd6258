"""Plans sampling jobs onto inspectors and gauges, each of which does one job at a time.

Times are minutes from the start of the plan. An inspector is never idle while a job that could be done waits; of the
jobs that could start at that moment, the one with the earliest deadline goes first. Jobs that all take as long, become
due at multiples of that time and share no gauge are all on time in this order if they are in any.
"""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(frozen=True)
class Task:
    """What has to be sampled again and again."""

    characteristic: int
    first_due: float
    """When the first sample is due; before 0 if it's overdue already."""
    interval: float
    minutes: float
    """Work for one sample."""
    gauge: str = ""
    """Tasks that name the same gauge can't be worked on at the same time; an empty name is a gauge of its own."""


@dataclass(frozen=True)
class Job:
    characteristic: int
    due: float
    deadline: float
    minutes: float
    gauge: str


@dataclass(frozen=True)
class Planned:
    characteristic: int
    due: float
    start: float
    minutes: float
    inspector: int
    late: bool
    """Whether it ends after the next sample is due."""


def jobs(task: Task, horizon: float) -> list[Job]:
    """The samples that fall due before the horizon. Samples that were missed in the past are one job, not many."""
    if task.interval <= 0 or task.minutes <= 0:
        raise ValueError(f"Interval and minutes are above 0, not {task.interval} and {task.minutes}.")
    found = []
    due = task.first_due
    if due < 0:
        found.append(Job(task.characteristic, due, due + task.interval, task.minutes, task.gauge))
        due = due % task.interval
    while due < horizon:
        found.append(Job(task.characteristic, due, due + task.interval, task.minutes, task.gauge))
        due += task.interval
    return found


def plan(tasks: Iterable[Task], inspectors: int, horizon: float) -> list[Planned]:
    """Every job of the horizon, in order of its start."""
    if inspectors < 1:
        raise ValueError(f"A plan takes at least 1 inspector, not {inspectors}.")
    return schedule((job for task in tasks for job in jobs(task, horizon)), inspectors)


def schedule(known: Iterable[Job], inspectors: int) -> list[Planned]:
    """As `plan`, for jobs that are known already."""
    upcoming = sorted(known, key=lambda job: job.due, reverse=True)
    ready: list[Job] = []
    free = [(0.0, number) for number in range(1, inspectors + 1)]
    gauges: dict[str, float] = {}
    planned = []
    now = 0.0
    while upcoming or ready:
        now = max(now, free[0][0])
        while upcoming and upcoming[-1].due <= now:
            insort(ready, upcoming.pop(), key=_urgency)
        job = next((job for job in ready if gauges.get(job.gauge, 0.0) <= now), None)
        if job is None:
            # Nothing can start yet: on to the next job that becomes due or gauge that gets free.
            now = min([gauges[job.gauge] for job in ready] + [job.due for job in upcoming[-1:]])
            continue
        ready.remove(job)
        _, inspector = heappop(free)
        end = now + job.minutes
        heappush(free, (end, inspector))
        if job.gauge:
            gauges[job.gauge] = end
        planned.append(Planned(job.characteristic, job.due, now, job.minutes, inspector, end > job.deadline))
    return planned


def _urgency(job: Job) -> tuple[float, int, float]:
    return job.deadline, job.characteristic, job.due
