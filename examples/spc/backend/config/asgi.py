"""The ASGI application: Django handles HTTP, Channels handles WebSockets."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Each request has its own thread, and a database connection ends with its thread. A pool keeps connections open.
os.environ.setdefault("DB_POOL_SIZE", "5")

from django.core.asgi import get_asgi_application  # noqa: E402

# This has to come first: it sets up Django, and the imports below need that.
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
