from itertools import combinations, permutations
from random import Random

import pytest

from spc.planner import Job, Task, jobs, plan, schedule


def job(due, deadline, minutes=1, characteristic=1, gauge=""):
    return Job(characteristic, due, deadline, minutes, gauge)


def starts(planned):
    return [(one.characteristic, one.start) for one in planned]


def test_samples_fall_due_at_every_interval_before_the_horizon():
    assert [one.due for one in jobs(Task(1, first_due=10, interval=20, minutes=5), 60)] == [10, 30, 50]
    assert [one.deadline for one in jobs(Task(1, first_due=10, interval=20, minutes=5), 60)] == [30, 50, 70]


def test_missed_samples_are_one_job():
    assert [one.due for one in jobs(Task(1, first_due=-50, interval=20, minutes=5), 40)] == [-50, 10, 30]


def test_a_task_without_work_or_interval_is_refused():
    with pytest.raises(ValueError, match="above 0, not 0 and 5"):
        jobs(Task(1, 0, 0, 5), 60)
    with pytest.raises(ValueError, match="above 0, not 20 and 0"):
        jobs(Task(1, 0, 20, 0), 60)


def test_a_job_starts_when_it_is_due_if_somebody_is_free():
    assert starts(schedule([job(5, 30), job(20, 40)], 1)) == [(1, 5), (1, 20)]


def test_a_second_inspector_takes_what_the_first_has_no_time_for():
    one, two = schedule([job(0, 10, 5, characteristic=1), job(0, 10, 5, characteristic=2)], 2)
    assert (one.start, two.start) == (0, 0)
    assert {one.inspector, two.inspector} == {1, 2}


def test_the_earliest_deadline_goes_first():
    assert starts(schedule([job(0, 30, 5, 1), job(0, 10, 5, 2), job(0, 20, 5, 3)], 1)) == [(2, 0), (3, 5), (1, 10)]


def test_a_job_waits_for_its_gauge_and_another_goes_first():
    planned = schedule([job(0, 10, 5, 1, "scale"), job(0, 11, 5, 2, "scale"), job(1, 30, 5, 3, "micrometer")], 2)
    assert starts(planned) == [(1, 0), (3, 1), (2, 5)]


def test_too_much_work_is_late_and_none_is_dropped():
    planned = plan([Task(1, 0, interval=10, minutes=8), Task(2, 0, interval=10, minutes=8)], 1, 60)
    assert len(planned) == 12
    assert sum(one.late for one in planned) > 0
    assert sum(one.late for one in plan([Task(1, 0, 10, 8), Task(2, 0, 10, 8)], 2, 60)) == 0


def test_late_is_past_the_next_sample():
    (exact,) = schedule([job(0, 5, 5)], 1)
    (over,) = schedule([job(0, 5, 5.1)], 1)
    assert (exact.late, over.late) == (False, True)


def test_nobody_to_work_is_refused():
    with pytest.raises(ValueError, match="at least 1 inspector, not 0"):
        plan([], 0, 60)


def overlap(one, two):
    return one.start < two.start + two.minutes and two.start < one.start + one.minutes


@pytest.mark.parametrize("seed", range(30))
def test_any_plan_is_one_that_can_be_done(seed):
    random = Random(seed)
    gauges = {number: random.choice(["", "a", "b"]) for number in range(1, 7)}
    tasks = [
        Task(number, random.uniform(-30, 30), random.choice([5, 15, 60]), random.uniform(1, 12), gauge)
        for number, gauge in gauges.items()
    ]
    inspectors = random.randint(1, 3)
    planned = plan(tasks, inspectors, 120)
    wanted = sorted((one.characteristic, one.due) for task in tasks for one in jobs(task, 120))
    assert sorted((one.characteristic, one.due) for one in planned) == wanted
    assert [one.start for one in planned] == sorted(one.start for one in planned)
    for one in planned:
        assert one.start >= max(0, one.due)
        assert 1 <= one.inspector <= inspectors
    for one, two in combinations(planned, 2):
        if one.inspector == two.inspector or (gauges[one.characteristic] == gauges[two.characteristic] != ""):
            assert not overlap(one, two)
    # Nobody is idle while there is work: a job that waits starts where another one ends.
    ends = {one.start + one.minutes for one in planned}
    assert all(one.start == max(0, one.due) or one.start in ends for one in planned)


@pytest.mark.parametrize("seed", range(60))
def test_equal_jobs_are_all_on_time_if_any_order_has_them_so(seed):
    """Against every order of five jobs of one minute each."""
    random = Random(seed)
    known = []
    for number in range(5):
        due = random.randint(0, 3)
        known.append(job(due, due + random.randint(1, 3), characteristic=number))

    def on_time(order):
        now = 0
        for one in order:
            now = max(now, one.due) + 1
            if now > one.deadline:
                return False
        return True

    assert (not any(one.late for one in schedule(known, 1))) == any(map(on_time, permutations(known)))
