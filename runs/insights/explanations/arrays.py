"""Reads uploaded arrays without trusting them: the header must promise what the file has, and no objects.

A file on this machine is mapped, so that a sample of rows reads only those rows.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import IO, Any, Literal

import numpy as np

from studio.errors import Invalid

KINDS = "biuf"
#: A sparse file is read whole; more than this is not for a page.
MAX_SPARSE = 256 << 20


def read_array(file: IO[bytes], size: int, name: str) -> np.ndarray:
    """The array of a .npy file of `size` bytes; Invalid when it is malformed. Mapped where the file is a real one."""
    try:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(file)
    except (ValueError, EOFError, KeyError, TypeError, SyntaxError) as error:
        raise Invalid(f"{name} is no .npy file: {str(error)[:200]}.", field=name) from None
    if dtype.hasobject or dtype.kind not in KINDS:
        raise Invalid(f"{name} holds {dtype}; only numbers are taken.", field=name)
    count = 1
    for side in shape:
        count *= int(side)
    start = file.tell()
    if len(shape) > 3 or count * dtype.itemsize != size - start:
        raise Invalid(f"{name} says it has the shape {shape}, which is not what follows.", field=name)
    order: Literal["F", "C"] = "F" if fortran else "C"
    try:
        file.fileno()
    except (OSError, AttributeError, io.UnsupportedOperation):
        return np.frombuffer(file.read(), dtype=dtype).reshape(shape, order=order)
    if not count:
        return np.zeros(shape, dtype=dtype)
    return np.memmap(file, dtype=dtype, mode="r", offset=start, shape=shape, order=order)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Sparse:
    """A matrix in compressed rows: the columns and values of row r are at indptr[r] … indptr[r + 1]."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    shape: tuple[int, int]

    def rows(self, chosen: np.ndarray) -> np.ndarray:
        """The chosen rows, dense (len(chosen), columns)."""
        result = np.zeros((len(chosen), self.shape[1]))
        for i, r in enumerate(chosen.tolist()):
            part = slice(int(self.indptr[r]), int(self.indptr[r + 1]))
            result[i, self.indices[part]] = self.data[part]
        return result


def read_sparse(file: IO[bytes], size: int, name: str) -> list[Sparse]:
    """The matrices of a .npz file that the SDK wrote: uncompressed, one or several of the same shape."""
    if size > MAX_SPARSE:
        raise Invalid(
            f"{name} takes {size >> 20} MB; at most {MAX_SPARSE >> 20} MB of sparse values are read.", field=name
        )
    try:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise Invalid(f"{name} must not be compressed.", field=name)
        parts = {
            entry.filename.removesuffix(".npy"): read_array(io.BytesIO(archive.read(entry)), entry.file_size, name)
            for entry in archive.infolist()
        }
        return [_matrix(parts, i, name) for i in range(min(int(parts["count"]), 1000))]
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OverflowError) as error:
        raise Invalid(f"{name} is no file of sparse values: {str(error)[:200]}.", field=name) from None


def _matrix(parts: dict[str, np.ndarray], i: int, name: str) -> Sparse:
    rows, columns = (int(v) for v in parts[f"shape{i}"])
    data, indices, indptr = parts[f"data{i}"], parts[f"indices{i}"], parts[f"indptr{i}"]
    fine = (
        rows >= 0
        and columns >= 0
        and len(indptr) == rows + 1
        and data.shape == indices.shape
        and data.ndim == 1
        and indices.dtype.kind in "iu"
        and indptr.dtype.kind in "iu"
        and int(indptr[0]) == 0
        and int(indptr[-1]) == len(data)
        and bool((np.diff(indptr.astype(np.int64)) >= 0).all())
        and (not len(indices) or 0 <= int(indices.min()) <= int(indices.max()) < columns)
    )
    if not fine:
        raise Invalid(f"The sparse values of {name} do not fit together.", field=name)
    return Sparse(data, indices, indptr, (rows, columns))


def plain(value: Any) -> Any:
    """The SDK's tagged JSON as plain lists, numbers and text; what cannot be shown becomes None."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    tag = value.get("$")
    if tag is None:
        return {k: plain(v) for k, v in value.items()}
    if tag == "float":
        return None
    if tag == "scalar":
        return plain(value.get("value"))
    if tag == "tuple":
        return plain(value.get("items") or [])
    if tag == "dict":
        pairs = value.get("items") or []
        return {str(plain(p[0])): plain(p[1]) for p in pairs if isinstance(p, list) and len(p) == 2}
    if tag == "array":
        return _plain_array(value)
    return None


def _plain_array(value: dict[str, Any]) -> Any:
    import base64
    import binascii

    shape = value.get("shape")
    if not isinstance(shape, list) or not all(isinstance(s, int) and s >= 0 for s in shape):
        return None
    try:
        if "data" in value:
            dtype = np.dtype(str(value.get("dtype")))
            if dtype.kind not in KINDS:
                return None
            array = np.frombuffer(base64.b64decode(value["data"], validate=True), dtype=dtype).reshape(shape)
            return (
                np.where(np.isfinite(array), array.astype(object), np.array(None, dtype=object)).tolist()
                if dtype.kind == "f"
                else array.tolist()
            )
        items = np.empty(len(value["items"]), dtype=object)
        items[:] = [plain(v) for v in value["items"]]
        return items.reshape(shape).tolist()
    except (ValueError, TypeError, KeyError, binascii.Error):
        return None
