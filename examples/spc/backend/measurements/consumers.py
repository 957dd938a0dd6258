"""WebSocket `/ws/live/`: tells browsers what jobs have stored, so that they fetch it again."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.security.websocket import OriginValidator
from django.conf import settings

from .live import GROUP


class AllowedBrowsers(OriginValidator):
    """Pages of other sites can't listen with their visitors' browsers. What names no origin is no browser."""

    def __init__(self, application):
        super().__init__(application, settings.ALLOWED_HOSTS)

    def valid_origin(self, parsed_origin):
        return parsed_origin is None or super().valid_origin(parsed_origin)


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Sends only; what a browser says is not listened to."""

    groups = [GROUP]

    async def live_event(self, message: dict) -> None:
        await self.send_json(message["event"])

    async def receive(self, **kwargs) -> None:
        pass
