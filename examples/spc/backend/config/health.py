"""`GET /api/health/`: reports whether the database and Redis answer now."""

import logging
import time
from collections.abc import Callable
from threading import Thread

import psycopg
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

# Shorter than the timeout of any health check, so that the response can say which of the two failed.
DEADLINE_SECONDS = 2.0

logger = logging.getLogger(__name__)


def ask_database() -> None:
    # Without the pool: for some seconds it would hide that the database doesn't answer, and why.
    with psycopg.connect(**connection.get_connection_params()) as direct:
        direct.execute("SELECT 1")


def ask_redis() -> None:
    with Redis(
        host=settings.REDIS_HOST,
        port=settings.REDIS_PORT,
        socket_connect_timeout=DEADLINE_SECONDS,
        socket_timeout=DEADLINE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    ) as client:
        client.ping()


def answering(checks: dict[str, Callable[[], None]]) -> set[str]:
    """Runs all checks at once. Returns the names of those that passed within the deadline.

    Each check has a thread, because there is no timeout for name resolution and for a database that is frozen.
    """
    passed: set[str] = set()

    def run(name: str, check: Callable[[], None]) -> None:
        try:
            check()
        except Exception as error:  # Any failure gives the answer "disconnected".
            logger.warning("Health: %s does not answer: %s", name, error)
        else:
            passed.add(name)

    end = time.monotonic() + DEADLINE_SECONDS
    threads = [Thread(target=run, args=item, daemon=True) for item in checks.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return passed.copy()


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    passed = answering({"database": ask_database, "redis": ask_redis})
    healthy = len(passed) == 2
    body = {"status": "healthy" if healthy else "unhealthy"}
    for name in ("database", "redis"):
        body[name] = "connected" if name in passed else "disconnected"
    return JsonResponse(body, status=200 if healthy else 503, json_dumps_params={"separators": (",", ":")})
