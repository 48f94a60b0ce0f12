"""Settings: sane for development, strict in production. Every variable read here is in the README's table."""

from pathlib import Path

import django_stubs_ext
import environ
import structlog
from celery.schedules import crontab
from csp.constants import NONE, SELF

from albo_pec import secret_files
from albo_pec.log_masks import mask_line

# Lets generic classes of Django, such as ModelAdmin[Member], be written at run time too.
django_stubs_ext.monkeypatch()

env = environ.Env()
env.ENVIRON = secret_files.environment()
BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(env("VAR", default=str(BASE_DIR / "var"))).resolve()

# --- The installation -----------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
INSECURE_SECRET_KEY = "insecure-key-of-a-development-machine-only"  # noqa: S105  (refused in production: albo_pec.E002)
SECRET_KEY = env("SECRET_KEY", default=INSECURE_SECRET_KEY)
# Those before it: what they signed stays good, and nothing more is signed with them.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
PORTAL_URL = env("PORTAL_URL", default=f"http://127.0.0.1:{env('PORT', default='8000')}").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
# Whom to tell of a hole: an e-mail address, or a page.
SECURITY_CONTACT = env("SECURITY_CONTACT", default="")
ROOT_URLCONF = "albo_pec.urls"
WSGI_APPLICATION = "albo_pec.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SITE_NAME = "Albo PEC"

INSTALLED_APPS = [
    "albo_pec.apps.AlboPecConfig",
    "albo_pec.apps.StaffAdminConfig",
    "audit",
    "members",
    "pec_requests",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "bootstrap_italia_template",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "csp",
    "django_htmx",
    "django_structlog",
    "post_office",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "albo_pec.middleware.BrowserRulesMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "albo_pec.middleware.CompressedPagesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "albo_pec.middleware.PlainAnswersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "members.middleware.SupportViewMiddleware",
    "members.middleware.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "members.session_middleware.IdleSessionsMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "albo_pec.request_log.RequestLogMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "members.middleware.OrdineScopeMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "members.context_processors.portal",
                "albo_pec.context_processors.frame",
            ],
        },
    }
]

# --- Servers --------------------------------------------------------------------------------------------------------
# manage.py and the test suite start embedded servers, and set these two, where nobody gives them.
DATABASES = {"default": env.db("DATABASE_URL", default="postgres://albo_pec@127.0.0.1:5432/albo_pec")}
# Only for the owner of the tables, who grants to this one's role: everybody else has it as DATABASE_URL.
WEB_DATABASE_URL = env("WEB_DATABASE_URL", default="")
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=600)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
REDIS_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "albo_pec.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {
            "serializer": "albo_pec.cache.JsonSerializer",
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
        },
    }
}

