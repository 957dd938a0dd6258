import pytest

from measurements import charting, planning
from measurements.models import Characteristic, Measurement

from .conftest import START

pytestmark = pytest.mark.django_db


def post(client, **body):
    return client.post("/api/measurements/", body, content_type="application/json")


def test_characteristics_are_readable_by_everybody(client, characteristic):
    characteristic(name="A diameter")
    assert client.get("/api/characteristics/").json()["results"][0]["name"] == "A diameter"


def test_limits_the_wrong_way_round_are_refused(admin_client):
    response = admin_client.post(
        "/api/characteristics/",
        {"name": "diameter", "unit": "mm", "target": 10, "lower_limit": 11, "upper_limit": 9},
    )
    assert response.status_code == 400
    assert "lower_limit" in response.json()


@pytest.mark.parametrize("size", [0, 26])
def test_subgroups_without_constants_are_refused(admin_client, size):
    response = admin_client.post(
        "/api/characteristics/",
        {"name": "d", "unit": "mm", "target": 1, "lower_limit": 0, "upper_limit": 2, "subgroup_size": size},
    )
    assert response.status_code == 400
    assert "subgroup_size" in response.json()


def test_a_change_of_the_subgroups_has_the_chart_computed(
    admin_client, characteristic, queued, django_capture_on_commit_callbacks
):
    made = characteristic()
    with django_capture_on_commit_callbacks(execute=True):
        response = admin_client.patch(
            f"/api/characteristics/{made.pk}/", {"subgroup_size": 4}, content_type="application/json"
        )
    assert response.status_code == 200
    assert queued == [("compute_chart", made.pk)]


def test_anybody_adds_a_measurement_and_its_chart_is_computed_once_it_is_committed(
    client, characteristic, queued, django_capture_on_commit_callbacks
):
    made = characteristic()
    with django_capture_on_commit_callbacks(execute=True):
        response = post(client, characteristic=made.pk, value=10.02)
        assert queued == []
    assert response.status_code == 201
    assert response.json()["simulated"] is False
    assert queued == [("compute_chart", made.pk)]
    assert made.measurements.get().value == 10.02


def test_so_does_a_browser_that_is_logged_in_to_the_admin(admin_user, characteristic):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert post(client, characteristic=characteristic().pk, value=10).status_code == 201


def test_a_measurement_is_kept_when_the_broker_does_not_answer(
    client, characteristic, monkeypatch, django_capture_on_commit_callbacks
):
    def refuse(*args, **kwargs):
        raise ConnectionError("refused")

    monkeypatch.setattr("measurements.tasks.compute_chart.apply_async", refuse)
    made = characteristic()
    with django_capture_on_commit_callbacks(execute=True):
        assert post(client, characteristic=made.pk, value=10.02).status_code == 201
    assert made.measurements.count() == 1


@pytest.mark.parametrize("value", ["nan", "inf", "1e400", 1e13, 10**400, "wide", None])
def test_a_value_that_is_no_measurement_is_refused(client, characteristic, value):
    response = post(client, characteristic=characteristic().pk, value=value)
    assert response.status_code == 400
    assert "value" in response.json()


def test_a_measurement_from_the_future_is_refused(client, characteristic):
    response = post(client, characteristic=characteristic().pk, value=1, measured_at="2999-01-01T00:00:00Z")
    assert response.status_code == 400
    assert "in the future" in response.json()["measured_at"][0]


def test_a_characteristic_that_is_not_there_is_refused(client):
    response = post(client, characteristic=999, value=1)
    assert response.status_code == 400
    assert "999" in response.json()["characteristic"][0]


def test_a_form_of_another_site_can_not_add_one(client, characteristic):
    response = client.post("/api/measurements/", {"characteristic": characteristic().pk, "value": 1})
    assert response.status_code == 415


def test_without_a_login_nothing_else_is_changed(client, characteristic, measure):
    made = characteristic()
    measure(made, [10])
    url = f"/api/measurements/{made.measurements.get().pk}/"
    assert client.delete(url).status_code == 403
    assert client.patch(url, {"value": 1}, content_type="application/json").status_code == 403
    assert client.delete(f"/api/characteristics/{made.pk}/").status_code == 403
    assert made.measurements.get().value == 10


