"""What the server knows about a run: its record, state, tags, properties and details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atelier.client import Client, file_path, segment
from atelier.errors import UserError

if TYPE_CHECKING:
    from atelier.environment import Environment
    from atelier.experiment import Experiment

FINAL = frozenset({"Completed", "Failed", "Canceled", "NotResponding"})
STARTED = frozenset({"Running", "Finalizing"}) | FINAL


class RunRecord:
    """Identity and record of a run. The record is read when needed, and again until the run is final."""

    _experiment: Experiment
    _id: str
    _cached: dict[str, Any] | None

    @property
    def _client(self) -> Client:
        return self._experiment.workspace.client

    def _address(self, tail: str = "") -> str:
        return f"/runs/{segment(self._id)}{tail}"

    def _fetch(self) -> dict[str, Any]:
        self._cached = self._client.call("GET", self._address())
        return self._cached

    def _known(self) -> dict[str, Any]:
        return self._cached if self._cached is not None else self._fetch()

    def _latest(self) -> dict[str, Any]:
        known = self._cached
        return known if known is not None and known.get("status") in FINAL else self._fetch()

    @property
    def id(self) -> str:
        """The run's id."""
        return self._id

    @property
    def _run_id(self) -> str:
        return self._id

    @property
    def experiment(self) -> Experiment:
        """The experiment the run belongs to."""
        return self._experiment

    @property
    def number(self) -> int:
        """The run's number within its experiment."""
        return self._known()["number"]

    @property
    def name(self) -> str:
        """The name shown on pages; older name of `display_name`."""
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name shown on pages; may be set."""
        return self._known().get("display_name") or self._id

    @display_name.setter
    def display_name(self, value: str) -> None:
        self._client.call("PATCH", self._address(), json_body={"display_name": value})
        self._cached = None

    @property
    def description(self) -> str:
        """The description, in Markdown; may be set."""
        return self._known().get("description") or ""

    @description.setter
    def description(self, value: str) -> None:
        self._client.call("PATCH", self._address(), json_body={"description": value})
        self._cached = None

    @property
    def type(self) -> str:
        """What kind of run it is, for example "azureml.scriptrun"."""
        return self._known()["type"]

    @property
    def status(self) -> str:
        """The state when it was last read; `get_status` reads it anew."""
        return self._known()["status"]

    @property
    def tags(self) -> dict[str, str | None]:
        """The tags when they were last read."""
        return dict(self._known().get("tags") or {})

    @property
    def properties(self) -> dict[str, str]:
        """The properties when they were last read."""
        return dict(self._known().get("properties") or {})

    def get_status(self) -> str:
        """The run's state now."""
        return self._latest()["status"]

    def get_detailed_status(self) -> dict[str, Any]:
        """{"status", "details"}: what the run last did or waits for, as its newest event says."""
        status = self.get_status()
        events = self._client.call("GET", self._address("/events"))["items"]
        return {"status": status, "details": events[-1].get("reason") or None if events else None}

    def get_tags(self) -> dict[str, str | None]:
        """The tags now; a tag without value is None."""
        return dict(self._fetch().get("tags") or {})

    def tag(self, key: str, value: Any = None) -> None:
        """Set one tag; without a value it is a mark."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set or change several tags."""
        self._change_tags({"set": tag_texts(tags)})

    def remove_tags(self, tags: Any) -> None:
        """Remove tags by key: one key or several."""
        keys = [tags] if isinstance(tags, str) else [str(key) for key in tags]
        self._change_tags({"remove": keys})

    def _change_tags(self, change: dict[str, Any]) -> None:
        answer = self._client.call("PUT", self._address("/tags"), json_body={"set": {}, "remove": [], **change})
        if self._cached is not None and isinstance(answer, dict) and "tags" in answer:
            self._cached["tags"] = answer["tags"]

    def get_properties(self) -> dict[str, str]:
        """The properties now."""
        return dict(self._fetch().get("properties") or {})

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Add properties. They cannot be changed afterwards: another value for a key raises `ConflictError`."""
        if not properties or not isinstance(properties, Mapping):
            raise UserError(f"add_properties takes a dictionary with at least one property, not {properties!r}.")
        body = {str(key): text(value) or "" for key, value in properties.items()}
        answer = self._client.call("POST", self._address("/properties"), json_body=body, repeatable=True)
        if self._cached is not None and isinstance(answer, dict) and "properties" in answer:
            self._cached["properties"] = answer["properties"]

    def get_portal_url(self) -> str:
        """The address of the run's page."""
        workspace = segment(self._experiment.workspace.name)
        known = (self._cached or {}).get("portal_url")
        return known or f"{self._client.url}/w/{workspace}/runs/{segment(self._id)}/"

    def get_snapshot_id(self) -> str | None:
        """The id of the run's snapshot, None without one."""
        return self._latest().get("snapshot_id")

    def get_details(self) -> dict[str, Any]:
        """The run as a dictionary: runId, target, status, startTimeUtc, endTimeUtc, services, warnings and error where
        there are any, properties, inputDatasets, outputDatasets, runDefinition, logFiles, submittedBy."""
        record = self._latest()
        details: dict[str, Any] = {
            "runId": self._id,
            "target": record.get("compute") or "local",
            "status": record["status"],
            "startTimeUtc": record.get("started_at"),
            "endTimeUtc": record.get("ended_at"),
            "services": {},
        }
        if record.get("warnings"):
            details["warnings"] = [{"source": "Run", "message": message} for message in record["warnings"]]
        if record.get("error"):
            details["error"] = {"error": record["error"]}
        details |= {
            "properties": dict(record.get("properties") or {}),
            "inputDatasets": record.get("inputs") or [],
            "outputDatasets": record.get("outputs") or [],
        }
        if record.get("definition"):
            details["runDefinition"] = record["definition"]
        details["logFiles"] = {
            log["path"]: self._client.address(self._address(f"/logs/{file_path(log['path'])}")) for log in self._logs()
        }
        details["submittedBy"] = record.get("submitted_by")
        return details

    def get_details_with_logs(self) -> dict[str, Any]:
        """As `get_details`, with the text of the logs in place of their addresses."""
        details = self.get_details()
        details["logFiles"] = {name: self._log_text(name) for name in details["logFiles"]}
        return details

    def _logs(self) -> list[dict[str, Any]]:
        return self._client.call("GET", self._address("/logs"))["items"]

    def _log_text(self, name: str) -> str:
        answer = self._client.open("GET", self._address(f"/logs/{file_path(name)}"), params={"offset": 0})
        return answer.read().decode(errors="replace")

    def get_environment(self) -> Environment:
        """The environment that the run was submitted with; raises `UserError` for an interactive run."""
        from atelier.environment import Environment

        definition = (self._known().get("definition") or {}).get("environment")
        if not definition:
            raise UserError(f"The run {self._id} was not submitted with an environment.")
        return Environment.from_definition(definition)

    @property
    def input_datasets(self) -> dict[str, Any]:
        """Named inputs of the run; empty unless it was given some."""
        return {one["name"]: one for one in self._known().get("inputs") or [] if "name" in one}

    @property
    def output_datasets(self) -> dict[str, Any]:
        """Named outputs of the run; empty unless it has some."""
        return {one["name"]: one for one in self._known().get("outputs") or [] if "name" in one}


def text(value: Any) -> str | None:
    """A tag's or property's value as text, None staying None."""
    return value if value is None or isinstance(value, str) else str(value)


def tag_texts(tags: Any) -> dict[str, str | None]:
    """Tags as texts; raises `UserError` for what is no dictionary."""
    if not isinstance(tags, Mapping):
        raise UserError(f"Tags are a dictionary, such as {{'colour': 'blue'}}, not {tags!r}.")
    return {str(key): text(value) for key, value in tags.items()}


def filters(tags: Any, properties: Any) -> dict[str, list[str] | None]:
    """Query parameters for tags and properties given as a key, several keys, or {key: value}."""
    return {"tag": _pairs(tags), "property": _pairs(properties)}


def _pairs(wanted: Any) -> list[str] | None:
    if not wanted:
        return None
    if isinstance(wanted, str):
        return [wanted]
    if isinstance(wanted, Mapping):
        return [str(key) if value is None else f"{key}={text(value)}" for key, value in wanted.items()]
    return [str(key) for key in wanted]
