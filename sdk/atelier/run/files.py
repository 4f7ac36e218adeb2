"""A run's files: uploads in the calling thread (their error is told where they were asked for), streamed downloads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

from atelier import artifacts
from atelier.errors import UserError
from atelier.run.record import RunRecord


class RunFiles(RunRecord):
    """Upload, list and download, on top of the record."""

    def upload_file(
        self, name: str, path_or_stream: str | Path | IO[bytes], datastore_name: str | None = None
    ) -> dict[str, Any]:
        """Upload one file, from a path or an open binary stream, as `name`; the server's record of it."""
        _only_here(datastore_name)
        return artifacts.upload(self._client, self._id, name, path_or_stream)

    def upload_files(
        self,
        names: Sequence[str],
        paths: Sequence[str | Path],
        return_artifacts: bool = False,
        timeout_seconds: float | None = None,
        datastore_name: str | None = None,
    ) -> list[dict[str, Any]] | None:
        """Upload several files, `paths[i]` as `names[i]`; their records with `return_artifacts`."""
        _only_here(datastore_name)
        if len(names) != len(paths):
            raise UserError(f"upload_files needs a name for each path; there are {len(names)} and {len(paths)}.")
        files = [(name, Path(path)) for name, path in zip(names, paths, strict=True)]
        records = artifacts.upload_many(self._client, self._id, files)
        return records if return_artifacts else None

    def upload_folder(self, name: str, path: str | Path, datastore_name: str | None = None) -> list[dict[str, Any]]:
        """Upload every file below the folder `path` as `name`/…; their records."""
        _only_here(datastore_name)
        return artifacts.upload_many(self._client, self._id, artifacts.folder_files(path, name))

    def get_file_names(self) -> list[str]:
        """Paths of all files and logs of the run."""
        names = {record["path"] for record in artifacts.listed(self._client, self._id)}
        return sorted(names | {log["path"] for log in self._logs()})

    def download_file(
        self, name: str, output_file_path: str | Path | None = None, _validate_checksum: bool = False
    ) -> None:
        """Download one file to `output_file_path` (a file or a folder; default: its own name here)."""
        own = PurePosixPath(artifacts.clean(name)).name
        target = Path(output_file_path) if output_file_path is not None else Path(own)
        if target.is_dir() or str(output_file_path or "").endswith(("/", "\\")):
            target = target / own
        artifacts.download(self._client, self._id, name, target)
        if _validate_checksum:
            self._check(name, target)

    def _check(self, name: str, target: Path) -> None:
        for record in artifacts.listed(self._client, self._id, name):
            if record["path"] == artifacts.clean(name) and record["sha256"] != artifacts.sha256(target):
                raise UserError(f"{target} is not what the run holds as {name}: its SHA-256 differs.")

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: str | Path | None = None,
        output_paths: Sequence[str | Path] | None = None,
        batch_size: int = 100,
        append_prefix: bool | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Download all files below `prefix` into `output_directory` (default: here), under their own paths.

        `append_prefix=False` leaves the prefix out of the local paths. `output_paths` names the local files one by one
        instead, in the order of `get_file_names`.
        """
        start = str(prefix or "").strip("/")
        inside = start + "/" if start else ""
        names = [name for name in self.get_file_names() if name == start or name.startswith(inside)]
        if start and not names:
            names = [name for name in self.get_file_names() if name.startswith(start)]
        if not names:
            raise UserError(f"The run {self._id} has no files below {prefix!r}." if prefix else f"The run {self._id} has no files.")  # fmt: skip
        folder = Path(output_directory) if output_directory is not None else Path()
        if output_paths is not None:
            if len(output_paths) != len(names):
                raise UserError(f"output_paths has {len(output_paths)} paths for {len(names)} files: {names[:5]}.")
            for name, path in zip(names, output_paths, strict=True):
                artifacts.download(self._client, self._id, name, folder / path)
            return
        strip = "" if append_prefix in (None, True) or start in names else inside
        artifacts.download_many(self._client, self._id, names, folder, strip)

    def get_all_logs(self, destination: str | Path | None = None) -> list[str]:
        """Download every log into `destination` (default: here); the local paths."""
        folder = Path(destination) if destination is not None else Path()
        names = [log["path"] for log in self._logs()]
        return [str(path) for path in artifacts.download_many(self._client, self._id, names, folder)]

    def _read_json(self, name: str) -> Any:
        return json.loads(artifacts.read(self._client, self._id, name))


def _only_here(datastore_name: str | None) -> None:
    if datastore_name not in (None, "workspaceartifactstore", "workspaceblobstore"):
        raise UserError(
            f"The datastore {datastore_name!r} does not exist here: a run's files are kept with the run. "
            "Leave datastore_name out."
        )
