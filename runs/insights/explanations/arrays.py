"""Reads uploaded arrays without trusting them: the header must promise what the file has, and no objects.

A file on this machine is mapped, so that a sample of rows reads only those rows.
"""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
from dataclasses import dataclass
from typing import IO, Literal

import numpy as np

from studio.errors import Invalid

KINDS = "biuf"
#: What is not a file on this machine is read whole, and so is a sparse one; more than this is not for a page.
MAX_WHOLE = 512 << 20
MAX_SPARSE = 256 << 20
#: Bytes looked at together when all values of an array are.
CHUNK = 16 << 20


def read_array(file: IO[bytes], size: int, name: str) -> np.ndarray:
    """The array of a .npy file of `size` bytes; Invalid when it is malformed. Mapped where the file is a real one."""
    try:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(file)
    except (
        ValueError, EOFError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError
    ) as error:  # fmt: skip
        raise Invalid(f"{name} is no .npy file: {str(error)[:200]}.", field=name) from None
    if dtype.hasobject or dtype.kind not in KINDS:
        raise Invalid(f"{name} holds {str(dtype)[:80]}; only numbers are taken.", field=name)
    shape = tuple(map(int, shape))
    start = file.tell()
    if len(shape) > 3 or min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize != size - start:
        raise Invalid(f"{name} says it has the shape {str(shape)[:200]}, which is not what follows.", field=name)
    order: Literal["F", "C"] = "F" if fortran else "C"
    try:
        file.fileno()
    except (OSError, AttributeError, io.UnsupportedOperation):
        if size > MAX_WHOLE:
            raise Invalid(
                f"{name} takes {size >> 20} MB; at most {MAX_WHOLE >> 20} MB are read from this server's storage.",
                field=name,
            ) from None
        return np.frombuffer(file.read(), dtype=dtype).reshape(shape, order=order)
    if 0 in shape:
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
            np.add.at(result[i], self.indices[part], self.data[part])  # a place named twice is a sum, as in scipy
        return result


def not_finite(values: np.ndarray) -> tuple[int, ...] | None:
    """The place of the first value that is NaN or infinite; None when all are finite. Reads a part at a time."""
    if values.dtype.kind != "f" or not values.size:
        return None
    step = max(1, CHUNK // max(1, values.itemsize * (values.size // len(values))))
    for start in range(0, len(values), step):
        bad = ~np.isfinite(values[start : start + step])
        if bad.any():
            first = np.argwhere(bad)[0]
            return (int(first[0]) + start, *map(int, first[1:]))
    return None


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
        # Entries may overlap: a thousand of them may name the same bytes.
        if sum(entry.file_size for entry in archive.infolist()) > size:
            raise Invalid(f"{name} holds more than its own size.", field=name)
        parts = {
            entry.filename.removesuffix(".npy"): read_array(io.BytesIO(archive.read(entry)), entry.file_size, name)
            for entry in archive.infolist()
        }
        return [_matrix(parts, i, name) for i in range(min(int(parts["count"]), 1000))]
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
    ) as error:
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
