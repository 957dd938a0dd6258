"""Assigns sampling jobs to inspectors and gauges. Each of them does one job at a time.

Times are minutes from the start of the plan. An inspector is never idle while a job could start. Of the jobs
that could start at the same time, the one with the earliest deadline goes first. Suppose that all jobs take the same
time, are due at multiples of this time and share no gauge: then this order makes a job late only if every order does.
"""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(frozen=True)
class Task:
    """A characteristic that is sampled regularly."""

    characteristic: int
    first_due: float
    """The time when the first sample is due; negative if it is overdue."""
    interval: float
    minutes: float
    """The time that one sample takes."""
    gauge: str = ""
    """Two tasks with the same gauge can't run at the same time. An empty name means a separate gauge."""


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
    """The samples that are due before the horizon. All samples that were missed in the past become one job."""
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
    """All jobs before the horizon, in the order of their starts."""
    if inspectors < 1:
        raise ValueError(f"A plan takes at least 1 inspector, not {inspectors}.")
    return schedule((job for task in tasks for job in jobs(task, horizon)), inspectors)


def schedule(known: Iterable[Job], inspectors: int) -> list[Planned]:
    """Like `plan`, for jobs that are already known."""
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
            # No job can start now: continue at the time when the next job is due or a gauge becomes free.
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
