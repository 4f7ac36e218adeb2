"""What was known of a run and its caller a moment ago, for the requests that come again and again.

A stream of metrics or files names the same run with each request, and asking for it first would double its round trips
to the database. So such a request starts from what an earlier one found, as a claim: whose run it is, and that the token
is its own. The statement that writes proves the claim in the same breath, by the row as it is now (raw.Claim). Where it
does not hold, nothing is written, and the request is asked anew from the start. A person's role is what `principals`
says, as for every request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.models import raw
from runs.models.raw import Claim, RunKey
from studio.errors import StudioError
from studio.workspace import principals, tokens
from studio.workspace.principals import Principal

if TYPE_CHECKING:
    from django.http import HttpRequest

    from studio.workspace.models import Role

MOST_KEPT = 10_000
_KEY = "r.id = %s AND r.workspace_id = %s AND r.experiment_id = %s"
_OWN = f"{_KEY} AND r.token_digest = %s AND r.{raw.UNDER_WAY}"
_runs: dict[str, RunKey] = {}
_callers: dict[str, Principal] = {}


def _token_of(request: HttpRequest) -> str:
    scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def find(request: HttpRequest, run_id: str, need: Role) -> tuple[Principal, Claim] | None:
    """The caller and what can be claimed of the run; None when nothing is known."""
    key = _runs.get(run_id)
    token = _token_of(request)
    if key is None or not token:
        return None
    params = [key.id, key.workspace_id, key.experiment_id]
    if token.startswith(tokens.RUN):
        digest = tokens.digest(token)
        own = _callers.get(digest)
        if own is None or own.run is None or own.run.id != run_id:
            return None
        return own, Claim(key, _OWN, [*params, digest])
    try:
        principal = principals.of_token(token)
        principal.seat_by_id(key.workspace_id, need, "run")
    except StudioError:  # said in full by who asks anew
        return None
    return principal, Claim(key, _KEY, params)


def remember(request: HttpRequest, principal: Principal, run: RunKey) -> None:
    """A request was let through to this run."""
    if len(_runs) >= MOST_KEPT or len(_callers) >= MOST_KEPT:
        _runs.clear()
        _callers.clear()
    _runs[run.id] = run._replace(state="")  # nobody may rely on it
    if principal.run is not None and principal.run.id == run.id:
        _callers[tokens.digest(_token_of(request))] = principal


def forget(run_id: str) -> None:
    """A claim did not hold."""
    _runs.pop(run_id, None)
