"""The web process: `granian --interface wsgi studio.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
application = get_wsgi_application()

import studio.celery  # noqa: E402, F401 - makes the app current through which actions wake workers; after setup
