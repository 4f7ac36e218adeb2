"""A run: one trial of an experiment, interactive or submitted."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from atelier import artifacts, config, git, snapshots
from atelier.errors import NotFoundError, ServiceError, UnsupportedError, UserError
from atelier.history import long_series
from atelier.run import opened
from atelier.run.files import RunFiles
from atelier.run.metric_log import MetricLogging
from atelier.run.record import FINAL, filters
from atelier.run.watch import wait
from atelier.sending import MetricSender, sender_for
from atelier.values import FILES, artifact_address, artifact_path, shape

if TYPE_CHECKING:
    from atelier.experiment import Experiment
    from atelier.model import Model
    from atelier.run.offline import OfflineRun
    from atelier.workspace import Workspace

#: Seconds that ending a run waits for a server that is away.
TO_FINISH = 60.0


class Run(MetricLogging, RunFiles):
    """A run of `experiment` by its id; raises `NotFoundError` when there is none.

    `Experiment.start_logging` and `Experiment.submit` make runs, `Run.get_context` gives a script its own.
    """

    def __init__(self, experiment: Experiment, run_id: str, outputs: str | None = None, **kwargs: Any) -> None:
        record = kwargs.pop("_record_of_server", None)
        in_context = kwargs.pop("_in_context", False)
        if kwargs:
            raise TypeError(f"Run() got unexpected arguments: {', '.join(sorted(kwargs))}.")
        self._experiment = experiment
        self._id = str(run_id)
        self._cached = record
        self._outputs = outputs if isinstance(outputs, str) else None
        self._in_context = in_context
        self._sender: MetricSender | None = None
        self._attached: set[str] = set()
        if record is None and not in_context and self._fetch()["experiment"] != experiment.name:
            found = self._known()["experiment"]
            raise NotFoundError(f"The run {run_id} belongs to the experiment {found!r}, not {experiment.name!r}.")

    def __repr__(self) -> str:
        known = self._cached or {}
        status = f", Status: {known['status']}" if "status" in known else ""
        return f"Run(Experiment: {self._experiment.name}, Id: {self._id}{status})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other._id == self._id

    def __hash__(self) -> int:
        return hash(self._id)

    def _made(self, record: Mapping[str, Any]) -> Run:
        """Another run of the same workspace from its record."""
        experiment = self._experiment.sibling(record["experiment"])
        return type(self)(experiment, record["id"], _record_of_server=dict(record))

    # ---- where it runs

    @staticmethod
    def get_context(
        allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: Any
    ) -> Run | OfflineRun:
        """The run that this script works for; without one an offline run, which prints what it would log.

        `allow_offline=False` raises `RunContextError` instead. No request is made.
        """
        from atelier.run.context import get_context  # a workspace knows experiments, and they know runs

        return get_context(allow_offline)

    @staticmethod
    def get_submitted_run(**kwargs: Any) -> Run | OfflineRun:
        """Older name of `get_context`."""
        return Run.get_context()

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> Run:
        """The run of that id, whatever its experiment."""
        return workspace.run(run_id)

    @staticmethod
    def list(
        experiment: Experiment,
        type: str | None = None,
        tags: Any = None,
        properties: Any = None,
        status: str | None = None,
        include_children: bool = False,
        _rehydrate_runs: bool = True,
    ) -> Iterator[Run]:
        """The experiment's runs, newest first; see `Experiment.get_runs`."""
        return experiment.get_runs(type, tags, properties, include_children, status=status)

    # ---- metrics

    def _record(self, kind: str, name: str, value: Any, step: int | None = None) -> None:
        sender = self._sender
        if sender is None:
            sender = self._sender = sender_for(self._client, self._id, config.spool_folder() / self._id)
        sender.put(kind, name, value, step)

    def _attach(self, kind: str, name: str, file_name: str, content: bytes) -> None:
        stem, _, suffix = file_name.rpartition(".") if kind == "image" else (file_name, "", "")
        count = 1
        while file_name in self._attached:  # the same name within a second is another file
            count += 1
            file_name = f"{stem}_{count}.{suffix}" if suffix else f"{stem}_{count}"
        self._attached.add(file_name)
        artifacts.upload(self._client, self._id, file_name, content)
        self._record(kind, name, artifact_address(self._id, file_name))

    def flush(self, timeout_seconds: float = 300) -> None:
        """Wait until all metrics logged so far are with the server; raises what it refused of them."""
        if self._sender is not None:
            self._sender.flush(timeout_seconds)

    def get_metrics(
        self, name: str | None = None, recursive: bool = False, run_type: str | None = None, populate: bool = False
    ) -> dict[str, Any]:
        """The metrics: {name: value}, several values as a list, rows and tables as {column: [values]}.

        `name` picks one. `recursive` answers {run id: metrics} for the run and all runs below it (of `run_type`).
        `populate` reads the JSON behind confusion matrices, accuracy tables, residuals and predictions.
        """
        self.flush()
        if name is not None and not recursive and run_type is None:
            series = long_series(self._client, self._id, name)
            if series is not None:
                return {name: series}
        params = {"name": name, "recursive": recursive or None, "type": run_type}
        runs = self._client.call("GET", self._address("/metrics"), params=params)["runs"]
        shaped = {
            run_id: {metric: self._value(series, populate) for metric, series in metrics.items()}
            for run_id, metrics in runs.items()
        }
        return shaped if recursive else shaped.get(self._id, {})

    def _value(self, series: Mapping[str, Any], populate: bool) -> Any:
        value = shape(series)
        if not populate or series["kind"] not in FILES - {"image"}:
            return value
        return [self._content(one) for one in value] if isinstance(value, list) else self._content(value)

    def _content(self, address: str) -> Any:
        found = artifact_path(address)
        if found is None:
            return address
        run_id, path = found
        return self._made({"experiment": self._experiment.name, "id": run_id})._read_json(path)

    # ---- life

    def start(self) -> None:
        """Say that a child made by `create_children` runs now."""
        self._client.call("POST", self._address("/start"), repeatable=True)
        self._cached = None

    def complete(self, _set_status: bool = True) -> None:
        """Deliver everything and end the run as Completed.

        In a submitted script the job ends with the script, so there this only delivers.
        """
        self._finish("Completed", None, set_status=_set_status and not self._in_context)

    def fail(self, error_details: Any = None, error_code: str | None = None, _set_status: bool = True) -> None:
        """Deliver everything and end the run as Failed, with a sentence or the exception that says why."""
        error = None
        if error_details is not None or error_code is not None:
            error = {
                "code": error_code or "UserError",
                "message": str(error_details or "The run failed."),
                "details": "",
            }
        if isinstance(error_details, BaseException):
            error = _of_exception(error_details, error_code)
        self._finish("Failed", error, set_status=_set_status)

    def _finish(self, status: str, error: dict[str, Any] | None, *, set_status: bool) -> None:
        if self._outputs and Path(self._outputs).is_dir():
            self.upload_folder("outputs", self._outputs)
        try:
            self.flush(TO_FINISH)
        except ServiceError:
            if not self._in_context:
                raise
            # in a job the agent delivers the spool when the script has ended
        opened.forget(self)
        if self._sender is not None and not self._in_context:
            self._sender.close()
        if set_status:
            body = {"status": status, "error": error}
            self._client.call("POST", self._address("/end"), json_body=body, repeatable=True)
            self._cached = None

    def cancel(self) -> None:
        """Ask the server to stop the run; a submitted one ends within seconds."""
        self._client.call("POST", self._address("/cancel"), repeatable=True)
        self._cached = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if error is None:
            self.complete()
        elif self._latest()["status"] not in FINAL:
            self.fail(error)

    def wait_for_completion(
        self, show_output: bool = False, wait_post_processing: bool = False, raise_on_error: bool = True
    ) -> dict[str, Any]:
        """Wait until the run is final; its details. `show_output` streams the logs meanwhile.

        A run that failed raises `RunFailed` with its error unless `raise_on_error` is false.
        """
        return wait(self, show_output=show_output, raise_on_error=raise_on_error)

    # ---- parents and children

    @property
    def parent(self) -> Run | None:
        """The run above; None for one at the top."""
        above = self._known().get("parent_id")
        return self._experiment.workspace.run(above) if above else None

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: str | None = None) -> Run:
        """Start an interactive child; as a context manager it is completed, or failed by an exception."""
        return self._experiment.start_run(parent_id=self._id, display_name=name, run_id=run_id, outputs=outputs)

    def create_children(
        self, count: int | None = None, tag_key: str | None = None, tag_values: Sequence[Any] | None = None
    ) -> builtins.list[Run]:
        """Make `count` children at once, or one for each of `tag_values`, tagged `tag_key`."""
        if (count is None) == (tag_values is None) or (tag_values is not None and not tag_key):
            raise UserError("create_children needs either count, or tag_key together with tag_values.")
        number = count if count is not None else len(tag_values or ())
        if number < 1:
            raise UserError(f"create_children makes at least one child, not {number}.")
        items = self._client.call("POST", self._address("/children"), json_body={"count": number})["items"]
        children = [self._made(record) for record in items]
        for child, value in zip(children, tag_values or (), strict=False):
            child.tag(str(tag_key), value)
        return children

    def get_children(
        self,
        recursive: bool = False,
        tags: Any = None,
        properties: Any = None,
        type: str | None = None,
        status: str | None = None,
        _rehydrate_runs: bool = True,
    ) -> Iterator[Run]:
        """The runs below this one (`recursive`: at any depth), filtered; newest first."""
        params = {"recursive": recursive or None, "type": type, "status": status, **filters(tags, properties)}
        return (self._made(record) for record in self._client.pages(self._address("/children"), params))

    def submit_child(self, config: Any, tags: Mapping[str, Any] | None = None, **kwargs: Any) -> Run:
        """Submit a script run below this one."""
        return self._experiment.submit(config, tags=tags, parent_id=self._id, **kwargs)

    # ---- snapshot and model

    def take_snapshot(self, file_or_folder_path: str | Path) -> str:
        """Keep a folder (or the folder of a file) with the run, the git commit as properties; the snapshot's id."""
        path = Path(file_or_folder_path)
        folder = path if path.is_dir() or not path.exists() else path.parent
        kept = snapshots.upload(self._client, self._experiment.workspace.name, folder)
        self._client.call("POST", self._address("/snapshot"), json_body={"snapshot_id": kept.id}, repeatable=True)
        found = git.properties(folder)
        if found:
            self.add_properties(found)
        self._cached = None
        return kept.id

    def restore_snapshot(self, snapshot_id: str | None = None, path: str | Path | None = None) -> str:
        """Download the run's snapshot (or another one) as a zip into the folder `path`; the zip's path."""
        wanted = snapshot_id or self.get_snapshot_id()
        if not wanted:
            raise UserError(f"The run {self._id} has no snapshot. take_snapshot keeps one.")
        target = Path(path) if path is not None else Path()
        if target.suffix != ".zip":
            target = target / f"{wanted}.zip"
        workspace = self._experiment.workspace.name
        return str(snapshots.download(self._client, workspace, wanted, target))

    def register_model(
        self,
        model_name: str,
        model_path: str | None = None,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        description: str | None = None,
        datasets: Any = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
        **kwargs: Any,
    ) -> Model:
        """Register a file or folder of the run as a new version of the model `model_name`.

        `model_path` is its path among the run's files (default: the model's name). In a submitted script a file that
        is not uploaded yet (everything in outputs/ goes at the end) is uploaded first.
        """
        path = artifacts.clean(model_path or model_name)
        if self._in_context:
            self._upload_if_only_here(path)
        return self._experiment.workspace.register_model(
            model_name,
            {"run_id": self._id, "path": path},
            tags=tags,
            properties=properties,
            framework=model_framework,
            framework_version=model_framework_version,
            description=description,
            datasets=datasets,
        )

    def _upload_if_only_here(self, path: str) -> None:
        here = Path(path)
        if not here.exists() or any(
            record["path"] == path or record["path"].startswith(path + "/")
            for record in artifacts.listed(self._client, self._id, path)
        ):
            return
        if here.is_dir():
            self.upload_folder(path, here)
        else:
            self.upload_file(path, here)

    # ---- not here

    def _get_outputs_datapath(self) -> Any:
        """Refused: outputs are files of the run, not of a datastore."""
        raise UnsupportedError("A run's outputs are its files here: use get_file_names and download_files('outputs').")

    @property
    def explanation_manager(self) -> Any:
        """Refused; the sentence says what explains a run."""
        raise UnsupportedError("Upload explanations with azureml.interpret.ExplanationClient.from_run(run).")

    @property
    def counterfactual_manager(self) -> Any:
        """Refused: counterfactuals are not computed here."""
        raise UnsupportedError("Counterfactuals are not computed here. Upload explanations with ExplanationClient.")

    def get_secret(self, name: str) -> str:
        """Refused: this server keeps no secrets."""
        raise UnsupportedError(
            f"The secret {name!r} cannot be read: this server has no key vault. Pass it to the run as an environment "
            "variable (RunConfiguration.environment_variables)."
        )


def _of_exception(error: BaseException, code: str | None) -> dict[str, Any]:
    import traceback

    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return {
        "code": code or type(error).__name__,
        "message": f"{type(error).__name__}: {error}",
        "details": "".join(lines)[-3000:],
    }
