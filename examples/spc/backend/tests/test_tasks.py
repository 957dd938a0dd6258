"""The jobs, called as a worker calls them; and what Celery is told about them."""

from datetime import UTC, datetime, timedelta

import pytest
from celery.exceptions import Retry
from django.db import OperationalError, ProgrammingError
from psycopg.errors import UndefinedColumn, UndefinedTable

from config.celery import app
from measurements import charting, planning, simulation, tasks
from measurements.models import Baseline, CapacityPlan, Characteristic, Chart, Measurement, Signal
from spc.gauge import SLOT_SECONDS

from .conftest import START

pytestmark = pytest.mark.django_db


@pytest.fixture
def simulated(characteristic):
    Characteristic.objects.all().delete()
    return characteristic(simulated=True, subgroup_size=2)


def test_the_gauge_brings_in_what_is_due_and_no_slot_twice(simulated):
    assert simulation.gather(START) == [simulated.pk]
    first = simulated.measurements.count()
    assert first == 2 * simulation.CATCH_UP_SLOTS
    assert simulation.gather(START) == []
    assert simulation.gather(START + timedelta(seconds=SLOT_SECONDS - 1)) == []
    assert simulation.gather(START + timedelta(seconds=2 * SLOT_SECONDS)) == [simulated.pk]
    assert simulated.measurements.count() == first + 4
    times = list(simulated.measurements.values_list("measured_at", flat=True))
    assert len(set(times)) == len(times)
    assert max(times) <= START + timedelta(seconds=2 * SLOT_SECONDS, milliseconds=1)


def test_an_outage_leaves_a_gap(simulated):
    simulation.gather(START)
    simulation.gather(START + timedelta(hours=1))
    assert simulated.measurements.count() == 4 * simulation.CATCH_UP_SLOTS


def test_what_was_posted_does_not_keep_the_gauge_from_reading(simulated):
    Measurement.objects.create(characteristic=simulated, value=1, measured_at=START + timedelta(minutes=3))
    assert simulation.gather(START) == [simulated.pk]


def test_only_what_is_marked_as_simulated_is(simulated, characteristic):
    real = characteristic(name="real")
    simulation.gather(START)
    assert real.measurements.count() == 0
    assert not simulated.measurements.filter(simulated=False).exists()


def test_old_simulated_measurements_go_in_whole_subgroups(simulated, monkeypatch):
    monkeypatch.setattr(simulation, "KEPT_SUBGROUPS", 20)
    monkeypatch.setattr(simulation, "DELETED_AT_ONCE", 5)
    Signal.objects.create(characteristic=simulated, chart="R", rule="WE1", at=START - timedelta(days=1), value=1)
    counts = []
    for slot in range(30):
        now = START + timedelta(seconds=slot * SLOT_SECONDS)
        simulation.gather(now)
        counts.append(simulated.measurements.count())
        # Each subgroup is still of one slot.
        times = list(simulated.measurements.order_by("measured_at").values_list("measured_at", flat=True))
        assert all(at.timestamp() % SLOT_SECONDS == 0 for at in times[::2])
    assert max(counts) == 48
    assert min(counts[15:]) == 40
    assert not simulated.signals.exists()


def test_gathering_has_the_charts_computed(simulated, queued):
    tasks.gather_measurements()
    assert queued == [("compute_chart", simulated.pk)]
    assert simulated.measurements.exists()


def test_refreshing_has_every_chart_computed_and_a_first_plan(simulated, characteristic, queued, sent):
    other = characteristic(name="other")
    tasks.refresh_charts()
    assert sorted(queued) == sorted([("compute_chart", simulated.pk), ("compute_chart", other.pk), ("plan_capacity",)])
    tasks.plan_capacity()
    queued.clear()
    tasks.refresh_charts()
    assert ("plan_capacity",) not in queued


def test_a_chart_is_computed_as_a_task(simulated):
    simulation.gather(START)
    tasks.compute_chart(simulated.pk)
    assert simulated.chart.kind == "xbar-r"


