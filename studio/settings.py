"""One file of settings. Every value comes from the environment, with a default that runs on a laptop.

docs/settings.md lists them all with what they mean.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    """The environment's value, where an empty one counts as absent (compose files pass empty strings)."""
    return os.environ.get(name) or default


def flag(name: str, default: bool = False) -> bool:
    """A yes or no from the environment: 1/true/yes/on."""
    value = env(name)
    return value.lower() in ("1", "true", "yes", "on") if value else default


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list from the environment."""
    return [word.strip() for word in env(name, default).split(",") if word.strip()]


# -- where things live ------------------------------------------------------------------------------------------------
HOME = Path(env("ATELIER_HOME", str(BASE_DIR / "var"))).resolve()
SERVER_URL = env("ATELIER_SERVER_URL", env("SERVER_URL", "http://127.0.0.1:8000")).rstrip("/")
# A container reaches the server by another address than a browser does; empty: derived from the engine's network.
SERVER_URL_FOR_CONTAINERS = env("SERVER_URL_FOR_CONTAINERS").rstrip("/")


def _secret_key() -> str:
    """The key that signs sessions: from the environment, else made once and kept beside the data."""
    if given := env("SECRET_KEY"):
        return given
    file = HOME / "secret.key"
    if file.exists():
        return file.read_text().strip()
    HOME.mkdir(parents=True, exist_ok=True)
    fresh = HOME / f".secret.{os.getpid()}"
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_urlsafe(48))
    try:
        os.link(fresh, file)  # two processes that start together agree on one key
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return file.read_text().strip()


SECRET_KEY = _secret_key()
DEBUG = flag("DEBUG")
_hosts = {urlsplit(SERVER_URL).hostname or "127.0.0.1", "127.0.0.1", "localhost", "[::1]", "host.docker.internal"}
if SERVER_URL_FOR_CONTAINERS:
    _hosts.add(urlsplit(SERVER_URL_FOR_CONTAINERS).hostname or "")
ALLOWED_HOSTS = sorted((_hosts | set(words("ALLOWED_HOSTS"))) - {""})
CSRF_TRUSTED_ORIGINS = sorted({SERVER_URL, *words("CSRF_TRUSTED_ORIGINS")})

# -- the parts --------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "studio.workspace",
    "studio.environments",
    "studio.compute",
    "runs",
]
MIDDLEWARE = [
    "studio.middleware.ApiFirst",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "studio.middleware.Sentences",
]
ROOT_URLCONF = "studio.urls"
WSGI_APPLICATION = "studio.wsgi.application"
CELERY_APP = "studio.celery"  # imported by what first sends a task
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
            ],
            # Times, sizes, pills and icons are on every page; templates use them without loading.
            "builtins": ["studio.template_tags"],
        },
    }
]

# -- the run database -------------------------------------------------------------------------------------------------


def database(url: str) -> dict[str, Any]:
    """A Django database from a URL: sqlite:///path, postgresql://user:password@host:port/name?host=/socket/folder."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            # Four slashes begin an absolute path, three a relative one, as elsewhere.
            "NAME": parts.path[1:] or str(HOME / "atelier.sqlite3"),
            "OPTIONS": {
                # WAL lets readers go on while one writes; IMMEDIATE takes the write lock at once, so that two
                # writers wait for each other where they would fail half-way.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728; "
                "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16000;",
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
            },
            # Without this the connection is made anew for each request, with its PRAGMAs.
            "CONN_MAX_AGE": None,
            # A file, as in life: tests of the live server use it from several threads.
            "TEST": {"NAME": str(HOME / "test.sqlite3")},
        }
    if parts.scheme not in ("postgres", "postgresql"):
        raise SystemExit(f"DATABASE_URL starts with {parts.scheme!r}; use sqlite:///… or postgresql://….")
    query = dict(parse_qsl(parts.query))
    # The guarantee of SQLite's WAL: whatever process is killed loses nothing, and the data is whole after a power
    # cut, which may take the last half second. ATELIER_SYNCHRONOUS_COMMIT=on waits for the disk at each commit.
    commit = "on" if flag("ATELIER_SYNCHRONOUS_COMMIT") else "off"
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(query.pop("port", parts.port or "")),
        "OPTIONS": {"options": f"-c synchronous_commit={commit}", **query},
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


