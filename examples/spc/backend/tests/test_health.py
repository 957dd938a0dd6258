import time

import pytest

from config import health


def fails():
    raise ConnectionError("refused")


def hangs():
    time.sleep(10)


@pytest.fixture
def get(client, monkeypatch):
    """Asks the endpoint with the two checks replaced."""

    def get(database=lambda: None, redis=lambda: None):
        monkeypatch.setattr(health, "ask_database", database)
        monkeypatch.setattr(health, "ask_redis", redis)
        return client.get("/api/health/")

    return get


def test_healthy_when_both_answer(get):
    response = get()
    assert response.status_code == 200
    assert response.content == b'{"status":"healthy","database":"connected","redis":"connected"}'


def test_unhealthy_when_the_database_fails(get):
    response = get(database=fails)
    assert response.status_code == 503
    assert response.content == b'{"status":"unhealthy","database":"disconnected","redis":"connected"}'


def test_unhealthy_when_redis_fails(get):
    response = get(redis=fails)
    assert response.status_code == 503
    assert response.content == b'{"status":"unhealthy","database":"connected","redis":"disconnected"}'


def test_a_check_that_hangs_counts_as_disconnected_at_the_deadline(get, monkeypatch):
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 0.1)
    start = time.monotonic()
    response = get(database=hangs)
    assert time.monotonic() - start < 5
    assert response.json() == {"status": "unhealthy", "database": "disconnected", "redis": "connected"}
