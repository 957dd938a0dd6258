"""Sends events to all browsers that listen on `/ws/live/` (see `consumers.py`)."""

import logging
from collections.abc import Sequence
from datetime import datetime

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis import RedisError

GROUP = "live"

logger = logging.getLogger(__name__)


def iso(moment: datetime) -> str:
    """The same text as in the API, so that both can be compared."""
    return moment.isoformat().replace("+00:00", "Z")


def send(events: Sequence[dict]) -> None:
    """The data of an event is already stored. So if an event can't be sent, this is only logged."""
    try:
        async_to_sync(_send)(events)
    except (RedisError, OSError) as error:
        logger.warning("Live: %d events were not sent: %s", len(events), error)


async def _send(events: Sequence[dict]) -> None:
    layer = get_channel_layer()
    for event in events:
        await layer.group_send(GROUP, {"type": "live.event", "event": event})