# --- Celery: messages only wake workers up; PostgreSQL is the queue ---------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ALWAYS_EAGER = env.bool("CELERY_TASK_ALWAYS_EAGER", default=False)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 1, "max_retries": 0}
CELERY_TASK_PUBLISH_RETRY = False  # a lost wake-up is made good by the sweep; nobody waits for Redis
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Celery's Django fixup closes the database connection around every task unless this is set.
CELERY_DB_REUSE_MAX = 10_000
# Mail has workers of its own, so that a long queue at the provider never keeps a link waiting.
# What takes long, and nobody else should wait for, has its own as well: to read a million lines takes a minute or two.
CELERY_TASK_ROUTES = {
    "members.tasks.carry_out_imports": {"queue": "files"},
    "members.tasks.anchor_log": {"queue": "files"},
    "members.tasks.*": {"queue": "mail"},
    "pec_requests.tasks.write_mails": {"queue": "mail"},
    "pec_requests.tasks.remind": {"queue": "mail"},
    "pec_requests.tasks.send_digests": {"queue": "mail"},
    "pec_requests.tasks.carry_out_batches": {"queue": "files"},
    "pec_requests.tasks.forget_who_left": {"queue": "files"},
}
CELERY_TIMEZONE = "Europe/Rome"
SWEEP_SECONDS = env.float("SWEEP_SECONDS", default=10.0)
SWEEP_OPTIONS = {"expires": SWEEP_SECONDS}  # the next sweep makes good what nobody had time for
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "run-operations": {
        "task": "pec_requests.tasks.run_operations",
        "schedule": SWEEP_SECONDS,
        "options": SWEEP_OPTIONS,
    },
    "follow-register": {
        "task": "pec_requests.tasks.follow_register",
        "schedule": SWEEP_SECONDS,
        "options": SWEEP_OPTIONS,
    },
    "carry-out-batches": {
        "task": "pec_requests.tasks.carry_out_batches",
        "schedule": SWEEP_SECONDS,
        "options": SWEEP_OPTIONS,
    },
    "write-mails": {
        "task": "pec_requests.tasks.write_mails",
        "schedule": SWEEP_SECONDS,
        "options": SWEEP_OPTIONS,
    },
    # By day, when people read: of many who are due at once the rest come five minutes later.
    "remind": {
        "task": "pec_requests.tasks.remind",
        "schedule": crontab(minute="*/5", hour="8-19"),
        "options": {"expires": 300.0},
    },
    # More often than once, for a morning when nobody was there; each office gets one.
    "send-digests": {
        "task": "pec_requests.tasks.send_digests",
        "schedule": crontab(minute="*/20", hour="7-9"),
        "options": {"expires": 1200.0},
    },
    "send-mail": {"task": "members.tasks.send_mail", "schedule": SWEEP_SECONDS, "options": SWEEP_OPTIONS},
    "carry-out-imports": {
        "task": "members.tasks.carry_out_imports",
        "schedule": SWEEP_SECONDS,
        "options": SWEEP_OPTIONS,
    },
    "end-abandoned-imports": {
        "task": "members.tasks.end_abandoned_imports",
        "schedule": SWEEP_SECONDS,
        "options": SWEEP_OPTIONS,
    },
    "end-support-views": {
        "task": "members.tasks.end_support_views",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "seal-log": {"task": "audit.tasks.seal_log", "schedule": 60.0, "options": {"expires": 60.0}},
    "anchor-log": {"task": "members.tasks.anchor_log", "schedule": crontab(hour="5", minute="0")},
    "forget-old-links": {"task": "members.tasks.forget_old_links", "schedule": crontab(hour="4", minute="15")},
    "forget-who-left": {"task": "pec_requests.tasks.forget_who_left", "schedule": crontab(hour="4", minute="45")},
    "forget-old-imports": {"task": "members.tasks.forget_old_imports", "schedule": crontab(hour="4", minute="30")},
    "reconcile": {
        "task": "pec_requests.tasks.reconcile_with_provider",
        "schedule": crontab(hour="2", minute="30"),
        "options": {"expires": 6 * 3600.0},
    },
}

# --- Files that staff bring -------------------------------------------------------------------------------------------
# Web and workers must see the same folder.
UPLOADS = Path(env("UPLOADS", default=str(VAR / "uploads")))
FILE_UPLOAD_HANDLERS = ["members.uploads.NoFiles"]
# A worker that has not been seen for so long has died in the middle of an import.
IMPORT_LEASE_SECONDS = env.float("IMPORT_LEASE_SECONDS", default=30.0)

