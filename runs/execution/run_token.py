"""A run's own token. It is derived, not stored: any worker can put it into a job again, and the row has its digest."""

from __future__ import annotations

import base64
import hashlib
import hmac

from django.conf import settings

from runs.models import Run
from studio.workspace import tokens


def token_of(run: Run) -> str:
    """The text. A run that is tried again has another one, so that its lost job cannot write into the new attempt."""
    secret = hashlib.sha256(b"atelier run token\0" + settings.SECRET_KEY.encode()).digest()
    made = hmac.new(secret, f"{run.pk}\0{run.retries}".encode(), hashlib.sha256).digest()
    return tokens.RUN + base64.urlsafe_b64encode(made).decode().rstrip("=")


def give(run: Run) -> str:
    """The token, valid from now until the run is final."""
    text = token_of(run)
    digest = tokens.digest(text)
    if run.token_digest != digest:
        Run.objects.filter(pk=run.pk).update(token_digest=digest)
        run.token_digest = digest
    return text
