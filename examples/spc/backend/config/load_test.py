"""Endpoints for load tests, below `/api/load/` and `/ws/load/`. They exist only if LOAD_TEST is set.

They use neither the database nor Redis. So a test of a deployment measures only the path of a request: client, nginx,
container.
"""

import asyncio
import hashlib

from channels.generic.websocket import AsyncWebsocketConsumer
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

MOST_SECONDS = 30
MOST_ECHO_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
# A streamed answer sends lines this often, so that a client can see where an answer was cut off.
LINES_PER_SECOND = 4


@csrf_exempt
@require_http_methods(["GET", "POST"])
async def echo(request: HttpRequest) -> HttpResponse:
    """Returns what the client sent: the body of a POST, `?text=` of a GET."""
    if request.method == "GET":
        return HttpResponse(request.GET.get("text", ""), content_type="text/plain")
    if int(request.headers.get("Content-Length") or 0) > MOST_ECHO_BYTES:
        return HttpResponse(status=413)
    return HttpResponse(request.body, content_type=request.headers.get("Content-Type", "text/plain"))


@require_GET
async def slow(request: HttpRequest) -> HttpResponse:
    """Answers with `?text=` after `?seconds=`. With `?stream=1`, sends lines meanwhile, and the text at the end."""
    try:
        seconds = float(request.GET.get("seconds", "1"))
    except ValueError:
        return HttpResponseBadRequest("seconds is not a number\n")
    if not 0 <= seconds <= MOST_SECONDS:
        return HttpResponseBadRequest(f"seconds has to be a number from 0 to {MOST_SECONDS}\n")
    text = request.GET.get("text", "")
    if "stream" not in request.GET:
        await asyncio.sleep(seconds)
        return HttpResponse(text, content_type="text/plain")

    async def lines():
        for _ in range(round(seconds * LINES_PER_SECOND)):
            yield "...\n"
            await asyncio.sleep(1 / LINES_PER_SECOND)
        yield text

    return StreamingHttpResponse(lines(), content_type="text/plain")


@csrf_exempt
@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    """Returns the size and SHA-256 of the request's body."""
    digest, size = hashlib.sha256(), 0
    # Read in parts, because Django limits the size of `request.body`.
    while chunk := request.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return JsonResponse({"size": size, "sha256": digest.hexdigest()})


class EchoConsumer(AsyncWebsocketConsumer):
    """WebSocket `/ws/load/`: sends back each message."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=text_data, bytes_data=bytes_data)


urlpatterns = [path("echo/", echo), path("slow/", slow), path("upload/", upload)]
websocket_urlpatterns = [path("ws/load/", EchoConsumer.as_asgi())]