# --- The provider -----------------------------------------------------------------------------------------------------
ARUBA_BASE_URL = env("ARUBA_BASE_URL", default="http://127.0.0.1:8001").rstrip("/")
ARUBA_USERNAME = env("ARUBA_USERNAME", default="")
ARUBA_PASSWORD = env("ARUBA_PASSWORD", default="")
ARUBA_CONVENTION_CALLS = env.bool("ARUBA_CONVENTION_CALLS", default=True)
ARUBA_RENEWAL_YEARS = env.int("ARUBA_RENEWAL_YEARS", default=1)
WEBMAIL_URL = env("WEBMAIL_URL", default="https://webmail.pec.it/")
# For mail programs, as server:port; both speak TLS from the first byte.
PEC_IMAP = env("PEC_IMAP", default="imaps.pec.aruba.it:993")
PEC_SMTP = env("PEC_SMTP", default="smtps.pec.aruba.it:465")
PROVIDER_CONNECT_TIMEOUT = env.float("PROVIDER_CONNECT_TIMEOUT", default=3.05)
PROVIDER_READ_TIMEOUT = env.float("PROVIDER_READ_TIMEOUT", default=20.0)
# A worker's turn: then it lets other tasks, and a request to end, come between. Each new one costs half a second of
# slots that empty and fill again.
WORKER_TURN_SECONDS = env.float("WORKER_TURN_SECONDS", default=60.0)
# Calls at once, and calls a second (0: no limit), of all workers of all hosts together: the partner account is one.
PROVIDER_CONCURRENCY = env.int("PROVIDER_CONCURRENCY", default=10)
PROVIDER_RATE = env.float("PROVIDER_RATE", default=0.0)
# An operation makes no further call once this is over, so that a lease always outlives the work done under it.
PROVIDER_OPERATION_SECONDS = env.float("PROVIDER_OPERATION_SECONDS", default=45.0)
OPERATION_LEASE_SECONDS = env.float("OPERATION_LEASE_SECONDS", default=90.0)
OPERATION_MAX_ATTEMPTS = env.int("OPERATION_MAX_ATTEMPTS", default=8)
# The first pause after an error that will pass, and after an outage; both double up to their limit.
OPERATION_RETRY_SECONDS = env.float("OPERATION_RETRY_SECONDS", default=5.0)
BREAKER_THRESHOLD = env.int("BREAKER_THRESHOLD", default=5)
BREAKER_SECONDS = env.float("BREAKER_SECONDS", default=15.0)
# A PEC cannot receive a password-reset link of another PEC: these domains and labels tell one.
PEC_DOMAINS = env.list(
    "PEC_DOMAINS", default=["tsrm.org", "tsrm-pstrp.org", "legalmail.it", "arubapec.it", "postecert.it"]
)
PEC_LABELS = env.list(
    "PEC_LABELS",
    default=["pec", "legalmail", "arubapec", "postecert", "pecmail", "cert", "postacertificata", "sicurezzapostale"],
)
# Public employers' addresses often lose what comes from outside: a word of the domain tells one; ``*`` is any letters.
EMPLOYER_LABELS = env.list(
    "EMPLOYER_LABELS",
    default=[
        *("asl*", "ausl*", "usl*", "asur", "asrem", "asufc", "asugi", "ats", "asst", "ast", "asp", "ulss*", "apss"),
        *("ao", "aou*", "aosp*", "azienda*", "ospedal*", "policlinico*", "irccs*", "sanita", "salute", "arpa*"),
        *("regione", "provincia", "comune", "unione", "gov", "istruzione"),
    ],
)

