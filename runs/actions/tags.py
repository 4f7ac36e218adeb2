"""Tags, properties, names: what people say about a run or an experiment."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from runs import limits
from runs.models import ExperimentTag, Run, RunProperty, RunTag, raw
from runs.models.raw import RunKey
from studio.errors import Conflict, Invalid

_TAGS = """INSERT INTO runs_runtag (run_id, experiment_id, key, value) VALUES {values}
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value"""


def set_tags(run: RunKey, set_: Any = None, remove: Any = None) -> dict[str, str | None]:
    """Set and remove tags; all tags afterwards. A tag that is not there can be removed: nothing changes."""
    tags = limits.clean_tags(set_ or {})
    gone = _keys(remove)
    try:
        with transaction.atomic():
            if gone:
                RunTag.objects.filter(run_id=run.id, key__in=gone).delete()
            if tags:
                params = [v for key, value in sorted(tags.items()) for v in (run.id, run.experiment_id, key, value)]
                raw.run(_TAGS.format(values=raw.values(len(tags), 4)), params)
            found = tags_of(run.id)
            limits.at_most("tags", len(found), "A run's tags")
    except IntegrityError:
        raw.run_key(run.id)
        raise
    return found


def _keys(remove: Any) -> list[str]:
    if remove is None:
        return []
    if not isinstance(remove, list) or not all(isinstance(key, str) and "\x00" not in key for key in remove):
        raise Invalid("remove is a list of tag keys.", "remove")
    return remove


def tags_of(run_id: str) -> dict[str, str | None]:
    """All tags of a run."""
    return dict(raw.rows("SELECT key, value FROM runs_runtag WHERE run_id = %s ORDER BY id", [run_id]))


def add_properties(run: RunKey, new: Any) -> dict[str, str]:
    """Add properties, which do not change: the same value again is accepted, another one is a Conflict."""
    properties = limits.clean_properties(new)
    try:
        with transaction.atomic():
            if properties:
                params = [v for key, value in sorted(properties.items()) for v in (run.id, key, value)]
                sql = "INSERT INTO runs_runproperty (run_id, key, value) VALUES {} ON CONFLICT (run_id, key) DO NOTHING"
                raw.run(sql.format(raw.values(len(properties), 3)), params)
            kept = properties_of(run.id)
            for key, value in properties.items():
                if kept[key] != value:
                    raise Conflict(
                        f"The property {key!r} is {kept[key]!r} and can't become {value!r}: properties are set once. "
                        "Use a tag for what changes.",
                        key,
                    )
            limits.at_most("properties", len(kept), "A run's properties")
    except IntegrityError:
        raw.run_key(run.id)
        raise
    return kept


def properties_of(run_id: str) -> dict[str, str]:
    """All properties of a run."""
    return dict(raw.rows("SELECT key, value FROM runs_runproperty WHERE run_id = %s ORDER BY id", [run_id]))


def set_properties(run_id: str, values: dict[str, str]) -> None:
    """Properties that the server itself knows (the image, the snapshot); one that is set stays as it is."""
    RunProperty.objects.bulk_create(
        [RunProperty(run_id=run_id, key=key, value=value) for key, value in values.items()], ignore_conflicts=True
    )


def describe(run: RunKey, **given: Any) -> None:
    """Change the display name and the description; what is not given stays."""
    fields: dict[str, str] = {}
    if "display_name" in given:
        fields["display_name"] = limits.clean_text(
            given["display_name"] or "", "display_name", "display_name", lines=False
        )
    if "description" in given:
        fields["description"] = limits.clean_text(given["description"] or "", "description", "description")
    if fields:
        Run.objects.filter(pk=run.id).update(**fields)


def set_experiment_tags(experiment_id: int, tags: Any) -> None:
    """An experiment's tags become these."""
    kept = limits.clean_tags(tags, key="experiment_tag_key")
    with transaction.atomic():
        ExperimentTag.objects.filter(experiment_id=experiment_id).exclude(key__in=kept).delete()
        ExperimentTag.objects.bulk_create(
            [ExperimentTag(experiment_id=experiment_id, key=key, value=value) for key, value in kept.items()],
            update_conflicts=True,
            unique_fields=["experiment", "key"],
            update_fields=["value"],
        )
