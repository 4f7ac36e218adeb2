"""Files of a run: one streamed upload, many in one bundle, and downloads that never hold a whole file in memory.

Archive modules are imported where they are used: their import would cost every script that never needs them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from atelier.client import Client, file_path, segment
from atelier.errors import NotFoundError, UnreachableError, UserError
from atelier.progress import Counted, Progress
from atelier.transport import Response, TransportError

#: A bundle closes when it holds this much; a larger file is streamed by itself.
BUNDLE_BYTES = 16 << 20
BUNDLE_FILES = 1000
#: From this many files on, a download fetches them as one zip.
ZIP_FROM = 8
LONG = 600.0


def clean(name: str) -> str:
    """An artifact's path with "/" between its parts; raises `UserError` for one that would leave the run's folder."""
    path = PurePosixPath(str(name).replace("\\", "/"))
    parts = [part for part in path.parts if part not in (".", "/")]
    if not parts or ".." in parts:
        raise UserError(f"{name!r} is not a name for a file of a run: it must be a path below the run's folder.")
    return "/".join(parts)


def upload(
    client: Client,
    run_id: str,
    name: str,
    content: str | os.PathLike[str] | bytes | IO[bytes],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """One artifact from a path, bytes or an open binary stream; the server's record of it."""
    address = f"/runs/{segment(run_id)}/artifacts/{file_path(clean(name))}"
    if isinstance(content, bytes):
        return client.call("PUT", address, body=content, timeout=LONG)
    with progress or Progress(f"Uploading {name}") as shown:
        if isinstance(content, (str, os.PathLike)):
            with opened(Path(content)) as file:
                return stream(client, address, file, shown)
        return stream(client, address, content, shown)


def opened(path: Path) -> IO[bytes]:
    """A file to upload, open for reading; a sentence when it is none."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError(f"There is no file {str(path)!r} to upload.") from None
    except IsADirectoryError:
        raise UserError(f"{str(path)!r} is a folder; upload_folder sends it with all its files.") from None
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be uploaded: {error.strerror}.", error) from error


def stream(
    client: Client, address: str, file: IO[bytes], progress: Progress, params: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """PUT an open binary stream, of any size, to an API path; the server's answer."""
    size = _size(file)
    headers = {"Content-Type": "application/octet-stream"}
    if size is None:
        import tempfile

        with tempfile.SpooledTemporaryFile(max_size=BUNDLE_BYTES) as copy:
            while piece := file.read(1 << 20):
                copy.write(piece if isinstance(piece, bytes) else piece.encode())
            copy.seek(0)
            return stream(client, address, copy, progress, params)  # type: ignore[arg-type]
    headers["Content-Length"] = str(size)
    if progress.total is None:
        progress.total = size
    body: IO[bytes] = Counted(file, progress) if progress.visible else file  # type: ignore[assignment]
    return client.call("PUT", address, params=params, body=body, headers=headers, timeout=LONG)


def _size(file: IO[bytes]) -> int | None:
    """Bytes from here to the end of a binary stream; None when it cannot seek or holds text."""
    if isinstance(file, io.TextIOBase) or not getattr(file, "seekable", lambda: False)():
        return None
    here = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(here)
    return end - here


def upload_many(client: Client, run_id: str, files: Iterable[tuple[str, Path]]) -> list[dict[str, Any]]:
    """Several files, (name, path) each; small ones travel together, one commit a bundle. Nothing is sent when one of
    them is missing."""
    sized = [(clean(name), path, length(path)) for name, path in files]
    records: list[dict[str, Any]] = []
    bundle: list[tuple[str, Path, int]] = []
    held = 0
    with Progress(f"Uploading {len(sized):,} files", sum(size for _, _, size in sized)) as progress:
        for name, path, size in sized:
            if size > BUNDLE_BYTES // 4:
                records.append(upload(client, run_id, name, path, progress))
                continue
            if held + size > BUNDLE_BYTES or len(bundle) == BUNDLE_FILES:
                records += _send_bundle(client, run_id, bundle, progress)
                bundle, held = [], 0
            bundle.append((name, path, size))
            held += size
        if len(bundle) == 1:
            records.append(upload(client, run_id, *bundle[0][:2], progress))
        elif bundle:
            records += _send_bundle(client, run_id, bundle, progress)
    return records


