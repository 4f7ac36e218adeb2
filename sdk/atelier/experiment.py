"""Experiments: where runs are started, submitted and found."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from atelier import frames, submission
from atelier.client import Client, segment
from atelier.errors import NotFoundError, UserError
from atelier.run import opened
from atelier.run.record import filters, tag_texts
from atelier.run.run import Run

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

    from atelier.workspace import Workspace

NAME_LENGTH = 256


class Experiment:
    """The experiment `name` of a workspace. It comes to be with its first run, or when its record is asked for."""

    def __init__(self, workspace: Workspace, name: str, _create_in_cloud: bool = True, **kwargs: Any) -> None:
        if not isinstance(name, str) or not name.strip():
            raise UserError(f"An experiment needs a name that is text, not {name!r}: Experiment(workspace, name).")
        if not hasattr(workspace, "client"):
            raise UserError(
                f"An experiment needs a workspace, not {workspace!r}: Experiment(Workspace.from_config(), name)."
            )
        if len(name) > NAME_LENGTH:
            raise UserError(f"An experiment's name may have {NAME_LENGTH} characters; this one has {len(name)}.")
        self.workspace = workspace
        self.name = name
        self._record: dict[str, Any] | None = kwargs.pop("_record_of_server", None)

    def __repr__(self) -> str:
        return f"Experiment(Name: {self.name}, Workspace: {self.workspace.name})"

    @property
    def _client(self) -> Client:
        return self.workspace.client

    def _address(self, tail: str = "") -> str:
        return f"/workspaces/{segment(self.workspace.name)}/experiments/{segment(self.name)}{tail}"

    def _known(self) -> dict[str, Any]:
        if self._record is None:
            try:
                self._record = self._client.call("GET", self._address())
            except NotFoundError:
                address = f"/workspaces/{segment(self.workspace.name)}/experiments"
                self._record = self._client.call("POST", address, json_body={"name": self.name}, repeatable=True)
        return self._record

    def sibling(self, name: str) -> Experiment:
        """The experiment `name` of the same workspace; this one when it is its name."""
        return self if name == self.name else Experiment(self.workspace, name)

    @property
    def id(self) -> str:
        """The experiment's id."""
        return str(self._known()["id"])

    @property
    def description(self) -> str:
        """What it is about, in Markdown."""
        return self._known().get("description") or ""

    @property
    def tags(self) -> dict[str, str | None]:
        """The experiment's tags."""
        return dict(self._known().get("tags") or {})

    @property
    def archived_time(self) -> str | None:
        """When it was archived; None while it is active."""
        return self._known().get("archived_at")

    def start_logging(
        self, *args: Any, outputs: str | bool | None = None, snapshot_directory: str | Path | None = None, **kwargs: Any
    ) -> Run:
        """Start an interactive run: this process (a notebook, say) does the work and logs it.

        `outputs` names a folder that is uploaded when the run completes. `snapshot_directory` is kept with the run;
        without it nothing is. `display_name`, `name`, `run_id`, `tags` and `properties` set what they say.
        """
        if args:
            raise UserError("start_logging takes keyword arguments: start_logging(snapshot_directory='.').")
        run = self.start_run(
            display_name=kwargs.pop("display_name", None) or kwargs.pop("name", None),
            run_id=kwargs.pop("run_id", None),
            outputs=outputs if isinstance(outputs, str) else None,
            tags=tag_texts(kwargs.pop("tags", None) or {}) or None,
            properties=kwargs.pop("properties", None),
            description=kwargs.pop("description", None),
        )
        if kwargs:
            raise TypeError(f"start_logging() got unexpected arguments: {', '.join(sorted(kwargs))}.")
        if snapshot_directory is not None:
            run.take_snapshot(snapshot_directory)
        return run

    def start_run(
        self,
        *,
        parent_id: str | None = None,
        display_name: str | None = None,
        run_id: str | None = None,
        outputs: str | None = None,
        **more: Any,
    ) -> Run:
        """An interactive run of this process, below `parent_id` if given; it ends with the process at the latest."""
        body = {
            "experiment": self.name,
            "kind": "interactive",
            "id": run_id or str(uuid.uuid4()),
            "parent_id": parent_id,
            "display_name": display_name,
            **more,
        }
        record = self._create({key: value for key, value in body.items() if value is not None})
        run = Run(self, record["id"], outputs=outputs, _record_of_server=record)
        opened.remember(run)
        return run

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        address = f"/workspaces/{segment(self.workspace.name)}/runs"
        return self._client.call("POST", address, json_body=body, repeatable="id" in body)

    def submit(self, config: Any, tags: Mapping[str, Any] | None = None, **kwargs: Any) -> Run:
        """Submit a `ScriptRunConfig`; returns at once with the run, which waits for its turn.

        The script must exist in the source directory. `tags` are set on the run. Raises a sentence for anything the
        server would stumble over later.
        """
        parent_id = kwargs.pop("parent_id", None)
        body = submission.prepare(self, config, tags=tags, **kwargs)
        if parent_id:
            body["parent_id"] = parent_id
        record = self._create(body)
        return Run(self, record["id"], _record_of_server=record)

    def get_runs(
        self,
        type: str | None = None,
        tags: Any = None,
        properties: Any = None,
        include_children: bool = False,
        *,
        status: str | None = None,
    ) -> Iterator[Run]:
        """The experiment's runs, newest first, filtered by type, tags and properties (a key, or {key: value})."""
        params = {
            "experiment": self.name,
            "type": type,
            "status": status,
            "include_children": include_children or None,
            **filters(tags, properties),
        }
        address = f"/workspaces/{segment(self.workspace.name)}/runs"
        try:
            for record in self._client.pages(address, params):
                yield Run(self, record["id"], _record_of_server=record)
        except NotFoundError:
            if self._record is not None:
                raise
            return  # an experiment comes to be with its first run

    def to_pandas(
        self, limit: int | None = None, metrics: Sequence[str] = (), include_children: bool = False
    ) -> pandas.DataFrame:
        """The newest `limit` runs as a data frame with the last values of `metrics`; see `atelier.frames.frame`."""
        params = {
            "experiment": self.name,
            "metrics": ",".join(metrics) or None,
            "include_children": include_children or None,
        }
        return frames.frame(self._client.pages(f"/workspaces/{segment(self.workspace.name)}/runs", params, limit))

    @staticmethod
    def list(
        workspace: Workspace,
        experiment_name: str | None = None,
        view_type: str = "ActiveOnly",
        tags: Mapping[str, Any] | None = None,
    ) -> builtins.list[Experiment]:
        """The workspace's experiments; `view_type` is ActiveOnly, ArchivedOnly or All."""
        if view_type not in ("ActiveOnly", "ArchivedOnly", "All"):
            raise UserError(f"view_type is ActiveOnly, ArchivedOnly or All, not {view_type!r}.")
        address = f"/workspaces/{segment(workspace.name)}/experiments"
        found = []
        params = {"name": experiment_name, "archived": view_type != "ActiveOnly" or None}
        for record in workspace.client.pages(address, params):
            archived = record.get("archived_at") is not None
            wanted = view_type == "All" or archived == (view_type == "ArchivedOnly")
            held = record.get("tags") or {}
            if wanted and all(key in held and value in (None, held[key]) for key, value in (tags or {}).items()):
                found.append(Experiment(workspace, record["name"], _record_of_server=record))
        return found

    @staticmethod
    def delete(workspace: Workspace, experiment_id: str) -> None:
        """Delete an experiment that has no runs left, by its id."""
        for experiment in Experiment.list(workspace, view_type="All"):
            if experiment.id == str(experiment_id):
                workspace.client.call("DELETE", experiment._address())
                return
        raise UserError(f"The workspace {workspace.name} has no experiment with the id {experiment_id}.")

    def archive(self) -> None:
        """Leave the experiment out of lists."""
        self._known()
        self._client.call("POST", self._address("/archive"), repeatable=True)
        self._record = None

    def reactivate(self, new_name: str | None = None) -> None:
        """Bring an archived experiment back into lists."""
        if new_name not in (None, self.name):
            raise UserError("An experiment keeps its name; call reactivate() without new_name.")
        self._client.call("POST", self._address("/activate"), repeatable=True)
        self._record = None

    def refresh(self) -> None:
        """Read the experiment's record again."""
        self._known()
        self._record = self._client.call("GET", self._address())

    def tag(self, key: str, value: Any = None) -> None:
        """Set one tag of the experiment."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set or change tags of the experiment."""
        self._change({**self.tags, **tag_texts(tags)})

    def remove_tags(self, tags: Any) -> None:
        """Remove tags of the experiment by key."""
        keys = {tags} if isinstance(tags, str) else set(tags)
        self._change({key: value for key, value in self.tags.items() if key not in keys})

    def _change(self, tags: dict[str, str | None]) -> None:
        self._record = self._client.call("PATCH", self._address(), json_body={"tags": tags})

    def get_portal_url(self) -> str:
        """The address of the experiment's page."""
        return f"{self._client.url}/w/{segment(self.workspace.name)}/experiments/{segment(self.name)}/"
