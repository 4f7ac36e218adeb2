"""Explanations of a run: upload, list, download. `azureml.interpret` gives this its v1 names."""

from __future__ import annotations

import json
import uuid
from typing import Any

from atelier import artifacts
from atelier.client import Client, segment
from atelier.errors import NotFoundError, UserError

FORMAT = 1
#: Rows kept for the pictures when an explanation has more.
VISUALIZATION_POINTS = 5000


class Explanations:
    """The explanations of one run."""

    def __init__(self, client: Client, run_id: str) -> None:
        self.client, self.run_id = client, run_id
        self._path = f"/runs/{segment(run_id)}/explanations"

    def upload(
        self,
        explanation: Any,
        *,
        comment: str | None = None,
        top_k: int | None = None,
        model_id: str | None = None,
        true_ys: Any = None,
        upload_datasets: bool = False,
        visualization_points: int | Any = VISUALIZATION_POINTS,
        **ids: str | None,
    ) -> str:
        """Upload an explanation of interpret-community, interpret or shap; its id.

        true_ys: the true labels of the explained rows. top_k limits the ranked names and values that downloads give.
        upload_datasets keeps the initialization data too. ids: init_dataset_id, eval_dataset_id and the like, kept as
        they are.
        """
        from atelier.explanations import files, forms

        form = forms.read(explanation)
        if not form.properties and not form.original:
            raise UserError("The explanation holds no importance values, so there is nothing to upload.")
        if top_k is not None and (isinstance(top_k, bool) or int(top_k) < 1):
            raise UserError(f"top_k must be a whole number from 1 up, not {top_k!r}.")
        properties = _completed(form, true_ys, upload_datasets, visualization_points)
        # The explainer's own id names the object, not this upload: uploading twice must give two explanations.
        upload_id = str(uuid.uuid4())
        prefix = f"explanations/{upload_id}"
        meta = {
            **form.meta,
            "id": upload_id,
            "format": FORMAT,
            "source": form.source,
            "comment": comment or "",
            "model_id": model_id or "",
            "top_k": None if top_k is None else int(top_k),
            **{k: v for k, v in ids.items() if v is not None},
            "files": {},
        }
        contents: dict[str, bytes] = {}
        extra = {"original": form.original, "terms": form.terms}
        for name, value in {**properties, **{k: v for k, v in extra.items() if v is not None}}.items():
            file_name, content = files.dump(name, value)
            meta["files"][name] = file_name
            contents[f"{prefix}/{file_name}"] = content
        contents[f"{prefix}/explanation_metadata.json"] = json.dumps(meta).encode()
        for path, content in contents.items():
            artifacts.upload(self.client, self.run_id, path, content)
        body = {"id": upload_id, "prefix": prefix, "comment": comment or "", "model_id": model_id or ""}
        return self.client.call("POST", self._path, json_body=body, repeatable=True)["id"]

    def list(
        self, comment: str | None = None, raw: bool | None = None, engineered: bool | None = None
    ) -> list[dict[str, Any]]:
        """Records of the explanations, the oldest first; only those with this comment and kind when given."""
        items = list(self.client.pages(self._path))
        wanted = {"comment": comment, "is_raw": raw, "is_engineered": engineered}
        return [i for i in items if all(v is None or i[k] == v for k, v in wanted.items())]

    def download(
        self,
        explanation_id: str | None = None,
        top_k: int | None = None,
        comment: str | None = None,
        raw: bool | None = None,
        engineered: bool | None = None,
    ) -> Any:
        """One explanation, by id or the newest that fits: what was uploaded, with equal values.

        An explanation of interpret comes back as interpret's own class where interpret is installed, one of shap as
        shap.Explanation; others as `atelier.explanations.result.Explanation`.
        """
        if explanation_id is None:
            found = self.list(comment, raw, engineered)
            if not found:
                asked = f" with the comment {comment!r}" if comment is not None else ""
                raise NotFoundError(f"The run {self.run_id} has no explanation{asked}.")
            explanation_id = found[-1]["id"]
        record = self.client.call("GET", f"{self._path}/{segment(explanation_id)}")
        return _restored(self.client, self.run_id, record, top_k)

    def delete(self, explanation_id: str) -> None:
        """Remove one explanation and its files."""
        self.client.call("DELETE", f"{self._path}/{segment(explanation_id)}")


