"""An explanation as people use it in Python: the attribute names of interpret-community, on plain arrays."""

from __future__ import annotations

from typing import Any


class Explanation:
    """Feature importance of a model, of all rows (global), of each row (local), or both.

    Attributes exist only where the explanation has them: `hasattr(e, "local_importance_values")` asks.
    Shapes: local_importance_values [rows][features] or [classes][rows][features]; global_importance_values
    [features]; per_class_values [classes][features]; expected_values one number per class.
    """

    def __init__(self, properties: dict[str, Any], meta: dict[str, Any] | None = None) -> None:
        self._properties = {k: v for k, v in properties.items() if v is not None}
        self._meta = dict(meta or {})

    def __repr__(self) -> str:
        kinds = [k for k in ("global", "local") if self._has(k)]
        return f"Explanation({' and '.join(kinds)}, method={self.method!r}, features={self.num_features})"

    def _has(self, kind: str) -> bool:
        return f"{kind}_importance_values" in self._properties

    # -- what it is ----------------------------------------------------------------------------------------------
    @property
    def id(self) -> str:
        """Its id on the server, or the explainer's own before it is uploaded."""
        return self._meta.get("id", "")

    @property
    def comment(self) -> str:
        """What it was uploaded with."""
        return self._meta.get("comment", "")

    @property
    def method(self) -> str:
        """How it was computed, for example shap_tree or mimic.lightgbm."""
        return self._meta.get("method", "")

    @property
    def model_type(self) -> str:
        """The class of the model."""
        return self._meta.get("model_type", "")

    @property
    def model_task(self) -> str:
        """classification, regression or unknown."""
        return self._meta.get("model_task", "unknown")

    @property
    def model_id(self) -> str | None:
        """The registered model it was uploaded for."""
        return self._meta.get("model_id") or None

    @property
    def is_raw(self) -> bool:
        """Whether it speaks of the features before the transformations."""
        return bool(self._meta.get("is_raw"))

    @property
    def is_engineered(self) -> bool:
        """Whether it speaks of the features after the transformations."""
        return bool(self._meta.get("is_engineered"))

    @property
    def init_dataset_id(self) -> str | None:
        """The dataset the explainer was given."""
        return self._meta.get("init_dataset_id")

    @property
    def eval_dataset_id(self) -> str | None:
        """The dataset that was explained."""
        return self._meta.get("eval_dataset_id")

    # -- data ----------------------------------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Any:
        plain = {
            "classes", "expected_values", "eval_data", "init_data", "eval_y_predicted", "eval_y_predicted_proba",
            "true_ys", "per_class_values", "local_importance_values", "global_importance_values",
            "visualization_indices",
        }  # fmt: skip
        if name in plain and name in self.__dict__.get("_properties", {}):
            return _listed(self._properties[name])
        raise AttributeError(f"This explanation has no {name}.")

    @property
    def features(self) -> list[Any] | None:
        """Feature names, None when they were not given."""
        return _listed(self._properties.get("features"))

    @property
    def num_features(self) -> int:
        """How many features it explains."""
        if "features" in self._properties:
            return len(self._properties["features"])
        key = next(k for k in ("global_importance_values", "local_importance_values") if k in self._properties)
        value = self._properties[key]
        return (value[0] if isinstance(value, list) else value).shape[-1]

    @property
    def num_classes(self) -> int:
        """How many outputs the model has: 1 for regression."""
        for key in ("per_class_values", "classes"):
            if key in self._properties:
                return len(self._properties[key])
        local = self._properties.get("local_importance_values")
        if local is None:
            return 1
        return len(local) if isinstance(local, list) or getattr(local, "ndim", 2) == 3 else 1

    @property
    def num_examples(self) -> int:
        """How many rows have local importance."""
        local = self._local()
        return (local[0] if isinstance(local, list) else local).shape[0 if isinstance(local, list) else -2]

    def _local(self) -> Any:
        if "local_importance_values" not in self._properties:
            raise AttributeError("This explanation has no local_importance_values.")
        return self._properties["local_importance_values"]

    def _names(self) -> Any:
        import numpy as np

        return np.array(self.features if self.features is not None else range(self.num_features), dtype=object)

    @property
    def global_importance_rank(self) -> list[int]:
        """Feature positions from the most to the least important."""
        if "global_importance_rank" in self._properties:
            return _listed(self._properties["global_importance_rank"])
        return rank(self._global()).tolist()

    def _global(self) -> Any:
        if "global_importance_values" not in self._properties:
            raise AttributeError("This explanation has no global_importance_values.")
        return self._properties["global_importance_values"]

    @property
    def global_importance_names(self) -> list[Any]:
        """Feature names from the most to the least important."""
        return self.get_ranked_global_names()

    def _limit(self, top_k: int | None) -> int | None:
        stored = self._meta.get("top_k")
        both = [k for k in (top_k, stored) if k is not None]
        return min(both) if both else None

    def get_ranked_global_names(self, top_k: int | None = None) -> list[Any]:
        """Feature names from the most to the least important, the first `top_k`."""
        return self._names()[self.global_importance_rank].tolist()[: self._limit(top_k)]

    def get_ranked_global_values(self, top_k: int | None = None) -> list[float]:
        """Global importance from the highest down, the first `top_k`."""
        return self._global()[self.global_importance_rank].tolist()[: self._limit(top_k)]

    def get_feature_importance_dict(self, top_k: int | None = None) -> dict[Any, float]:
        """{feature: global importance} from the most important down."""
        return dict(zip(self.get_ranked_global_names(top_k), self.get_ranked_global_values(top_k), strict=True))

    def get_local_importance_rank(self) -> list[Any]:
        """Feature positions by local importance, highest first, for each row (and class)."""
        return rank(_dense(self._local())).tolist()

    def get_ranked_local_names(self, top_k: int | None = None) -> list[Any]:
        """Feature names by local importance, highest first, for each row (and class)."""
        return self._names()[rank(_dense(self._local()))][..., : self._limit(top_k)].tolist()

    def get_ranked_local_values(self, top_k: int | None = None) -> list[Any]:
        """Local importance, highest first, for each row (and class)."""
        import numpy as np

        local = _dense(self._local())
        return np.take_along_axis(local, rank(local), -1)[..., : self._limit(top_k)].tolist()

    def _per_class(self) -> Any:
        if "per_class_values" not in self._properties:
            raise AttributeError("This explanation has no per_class_values.")
        return self._properties["per_class_values"]

    @property
    def per_class_rank(self) -> list[list[int]]:
        """Feature positions by importance for each class."""
        return rank(self._per_class()).tolist()

    @property
    def per_class_names(self) -> list[list[Any]]:
        """Feature names by importance for each class."""
        return self.get_ranked_per_class_names()

    def get_ranked_per_class_names(self, top_k: int | None = None) -> list[list[Any]]:
        """Feature names by importance for each class, the first `top_k`."""
        return self._names()[rank(self._per_class())][..., : self._limit(top_k)].tolist()

    def get_ranked_per_class_values(self, top_k: int | None = None) -> list[list[float]]:
        """Importance by class from the highest down, the first `top_k`."""
        import numpy as np

        values = self._per_class()
        return np.take_along_axis(values, rank(values), -1)[..., : self._limit(top_k)].tolist()

    def get_raw_explanation(
        self, feature_maps: list[Any], raw_feature_names: list[str] | None = None, eval_data: Any = None, **_: Any
    ) -> Explanation:
        """The explanation of the raw features: engineered importance summed through the maps.

        feature_maps: one or more arrays [raw][engineered] with the share of each raw feature; their product is used.
        """
        from atelier.explanations.raw import to_raw

        return to_raw(self, feature_maps, raw_feature_names, eval_data)

    def data(self, key: int | None = None) -> dict[str, Any] | None:
        """As interpret's explanations give it: key None the whole, an int that row."""
        if key is None and self._has("global"):
            return {"names": self.get_ranked_global_names(), "scores": self.get_ranked_global_values()}
        if key is None or not self._has("local"):
            return None
        return {"names": self._names().tolist(), "scores": _dense(self._local())[..., key, :].tolist()}


def rank(values: Any) -> Any:
    """Positions from the largest value to the smallest along the last axis; equal values keep the later one first."""
    import numpy as np

    return np.flip(np.argsort(values, axis=-1, kind="stable"), axis=-1)


def _dense(values: Any) -> Any:
    import numpy as np

    from atelier.explanations.files import is_sparse

    if is_sparse(values):
        return values.toarray()
    return np.stack([_dense(v) for v in values]) if isinstance(values, list) else values


def _listed(value: Any) -> Any:
    return value.tolist() if type(value).__module__ == "numpy" and hasattr(value, "tolist") else value