def test_the_next_sample_is_due_an_interval_after_the_last(simulated):
    simulated.sampling_interval = 60
    simulated.save()
    Measurement.objects.create(characteristic=simulated, value=1, measured_at=START - timedelta(minutes=20))
    planning.compute(START)
    job = CapacityPlan.objects.first().jobs[0]
    assert (job["characteristic"], job["start"]) == (simulated.pk, "2026-01-05T06:40:00Z")


def test_what_is_overdue_is_planned_at_once_and_called_late(simulated):
    Measurement.objects.create(characteristic=simulated, value=1, measured_at=START - timedelta(days=1))
    planning.compute(START)
    job = CapacityPlan.objects.first().jobs[0]
    assert (job["start"], job["late"]) == ("2026-01-05T06:00:00Z", True)


def test_old_plans_are_deleted_and_browsers_are_told(db, sent, monkeypatch, django_capture_on_commit_callbacks):
    monkeypatch.setattr(planning, "KEPT_PLANS", 3)
    with django_capture_on_commit_callbacks(execute=True):
        for minute in range(5):
            planning.compute(START + timedelta(minutes=minute))
    kept = [plan.computed_at.minute for plan in CapacityPlan.objects.all()]
    assert kept == [4, 3, 2]
    late = CapacityPlan.objects.first().late
    assert sent[-1] == {"type": "plan", "computed_at": "2026-01-05T06:04:00Z", "late": late}


def fails_with(error, cause):
    def fail(*args):
        raise error from cause

    return fail


def test_a_database_without_tables_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(charting, "compute", fails_with(ProgrammingError("relation"), UndefinedTable("relation")))
    with pytest.raises(tasks.NotMigrated, match="manage.py migrate"):
        tasks.compute_chart(1)
    assert tasks.NotMigrated in tasks.compute_chart.throws


def test_another_mistake_in_a_query_is_not_taken_for_that(monkeypatch):
    monkeypatch.setattr(charting, "compute", fails_with(ProgrammingError("column"), UndefinedColumn("column")))
    with pytest.raises(ProgrammingError, match="column"):
        tasks.compute_chart(1)


def test_without_a_database_a_chart_is_tried_again(monkeypatch):
    monkeypatch.setattr(charting, "compute", fails_with(OperationalError("refused"), None))
    # As a worker runs it; called directly, there is no message to put back.
    tasks.compute_chart.push_request(args=(1,), called_directly=False)
    try:
        with pytest.raises(Retry):
            tasks.compute_chart.run(1)
    finally:
        tasks.compute_chart.pop_request()


def test_every_scheduled_task_is_there_and_none_piles_up():
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
        assert entry["options"]["expires"] == entry["schedule"]


def test_tasks_survive_their_worker_and_the_plan_has_a_queue_of_its_own():
    ours = [task for name, task in app.tasks.items() if name.startswith("measurements.")]
    assert len(ours) == 4
    assert all(task.acks_late and task.reject_on_worker_lost for task in ours)
    route = app.amqp.router.route
    assert route({}, "measurements.tasks.plan_capacity")["queue"].name == "aps"
    assert route({}, "measurements.tasks.compute_chart")["queue"].name == "celery"


def test_nobody_else_is_given_a_task_that_still_runs():
    assert app.conf.broker_transport_options["visibility_timeout"] > app.conf.task_time_limit


def test_the_demonstration_is_in_control_and_its_chart_is_there_at_once(sent):
    """What a newcomer's database has after `migrate`."""
    shaft, weight = Characteristic.objects.order_by("-name")
    assert (shaft.name, shaft.subgroup_size) == ("Shaft diameter", 5)
    assert (weight.name, weight.subgroup_size) == ("Fill weight", 1)
    for one in (shaft, weight):
        assert one.simulated
        assert not one.measurements.filter(measured_at__gt=datetime.now(UTC)).exists()
        charting.compute(one.pk)
        for chart in Chart.objects.get(characteristic=one).charts:
            assert [point["rules"] for point in chart["points"] if point["rules"]] == []
    assert Baseline.objects.count() == 2


def test_a_database_that_has_characteristics_is_not_seeded(characteristic):
    from importlib import import_module

    from django.apps import apps

    Characteristic.objects.all().delete()
    characteristic()
    import_module("measurements.migrations.0003_seed_demonstration").seed(apps, None)
    assert Characteristic.objects.count() == 1
