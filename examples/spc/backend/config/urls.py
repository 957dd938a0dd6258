from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from .health import health

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/health/", health),
    path("api/", include("measurements.urls")),
]

if settings.LOAD_TEST:
    urlpatterns.insert(0, path("api/load/", include("config.load_test")))

if settings.DEBUG_TOOLBAR:
    from debug_toolbar.toolbar import debug_toolbar_urls

    urlpatterns += debug_toolbar_urls()
