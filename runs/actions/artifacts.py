"""Files that a run keeps: one streamed upload, or many in a bundle with one commit."""

from __future__ import annotations

import hashlib
import mimetypes
import tarfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from runs import limits
from runs.actions.contents import drop_unnamed
from runs.models import Artifact, raw
from runs.models.raw import Claim, RunKey
from runs.paths import check_path
from studio.errors import Invalid, TooLarge
from studio.workspace import storage
from studio.workspace.storage import Incoming, check_hash, too_large

_INSERT = """INSERT INTO runs_artifact (run_id, path, path_key, size, sha256, content_type, created_at) {rows}
ON CONFLICT (run_id, path_key) DO NOTHING RETURNING path_key"""
_CLAIMED = f"r.id, {raw.marks(6)}"
_VALUES = f"VALUES {raw.values(1, 7)}"
SMALL = 1 << 20
"""A body of at most so many bytes is taken whole: its name and the right to give it are then one statement."""
BINARY = "application/octet-stream"
# mimetypes reads the machine's tables; what the pages preview must not depend on them.
_KNOWN = {
    ".csv": "text/csv", ".json": "application/json", ".jsonl": "application/jsonl", ".md": "text/markdown",
    ".txt": "text/plain", ".log": "text/plain", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
    ".gif": "image/gif", ".webp": "image/webp", ".svg": "image/svg+xml", ".html": "text/html", ".py": "text/x-python",
    ".yml": "application/yaml", ".yaml": "application/yaml", ".ipynb": "application/x-ipynb+json",
    ".parquet": "application/vnd.apache.parquet",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is an artifact now."""

    path: str
    size: int
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """The wire form."""
        return {"path": self.path, "size": self.size, "sha256": self.sha256}


def content_type(path: str) -> str:
    """The media type that a path's ending stands for."""
    endings = path.rpartition("/")[2].split(".")[1:]
    packed = bool(endings) and "." + endings[-1] in mimetypes.encodings_map  # a .tar.gz is a tar
    return _type_of(".".join(endings[-2:] if packed else endings[-1:]))


@lru_cache(1000)
def _type_of(endings: str) -> str:
    ending = "." + endings.rpartition(".")[2].lower()
    return _KNOWN.get(ending) or mimetypes.guess_type(f"a.{endings}", strict=False)[0] or BINARY


def put(run: RunKey, path: str, body: storage.Readable, expected_sha256: str | None = None) -> Stored:
    """Store a body as the artifact `path`, in place of one that is there. The body is hashed while it streams to disk.

    Raises Invalid (path, hash), TooLarge, or NotFound when the run was deleted meanwhile.
    """
    check_path(path)
    with Incoming(limits.limit("artifact_bytes"), "The artifact") as incoming:
        incoming.read_from(body)
        incoming.check(expected_sha256)
        stored = Stored(path, incoming.size, incoming.sha256)
        with storage.held([stored.sha256]):
            incoming.keep()
            replaced = name_files(run.id, [stored])
    drop_unnamed(replaced)
    return stored


def put_small(
    run: RunKey, path: str, body: bytes, expected_sha256: str | None = None, claim: Claim | None = None
) -> Stored:
    """The same for a body that is in memory; with a claim, it is proven on the way (raw.Unproven)."""
    check_path(path)
    most = limits.limit("artifact_bytes")
    if len(body) > most:
        raise too_large(most, "The artifact")
    sha256 = hashlib.sha256(body).hexdigest()
    check_hash(sha256, expected_sha256)
    stored = Stored(path, len(body), sha256)
    try:
        with storage.kept_small(body, sha256):
            replaced = name_files(run.id, [stored], claim)
    except raw.Unproven:
        drop_unnamed([sha256])
        raise
    drop_unnamed(replaced)
    return stored


def put_bundle(run: RunKey, body: storage.Readable) -> list[Stored]:
    """Store each file of an uncompressed tar as an artifact; all of them or, when one is refused, none."""
    with ExitStack() as stack:
        incoming: dict[str, Incoming] = {}
        total = 0
        try:
            with tarfile.open(fileobj=body, mode="r|", errorlevel=1) as archive:  # type: ignore[call-overload]
                for member in archive:
                    if member.isdir():
                        continue
                    if not member.isreg():
                        raise Invalid(f"{member.name[:200]!r} in the bundle is a link or device; send files.", "bundle")
                    path = check_path(member.name.removeprefix("./"))
                    total += member.size
                    _check_bundle(len(incoming) + 1, total)
                    one = incoming[path] = stack.enter_context(Incoming())
                    content = archive.extractfile(member)
                    assert content is not None
                    one.read_from(content)
        except (tarfile.TarError, EOFError) as error:
            raise Invalid(f"The body is no uncompressed tar archive: {error}.", "bundle") from None
        stored = [Stored(path, one.size, one.sha256) for path, one in incoming.items()]
        with storage.held(one.sha256 for one in stored):
            for one in incoming.values():
                one.keep()
            replaced = name_files(run.id, stored)
    drop_unnamed(replaced)
    return stored


def _check_bundle(files: int, size: int) -> None:
    if files > limits.limit("bundle_files"):
        raise TooLarge(
            f"A bundle holds at most {limits.limit('bundle_files'):,} files; send this one in several.", "bundle"
        )
    if size > limits.limit("artifact_bytes"):
        raise TooLarge("The bundle is larger than the limit of an artifact; send its files one by one.", "bundle")


def name_files(run_id: str, files: Sequence[Stored], claim: Claim | None = None) -> list[str]:
    """Rows for stored contents, in one transaction; the hashes that they replaced. Call it while they are held.
    A claim on the run, for one file, is proven by the same statement, else Unproven is raised."""
    if not files:
        return []
    now = timezone.now()
    keys = {Artifact.key_of(file.path): file for file in files}
    params: list[Any] = []
    for key, file in keys.items():
        params += [run_id, file.path, key, file.size, file.sha256, content_type(file.path), now]
    try:
        if len(keys) == 1:  # one statement is a transaction of its own
            row, values = claim.row(_CLAIMED, params[1:]) if claim else (_VALUES, params)
            if raw.together((_INSERT.format(rows=row), values))[0]:
                return []
            if claim and not claim.holds():
                raise raw.Unproven
            return _replace(run_id, keys, now)
        with transaction.atomic():
            found: set[str] = set()
            for at in range(0, len(params), 7 * 500):
                part = params[at : at + 7 * 500]
                found |= {
                    key for (key,) in raw.rows(_INSERT.format(rows=f"VALUES {raw.values(len(part) // 7, 7)}"), part)
                }
            return _replace(run_id, {key: file for key, file in keys.items() if key not in found}, now)
    except IntegrityError:
        raw.run_key(run_id)  # deleted meanwhile: NotFound
        raise


def _replace(run_id: str, keys: dict[str, Stored], now: Any) -> list[str]:
    replaced = []
    with transaction.atomic():
        for key, file in keys.items():
            row = raw.one("SELECT sha256 FROM runs_artifact WHERE run_id = %s AND path_key = %s", [run_id, key])
            raw.run(
                "UPDATE runs_artifact SET size = %s, sha256 = %s, created_at = %s WHERE run_id = %s AND path_key = %s",
                [file.size, file.sha256, now, run_id, key],
            )
            if row is not None and row[0] != file.sha256:
                replaced.append(row[0])
    return replaced


def delete(run: RunKey, paths: Iterable[str]) -> int:
    """Forget artifacts; how many there were."""
    keys = [Artifact.key_of(path) for path in paths]
    rows = Artifact.objects.filter(run_id=run.id, path_key__in=keys)
    hashes = list(rows.values_list("sha256", flat=True))
    gone, _ = rows.delete()
    drop_unnamed(hashes)
    return gone