def test_a_deleted_or_moved_measurement_has_the_charts_computed(
    admin_client, characteristic, measure, queued, django_capture_on_commit_callbacks
):
    one, other = characteristic(), characteristic(name="other")
    measure(one, [10, 11])
    first, second = Measurement.objects.filter(characteristic=one)
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.patch(
            f"/api/measurements/{first.pk}/", {"characteristic": other.pk}, content_type="application/json"
        )
        admin_client.delete(f"/api/measurements/{second.pk}/")
    assert sorted(queued) == sorted([("compute_chart", one.pk)] * 2 + [("compute_chart", other.pk)])


def test_measurements_of_one_characteristic_newest_first(client, characteristic, measure):
    one, other = characteristic(), characteristic(name="other")
    measure(one, [1, 2, 3])
    measure(other, [4])
    body = client.get(f"/api/measurements/?characteristic={one.pk}").json()
    assert (body["count"], [row["value"] for row in body["results"]]) == (3, [3, 2, 1])


@pytest.mark.parametrize("path", ["measurements", "signals"])
def test_a_filter_that_is_no_id_is_refused(client, path):
    response = client.get(f"/api/{path}/?characteristic=diameter")
    assert response.status_code == 400
    assert "'diameter' is not the id" in response.json()["characteristic"]


def test_a_chart_is_there_once_it_was_computed(client, characteristic, measure, sent):
    made = characteristic(subgroup_size=1)
    url = f"/api/charts/{made.pk}/"
    assert client.get(url).status_code == 404
    assert "'diameter' has been computed yet; it takes 2 subgroups of 1" in client.get(url).json()["detail"]
    measure(made, [10, 12, 11])
    charting.compute(made.pk)
    body = client.get(url).json()
    assert set(body) == {"characteristic", "kind", "computed_at", "measurements", "charts"}
    assert (body["characteristic"], body["kind"], body["measurements"]) == (made.pk, "individuals", 3)
    individuals, moving = body["charts"]
    assert set(individuals) == {"name", "center", "lower", "upper", "sigma", "points"}
    assert (individuals["name"], moving["name"]) == ("Individuals", "Moving range")
    assert [point["value"] for point in moving["points"]] == [2, 1]
    newest = client.get(f"/api/measurements/?characteristic={made.pk}").json()["results"][0]
    assert individuals["points"][-1] == {"at": newest["measured_at"], "value": 11.0, "rules": []}


def test_a_chart_of_nothing_is_not_found(client):
    assert client.get("/api/charts/999/").status_code == 404


def test_signals_newest_first(client, characteristic, measure, sent):
    made = characteristic(subgroup_size=1)
    measure(made, [10, 11] * 13)
    charting.compute(made.pk)
    measure(made, [40, -40])
    charting.compute(made.pk)
    body = client.get(f"/api/signals/?characteristic={made.pk}").json()
    found = [(one["chart"], one["rule"], one["value"]) for one in body["results"]]
    assert ("Individuals", "WE1", -40.0) in found
    assert ("Moving range", "WE1", 80.0) in found
    ids = [one["id"] for one in body["results"]]
    assert ids == sorted(ids, reverse=True)
    assert set(body["results"][0]) == {"id", "characteristic", "rule", "chart", "at", "value", "raised_at"}


def test_the_newest_plan(client, settings, characteristic, sent):
    settings.INSPECTORS = 2
    Characteristic.objects.all().delete()
    assert client.get("/api/plan/").status_code == 404
    made = characteristic(sampling_interval=240, sampling_minutes=30)
    planning.compute(START)
    assert client.get("/api/plan/").json() == {
        "computed_at": "2026-01-05T06:00:00Z",
        "horizon_hours": 8,
        "inspectors": 2,
        "capacity_per_hour": 120,
        "jobs": [
            {
                "characteristic": made.pk,
                "due": due,
                "start": due,
                "minutes": 30,
                "inspector": inspector,
                "late": False,
            }
            for due, inspector in [("2026-01-05T06:00:00Z", 1), ("2026-01-05T10:00:00Z", 2)]
        ],
        "late": 0,
    }
