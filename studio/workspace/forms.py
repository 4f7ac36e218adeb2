"""Forms of the account and the workspace's settings."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    """Says which step to take when it refuses."""

    error_messages = {
        "invalid_login": "This name and password don't go together. Check capitals; an admin can set a new password.",
        "inactive": "This account was switched off. Ask an admin of the server.",
    }


class TokenForm(forms.Form):
    """A new personal token."""

    name = forms.CharField(max_length=100, help_text="Where it will be used: laptop, CI, a notebook.")
    days = forms.TypedChoiceField(
        coerce=int,
        choices=[(7, "7 days"), (30, "30 days"), (90, "90 days"), (366, "a year")],
        initial=90,
        label="Expires after",
    )
