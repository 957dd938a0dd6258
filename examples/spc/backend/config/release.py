"""Each response has a header with the release, so that clients can observe a deployment."""

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.utils.decorators import sync_and_async_middleware

HEADER = "X-Release"


@sync_and_async_middleware
def release_header(get_response):
    def named(response):
        response[HEADER] = settings.RELEASE
        return response

    if iscoroutinefunction(get_response):

        async def middleware(request):
            return named(await get_response(request))

    else:

        def middleware(request):
            return named(get_response(request))

    return middleware
