"""Routes of the API: plain Django views behind one thin gate, and the table that its documentation is made from.

A route says its method and path, what it needs (a scope, a role, whether a run's own token will do) and what it takes
and gives. The gate finds the caller, looks up the run or workspace in the path, checks the right, calls the view and
writes what it returns as JSON. Nothing else stands between a request and its action: the ingestion paths live on that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from runs.api import claims
from runs.limits import limit
from runs.models import raw
from runs.models.raw import Claim, RunKey
from studio.errors import Forbidden, Invalid, NotFound, StudioError, TooLarge, Unavailable, full_disk
from studio.workspace import principals
from studio.workspace.models import Role
from studio.workspace.principals import Principal

# Arrays as lists; times with Z, as `raw.iso` writes them.
OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | raw.WIRE_TIMES
JSON = "application/json"


@dataclass(slots=True)
class Call:
    """One request, its caller, and what its path named."""

    request: HttpRequest
    principal: Principal
    run: RunKey = None  # type: ignore[assignment]  # set for routes of scope "run"
    workspace: str = ""
    workspace_id: int = 0
    claim: Claim | None = None
    """Set for routes that prove it: then `run` is what was known of it, and its state is not."""

    def json(self, *, nul: bool = False) -> dict[str, Any]:
        """The body as an object; {} when there is none. NUL is refused (PostgreSQL can't keep it in a text) unless
        the view cleans the texts itself."""
        body = read_body(self.request)
        if not body:
            return {}
        found = parse_json(body, nul=nul)
        if not isinstance(found, dict):
            raise Invalid("The body is a JSON object.")
        return found

    def text(self, name: str, default: str | None = None) -> str | None:
        """A query parameter, `default` when it is absent or empty."""
        return self.request.GET.get(name) or default

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from the query, within its bounds."""
        given = self.request.GET.get(name)
        if not given:
            return default
        if not re.fullmatch(r"-?\d{1,18}", given) or not low <= int(given) <= high:
            raise Invalid(f"{name} is a whole number from {low:,} to {high:,}; {given[:40]!r} is not.", name)
        return int(given)

    def real(self, name: str) -> float | None:
        """A number from the query, None when it is absent."""
        given = self.request.GET.get(name)
        if not given:
            return None
        try:
            found = float(given)
        except ValueError:
            raise Invalid(f"{name} is a number; {given[:40]!r} is not.", name) from None
        if found != found:
            raise Invalid(f"{name} is a number; NaN is not.", name)
        return found

    def flag(self, name: str) -> bool:
        """0 or 1 from the query."""
        given = self.request.GET.get(name, "")
        if given.lower() not in ("", "0", "1", "true", "false"):
            raise Invalid(f"{name} is 0 or 1; {given[:40]!r} is neither.", name)
        return given.lower() in ("1", "true")

    @property
    def by(self) -> str:
        """Who did it, as it is kept with what was made."""
        return self.principal.username

    def small(self, most: int) -> bytes | None:
        """The whole body where it says that it has at most so many bytes, else None: it is to be streamed."""
        length = self.request.META.get("CONTENT_LENGTH") or ""
        chunked = "HTTP_TRANSFER_ENCODING" in self.request.META
        if chunked or not (length.isascii() and length.isdigit()) or int(length) > most:
            return None
        return self.request.body

    @property
    def stream(self) -> Any:
        """The body as a stream. A chunked one has no length, so Django's own stream would read nothing of it."""
        if "chunked" in self.request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            return self.request.META["wsgi.input"]
        return self.request


def read_body(request: HttpRequest) -> bytes:
    """The whole body, at most limit("body_bytes")."""
    most = limit("body_bytes")
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        body = request.META["wsgi.input"].read(most + 1)
    else:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) > most:
            raise TooLarge(f"The body has {int(length):,} bytes; the limit is {most:,}.")
        body = request.body
    if len(body) > most:
        raise TooLarge(f"The body is larger than the limit of {most:,} bytes.")
    return bytes(body)