# A pooler that gives each transaction another connection (PgBouncer before 1.21) knows no prepared statements.
PREPARED_STATEMENTS = flag("ATELIER_PREPARED_STATEMENTS", True)
DATABASES = {"default": database(env("DATABASE_URL", f"sqlite:///{HOME / 'atelier.sqlite3'}"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- files: a folder, or S3 / Azure Blob by naming a storage class -----------------------------------------------------
STORAGES = {
    "default": {
        "BACKEND": env("ATELIER_STORAGE", "django.core.files.storage.FileSystemStorage"),
        **({} if env("ATELIER_STORAGE") else {"OPTIONS": {"location": str(HOME / "files")}}),
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or "pytest" in sys.modules
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "studio.static_files.PackageFinder",
]
WHITENOISE_USE_FINDERS = DEBUG or "pytest" in sys.modules
# Uploads stream to the disk from the first byte; a form with a larger body than this is refused.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024

# Limits that differ from the documented ones: ATELIER_LIMITS="snapshot_files=5000,tags=100"; runs/limits.py lists them.
LIMITS = {name.strip(): int(most) for name, _, most in (word.partition("=") for word in words("ATELIER_LIMITS"))}

# -- people -----------------------------------------------------------------------------------------------------------
LOGIN_URL = "/sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
if "pytest" in sys.modules:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # tests make people by the hundred
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
_https = SERVER_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
if flag("ATELIER_BEHIND_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "frame-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'self'"],
        "manifest-src": ["'self'"],
    }
}

# -- words, time ------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# -- jobs -------------------------------------------------------------------------------------------------------------
REDIS_URL = env("REDIS_URL")
DOCKER_HOST = env("DOCKER_HOST")
# The client's certificate (ca.pem, cert.pem, key.pem) for engines on other machines, as Docker's own tools have it.
DOCKER_CERT_PATH = env("DOCKER_CERT_PATH")
CA_BUNDLE = env("ATELIER_CA_BUNDLE")
INDEX_URL = env("ATELIER_INDEX_URL")
EXTRA_INDEX_URLS = words("ATELIER_EXTRA_INDEX_URL")
FIND_LINKS = env("ATELIER_FIND_LINKS")
BASE_IMAGE = env("ATELIER_BASE_IMAGE", "atelier-base:local")
WORKSPACE_REGISTRY = env("ATELIER_WORKSPACE_REGISTRY")
GLOBAL_REGISTRY = env("ATELIER_GLOBAL_REGISTRY")
CONDA_CHANNELS = words("ATELIER_CONDA_CHANNELS")
# The Python of user-managed environments in processes.
SYSTEM_PYTHON = env("ATELIER_SYSTEM_PYTHON", sys.executable)
# The name that builds know this worker's host by, where it can't be told from the engine's address.
BUILD_ADDRESS = env("ATELIER_BUILD_ADDRESS")
# How many environments one worker builds at a time.
BUILDS_AT_ONCE = int(env("ATELIER_BUILDS_AT_ONCE", "2"))
# The network of builds; "host" reaches what this machine reaches.
BUILD_NETWORK = env("ATELIER_BUILD_NETWORK", "host")
# Packages fetched for images are kept for the next build, up to this many bytes.
PACKAGE_CACHE_BYTES = int(env("ATELIER_PACKAGE_CACHE_MB", "5000")) * 1_000_000

# -- compute ----------------------------------------------------------------------------------------------------------
# Where the nodes of a new cluster are: process, docker or swarm; empty: Docker where an engine answers.
COMPUTE_BACKEND = env("ATELIER_COMPUTE_BACKEND")
# How many runs the target `local` takes at a time.
LOCAL_SLOTS = int(env("ATELIER_LOCAL_SLOTS", str(max(4, os.cpu_count() or 1))))
# How long an engine may be away before the runs on its nodes are given up (or tried again elsewhere).
ENGINE_AWAY_SECONDS = float(env("ATELIER_ENGINE_AWAY_SECONDS", "120"))
# How often what jobs use is sampled; 0 turns it off. Samples are kept for so many days.
USAGE_SECONDS = float(env("ATELIER_USAGE_SECONDS", "5"))
USAGE_DAYS = float(env("ATELIER_USAGE_DAYS", "30"))
# How often every run that is not final is looked at though nobody reported anything: a lost job is noticed this soon.
BEAT_SECONDS = float(env("ATELIER_BEAT_SECONDS", "3"))

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("ATELIER_LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        # A line for each wake-up and tick would hide the lines that matter.
        **{name: {"level": "WARNING"} for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat")},
    },
}
