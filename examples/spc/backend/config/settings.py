"""Settings. Those that differ between installations come from the environment (see `.env.example`)."""

import sys
from importlib.util import find_spec
from pathlib import Path

from . import env

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = env.secret("SECRET_KEY")
DEBUG = env.boolean("DEBUG", default=False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1")
LLM_PROVIDER = env.text("LLM_PROVIDER", "demo")
# Named in every response (see `release.py`).
RELEASE = env.text("RELEASE", "dev").strip()
# The number of inspectors who take samples: the capacity for the plans of the APS worker.
INSPECTORS = env.integer("INSPECTORS", default=1, smallest=1, largest=1000)
# The endpoints of `load_test.py`. Never set this on a public site: a request can hold a connection for a long time.
LOAD_TEST = env.boolean("LOAD_TEST", default=False)

# nginx terminates TLS, and sets this header to the browser's scheme.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Needed only if a proxy sends another Host than the browser.
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", "http://localhost,https://localhost")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "measurements",
]

MIDDLEWARE = [
    "config.release.release_header",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# `asgi.py` sets this. Every other process has one connection and keeps it.
DB_POOL_SIZE = env.integer("DB_POOL_SIZE", default=0, smallest=0, largest=1000)
DB_POOL = {
    "min_size": 0,
    "max_size": DB_POOL_SIZE,
    # After the database was lost, the next request tries it again, without a growing pause.
    "reconnect_timeout": 2,
    "timeout": 5,
}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": env.text("DB_HOST", "localhost"),
        "PORT": env.text("DB_PORT", "5432"),
        "NAME": env.text("DB_NAME", "spc_db"),
        "USER": env.text("DB_USER", "postgres"),
        "PASSWORD": env.secret("DB_PASSWORD"),
        "OPTIONS": {"connect_timeout": 2} | ({"pool": DB_POOL} if DB_POOL_SIZE else {}),
        "CONN_MAX_AGE": 0 if DEBUG or DB_POOL_SIZE else 60,
        "CONN_HEALTH_CHECKS": True,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_HOST = env.text("REDIS_HOST", "localhost")
REDIS_PORT = env.integer("REDIS_PORT", default=6379, smallest=1, largest=65535)
# Redis databases: 0 is Celery's broker (see `celery.py`), 1 the cache, 2 passes events to the browsers.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"redis://{REDIS_HOST}:{REDIS_PORT}/1",
    },
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [f"redis://{REDIS_HOST}:{REDIS_PORT}/2"]},
    },
}

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.DjangoModelPermissionsOrAnonReadOnly"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 100,
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_URL = "media/"
MEDIA_ROOT = BASE_DIR / "media"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}

# Daphne's runserver, which ours extends, also serves WebSockets. Other commands don't need its libraries.
if sys.argv[1:2] == ["runserver"] and find_spec("daphne") is not None:
    INSTALLED_APPS[:0] = ["config", "daphne"]

# Only the development image contains the toolbar.
DEBUG_TOOLBAR = DEBUG and find_spec("debug_toolbar") is not None
if DEBUG_TOOLBAR:
    INSTALLED_APPS.append("debug_toolbar")
    MIDDLEWARE.insert(0, "debug_toolbar.middleware.DebugToolbarMiddleware")
    # The browser's address is the gateway of the bridge network, so INTERNAL_IPS can't list it.
    DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": lambda request: True}