def parse_json(body: bytes, *, nul: bool = False) -> Any:
    """The value of a JSON body; Invalid when it is none, or holds a NUL that is not allowed."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"The body is not JSON: {error}.") from None
    if not nul and b"\\u0000" in body and _holds_nul(found):
        raise Invalid("The body holds a NUL character (\\u0000), which can't be kept.")
    return found


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return False


View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a path, and what the documentation says of it."""

    method: str
    path: str
    view: View
    scope: str
    need: Role
    run_token: bool
    summary: str
    tag: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    gives: str = ""
    status: int = 200
    claims: bool = False


ROUTES: list[Route] = []


def route(
    method: str,
    path_: str,
    *,
    tag: str,
    summary: str,
    need: Role = Role.READER,
    run_token: bool = True,
    query: dict[str, str] | None = None,
    body: Any = None,
    gives: str = "",
    status: int = 200,
    claims: bool = False,
) -> Callable[[View], View]:
    """Register a view. The scope follows from the path: /runs/{id}…, /workspaces/{ws}/…, or neither.

    `need` is the role in the workspace. A run's own token counts as a contributor's for its run and what is below it,
    as a reader's for the rest of its workspace, and not at all where `run_token` is False. With `claims` the view may be
    given a claim on the run, which its own statement proves; it raises raw.Unproven when it can't.
    """
    scope = "run" if path_.startswith("/runs/{id}") else "workspace" if path_.startswith("/workspaces/{ws}") else ""

    def register(view: View) -> View:
        ROUTES.append(
            Route(method, path_, view, scope, need, run_token, summary, tag, query or {}, body, gives, status, claims)
        )
        return view

    return register


# -- the gate ---------------------------------------------------------------------------------------------------------


def _enter(route_: Route, request: HttpRequest, named: dict[str, Any]) -> Call:
    principal = principals.of_request(request)
    call = Call(request, principal)
    if principal.run is not None and not route_.run_token:
        raise Forbidden("A run's token can't do this; use a personal token.")
    if route_.scope == "run":
        call.run = run_for(principal, named.pop("id"), route_.need)
        call.workspace_id = call.run.workspace_id
        if route_.claims:
            claims.remember(request, principal, call.run)
    elif route_.scope == "workspace":
        call.workspace = named.pop("ws")
        need = Role.READER if principal.run is not None and route_.run_token else route_.need
        call.workspace_id = principal.seat(call.workspace, need).id
    return call


def run_for(principal: Principal, run_id: str, need: Role = Role.READER) -> RunKey:
    """The run, when the caller may `need` there: members by their role, a run's token for itself and what is below."""
    own = principal.run
    if own is not None:
        if own.id == run_id:
            return own.key  # type: ignore[no-any-return]
        key = raw.run_key(run_id)
        if key.workspace_id != own.workspace_id or not raw.is_below(key, own.id):
            raise raw.no_run(run_id)
        if need > Role.CONTRIBUTOR:
            raise Forbidden("A run's token can't do this; use a personal token.")
        return key
    key = raw.run_key(run_id)
    principal.seat_by_id(key.workspace_id, need, f"run {run_id[:260]!r}")
    return key


Plain = tuple[int, bytes]
"""A status and JSON: what most answers are. The web server's own door sends it as it is."""


def answer(result: Any, status: int = 200) -> Plain | HttpResponse:
    """What a view returned, as an answer: responses as they are, anything else as JSON."""
    if isinstance(result, HttpResponse) or hasattr(result, "streaming_content"):
        return result  # type: ignore[no-any-return]
    return status, orjson.dumps(result, option=OPTIONS)


def refusal(error: StudioError) -> HttpResponse:
    """The wire form of an error."""
    response = HttpResponse(orjson.dumps({"error": error.as_dict()}), content_type=JSON, status=error.status)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    elif error.status == 503:
        response["Retry-After"] = "1"
    return response


