"""The shapes of a glass box: what each of its terms adds to the score, as an EBM's global explanation tells it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.errors import Invalid

Floats = NDArray[np.float64]
MAX_TERMS = 2_000
#: Values of one term: a feature has some hundred bins, a pair some ten thousand.
MAX_SCORES = 250_000


@dataclass(frozen=True)
class Term:
    """One term. scores: (bins,), or (bins, bins) of a pair, or with a last axis of classes (then `classes` counts them).

    names: the edges of the bins (one more than scores) or the categories; of a pair, `names` and `others`.
    low, high: the bounds over the bags, in the shape of scores, or None.
    """

    name: str
    scores: Floats | None
    names: list[Any]
    others: list[Any]
    low: Floats | None
    high: Floats | None

    @property
    def is_pair(self) -> bool:
        """Whether it is what two features add together."""
        return bool(self.others)

    @property
    def classes(self) -> int:
        """How many classes have a shape of their own: 0 where there is one for all."""
        flat = 2 if self.is_pair else 1
        return 0 if self.scores is None or self.scores.ndim <= flat else self.scores.shape[-1]

    def of_class(self, place: int) -> Term:
        """The term of one class."""
        scores, low, high = (None if v is None else v[..., place] for v in (self.scores, self.low, self.high))
        return replace(self, scores=scores, low=low, high=high)


def terms_of(value: Any) -> list[Term]:
    """The terms of an upload; Invalid names the one that does not fit together."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_TERMS:
        raise Invalid(f"'terms' must be a list of at most {MAX_TERMS:,} terms.", field="terms")
    return [_term(one, i) for i, one in enumerate(value)]


def _term(value: Any, place: int) -> Term:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise Invalid(f"Term {place} must be an object with a name.", field="terms")
    name = value["name"].replace("\x00", "")[:256] or f"term {place}"
    scores = _numbers(value.get("scores"), name)
    if scores is None:
        return Term(name, None, [], [], None, None)
    bounds = [_numbers(value.get(key), name) for key in ("lower_bounds", "upper_bounds")]
    low, high = (b if b is not None and b.shape == scores.shape else None for b in bounds)
    if value.get("type") == "interaction":
        names, others = _names(value.get("left_names")), _names(value.get("right_names"))
        fine = scores.ndim >= 2 and _bins(names, scores.shape[0]) and _bins(others, scores.shape[1])
    else:
        names, others = _names(value.get("names")), []
        fine = scores.ndim >= 1 and _bins(names, scores.shape[0])
    if not fine:
        raise Invalid(f"The names of the term {name!r} do not fit its scores.", field="terms")
    return Term(name, scores, names, others, low, high)


def _bins(names: list[Any], count: int) -> bool:
    return count > 0 and len(names) in (count, count + 1)


def _names(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return []
    return [v if isinstance(v, (int, float)) else str(v)[:200] for v in value[: MAX_SCORES + 1]]


def _numbers(value: Any, name: str) -> Floats | None:
    if value is None:
        return None
    try:
        array = np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise Invalid(f"The term {name!r} must hold numbers in rows of one length.", field="terms") from None
    if array.size > MAX_SCORES:
        raise Invalid(f"The term {name!r} has more than {MAX_SCORES:,} scores.", field="terms")
    return array if array.ndim else None
