"""The admin shows everything that is stored."""

import pytest

from measurements import charting, planning
from measurements.models import Characteristic

from .conftest import START

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "model", ["characteristic", "measurement", "baseline", "chart", "signal", "capacityplan"]
)
def test_lists(admin_client, sent, model):
    for characteristic in Characteristic.objects.all():
        charting.compute(characteristic.pk)
        characteristic.signals.create(chart="R", rule="WE1", at=START, value=1)
    planning.compute(START)
    response = admin_client.get(f"/admin/measurements/{model}/")
    assert response.status_code == 200
    assert b"0 of 0 selected" not in response.content
    assert b"result_list" in response.content


def test_what_jobs_computed_is_not_edited(admin_client):
    assert admin_client.get("/admin/measurements/chart/add/").status_code == 403
