"""Every response names the release."""

import pytest


@pytest.fixture(autouse=True)
def release(settings):
    settings.RELEASE = "v7"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"), [("/api/", 200), ("/api/charts/999/", 404), ("/nowhere/", 404), ("/admin/", 302)]
)
def test_of_whatever_status(client, path, status):
    response = client.get(path)
    assert (response.status_code, response["X-Release"]) == (status, "v7")


def test_the_health_check_too(client, monkeypatch):
    from config import health

    monkeypatch.setattr(health, "answering", lambda checks: set())
    response = client.get("/api/health/")
    assert (response.status_code, response["X-Release"]) == (503, "v7")


def test_an_error_of_ours_too(client, monkeypatch):
    from config import health

    def fail(checks):
        raise RuntimeError("a bug")

    client.raise_request_exception = False
    monkeypatch.setattr(health, "answering", fail)
    response = client.get("/api/health/")
    assert (response.status_code, response["X-Release"]) == (500, "v7")


@pytest.mark.asyncio
async def test_over_asgi_too(async_client):
    response = await async_client.get("/nowhere/")
    assert (response.status_code, response["X-Release"]) == (404, "v7")