def _completed(form: Any, true_ys: Any, upload_datasets: bool, points: int | Any) -> dict[str, Any]:
    """The properties with the truth, without the initialization data unless wanted, and the rows to draw."""
    import numpy as np

    properties = dict(form.properties)
    if not upload_datasets:
        properties.pop("init_data", None)
    rows = _rows(properties)
    if true_ys is not None:
        truth = np.asarray(true_ys).ravel()
        if rows is not None and len(truth) != rows:
            raise UserError(f"true_ys has {len(truth)} values for {rows} explained rows.")
        properties["true_ys"] = truth if truth.dtype.kind in "biuf" else truth.tolist()
    if rows is None:
        return properties
    if isinstance(points, (int, np.integer)) and not isinstance(points, bool):
        if rows > points:
            chosen = np.random.default_rng(0).choice(rows, size=int(points), replace=False)
            properties["visualization_indices"] = np.sort(chosen)
    elif points is not None:
        chosen = np.asarray(points, dtype=np.int64).ravel()
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= rows):
            raise UserError(f"visualization_points must be positions from 0 to {rows - 1}.")
        properties["visualization_indices"] = chosen
    return properties


def _rows(properties: dict[str, Any]) -> int | None:
    local = properties.get("local_importance_values")
    if local is None:
        data = properties.get("eval_data")
        return None if data is None else data.shape[0] if hasattr(data, "shape") else len(data)
    return local[0].shape[0] if isinstance(local, list) else local.shape[-2]


def _restored(client: Client, run_id: str, record: dict[str, Any], top_k: int | None) -> Any:
    from atelier.explanations import files
    from atelier.explanations.result import Explanation

    prefix = record["prefix"]
    meta = json.loads(artifacts.read(client, run_id, f"{prefix}/explanation_metadata.json"))
    if meta.get("format") != FORMAT:
        raise UserError(
            f"The explanation {record['id']} has the format {meta.get('format')!r}; this SDK reads {FORMAT}."
        )
    wanted = ["original"] if "original" in meta["files"] else [n for n in meta["files"] if n != "terms"]
    values = {
        name: files.load(meta["files"][name], artifacts.read(client, run_id, f"{prefix}/{meta['files'][name]}"))
        for name in wanted
    }
    if "original" in values:
        return _own_class(meta["source"], values["original"])
    limits = [k for k in (meta.get("top_k"), top_k) if k is not None]
    return Explanation(values, {**meta, "top_k": min(limits) if limits else None})


#: Where interpret keeps the classes that a download may come back as. Nothing else is ever imported by name.
INTERPRET_CLASSES = {
    "EBMExplanation": "interpret.glassbox._ebm._ebm",
    "APLRExplanation": "interpret.glassbox._aplr",
    "LinearExplanation": "interpret.glassbox._linear",
    "FeatureValueExplanation": "interpret.api.templates",
    "PDPExplanation": "interpret.blackbox._partialdependence",
    "MorrisExplanation": "interpret.blackbox._sensitivity",
    "TreeExplanation": "interpret.glassbox._decisiontree",
}


def _own_class(source: str, original: dict[str, Any]) -> Any:
    import importlib
    from types import SimpleNamespace

    if source == "shap":
        try:
            import shap
        except ImportError:
            return SimpleNamespace(**original)
        return shap.Explanation(**original)
    name = original.get("class", "")
    arguments = [
        original[k] for k in ("explanation_type", "internal_obj", "feature_names", "feature_types", "name", "selector")
    ]
    try:
        return getattr(importlib.import_module(INTERPRET_CLASSES[name]), name)(*arguments)
    except (KeyError, ImportError, AttributeError, TypeError):
        return _Plain(original)


class _Plain:
    """An explanation of interpret where interpret is not installed, or not in this version: its data alone."""

    def __init__(self, original: dict[str, Any]) -> None:
        self.explanation_type = original["explanation_type"]
        self.name = original["name"]
        self.feature_names = original["feature_names"]
        self.feature_types = original["feature_types"]
        self.selector = original["selector"]
        self._internal_obj = original["internal_obj"]

    def data(self, key: int | None = None) -> Any:
        """The whole for None, everything for -1, else the term or row."""
        if key == -1 or self._internal_obj is None:
            return self._internal_obj
        return self._internal_obj["overall"] if key is None else self._internal_obj["specific"][key]
