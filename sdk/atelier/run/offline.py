"""The run of a script that no server started: it prints what it would log, so that scripts can be tried anywhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from atelier.errors import RunContextError
from atelier.run.metric_log import MetricLogging


class OfflineRun(MetricLogging):
    """What `Run.get_context` gives outside a job. Tags and properties are kept in memory, values are printed."""

    def __init__(self, parent: OfflineRun | None = None, name: str | None = None) -> None:
        self.id = f"OfflineRun_{uuid.uuid4()}"
        self.name = self.display_name = name or self.id
        self.parent = parent
        self.status = "Running"
        self.tags: dict[str, Any] = {}
        self.properties: dict[str, Any] = {}
        self.input_datasets: dict[str, Any] = {}
        self.output_datasets: dict[str, Any] = {}
        self._children: list[OfflineRun] = []

    def __repr__(self) -> str:
        return f"OfflineRun(Id: {self.id})"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"An offline run has no {name!r}: no server started this script. "
            "Submit it with Experiment.submit, or start a run with Experiment.start_logging."
        )

    def _record(self, kind: str, name: str, value: Any, step: int | None = None) -> None:
        print(f"Attempted to log {kind} metric {name}:\n{value}")

    def _attach(self, kind: str, name: str, file_name: str, content: bytes) -> None:
        words = kind.replace("_", " ")
        print(f"Attempted to log {words} metric {name}:\n{file_name} ({len(content)} bytes)")

    def upload_file(self, name: str, path_or_stream: Any, datastore_name: str | None = None) -> None:
        """Prints the name and the path."""
        print(f"Attempted to track file {name} at {path_or_stream}")

    def upload_files(self, names: Sequence[str], paths: Sequence[Any], *args: Any, **kwargs: Any) -> None:
        """Prints each name and path."""
        for name, path in zip(names, paths, strict=True):
            self.upload_file(name, path)

    def upload_folder(self, name: str, path: Any, datastore_name: str | None = None) -> None:
        """Prints the name and the path."""
        print(f"Attempted to track folder {name} at {path}")

    def tag(self, key: str, value: Any = None) -> None:
        """Kept in memory."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Kept in memory."""
        self.tags.update(tags)

    def remove_tags(self, tags: Any) -> None:
        """Taken out of memory."""
        for key in [tags] if isinstance(tags, str) else tags:
            self.tags.pop(key, None)

    def get_tags(self) -> dict[str, Any]:
        """What was tagged here."""
        return dict(self.tags)

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Kept in memory; as with a server, a key keeps its first value."""
        for key, value in properties.items():
            if self.properties.setdefault(key, value) != value:
                raise RunContextError(
                    f"The property {key!r} is already {self.properties[key]!r}; properties are fixed."
                )

    def get_properties(self) -> dict[str, Any]:
        """What was added here."""
        return dict(self.properties)

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: str | None = None) -> OfflineRun:
        """Another offline run below this one."""
        child = OfflineRun(self, name)
        self._children.append(child)
        return child

    def create_children(
        self, count: int | None = None, tag_key: str | None = None, tag_values: Sequence[Any] | None = None
    ) -> list[OfflineRun]:
        """Several offline runs below this one."""
        values = list(tag_values) if tag_values is not None else [None] * (count or 0)
        children = [self.child_run() for _ in values]
        for child, value in zip(children, values, strict=True):
            if tag_key:
                child.tag(tag_key, value)
        return children

    def get_children(self, *args: Any, **kwargs: Any) -> Iterator[OfflineRun]:
        """The offline runs below this one."""
        return iter(self._children)

    def get_status(self) -> str:
        """Running until it is completed, failed or cancelled here."""
        return self.status

    def get_metrics(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Empty: nothing is kept."""
        return {}

    def start(self) -> None:
        """The state becomes Running."""
        self.status = "Running"

    def complete(self, _set_status: bool = True) -> None:
        """The state becomes Completed."""
        self.status = "Completed"

    def fail(self, error_details: Any = None, error_code: str | None = None, _set_status: bool = True) -> None:
        """The state becomes Failed; the reason is printed."""
        self.status = "Failed"
        if error_details is not None:
            print(f"Attempted to fail the run: {error_details}")

    def cancel(self) -> None:
        """The state becomes Canceled."""
        self.status = "Canceled"

    def flush(self, timeout_seconds: float = 300) -> None:
        """Nothing waits to be sent."""

    def get_file_names(self) -> list[str]:
        """Empty: files stay where they are."""
        return []

    def __enter__(self) -> OfflineRun:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, where: Any) -> None:
        if error is None:
            self.complete()
        else:
            self.fail(error)
