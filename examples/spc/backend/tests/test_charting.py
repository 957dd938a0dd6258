"""Charts, baselines and signals as they are stored."""

from datetime import timedelta

import pytest

from measurements import charting
from measurements.models import Baseline, Chart, Signal

from .conftest import START

pytestmark = pytest.mark.django_db

# Alternates, so that no rule is broken: mean 10.5, mean moving range 1, limits at 7.84 and 13.16.
STEADY = [10, 11] * 13


@pytest.fixture
def single(characteristic, measure):
    """A characteristic of single values with a baseline."""
    made = characteristic(subgroup_size=1)
    measure(made, STEADY)
    charting.compute(made.pk)
    return made


def points(characteristic, index=0):
    return Chart.objects.get(characteristic=characteristic).charts[index]["points"]


def test_one_subgroup_is_no_chart(characteristic, measure):
    made = characteristic()
    measure(made, [10] * 9)
    charting.compute(made.pk)
    assert not Chart.objects.filter(characteristic=made).exists()


def test_a_characteristic_that_was_deleted_meanwhile_is_no_error(characteristic):
    made = characteristic()
    pk = made.pk
    made.delete()
    charting.compute(pk)


def test_subgroups_are_plotted_when_they_are_complete(characteristic, measure):
    made = characteristic(subgroup_size=2)
    measure(made, [10, 12, 13, 15, 99])
    charting.compute(made.pk)
    assert points(made) == [
        {"at": "2026-01-05T06:01:00Z", "value": 11.0, "rules": []},
        {"at": "2026-01-05T06:03:00Z", "value": 14.0, "rules": []},
    ]
    assert [point["value"] for point in points(made, 1)] == [2, 2]
    assert made.chart.measurements == 5


def test_limits_move_with_the_data_until_there_is_enough_for_a_baseline(characteristic, measure):
    made = characteristic(subgroup_size=1)
    measure(made, STEADY[:24])
    charting.compute(made.pk)
    assert not Baseline.objects.filter(characteristic=made).exists()
    measure(made, [10])
    charting.compute(made.pk)
    baseline = Baseline.objects.get(characteristic=made)
    assert baseline.until == START + timedelta(minutes=24)
    before = Chart.objects.get(characteristic=made).charts[0]["upper"]
    measure(made, [50, 51, 50])
    charting.compute(made.pk)
    assert Chart.objects.get(characteristic=made).charts[0]["upper"] == before
    assert Baseline.objects.get(characteristic=made) == baseline


def test_a_baseline_of_other_subgroups_is_made_anew(single):
    single.subgroup_size = 2
    single.save()
    charting.compute(single.pk)
    # 13 subgroups are too few for one.
    assert not Baseline.objects.filter(characteristic=single).exists()
    assert single.chart.kind == "xbar-r"


def test_a_deleted_baseline_is_made_of_the_newest_data(single, measure):
    measure(single, [20, 21] * 13)
    Baseline.objects.all().delete()
    charting.compute(single.pk)
    assert Baseline.objects.get(characteristic=single).center == pytest.approx(20.5, abs=0.1)


def test_the_baseline_raises_no_signals_and_a_point_after_it_does(characteristic, measure, sent):
    made = characteristic(subgroup_size=1)
    measure(made, [30, *STEADY[1:25]])
    charting.compute(made.pk)
    assert points(made)[0]["rules"] == ["WE1"]
    assert Signal.objects.count() == 0
    measure(made, [30])
    charting.compute(made.pk)
    signal = Signal.objects.get(chart="Individuals")
    assert (signal.rule, signal.value, signal.at) == ("WE1", 30, START + timedelta(minutes=25))


def test_a_signal_is_raised_once_however_often_the_chart_is_computed(single, measure):
    measure(single, [30])
    for _ in range(3):
        charting.compute(single.pk)
    assert sorted(Signal.objects.values_list("chart", "rule")) == [("Individuals", "WE1"), ("Moving range", "WE1")]
    measure(single, [30])
    charting.compute(single.pk)
    assert Signal.objects.filter(chart="Individuals", rule="WE1").count() == 2


def test_browsers_are_told_once_it_is_stored(single, measure, sent, django_capture_on_commit_callbacks):
    measure(single, [30])
    with django_capture_on_commit_callbacks(execute=True):
        charting.compute(single.pk)
        assert sent == []
    chart, *signals = sent
    assert chart["type"] == "chart"
    assert chart["characteristic"] == single.pk
    assert [(event["type"], event["chart"], event["rule"], event["at"]) for event in signals] == [
        ("signal", "Individuals", "WE1", "2026-01-05T06:26:00Z"),
        ("signal", "Moving range", "WE1", "2026-01-05T06:26:00Z"),
    ]


def test_what_says_the_same_is_neither_stored_nor_told(single, sent, django_capture_on_commit_callbacks):
    before = Chart.objects.get(characteristic=single).computed_at
    with django_capture_on_commit_callbacks(execute=True):
        charting.compute(single.pk)
    assert Chart.objects.get(characteristic=single).computed_at == before
    assert sent == []


def test_a_chart_goes_with_its_measurements(single):
    single.measurements.all().delete()
    charting.compute(single.pk)
    assert not Chart.objects.filter(characteristic=single).exists()


@pytest.mark.parametrize("size", [1, 3])
def test_the_newest_points_are_shown_as_if_all_were(characteristic, measure, size, monkeypatch):
    """Cutting off what isn't shown changes neither the groups nor the rules of what is."""
    made = characteristic(subgroup_size=size)
    # A slow wave breaks rules that need points before the shown ones.
    measure(made, [10 + index % 2 + 3 * ((index // (7 * size)) % 3) for index in range(100 * size + size // 2)])
    charting.compute(made.pk)
    shown = made.chart.charts
    monkeypatch.setattr(charting, "SHOWN_SUBGROUPS", 1000)
    charting.compute(made.pk)
    made.refresh_from_db()
    for part, whole in zip(shown, made.chart.charts, strict=True):
        assert len(part["points"]) == 60
        assert part["points"] == whole["points"][-60:]
    assert any(point["rules"] for point in shown[0]["points"][:3])
