"""The application as ASGI servers load it: HTTP by Django, WebSockets by Channels."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# A request runs in a thread of its own, which no connection outlives: only a pool keeps connections open.
os.environ.setdefault("DB_POOL_SIZE", "5")

from django.core.asgi import get_asgi_application  # noqa: E402

# First: it sets Django up, which the imports below need.
django = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402

from measurements.consumers import AllowedBrowsers, LiveConsumer  # noqa: E402

websockets = [path("ws/live/", LiveConsumer.as_asgi())]
if settings.LOAD_TEST:
    from .load_test import websocket_urlpatterns  # noqa: E402

    websockets += websocket_urlpatterns

application = ProtocolTypeRouter(
    {
        "http": django,
        "websocket": AllowedBrowsers(URLRouter(websockets)),
    }
)