# --- Mail: rows first (post_office), SMTP by a worker -----------------------------------------------------------------
EMAIL_BACKEND = "post_office.EmailBackend"
EMAIL_HOST = env("EMAIL_HOST", default="127.0.0.1")
EMAIL_PORT = env.int("EMAIL_PORT", default=env.int("SMTP_PORT", default=8026))
EMAIL_HOST_USER = env("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 15
EMAIL_USE_LOCALTIME = True
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Albo PEC <noreply@albo-pec.example>")
ADMINS = [("Albo PEC", address) for address in env.list("ADMIN_EMAILS", default=[])]
# One sweep every five minutes: at most so many reminders, whatever has become due.
REMINDERS_AT_ONCE = env.int("REMINDERS_AT_ONCE", default=500)
POST_OFFICE = {
    "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
    "DEFAULT_PRIORITY": "medium",
    "MAX_RETRIES": 10,
    "CELERY_ENABLED": False,
    "THREADS_PER_PROCESS": 4,
    "BATCH_SIZE": 100,
}

# --- Who comes in -----------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "members.User"
AUTHENTICATION_BACKENDS = ["members.authentication.PortalBackend"]
# The second for passwords from before the first: they are kept anew when their owners come in.
PASSWORD_HASHERS = [
    "members.password_hashing.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "NumericPasswordValidator")
] + [
    {"NAME": "members.password_validation.CommonPasswordValidator"},
    {"NAME": "members.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "members.account_adapter.AccountAdapter"
ACCOUNT_FORMS = {"login": "members.forms.LoginForm", "change_password": "members.forms.ChangePasswordForm"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_RATE_LIMITS = False  # allauth counts in the cache, which may be emptied: ours are in ``members.throttle``
# allauth takes the caller's address from X-Forwarded-For only behind this many proxies.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=0)
MFA_REQUIRED = env.bool("MFA_REQUIRED", default=not DEBUG)
MFA_ADAPTER = "members.account_adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "members.second_factor_forms.CodeForm",
    "authenticate_webauthn": "members.second_factor_forms.KeyForm",
    "reauthenticate": "members.second_factor_forms.CodeAgainForm",
    "reauthenticate_webauthn": "members.second_factor_forms.KeyAgainForm",
    "activate_totp": "members.second_factor_forms.ActivateCodeForm",
    "add_webauthn": "members.second_factor_forms.AddKeyForm",
}
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1  # a clock may be half a minute off; each code counts once all the same
MFA_RECOVERY_CODES_SHOW_ONCE = True
# How long somebody of the office may look at the portal as a member sees it, at a stretch.
SUPPORT_VIEW_MINUTES = env.int("SUPPORT_VIEW_MINUTES", default=15)
INVITATION_DAYS = env.int("INVITATION_DAYS", default=30)
PASSWORD_LINK_HOURS = env.int("PASSWORD_LINK_HOURS", default=3)
EMAIL_LINK_HOURS = env.int("EMAIL_LINK_HOURS", default=24)
RECOVERY_LINK_HOURS = env.int("RECOVERY_LINK_HOURS", default=24)
RECOVERY_STOP_DAYS = env.int("RECOVERY_STOP_DAYS", default=7)

# --- How long things are kept (docs/trattamenti.md) -------------------------------------------------------------------
# Of the log, what belongs to no Ordine; each Ordine says it for its own. Never less than six months.
LOG_MONTHS = env.int("LOG_MONTHS", default=24)

# --- Words ------------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "it"
FORMAT_MODULE_PATH = ["albo_pec.formats"]
LANGUAGES = [("it", "Italiano"), ("de", "Deutsch")]  # each as its speakers call it
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 86_400
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "Europe/Rome"
USE_TZ = True

# --- Static files -----------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
# In development the files are served from where they are, and nothing is collected.
STATIC_ROOT = env("STATIC_ROOT", default=None if DEBUG else str(VAR / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = False
# Also with DEBUG, where it would be 0: every page would ask for each of its files again.
WHITENOISE_MAX_AGE = 60
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# --- SPID and CIE, each through a gateway that speaks OpenID Connect (docs/spid-cie.md) -------------------------------
# One without an issuer is not there: no button, no address.
IDENTITY_GATEWAYS = {
    "spid": {
        "name": "SPID",
        "issuer": env("SPID_OIDC_ISSUER", default=""),
        "client_id": env("SPID_OIDC_CLIENT_ID", default=""),
        "client_secret": env("SPID_OIDC_CLIENT_SECRET", default=""),
        "params": env("SPID_OIDC_PARAMS", default=""),
    },
    "cie": {
        "name": "CIE",
        "issuer": env("CIE_OIDC_ISSUER", default=""),
        "client_id": env("CIE_OIDC_CLIENT_ID", default=""),
        "client_secret": env("CIE_OIDC_CLIENT_SECRET", default=""),
        "params": env("CIE_OIDC_PARAMS", default=""),
    },
}
# The levels that are good enough; the first is the one that is asked for.
IDENTITY_ACR_VALUES = env.list(
    "OIDC_ACR_VALUES", default=["https://www.spid.gov.it/SpidL2", "https://www.spid.gov.it/SpidL3"]
)
IDENTITY_TAX_CODE_CLAIMS = env.list(
    "OIDC_TAX_CODE_CLAIMS", default=["https://attributes.eid.gov.it/fiscal_number", "fiscal_number"]
)
# Whom a gateway may have us call besides itself.
IDENTITY_OTHER_HOSTS = env.list("OIDC_OTHER_HOSTS", default=[])
SOCIALACCOUNT_ADAPTER = "members.digital_identity.SocialAccountAdapter"
SOCIALACCOUNT_REQUESTS_TIMEOUT = (3.05, 5.0)  # to connect, and between bytes

# --- Browser-side protection ------------------------------------------------------------------------------------------
# HTTPS is asked for wherever the portal's own address has it.
HTTPS = PORTAL_URL.startswith("https://")
# Nothing but what is named. No `require-trusted-types-for`: htmx puts what it fetches into the page as text. No address
# for reports: anybody could write to it, and the tests open every page in a browser that tells of each violation.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "script-src-attr": [NONE],
        "style-src": [SELF],
        "style-src-attr": [NONE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF, "data:"],  # the framework's style sheet embeds an icon font
        "connect-src": [SELF],
        "object-src": [NONE],
        "worker-src": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        **({"upgrade-insecure-requests": True} if HTTPS else {}),
    }
}
# Nothing of what Chromium knows to ask about (of what it does not it complains), but for security keys.
_FEATURES = """
    accelerometer autoplay browsing-topics camera clipboard-read clipboard-write compute-pressure cross-origin-isolated
    display-capture encrypted-media fullscreen gamepad geolocation gyroscope hid identity-credentials-get idle-detection
    keyboard-map local-fonts magnetometer microphone midi otp-credentials payment picture-in-picture screen-wake-lock
    serial storage-access sync-xhr usb window-management xr-spatial-tracking
"""
PERMISSIONS_POLICY: dict[str, str | list[str]] = {
    **{name: [] for name in _FEATURES.split()},
    "publickey-credentials-create": "self",
    "publickey-credentials-get": "self",
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
LANGUAGE_COOKIE_NAME = "__Host-language" if HTTPS else "language"
DEVICE_COOKIE_NAME = "__Host-device" if HTTPS else "device"
MESSAGE_COOKIE_NAME = "__Host-messages" if HTTPS else "messages"
MESSAGE_STORAGE = "albo_pec.message_storage.HostStorage"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# Not Strict: whoever comes by a link in a mail, or back from SPID or CIE, comes from another site, and would be nobody.
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.int("TRUSTED_PROXIES", default=0) else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
# A session ends so long after somebody came in, and when nobody has asked for a page in the minutes below.
SESSION_COOKIE_AGE = env.int("SESSION_HOURS", default=8) * 3600
STAFF_IDLE_MINUTES = env.int("STAFF_IDLE_MINUTES", default=30)
IDLE_MINUTES = env.int("IDLE_MINUTES", default=60)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_ENGINE = "members.session_store"
CSRF_FAILURE_VIEW = "albo_pec.views.csrf_failure"
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000

# --- Logs: standard error, structured, without people in them ---------------------------------------------------------
DEFAULT_EXCEPTION_REPORTER = "albo_pec.error_reports.MaskingReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "albo_pec.error_reports.MaskingFilter"
LOG_LEVEL = env("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
                if DEBUG
                else structlog.processors.JSONRenderer(ensure_ascii=False),
                mask_line,
            ],
            "foreign_pre_chain": [
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                *([] if DEBUG else [structlog.processors.format_exc_info]),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},  # not twice: its lines reach the root
        "post_office": {"level": "WARNING"},
        "django_structlog": {"level": "WARNING" if DEBUG else "INFO"},
    },
}
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
