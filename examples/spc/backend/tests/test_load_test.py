"""The endpoints for load tests."""

import hashlib
import importlib
import time

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings as current
from django.test import override_settings
from django.urls import clear_url_caches, include, path

from config import load_test, urls


class Routes:
    """The routes with the endpoints switched on."""

    urlpatterns = [path("api/load/", include("config.load_test"))]


@pytest.fixture(autouse=True)
def switched_on(settings):
    settings.ROOT_URLCONF = Routes


@pytest.mark.parametrize("name", ["echo", "slow", "upload"])
def test_they_are_off_by_default(client, settings, name):
    settings.ROOT_URLCONF = "config.urls"
    assert not current.LOAD_TEST
    assert client.get(f"/api/load/{name}/").status_code == 404
    assert client.post(f"/api/load/{name}/").status_code == 404


def test_the_variable_switches_them_on(client, settings):
    settings.ROOT_URLCONF = "config.urls"
    try:
        with override_settings(LOAD_TEST=True):
            importlib.reload(urls)
            clear_url_caches()
            assert client.get("/api/load/echo/?text=on").content == b"on"
    finally:
        importlib.reload(urls)
        clear_url_caches()


def test_echo_of_a_post(client):
    response = client.post("/api/load/echo/", b'{"n": 7}', content_type="application/json")
    assert (response.status_code, response.content) == (200, b'{"n": 7}')
    assert response["Content-Type"] == "application/json"


def test_echo_needs_no_csrf_token(settings):
    from django.test import Client

    response = Client(enforce_csrf_checks=True).post("/api/load/echo/", b"{}", content_type="application/json")
    assert response.status_code == 200


def test_a_post_that_is_too_long_for_an_echo_is_refused(client):
    body = b"x" * (load_test.MOST_ECHO_BYTES + 1)
    assert client.post("/api/load/echo/", body, content_type="text/plain").status_code == 413


@pytest.mark.asyncio
async def test_a_slow_answer_takes_its_time(async_client):
    start = time.monotonic()
    response = await async_client.get("/api/load/slow/?seconds=0.2&text=done")
    assert time.monotonic() - start >= 0.2
    assert response.content == b"done"


@pytest.mark.asyncio
async def test_a_streamed_answer_ends_with_the_text(async_client):
    response = await async_client.get("/api/load/slow/?seconds=0.5&stream=1&text=done")
    chunks = [chunk async for chunk in response]
    assert chunks == [b"...\n", b"...\n", b"done"]


@pytest.mark.parametrize("seconds", ["31", "-1", "nan", "inf", "long"])
def test_an_answer_is_never_slower_than_the_limit(client, seconds):
    assert client.get(f"/api/load/slow/?seconds={seconds}").status_code == 400


def test_an_upload_of_several_megabytes_is_measured(client):
    body = bytes(range(256)) * 16 * 1024
    response = client.post("/api/load/upload/", body, content_type="application/octet-stream")
    assert response.json() == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


@pytest.mark.asyncio
async def test_the_websocket_sends_back_each_message():
    socket = WebsocketCommunicator(URLRouter(load_test.websocket_urlpatterns), "/ws/load/")
    assert (await socket.connect())[0]
    for number in range(3):
        await socket.send_to(text_data=f"message {number}")
        assert await socket.receive_from() == f"message {number}"
    await socket.disconnect()
