import pytest

from measurements.models import Characteristic

pytestmark = pytest.mark.django_db


def test_characteristics_are_readable_by_everybody(client):
    Characteristic.objects.create(name="diameter", unit="mm", target=10, lower_limit=9.9, upper_limit=10.1)
    assert client.get("/api/characteristics/").json()["results"][0]["name"] == "diameter"


def test_limits_the_wrong_way_round_are_refused(admin_client):
    response = admin_client.post(
        "/api/characteristics/",
        {"name": "diameter", "unit": "mm", "target": 10, "lower_limit": 11, "upper_limit": 9},
    )
    assert response.status_code == 400
    assert "lower_limit" in response.json()