def length(path: Path) -> int:
    """Bytes of a file to upload; a sentence when there is none."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise UserError(f"There is no file {str(path)!r} to upload.", error) from error


def _send_bundle(
    client: Client, run_id: str, files: list[tuple[str, Path, int]], progress: Progress
) -> list[dict[str, Any]]:
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path, _ in files:
            with opened(path) as file:
                content = file.read()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    answer = client.call(
        "PUT",
        f"/runs/{segment(run_id)}/artifacts-bundle",
        body=out.getvalue(),
        headers={"Content-Type": "application/x-tar"},
        timeout=LONG,
    )
    progress.add(sum(size for _, _, size in files))
    return answer["items"]


def folder_files(folder: str | os.PathLike[str], name: str) -> Iterator[tuple[str, Path]]:
    """(artifact name, path) of every file below `folder`, named below `name`."""
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"{str(folder)!r} is not a folder, so it cannot be uploaded.")
    prefix = clean(name) + "/" if str(name).strip("./") else ""
    for where, folders, files in os.walk(root, followlinks=False):
        folders.sort()
        for file in sorted(files):
            path = Path(where) / file
            if path.is_file():
                yield prefix + path.relative_to(root).as_posix(), path


def listed(client: Client, run_id: str, prefix: str | None = None) -> list[dict[str, Any]]:
    """Records of a run's artifacts: path, size, sha256, content_type, created_at."""
    return list(client.pages(f"/runs/{segment(run_id)}/artifacts", {"prefix": prefix or None}))


def download(client: Client, run_id: str, name: str, target: Path) -> Path:
    """One artifact (or live log) into the file `target`."""
    return save(_opened_there(client, run_id, name), target)


def _opened_there(client: Client, run_id: str, name: str) -> Response:
    try:
        return client.open("GET", f"/runs/{segment(run_id)}/artifacts/{file_path(clean(name))}", timeout=LONG)
    except NotFoundError as error:
        if "no file" in error.message:
            raise NotFoundError(f"{error.message} run.get_file_names() lists what it has.", error) from error
        raise


def read(client: Client, run_id: str, name: str) -> bytes:
    """One artifact's content; for small ones."""
    return _opened_there(client, run_id, name).read()


def save(answer: Response, target: Path, progress: Progress | None = None) -> Path:
    """Stream an answer into `target`, which holds the whole content or is not touched."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name[:40]}.{os.urandom(6).hex()}.part")
    try:
        expected = int(answer.headers.get("content-length") or -1)
        with progress or Progress(f"Downloading {target.name}", max(0, expected)) as shown, part.open("xb") as out:
            for piece in answer.chunks():
                out.write(piece)
                shown.add(len(piece))
            size = out.tell()
        if expected >= 0 and size < expected and not answer.headers.get("content-encoding"):
            raise TransportError(f"{size} of {expected} bytes came", sent=True)
        part.replace(target)
    except TransportError as failure:
        raise UnreachableError(f"The download of {target.name} broke off: {failure}. Try again.", failure) from failure
    finally:
        part.unlink(missing_ok=True)
    return target


def safe_target(folder: Path, name: str) -> Path:
    """Where the artifact `name` goes below `folder`; never outside of it, whatever a server answers."""
    return folder / clean(name)


def download_many(client: Client, run_id: str, names: list[str], folder: Path, strip: str = "") -> list[Path]:
    """Several artifacts below `folder`, under their names without the leading `strip`; many come as one zip."""
    targets = {name: safe_target(folder, name.removeprefix(strip)) for name in names}
    left = dict(targets)
    if len(names) >= ZIP_FROM:
        for name in _from_zip(client, run_id, targets, os.path.commonpath(names)):
            left.pop(name, None)
    for name, target in left.items():
        download(client, run_id, name, target)
    return list(targets.values())


def _from_zip(client: Client, run_id: str, targets: dict[str, Path], prefix: str) -> Iterator[str]:
    """Fetch everything below `prefix` at once and yield the wanted names that came."""
    import shutil
    import tempfile
    import zipfile

    answer = client.open(
        "GET", f"/runs/{segment(run_id)}/artifacts-zip", params={"prefix": prefix or None}, timeout=LONG
    )
    with tempfile.TemporaryDirectory(prefix="atelier-") as place:
        archive = zipfile.ZipFile(save(answer, Path(place) / "artifacts.zip"))
        for entry in archive.infolist():
            target = targets.get(entry.filename)
            if target is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as content, target.open("wb") as out:
                shutil.copyfileobj(content, out, 1 << 20)
            yield entry.filename
        archive.close()


def sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
