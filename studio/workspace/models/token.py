"""Personal tokens: hashed, expiring, revocable. A run's token is kept with the run."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Token(models.Model):
    """Only the SHA-256 of a token is kept; the text is shown once, when it is made.

    A plain hash is enough: the text holds 256 random bits, so there is nothing to guess.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    # The first characters, so that a person can tell tokens apart in the list.
    hint = models.CharField(max_length=12)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"
