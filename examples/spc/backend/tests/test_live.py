"""The WebSocket, over the channel layer in memory."""

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from redis.exceptions import ConnectionError as RedisConnectionError

from config.asgi import application
from measurements import live


def browser(origin=None):
    headers = [(b"origin", origin.encode())] if origin else []
    return WebsocketCommunicator(application, "/ws/live/", headers=headers)


@pytest.mark.asyncio
async def test_every_browser_hears_what_a_job_sends():
    one, two = browser(), browser("http://testserver:5173")
    assert (await one.connect())[0]
    assert (await two.connect())[0]
    # In a thread without an event loop, as in a job.
    await sync_to_async(live.send, thread_sensitive=False)([{"type": "chart", "characteristic": 1}, {"type": "plan"}])
    for listener in (one, two):
        assert await listener.receive_json_from() == {"type": "chart", "characteristic": 1}
        assert await listener.receive_json_from() == {"type": "plan"}
        await listener.disconnect()


@pytest.mark.asyncio
async def test_what_a_browser_says_is_not_listened_to():
    listener = browser()
    await listener.connect()
    await listener.send_to(text_data="not even JSON")
    await listener.send_to(bytes_data=b"\x00")
    await sync_to_async(live.send, thread_sensitive=False)([{"type": "plan"}])
    assert await listener.receive_json_from() == {"type": "plan"}
    await listener.disconnect()


@pytest.mark.asyncio
async def test_pages_of_other_sites_are_refused():
    connected, _ = await browser("http://elsewhere.example").connect()
    assert not connected


def test_an_event_that_can_not_be_sent_is_logged_and_no_error(monkeypatch, caplog):
    async def refuse(*args):
        raise RedisConnectionError("refused")

    monkeypatch.setattr(get_channel_layer(), "group_send", refuse)
    live.send([{"type": "plan"}])
    assert "1 events were not sent: refused" in caplog.text
