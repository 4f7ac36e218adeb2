"""Workspaces, experiments, environments and compute targets over the live server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atelier.client import Client
from azureml.core import Datastore, Environment, Experiment, Workspace
from azureml.core.authentication import (
    InteractiveLoginAuthentication,
    MsiAuthentication,
    ServicePrincipalAuthentication,
    TokenAuthentication,
)
from azureml.core.compute import AmlCompute, ComputeInstance, ComputeTarget
from azureml.core.compute_target import ComputeTargetException
from azureml.core.conda_dependencies import CondaDependencies
from azureml.exceptions import AzureMLException, UserErrorException
from tests.stack import CONFIG, Stack

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(120)]


def test_a_v1_config_is_found_here_and_in_folders_above(signed_in: Path, monkeypatch: pytest.MonkeyPatch):
    ws = Workspace.from_config()
    assert (ws.name, ws.resource_group, ws.subscription_id) == ("lab", "tests", "s-0001")
    deep = signed_in / "notebooks" / "deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert Workspace.from_config().name == "lab"
    (signed_in / "config.json").unlink()
    with pytest.raises(UserErrorException, match=r"could not find config\.json"):
        Workspace.from_config()
    ws.write_config(path=str(signed_in))
    assert json.loads((signed_in / ".azureml" / "config.json").read_text()) == CONFIG
    assert Workspace.from_config().name == "lab"
    assert Workspace.from_config(path=signed_in / ".azureml" / "config.json").name == "lab"


@pytest.mark.parametrize(
    ("text", "words"),
    [("[1]", "JSON object"), ("{", "cannot be read as JSON"), ('{"resource_group": "g"}', "lacks workspace_name")],
)
def test_a_broken_config_is_told_by_its_path(text: str, words: str, signed_in: Path):
    (signed_in / "config.json").write_text(text)
    with pytest.raises(UserErrorException, match=rf"config\.json.*{words}"):
        Workspace.from_config()


def test_a_workspace_that_is_not_there_is_a_sentence_with_what_to_do(signed_in: Path):
    with pytest.raises(UserErrorException, match=r"no workspace 'elsewhere'.*Workspace\.create"):
        Workspace.get("elsewhere")


def test_without_a_server_or_token_the_sentence_says_how_to_sign_in(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserErrorException, match="atelier login"):
        Workspace.get("lab")
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")
    with pytest.raises(UserErrorException, match="ATELIER_TOKEN"):
        Workspace.get("lab")
    monkeypatch.setenv("ATELIER_TOKEN", "atp_x")
    with pytest.raises(AzureMLException, match=r"http://127\.0\.0\.1:9 cannot be reached.*refused.*Is it running"):
        Workspace.get("lab")


def test_a_wrong_token_is_told(stack: Stack):
    with pytest.raises(UserErrorException) as told:
        Workspace.get("lab", auth=Client(stack.url, "atp_wrong"))
    assert "token" in str(told.value).lower()


def test_workspaces_are_created_listed_and_described(ws: Workspace):
    made = Workspace.create(
        name="fresh", auth=ws.client, subscription_id="s", resource_group="g", location="here",
        create_resource_group=True, sku="enterprise", exist_ok=True, show_output=False,
    )  # fmt: skip
    again = Workspace.create(name="fresh", auth=ws.client, exist_ok=True, show_output=False)
    assert (again.name, again.location) == ("fresh", "here")
    with pytest.raises(UserErrorException, match="fresh"):
        Workspace.create(name="fresh", auth=ws.client, show_output=False)
    assert {"lab", "fresh"} <= set(Workspace.list(auth=ws.client))
    assert set(Workspace.list("s", auth=ws.client, resource_group="g")) == {"fresh"}
    details = made.get_details()
    assert details["name"] == "fresh" and details["location"] == "here" and details["workspaceid"]


def test_every_v1_authentication_asks_with_this_servers_token(stack: Stack, signed_in: Path):
    header = {"Authorization": f"Bearer {stack.token}"}
    classes = [
        InteractiveLoginAuthentication(tenant_id="t", force=True),
        MsiAuthentication(),
        ServicePrincipalAuthentication("t", service_principal_id="i", service_principal_password=stack.token),
        ServicePrincipalAuthentication("t", "i", "an azure secret"),
        TokenAuthentication(get_token_for_audience=lambda audience: stack.token),
    ]
    for auth in classes:
        assert auth.get_authentication_header() == header
        assert Workspace.from_config(auth=auth).name == "lab"


def test_what_a_workspace_does_not_have_says_what_to_use(ws: Workspace):
    store = ws.get_default_datastore()
    assert store.name in ws.datastores and Datastore.get(ws, store.name).name == store.name
    for use in (
        lambda: ws.datasets,
        lambda: ws.get_default_keyvault(),
        lambda: ws.get_mlflow_tracking_uri(),
        lambda: store.path("a").as_mount(),
        lambda: Datastore.register_azure_blob_container(workspace=ws, datastore_name="d"),
        lambda: Experiment(ws, "x").submit(object()),
    ):
        with pytest.raises(NotImplementedError):
            use()
    assert ws.webservices == {}


def test_an_experiment_lives_with_its_runs_and_is_archived(ws: Workspace, experiment: Experiment):
    with experiment.start_logging():
        pass
    assert experiment.name in ws.experiments and experiment.id
    experiment.set_tags({"team": "a", "mark": None})
    assert [one.name for one in Experiment.list(ws, tags={"team": "a"}) if one.name == experiment.name]
    experiment.remove_tags(["mark"])
    experiment.refresh()
    assert experiment.tags == {"team": "a"}
    experiment.archive()
    assert experiment.name not in ws.experiments
    assert experiment.name in [one.name for one in Experiment.list(ws, view_type="ArchivedOnly")]
    experiment.reactivate()
    assert experiment.name in ws.experiments
    assert experiment.get_portal_url().endswith(f"/w/lab/experiments/{experiment.name}/")


def test_an_experiment_without_runs_is_deleted(ws: Workspace, experiment: Experiment):
    Experiment.delete(ws, experiment.id)
    assert experiment.name not in ws.experiments
    with pytest.raises(UserErrorException, match="no experiment with the id"):
        Experiment.delete(ws, "no-such-id")


def test_environments_are_registered_versioned_and_found(ws: Workspace, experiment: Experiment):
    name = f"env-{experiment.name}"
    made = Environment(name)
    made.python.conda_dependencies = CondaDependencies.create(pip_packages=["joblib"])
    first = made.register(workspace=ws)
    assert first.version == made.version == "1" and made.register(ws).version == "1"
    made.python.conda_dependencies.add_pip_package("numpy")
    assert made.register(ws).version == "2"
    assert list(Environment.get(ws, name, version="1").python.conda_dependencies.pip_packages) == ["joblib"]
    assert Environment.get(workspace=ws, name=name).version == "2"
    listed = Environment.list(ws)
    assert listed[name].version == "2" and any(found.startswith("AzureML-") for found in listed)
    assert name in ws.environments
    with pytest.raises(UserErrorException, match="no environment nothing"):
        Environment.get(ws, "nothing")


def test_a_compute_target_that_is_not_there_is_v1s_exception(ws: Workspace):
    with pytest.raises(ComputeTargetException, match="nowhere not found"):
        ComputeTarget(workspace=ws, name="nowhere")


def test_a_cluster_is_created_changed_and_deleted(ws: Workspace, capsys: pytest.CaptureFixture[str]):
    config = AmlCompute.provisioning_configuration(
        vm_size="STANDARD_DS11_V2", min_nodes=0, max_nodes=2, idle_seconds_before_scaledown=10,
        admin_username="me", vnet_name="net", identity_type="SystemAssigned",
    )  # fmt: skip
    cluster = ComputeTarget.create(ws, "sdk-cluster", config)
    cluster.wait_for_completion(show_output=True, min_node_count=None, timeout_in_minutes=1)
    assert "Succeeded" in capsys.readouterr().out
    assert isinstance(ComputeTarget(workspace=ws, name="sdk-cluster"), AmlCompute) and cluster.type == "AmlCompute"
    status = cluster.get_status().serialize()
    assert status["scaleSettings"] == {"minNodeCount": 0, "maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "PT10S"}
    assert status["nodeStateCounts"]["idleNodeCount"] == 0 and status["provisioningState"] == "Succeeded"
    cluster.update(max_nodes=3, idle_seconds_before_scaledown=60)
    assert cluster.scale_settings.maximum_node_count == 3
    assert "sdk-cluster" in ws.compute_targets and cluster.list_nodes() == []
    with pytest.raises(ComputeTargetException, match="of the type AmlCompute, not ComputeInstance"):
        ComputeInstance(ws, "sdk-cluster")
    with pytest.raises(ComputeTargetException, match="min"):
        cluster.update(min_nodes=9)
    cluster.delete()
    cluster.wait_for_completion(is_delete_operation=True, timeout_in_minutes=1)
    assert "sdk-cluster" not in ws.compute_targets


def test_a_size_that_is_not_offered_is_told_with_those_that_are(ws: Workspace):
    sizes = {size["name"] for size in AmlCompute.supported_vmsizes(workspace=ws)}
    assert "STANDARD_DS11_V2" in sizes
    config = AmlCompute.provisioning_configuration(vm_size="STANDARD_MOON")
    with pytest.raises(ComputeTargetException, match="STANDARD_MOON"):
        ComputeTarget.create(ws, "moon", config)
