"""One model a file; this is the list."""

from studio.workspace.models.datastore import StoredFile
from studio.workspace.models.member import Membership, Role
from studio.workspace.models.registry import Model, ModelFile, ModelUpload, ModelVersion
from studio.workspace.models.token import Token
from studio.workspace.models.workspace import Workspace

__all__ = [
    "Membership",
    "Model",
    "ModelFile",
    "ModelUpload",
    "ModelVersion",
    "Role",
    "StoredFile",
    "Token",
    "Workspace",
]
