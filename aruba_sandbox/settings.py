"""Settings of the sandbox, all from the environment.

The sandbox never is in production, so its partner credentials have defaults that everybody may know.
"""

from logging import LogRecord
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.management.utils import get_random_secret_key
from django.utils.log import CallbackFilter

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent

# --- What the developer chooses -------------------------------------------------------------------
SANDBOX_HOST = env.str("SANDBOX_HOST", default="127.0.0.1")
SANDBOX_PORT = env.int("SANDBOX_PORT", default=8001)
SMTP_PORT = env.int("SMTP_PORT", default=8026)
SANDBOX_URL = env.str("SANDBOX_URL", default=f"http://127.0.0.1:{SANDBOX_PORT}").rstrip("/")
SANDBOX_CONTROLS = env.bool("SANDBOX_CONTROLS", default=False)
SANDBOX_USERNAME = env.str("SANDBOX_USERNAME", default="partner@sandbox.example")
SANDBOX_PASSWORD = env.str("SANDBOX_PASSWORD", default="sandbox-partner")
SANDBOX_CONVENTION_CALLS = env.bool("SANDBOX_CONVENTION_CALLS", default=True)
SANDBOX_TOKEN_SECONDS = env.int("SANDBOX_TOKEN_SECONDS", default=300)
SANDBOX_REFRESH_SECONDS = 43_200
SECRET_KEY = env.str("SANDBOX_SECRET_KEY", default="") or get_random_secret_key()

# --- The provider's own rules ---------------------------------------------------------------------
ACTIVE_DOMAINS = ("tsrm.org", "tsrm-pstrp.org")
RESET_LINK_HOURS = 3
FIRST_LINK_HOURS = 72
LOGIN_ATTEMPTS = 5
LOGIN_BLOCK_MINUTES = 5
PROVIDER_SENDER = "Aruba PEC (sandbox) <no-reply@aruba-sandbox.example>"

# --- Django ---------------------------------------------------------------------------------------
DEBUG = False
# Reached under whatever name the developer's machine or container gives it; links are built from SANDBOX_URL.
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "aruba_sandbox.urls"
WSGI_APPLICATION = "aruba_sandbox.wsgi.application"
INSTALLED_APPS = [
    "aruba_sandbox",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "bootstrap_italia_template",
    "csp",
]
# Sessions and CSRF belong to the holders' pages alone, which ask for them: see holder_session.py.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "csp.middleware.CSPMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

# The default only lets tools read the settings; the process itself wants the variable (see __main__.py).
DATABASES = {
    "default": {
        **env.db_url("SANDBOX_DATABASE_URL", default="postgresql:///aruba_sandbox"),
        "CONN_HEALTH_CHECKS": True,
    }
}
DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 2, "max_size": 12, "timeout": 30}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "it"
TIME_ZONE = "Europe/Rome"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True

# The portal runs on the same host, and cookies do not know ports: other names than its own.
SESSION_COOKIE_NAME = "sandbox_sessionid"
CSRF_COOKIE_NAME = "sandbox_csrftoken"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = True

EMAIL_HOST = SANDBOX_HOST
EMAIL_PORT = SMTP_PORT
EMAIL_TIMEOUT = 10

PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "font-src": [SELF, "data:"],
        "img-src": [SELF, "data:"],
        "frame-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}


def _crashed(record: str | LogRecord) -> bool:
    return isinstance(record, LogRecord) and record.exc_info is not None


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"crashes": {"()": CallbackFilter, "callback": _crashed}},
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {
        "aruba_sandbox": {"handlers": ["stderr"], "level": "INFO"},
        # Refusals are answers here, and so are the errors a test orders: only what crashed is worth a line.
        "django.request": {"handlers": ["stderr"], "filters": ["crashes"], "propagate": False},
    },
}
