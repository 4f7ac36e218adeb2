"""Passwords of registries: taken out of definitions before these are stored, kept encrypted, given back to a build."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from studio.environments.models import Credential
from studio.environments.spec import MASK
from studio.errors import Invalid
from studio.workspace.models import Workspace


def _cipher() -> Fernet:
    # Derived from the server's key, which is kept outside the database: a copy of the database alone opens nothing.
    key = hashlib.sha256(b"registry credentials\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def _registry(definition: Mapping[str, Any]) -> dict[str, Any] | None:
    docker = definition.get("docker")
    registry = docker.get("baseImageRegistry") if isinstance(docker, Mapping) else None
    return registry if isinstance(registry, dict) else None


def put_away(workspace: Workspace, definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition without its registry's password, which is kept for the workspace. Call it before storing one."""
    kept = copy.deepcopy(dict(definition))
    registry = _registry(kept)
    if registry is None or not registry.get("password") or registry["password"] == MASK:
        return kept
    Credential.objects.update_or_create(
        workspace=workspace,
        address=str(registry.get("address") or ""),
        username=str(registry.get("username") or ""),
        defaults={"password": _cipher().encrypt(str(registry["password"]).encode()).decode()},
    )
    registry["password"] = MASK
    return kept


def filled_in(workspace: Workspace | None, definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with its registry's password, for a build. Raises Invalid when the workspace has none."""
    whole = copy.deepcopy(dict(definition))
    registry = _registry(whole)
    if registry is None or registry.get("password") != MASK:
        return whole
    address, username = str(registry.get("address") or ""), str(registry.get("username") or "")
    kept = Credential.objects.filter(workspace=workspace, address=address, username=username).first()
    try:
        registry["password"] = _cipher().decrypt(kept.password.encode()).decode() if kept else None
    except InvalidToken:
        registry["password"] = None
    if registry["password"] is None:
        raise Invalid(
            f"The password of {username!r} at the registry {address!r} is not known here; "
            "give it in docker.base_image_registry.password once.",
            "environment.docker.baseImageRegistry.password",
        )
    return whole
