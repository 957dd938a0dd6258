"""The real settings on a database in memory, so that the tests need no other container."""

import os

os.environ.pop("SECRET_KEY_FILE", None)
os.environ.pop("DB_PASSWORD_FILE", None)
os.environ.update(SECRET_KEY="for tests", DB_PASSWORD="for tests", DEBUG="False", ALLOWED_HOSTS="testserver")

from config.settings import *  # noqa: E402, F403

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
