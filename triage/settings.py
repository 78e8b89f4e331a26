"""Every setting, read from the environment in this one place. docs/operations.md lists them in a table."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ

from triage.made_once import made_once

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(environ.Env()("VAR_DIR", default=str(BASE_DIR / "var")))
env = environ.Env()


def _secret_key() -> str:
    """SECRET_KEY, or for the embedded default one made once and kept readable by its owner alone."""
    if given := env("SECRET_KEY", default=""):
        return str(given)
    return made_once(VAR_DIR / "secret_key", lambda: secrets.token_urlsafe(64).encode()).decode()


SECRET_KEY = _secret_key()
DEBUG = False
DEMO = env.bool("DEMO", default=False)
PORT = env.int("PORT", default=8000)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = env.bool("HTTPS", default=False)
PROXY_COUNT = env.int("PROXY_COUNT", default=0)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "tickets",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "tickets.web.middleware.BoundedBody",  # before anything reads a body, as the next one does
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tickets.web.middleware.DemoStaysHere",
    "tickets.web.middleware.ReaderTimeZone",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "triage.urls"
WSGI_APPLICATION = "triage.wsgi.application"
ASGI_APPLICATION = "triage.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tickets.web.context.installation",
            ],
        },
    }
]

# --- database -----------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'triage.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA recursive_triggers=ON;",
    }
else:
    DATABASES["default"] |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "tickets.User"

# --- people -------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "tickets.web.authentication.PeopleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # else whoever tries again stays out
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "people/locked_out.html"
AXES_CLIENT_IP_CALLABLE = "tickets.web.authentication.client_address"

# --- language, time, static files ---------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = env("TIME_ZONE", default="UTC")
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"  # beside the code it belongs to: VAR_DIR may be empty where an image starts
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

# --- security headers ---------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXY_COUNT else None

# --- limits of what comes in (design: rule 9) ---------------------------------------------------------------------
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
BULK_MAX_BYTES = 16 * 1024 * 1024
BULK_MAX_LINES = 1_000

# --- API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tickets.api.keys.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tickets.api.keys.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tickets.api.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tickets.api.errors.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Triage",
    "DESCRIPTION": "Support tickets in, explained decisions out.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "QueueEnum": "tickets.models.queue.Queue",
        "TicketState": "tickets.api.serializers.TICKET_STATES",
        "PolicyState": "tickets.models.policy.PolicyState",
    },
}

# --- work ---------------------------------------------------------------------------------------------------------
BROKER_URL = env("BROKER_URL", default="filesystem://localhost")
SCORER = env("SCORER", default="scoring.compact.Compact")
BATCH_SIZE = env.int("BATCH_SIZE", default=32)
DEADLINE = timedelta(seconds=env.int("DEADLINE_SECONDS", default=60))
LEASE = timedelta(seconds=env.int("LEASE_SECONDS", default=20))
# A batch that hangs is killed here; the child is replaced. Below the deadline, so that a second try fits.
HARD_LIMIT_SECONDS = env.int("HARD_LIMIT_SECONDS", default=40)
WORKER_NAME = env("WORKER_NAME", default="")
READY_FILE = env("READY_FILE", default="")

# --- the second witness -------------------------------------------------------------------------------------------
ELASTICSEARCH_URL = env("ELASTICSEARCH_URL", default="")
ELASTICSEARCH_ADMIN_URL = env("ELASTICSEARCH_ADMIN_URL", default="")
ELASTICSEARCH_READER_URL = env("ELASTICSEARCH_READER_URL", default="")

# --- checkpoints of the log ---------------------------------------------------------------------------------------
LOG_ORIGIN = env("LOG_ORIGIN", default="triage")
LOG_KEY = env("LOG_KEY", default="")
LOG_KEY_FILE = Path(env("LOG_KEY_FILE", default=str(VAR_DIR / "log_key.pem")))
CHECKPOINTS_FILE = Path(env("CHECKPOINTS_FILE", default=str(VAR_DIR / "checkpoints.jsonl")))

# --- watching -----------------------------------------------------------------------------------------------------
METRICS_TOKEN = env("METRICS_TOKEN", default="")
LOG_FORMAT = env("LOG_FORMAT", default="json")
LOG_LEVEL = env("LOG_LEVEL", default="INFO")
LOGGING_CONFIG = "triage.logging.configure"
LOGGING = {"format": LOG_FORMAT, "level": LOG_LEVEL}
