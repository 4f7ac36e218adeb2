"""Account and workspace settings pages."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from studio.errors import NotFound, StudioError
from studio.workspace import members
from studio.workspace import tokens as personal
from studio.workspace.access import signed_in, workspace_for
from studio.workspace.forms import TokenForm
from studio.workspace.models import Membership, Role, Token


@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The person's tokens; a POST makes one and shows its text this once."""
    user = signed_in(request)
    form, made = TokenForm(request.POST or None), None
    if request.method == "POST" and form.is_valid():
        made = personal.make(user, form.cleaned_data["name"], days=form.cleaned_data["days"])[1]
        form = TokenForm()
    rows = Token.objects.filter(user=user).order_by("-created_at")
    return render(request, "workspace/tokens.html", {"tokens": rows, "form": form, "made": made})


@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """Stop one of the person's own tokens."""
    token = Token.objects.filter(user=signed_in(request), pk=token_id).first()
    if token is None:
        raise NotFound("There is no such token of yours.")
    personal.revoke(token)
    messages.success(request, f"The token {token.name} was revoked; what used it is signed out.")
    return redirect("tokens")


@require_http_methods(["GET", "POST"])
def new_workspace(request: HttpRequest) -> HttpResponse:
    """Make a workspace and own it."""
    user, error = signed_in(request), None
    if request.method == "POST":
        try:
            workspace = members.create_workspace(
                request.POST.get("name", ""), user, description=request.POST.get("description", "")
            )
        except StudioError as refused:
            error = refused
        else:
            return redirect("workspace-settings", ws=workspace.name)
    context = {"error": error, "name": request.POST.get("name", "")}
    return render(request, "workspace/new.html", context, status=error.status if error else 200)


@require_safe
def workspace_settings(request: HttpRequest, ws: str) -> HttpResponse:
    """Members and the config.json that scripts need."""
    workspace = workspace_for(signed_in(request), ws)
    rows = Membership.objects.filter(workspace=workspace).select_related("user").order_by("-role", "user__username")
    return render(
        request,
        "workspace/settings.html",
        {"workspace": workspace, "members": rows, "roles": Role.choices, "Role": Role},
    )


@require_POST
def add_member(request: HttpRequest, ws: str) -> HttpResponse:
    """Let a person in."""
    workspace = workspace_for(signed_in(request), ws, Role.OWNER)
    try:
        member = members.add(workspace, request.POST.get("username", ""), members.role(request.POST.get("role", "")))
    except StudioError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, f"{member.user} is in {workspace} as {member.get_role_display()}.")
    return redirect("workspace-settings", ws=ws)


@require_POST
def change_member(request: HttpRequest, ws: str, member_id: int) -> HttpResponse:
    """Change a member's role, or take the member out."""
    workspace = workspace_for(signed_in(request), ws, Role.OWNER)
    member = Membership.objects.filter(workspace=workspace, pk=member_id).select_related("user").first()
    if member is None:
        raise NotFound("There is no such member of this workspace.")
    try:
        # The button "Take out" sends its own value after that of the choice before it.
        if "remove" in request.POST.getlist("role"):
            members.remove(member)
        else:
            members.change(member, members.role(request.POST.get("role", "")))
    except StudioError as refused:
        messages.error(request, refused.message)
    return redirect("workspace-settings", ws=ws)
