"""Which commit a folder's code is: remote, branch, commit and whether it was changed since, as run properties."""

from __future__ import annotations

import re
from pathlib import Path

SECONDS = 5


def properties(folder: Path) -> dict[str, str]:
    """Properties under their `azureml.git.*` and `mlflow.source.git.*` names; empty outside a repository.

    A password or token in the remote's address is left out.
    """
    folder = folder.resolve()
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return {}
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    branch = _git(folder, "symbolic-ref", "--short", "-q", "HEAD") or "HEAD"
    remote = _without_password(_git(folder, "config", "--get", "remote.origin.url"))
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    found = {
        "azureml.git.repository_uri": remote,
        "mlflow.source.git.repoURL": remote,
        "azureml.git.branch": branch,
        "mlflow.source.git.branch": branch,
        "azureml.git.commit": commit,
        "mlflow.source.git.commit": commit,
        "azureml.git.dirty": str(bool(changed)),
    }
    return {name: value for name, value in found.items() if value}


def _git(folder: Path, *arguments: str) -> str:
    """Output of a git command; "" when git is missing, too slow, or says no."""
    import subprocess

    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments], cwd=folder, capture_output=True, text=True, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _without_password(url: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", url)