class Gate:
    """The Django view of one path: picks the method's route and answers, errors included."""

    def __init__(self, routes: dict[str, Route]) -> None:
        self.routes = routes

    def __call__(self, request: HttpRequest, **named: Any) -> HttpResponse:
        found = self.plain(request, named)
        return HttpResponse(found[1], content_type=JSON, status=found[0]) if isinstance(found, tuple) else found

    def plain(self, request: HttpRequest, named: dict[str, Any]) -> Plain | HttpResponse:
        """The answer, as a response of Django's only where it is more than a status and JSON."""
        method = "GET" if request.method == "HEAD" else request.method or ""
        found = self.routes.get(method)
        if found is None:
            there = ", ".join(sorted(self.routes))
            response = refusal(Invalid(f"{request.method} is not possible here; there is {there}."))
            response.status_code = 405
            response["Allow"] = there
            return response
        # Asking the database before each request whether it is there would double the cost of the short ones. When it
        # was restarted, one request is answered 503, which clients send again, and Django connects anew after it.
        connection.health_check_done = True  # type: ignore[attr-defined]
        try:
            if any("\x00" in value for value in named.values() if isinstance(value, str)) or "%00" in request.META.get(
                "QUERY_STRING", ""
            ):
                raise NotFound("There is nothing at this address.")
            return answer(self._done(found, request, named), found.status)
        except StudioError as error:
            return refusal(error)
        except OSError as error:
            if full := full_disk(error):
                return refusal(full)
            raise
        except (OperationalError, InterfaceError) as error:
            return refusal(
                full_disk(error)
                or Unavailable(f"The database does not answer now; try again. ({str(error).splitlines()[0][:200]})")
            )

    def _done(self, found: Route, request: HttpRequest, named: dict[str, Any]) -> Any:
        if found.claims and (known := claims.find(request, named["id"], found.need)):
            principal, claim = known
            call = Call(request, principal, claim.run, workspace_id=claim.run.workspace_id, claim=claim)
            rest = {name: value for name, value in named.items() if name != "id"}
            try:
                return found.view(call, **rest)
            except raw.Unproven:
                pass
            except StudioError:  # what is wrong with a request is told to those who may make it
                if claim.holds():
                    raise
            claims.forget(claim.run.id)
        return found.view(_enter(found, request, named), **named)


_CONVERTERS = {"path": "path", "v": "int"}


_FIRST = (
    *("/runs/{id}/metrics", "/workspaces/{ws}/runs", "/runs/{id}/end", "/runs/{id}/artifacts/{path}"),
    *("/runs/{id}/logs/{path}", "/runs/{id}"),
)


def urlpatterns() -> list[URLPattern]:
    """The registered routes as Django's patterns, one for each path. Django tries them one after the other, so those
    that running jobs ask for most come first, then the others of a run."""
    by_path: dict[str, dict[str, Route]] = {}
    for found in ROUTES:
        by_path.setdefault(found.path, {})[found.method] = found

    def convert(match: re.Match[str]) -> str:
        name = match[1]
        return f"<{_CONVERTERS.get(name, 'str')}:{name}>"

    return [
        path(re.sub(r"\{(\w+)\}", convert, path_.lstrip("/")), Gate(methods), name=f"api {path_}")
        for path_, methods in sorted(by_path.items(), key=lambda item: _turn(item[0]))
    ]


def _turn(path_: str) -> int:
    if path_ in _FIRST:
        return _FIRST.index(path_)
    return len(_FIRST) + (not path_.startswith("/runs/{id}"))


def first() -> list[tuple[re.Pattern[str], Any]]:
    """The addresses that running jobs ask for most, as Django would find them: the same expressions in the same order."""
    return [(found.pattern.regex, found.callback) for found in urlpatterns()[: len(_FIRST)]]
