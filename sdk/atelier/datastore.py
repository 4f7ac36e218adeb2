"""Datastores: the one that a workspace's own files are in, by name. Data is not kept there by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier.errors import UnsupportedError, UserError

if TYPE_CHECKING:
    from atelier.workspace import Workspace

DEFAULT_NAME = "workspaceblobstore"
INSTEAD = (
    "Put the data into the run's source directory, read it from a folder that every node sees, or keep files with a "
    "run (run.upload_file, run.upload_folder) and fetch them with run.download_files."
)


class Datastore:
    """The default datastore of a workspace. It has a name and a place; uploading data by hand is refused."""

    datastore_type = "AzureBlob"
    protocol = "https"

    def __init__(self, workspace: Workspace, name: str | None = None) -> None:
        if name not in (None, DEFAULT_NAME, "workspaceartifactstore", workspace._known().get("default_datastore")):
            raise UserError(f"The workspace {workspace.name} has no datastore {name!r}; its own is {DEFAULT_NAME!r}.")
        self.workspace = workspace
        self.name = name or DEFAULT_NAME
        self.account_name = workspace.name
        self.container_name = self.name

    def __repr__(self) -> str:
        return f"Datastore(Name: {self.name}, Workspace: {self.workspace.name})"

    @staticmethod
    def get(workspace: Workspace, datastore_name: str) -> Datastore:
        """The datastore of that name."""
        return Datastore(workspace, datastore_name)

    @staticmethod
    def get_default(workspace: Workspace) -> Datastore:
        """The workspace's own datastore."""
        return workspace.get_default_datastore()

    def _refuse(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{what}: this server does not keep data in datastores. {INSTEAD}")

    def upload(
        self, src_dir: str, target_path: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> Any:
        """Refused; the sentence says where data goes."""
        raise self._refuse(f"{src_dir!r} is not uploaded to the datastore {self.name}")

    def upload_files(
        self,
        files: Any,
        relative_root: str | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> Any:
        """Refused; the sentence says where data goes."""
        raise self._refuse(f"{len(files)} files are not uploaded to the datastore {self.name}")

    def download(
        self, target_path: str, prefix: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> int:
        """Refused; the sentence says where data goes."""
        raise self._refuse(f"Nothing is downloaded from the datastore {self.name}")

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> Any:
        """Refused; the sentence says where data goes."""
        raise self._refuse(f"{path!r} cannot be referred to in the datastore {self.name}")


def _refuse_registration(kind: str) -> Any:
    def register(*args: Any, **kwargs: Any) -> Any:
        raise UnsupportedError(f"{kind} cannot be registered: this server does not read from other stores. {INSTEAD}")

    register.__doc__ = f"Refused: {kind} is not read from."
    return staticmethod(register)


for _name, _kind in {
    "register_azure_blob_container": "An Azure blob container",
    "register_azure_file_share": "An Azure file share",
    "register_azure_data_lake": "An Azure data lake",
    "register_azure_data_lake_gen2": "An Azure data lake (gen 2)",
    "register_azure_sql_database": "An Azure SQL database",
    "register_azure_postgre_sql": "An Azure PostgreSQL database",
    "register_azure_my_sql": "An Azure MySQL database",
    "register_dbfs": "A Databricks file system",
    "register_hdfs": "A Hadoop file system",
}.items():
    setattr(Datastore, _name, _refuse_registration(_kind))
