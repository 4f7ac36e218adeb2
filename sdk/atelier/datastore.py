"""The default datastore of a workspace: files that people keep there and fetch again, also from within a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atelier import artifacts
from atelier.client import file_path, segment
from atelier.errors import ConflictError, NotFoundError, UnsupportedError, UserError
from atelier.progress import Progress

if TYPE_CHECKING:
    from atelier.workspace import Workspace

DEFAULT_NAME = "workspaceblobstore"
INSTEAD = (
    "Keep the files in the workspace's own datastore (ws.get_default_datastore().upload), or read them from a folder that "
    "every node sees."
)


class DataReference:
    """A path of a datastore. A script fetches what is there; nothing is mounted."""

    def __init__(self, datastore: Datastore, path_on_datastore: str, data_reference_name: str | None = None) -> None:
        self.datastore = datastore
        self.path_on_datastore = path_on_datastore
        self.data_reference_name = data_reference_name

    def __repr__(self) -> str:
        return f"DataReference({self.datastore.name}, {self.path_on_datastore!r})"

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        """Refused; the sentence has the lines that fetch the files."""
        raise UnsupportedError(
            f"{self.path_on_datastore!r} is not mounted into a run. Fetch it in the script: "
            "Run.get_context().experiment.workspace.get_default_datastore()"
            f".download('.', prefix={self.path_on_datastore!r})."
        )

    as_mount = as_download = as_upload = _refuse


class Datastore:
    """The default datastore of a workspace. Files have paths with / between folders; a run may read them, not write."""

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

    def _address(self, path: str = "") -> str:
        return f"/workspaces/{segment(self.workspace.name)}/datastore/files" + (f"/{file_path(path)}" if path else "")

    def upload(
        self, src_dir: str | Path, target_path: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> DataReference:
        """Keep every file below the folder `src_dir` under `target_path`; where they are.

        Files that are there already stay as they are and are named, unless `overwrite`.
        """
        self._send(list(artifacts.folder_files(src_dir, target_path or "")), overwrite, show_progress)
        return self.path(target_path)

    def upload_files(
        self,
        files: Sequence[str | Path],
        relative_root: str | Path | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Keep files under `target_path` by their names, or by their paths below `relative_root`; where they are."""
        if isinstance(files, (str, Path)):
            raise UserError(f"files is a list of paths: upload_files([{str(files)!r}]).")
        named: dict[str, Path] = {}
        for file in map(Path, files):
            name = _below(file, Path(relative_root)) if relative_root is not None else file.name
            whole = artifacts.clean(f"{target_path or ''}/{name}".lstrip("/"))
            if whole in named:
                raise UserError(
                    f"{named[whole]} and {file} would both be {whole!r}; relative_root keeps their folders."
                )
            named[whole] = file
        self._send(list(named.items()), overwrite, show_progress)
        return self.path(target_path)

    def _send(self, files: list[tuple[str, Path]], overwrite: bool, show: bool) -> None:
        sized = [(name, path, artifacts.length(path)) for name, path in files]
        there = set() if overwrite else {one["path"] for one in self.files()}
        kept = 0
        with Progress(f"Uploading {len(sized):,} files", sum(size for _, _, size in sized), show=show) as progress:
            for name, path, _ in sized:
                if name in there or not self._put(name, path, overwrite, progress):
                    progress.wipe()
                    print(f"{name} is there already and stays as it is; overwrite=True replaces it.")
                else:
                    kept += 1
        if show:
            print(f"Uploaded {kept:,} of {len(sized):,} files to {self.name}.")

    def _put(self, name: str, path: Path, overwrite: bool, progress: Progress) -> bool:
        """Whether it was kept; not, when somebody else has just put one there."""
        try:
            with artifacts.opened(path) as content:
                params = {"overwrite": overwrite}
                artifacts.stream(self.workspace.client, self._address(name), content, progress, params)
        except ConflictError:
            return False
        return True

    def download(
        self,
        target_path: str | Path,
        prefix: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> int:
        """Fetch the file or folder `prefix` (default: everything) into the folder `target_path`, under its own path;
        how many files came. Local files that are there already stay, unless `overwrite`."""
        start = str(prefix or "").strip("/")
        found = [
            one for one in self.files(start) if not start or one["path"] == start or one["path"].startswith(start + "/")
        ]
        if not found:
            what = f"no file or folder {start!r}" if start else "no files"
            raise NotFoundError(f"The datastore {self.name} of {self.workspace.name} has {what}.")
        count = 0
        with Progress(
            f"Downloading {len(found):,} files", sum(one["size"] for one in found), show=show_progress
        ) as progress:
            for one in found:
                target = artifacts.safe_target(Path(target_path), one["path"])
                if target.exists() and not overwrite:
                    continue
                answer = self.workspace.client.open("GET", self._address(one["path"]), timeout=artifacts.LONG)
                artifacts.save(answer, target, progress)
                count += 1
        return count

    def files(self, prefix: str = "") -> list[dict[str, Any]]:
        """What is kept, by path: path, size, sha256, created_at, created_by. Not in v1."""
        found: list[dict[str, Any]] = list(self.workspace.client.pages(self._address(), {"prefix": prefix or None}))
        return found

    def delete_files(self, prefix: str) -> int:
        """Remove the file or folder `prefix` for good; how many files went. Not in v1."""
        start = artifacts.clean(prefix)
        found = [
            one["path"] for one in self.files(start) if one["path"] == start or one["path"].startswith(start + "/")
        ]
        for path in found:
            self.workspace.client.call("DELETE", self._address(path))
        return len(found)

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """A path of this datastore."""
        return DataReference(self, str(path or "").strip("/"), data_reference_name)


def _below(file: Path, root: Path) -> str:
    try:
        return file.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        raise UserError(f"{file} is not below relative_root {root}.") from None


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
