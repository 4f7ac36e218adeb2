"""An explanation as files: arrays of numbers as .npy, sparse ones as .npz, everything else as tagged JSON.

No pickle anywhere: what comes from a server or a colleague is data, never code.
"""

from __future__ import annotations

import base64
import io
import json
import math
from typing import Any

PLAIN_KINDS = "biuf"


def dump(name: str, value: Any) -> tuple[str, bytes]:
    """(file name, content) of one property."""
    import numpy as np

    if is_sparse(value):
        return f"{name}.npz", _dump_sparse([value], single=True)
    if isinstance(value, (list, tuple)) and value and all(is_sparse(v) for v in value):
        return f"{name}.npz", _dump_sparse(list(value), single=False)
    array = as_numbers(value)
    if array is not None:
        out = io.BytesIO()
        np.lib.format.write_array(out, np.ascontiguousarray(array), allow_pickle=False)
        return f"{name}.npy", out.getvalue()
    return f"{name}.json", json.dumps(encode(value), allow_nan=False, separators=(",", ":")).encode()


def load(file_name: str, content: bytes) -> Any:
    """The value of one property's file."""
    import numpy as np

    if file_name.endswith(".npy"):
        return np.load(io.BytesIO(content), allow_pickle=False)
    if file_name.endswith(".npz"):
        return _load_sparse(content)
    return decode(json.loads(content))


def is_sparse(value: Any) -> bool:
    """Whether it is a matrix of scipy.sparse, without importing scipy."""
    return hasattr(value, "tocsr") and hasattr(value, "nnz")


def as_numbers(value: Any) -> Any:
    """A numeric array of at least one dimension, or None when the value is something else."""
    import numpy as np

    if type(value).__name__ == "DataFrame" or type(value).__name__ == "Series":
        value = value.to_numpy()
    if isinstance(value, (list, tuple)):
        if not value:
            return None
        try:
            value = np.asarray(value)
        except ValueError:  # ragged
            return None
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return None
    if value.dtype.kind == "f" and value.dtype.itemsize > 8:
        value = value.astype(np.float64)
    return value if value.dtype.kind in PLAIN_KINDS else None


def _dump_sparse(matrices: list[Any], single: bool) -> bytes:
    import numpy as np

    parts: dict[str, Any] = {"single": np.array(single), "count": np.array(len(matrices))}
    for i, matrix in enumerate(matrices):
        rows = matrix.tocsr()
        parts |= {
            f"data{i}": rows.data,
            f"indices{i}": rows.indices,
            f"indptr{i}": rows.indptr,
            f"shape{i}": np.array(rows.shape),
        }
    out = io.BytesIO()
    np.savez(out, **parts)
    return out.getvalue()


def _load_sparse(content: bytes) -> Any:
    import numpy as np

    try:
        from scipy.sparse import csr_matrix
    except ImportError as error:
        raise ImportError("This explanation holds sparse matrices; install scipy to read it.") from error
    with np.load(io.BytesIO(content), allow_pickle=False) as parts:
        matrices = [
            csr_matrix(
                (parts[f"data{i}"], parts[f"indices{i}"], parts[f"indptr{i}"]), shape=tuple(parts[f"shape{i}"].tolist())
            )
            for i in range(int(parts["count"]))
        ]
        return matrices[0] if bool(parts["single"]) else matrices


def encode(value: Any) -> Any:
    """Python and numpy values as JSON that `decode` turns back into equal ones. Unknown objects become their text."""
    import numpy as np

    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.generic):
        if value.dtype.kind in "biufU":
            return {"$": "scalar", "dtype": value.dtype.str, "value": encode(value.item())}
        return str(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$": "float", "value": str(value)}
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, tuple):
        return {"$": "tuple", "items": [encode(v) for v in value]}
    if isinstance(value, list):
        return [encode(v) for v in value]
    if isinstance(value, dict):
        if all(isinstance(k, str) for k in value) and "$" not in value:
            return {k: encode(v) for k, v in value.items()}
        return {"$": "dict", "items": [[encode(k), encode(v)] for k, v in value.items()]}
    if type(value).__name__ == "DataFrame":
        columns = {str(c): encode(value[c].to_numpy()) for c in value.columns}
        return {"$": "frame", "columns": columns, "order": [str(c) for c in value.columns]}
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def _encode_array(value: Any) -> Any:
    import numpy as np

    if value.dtype.kind in PLAIN_KINDS:
        body = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"$": "array", "dtype": value.dtype.str, "shape": list(value.shape), "data": body}
    kind = "U" if value.dtype.kind == "U" else "O"
    return {
        "$": "array",
        "dtype": kind,
        "shape": list(value.shape),
        "items": [encode(v) for v in value.ravel().tolist()],
    }


def decode(value: Any) -> Any:
    """The value that `encode` was given."""
    if isinstance(value, list):
        return [decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("$")
    if kind is None:
        return {k: decode(v) for k, v in value.items()}
    return _DECODERS[kind](value)


def _decode_array(value: dict[str, Any]) -> Any:
    import numpy as np

    shape = tuple(value["shape"])
    if "data" in value:
        dtype = np.dtype(value["dtype"])
        if dtype.kind not in PLAIN_KINDS:
            raise ValueError(f"an array of {dtype} cannot be read")
        return np.frombuffer(base64.b64decode(value["data"]), dtype=dtype).reshape(shape).copy()
    items = [decode(v) for v in value["items"]]
    if value["dtype"] == "U":
        return np.array(items, dtype=str).reshape(shape)
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape)


def _decode_frame(value: dict[str, Any]) -> Any:
    columns = {name: decode(value["columns"][name]) for name in value["order"]}
    try:
        import pandas
    except ImportError:
        return columns
    return pandas.DataFrame(columns)


def _decode_scalar(value: dict[str, Any]) -> Any:
    import numpy as np

    return np.dtype(value["dtype"]).type(decode(value["value"]))


_DECODERS = {
    "float": lambda v: float(v["value"]),
    "scalar": _decode_scalar,
    "tuple": lambda v: tuple(decode(i) for i in v["items"]),
    "dict": lambda v: {decode(k): decode(i) for k, i in v["items"]},
    "array": _decode_array,
    "frame": _decode_frame,
}
