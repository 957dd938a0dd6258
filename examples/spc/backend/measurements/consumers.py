"""WebSocket `/ws/live/`: informs browsers about new data, so that they fetch it."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.security.websocket import OriginValidator
from django.conf import settings

from .live import GROUP


class AllowedBrowsers(OriginValidator):
    """Rejects browsers that show a page of another site. A client without an origin is not a browser."""

    def __init__(self, application):
        super().__init__(application, settings.ALLOWED_HOSTS)

    def valid_origin(self, parsed_origin):
        return parsed_origin is None or super().valid_origin(parsed_origin)


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Only sends. Ignores messages from the browser."""

    groups = [GROUP]

    async def live_event(self, message: dict) -> None:
        await self.send_json(message["event"])

    async def receive(self, **kwargs) -> None:
        pass
