"""The names that public v1 notebooks use, with the keyword arguments they pass: each resolves and takes them."""

from __future__ import annotations

import importlib
import inspect
import re
from types import SimpleNamespace
from typing import Any

import pytest

from atelier.compute_status import ComputeStatus
from azureml.core import Environment, Experiment, RunConfiguration, ScriptRunConfig
from azureml.core.environment import DockerSection, PythonSection, SparkSection
from azureml.core.runconfig import DockerConfiguration, SparkConfiguration

#: what it is found in (below azureml) -> name(keyword arguments seen)
EXISTING = {
    "core": (
        "ComputeTarget(workspace name), Datastore(name workspace), Environment(name), Experiment(name "
        "workspace), Model, Run(run_id experiment), RunConfiguration(framework conda_dependencies), "
        "ScriptRunConfig(source_directory script environment compute_target arguments run_config "
        "distributed_job_config docker_runtime_config command max_run_duration_seconds), VERSION, "
        "Workspace(subscription_id workspace_name resource_group auth)"
    ),
    "core.ComputeTarget": (
        "attach(name workspace attach_configuration), create(name workspace provisioning_configuration), name"
    ),
    "core.Datastore": (
        "account_name, container_name, get(datastore_name workspace), get_default, "
        "register_azure_blob_container(account_name container_name datastore_name overwrite workspace "
        "create_if_not_exists account_key), register_azure_data_lake(datastore_name store_name "
        "subscription_id client_secret client_id workspace resource_group tenant_id), "
        "register_azure_data_lake_gen2(account_name client_secret client_id filesystem workspace "
        "tenant_id datastore_name), register_azure_my_sql(user_id workspace user_password datastore_name "
        "server_name database_name), register_azure_postgre_sql(datastore_name server_name database_name "
        "user_id workspace user_password), register_azure_sql_database(workspace tenant_id server_name "
        "datastore_name database_name client_secret client_id), register_dbfs(datastore_name)"
    ),
    "core.Environment": (
        "clone, docker, environment_variables, from_conda_specification(file_path name), "
        "from_dockerfile(name dockerfile), get(name workspace version), inferencing_stack_version, "
        "list(workspace), name, python, register(workspace), spark, version"
    ),
    "core.Experiment": (
        "get_portal_url, get_runs(properties tags), id, name, start_logging, submit(show_output config "
        "tags pipeline_parameters regenerate_outputs pipeline_version run_id), workspace"
    ),
    "core.Model": (
        "Framework, created_time, delete, description, download(exist_ok), get_model_path(model_name), "
        "id, list(name tags latest workspace), name, properties, register(model_name model_path workspace "
        "tags description model_framework model_framework_version datasets properties "
        "resource_configuration sample_input_dataset sample_output_dataset), tags, url, version"
    ),
    "core.Run": (
        "_get_outputs_datapath, add_properties, cancel, child_run, complete, counterfactual_manager, "
        "create_children(count), download_file(output_file_path name), download_files(output_directory "
        "prefix append_prefix), experiment, explanation_manager, fail, get_all_logs(destination), "
        "get_children(recursive type), get_context, get_details, get_details_with_logs, get_environment, "
        "get_file_names, get_metrics(name), get_portal_url, get_properties, get_secret(name), get_status, "
        "get_tags, id, input_datasets, log(name value), log_image(plot name), log_list(value name), "
        "log_row(stat value angle name cos), log_table(value name), name, parent, properties, "
        "register_model(model_path model_name tags properties datasets description), "
        "restore_snapshot(path), status, submit_child(show_output), tag, tags, upload_file(name "
        "path_or_stream), wait_for_completion(show_output wait_post_processing raise_on_error)"
    ),
    "core.RunConfiguration": "data_references, docker, environment, framework, spark, target",
    "core.ScriptRunConfig": "run_config, script, source_directory",
    "core.Workspace": (
        "compute_targets, create(location subscription_id resource_group exist_ok name "
        "create_resource_group sku), datasets, datastores, environments, experiments, from_config, "
        "get_default_datastore, get_default_keyvault, get_details, get_mlflow_tracking_uri, location, "
        "models, name, resource_group, service_context, set_default_datastore, sku, subscription_id, "
        "webservices, write_config"
    ),
    "core.authentication": (
        "Audience, AzureCliAuthentication, InteractiveLoginAuthentication(tenant_id force), "
        "MsiAuthentication, ServicePrincipalAuthentication(service_principal_id "
        "service_principal_password tenant_id), TokenAuthentication(get_token_for_audience)"
    ),
    "core.authentication.Audience": "aml, arm",
    "core.authentication.InteractiveLoginAuthentication": "get_authentication_header",
    "core.authentication.TokenAuthentication": "get_token",
    "core.compute": "AmlCompute, ComputeInstance(workspace name)",
    "core.compute.AmlCompute": (
        "cluster_resource_id, delete, get_status, list_nodes, name, provisioning_configuration(vm_size "
        "max_nodes min_nodes idle_seconds_before_scaledown vm_priority subnet_name "
        "vnet_resourcegroup_name vnet_name admin_username admin_user_password admin_user_ssh_key "
        "identity_type identity_id remote_login_port_public_access), provisioning_errors, "
        "provisioning_state, status, supported_vmsizes(workspace), type, "
        "update(idle_seconds_before_scaledown), wait_for_completion(show_output timeout_in_minutes "
        "min_node_count)"
    ),
    "core.compute.ComputeInstance": "create, provisioning_configuration(vm_size), wait_for_completion(show_output)",
    "core.compute.amlcompute.AmlComputeStatus": "allocation_state, current_node_count, serialize",
    "core.compute_target": "LocalTarget",
    "core.conda_dependencies": "CondaDependencies(conda_dependencies_file_path)",
    "core.conda_dependencies.CondaDependencies": (
        "add_channel, add_conda_package, add_pip_package, add_tensorflow_conda_package, "
        "create(pip_packages conda_packages pin_sdk_version python_version), remove_conda_package, "
        "save_to_file(base_directory conda_file_path), serialize_to_string"
    ),
    "core.environment": "DEFAULT_GPU_IMAGE, SparkPackage",
    "core.environment.DockerSection": "base_dockerfile, base_image, base_image_registry, enabled, gpu_support, shared_volumes, shm_size",
    "core.environment.PythonSection": "conda_dependencies, interpreter_path, user_managed_dependencies",
    "core.environment.SparkSection": "packages, precache_packages, repositories",
    "core.resource_configuration": "ResourceConfiguration(cpu memory_in_gb)",
    "core.run": "_OfflineRun",
    "core.runconfig": (
        "DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE, DockerConfiguration(use_docker), "
        "MpiConfiguration(node_count), PyTorchConfiguration(process_count node_count), "
        "TensorflowConfiguration(parameter_server_count worker_count)"
    ),
    "core.runconfig.DockerConfiguration": "use_docker",
    "core.runconfig.SparkConfiguration": "configuration",
    "exceptions": "ComputeTargetException, DatasetTimestampMissingError, UserErrorException, WebserviceException",
    "telemetry": "set_diagnostics_collection(send_diagnostics)",
    "widgets": "RunDetails",
    "widgets.RunDetails": "show",
}
#: module (below azureml) -> names whose part the server does not have
REFUSED = {
    "_restclient.jasmine_client": "JasmineClient",
    "automl.core.featurization": "FeaturizationConfig",
    "automl.core.forecasting_parameters": "ForecastingParameters",
    "automl.core.onnx_convert": "OnnxConvertConstants",
    "automl.core.shared.constants": (
        "CONDA_ENV_FILE_PATH ImageTask MODEL_PATH Metric PROPERTY_KEY_OF_MODEL_PATH RunState TimeSeries "
        "TimeSeriesInternal"
    ),
    "automl.core.shared.logging_utilities": "log_traceback",
    "automl.core.shared.types": "GrainType",
    "automl.dnn.vision.classification.inference.score": "_score_with_model",
    "automl.dnn.vision.common.logging_utils": "get_logger",
    "automl.dnn.vision.common.model_export_utils": "load_model run_inference_batch",
    "automl.dnn.vision.common.utils": "_set_logging_parameters",
    "automl.runtime._ml_engine.classification_ml_engine": "evaluate_classifier",
    "automl.runtime.onnx_convert": "OnnxConverter OnnxInferenceHelper",
    "automl.runtime.shared.score.constants": "CLASSIFICATION_SCALAR_SET REGRESSION_SCALAR_SET",
    "automl.runtime.shared.score.scoring": "score_classification score_regression",
    "contrib.automl.dnn.vision.classification.inference.score": "_score_with_model",
    "contrib.automl.dnn.vision.common.logging_utils": "get_logger",
    "contrib.automl.dnn.vision.common.model_export_utils": "load_model run_inference_batch",
    "contrib.automl.dnn.vision.common.utils": "_set_logging_parameters",
    "contrib.automl.pipeline.steps": "AutoMLPipelineBuilder",
    "contrib.automl.pipeline.steps.utilities": "get_output_from_mm_pipeline",
    "contrib.notebook": "AzureMLNotebookHandler NotebookRunConfig NotebookRunnerStep",
    "contrib.services.aml_request": "AMLRequest rawhttp",
    "contrib.services.aml_response": "AMLResponse",
    "contrib.train.rl": "Ray ReinforcementLearningEstimator WorkerConfiguration",
    "core": "Dataset Keyvault LinkedService SynapseWorkspaceLinkedServiceConfiguration Webservice",
    "core.compute": (
        "AdlaCompute AksCompute BatchCompute DataFactoryCompute DatabricksCompute HDInsightCompute "
        "KustoCompute RemoteCompute SynapseCompute"
    ),
    "core.compute.aks": "AksProvisioningConfiguration",
    "core.model": "InferenceConfig",
    "core.profile": "ModelProfile",
    "core.runconfig": "JarLibrary",
    "core.webservice": "AciWebservice AksEndpoint AksWebservice LocalWebservice",
    "data": (
        "DataType FileDataset HDFSOutputDatasetConfig LinkTabularOutputDatasetConfig "
        "OutputFileDatasetConfig TabularDataset"
    ),
    "data.azure_storage_datastore": "AzureBlobDatastore",
    "data.data_reference": "DataReference",
    "data.datapath": "DataPath DataPathComputeBinding",
    "data.dataset_consumption_config": "DatasetConsumptionConfig",
    "data.dataset_error_handling": "DatasetValidationError",
    "data.dataset_factory": "FileDatasetFactory TabularDatasetFactory",
    "data.dataset_type_definitions": "PromoteHeadersBehavior",
    "data.output_dataset_config": "OutputTabularDatasetConfig",
    "data.sql_data_reference": "SqlDataReference",
    "datadrift": "AlertConfiguration DataDriftDetector",
    "opendatasets": "Diabetes MNIST NoaaIsdWeather NycTlcGreen NycTlcYellow",
    "pipeline.core": (
        "Module Pipeline PipelineData PipelineDraft PipelineEndpoint PipelineParameter PipelineRun "
        "PortDataReference PublishedPipeline Schedule ScheduleRecurrence StepRun TrainingOutput"
    ),
    "pipeline.core.graph": "InputPortDef OutputPortDef",
    "pipeline.core.pipeline_output_dataset": "PipelineOutputFileDataset PipelineOutputTabularDataset",
    "pipeline.steps": (
        "AdlaStep AutoMLStep AzureBatchStep CommandStep DataTransferStep DatabricksStep HyperDriveStep "
        "HyperDriveStepRun KustoStep ModuleStep ParallelRunConfig ParallelRunStep PythonScriptStep "
        "SynapseSparkStep"
    ),
    "responsibleai.common.pickle_model_loader": "PickleModelLoader",
    "responsibleai.tools.model_analysis": "ModelAnalysisConfig",
    "responsibleai.tools.model_analysis.counterfactual_config": "CounterfactualConfig",
    "responsibleai.tools.model_analysis.explain_config": "ExplainConfig",
    "tensorboard": "Tensorboard",
    "tensorboard.export": "export_to_tensorboard",
    "train.automl": "AutoMLConfig AutoMLImageConfig",
    "train.automl.constants": "MODEL_RESOURCE_PATH_ONNX Scenarios",
    "train.automl.model_proxy": "ModelProxy",
    "train.automl.run": "AutoMLRun",
    "train.automl.runtime._hts.hts_parameters": "HTSInferenceParameters HTSTrainParameters",
    "train.automl.runtime._hts.hts_runtime_utilities": "dump_object_to_json",
    "train.automl.runtime._many_models.many_models_parameters": "ManyModelsInferenceParameters ManyModelsTrainParameters",
    "train.automl.runtime.automl_explain_utilities": "automl_check_model_if_explainable automl_setup_model_explanations",
    "train.automl.utilities": "get_primary_metrics",
    "train.dnn": "PyTorch TensorFlow",
    "train.estimator": "Estimator",
    "train.hyperdrive": (
        "BanditPolicy GridParameterSampling HyperDriveConfig HyperDriveRun PrimaryMetricGoal "
        "RandomParameterSampling TruncationSelectionPolicy choice loguniform uniform"
    ),
}
#: instances of classes whose attributes are set when one is made
SAMPLES: dict[str, Any] = {
    "Environment": Environment("x"),
    "RunConfiguration": RunConfiguration(),
    "ScriptRunConfig": ScriptRunConfig("."),
    "Experiment": Experiment(SimpleNamespace(client=None, name="w"), "x"),  # type: ignore[arg-type]
    "DockerConfiguration": DockerConfiguration(),
    "DockerSection": DockerSection(),
    "PythonSection": PythonSection(),
    "SparkSection": SparkSection(),
    "SparkConfiguration": SparkConfiguration(),
    "AmlComputeStatus": ComputeStatus({"name": "x", "provisioning_state": "Succeeded"}),
}
#: attributes that an object has once the server has described it
OF_THE_SERVER = {
    "ComputeTarget.name",
    "AmlCompute.name",
    "Run.id",
    "Datastore.account_name",
    "Datastore.container_name",
}


def resolve(path: str) -> Any:
    """A dotted name below azureml: modules as far as they go, then attributes."""
    parts = path.split(".")
    for cut in range(len(parts), -1, -1):
        try:
            found: Any = importlib.import_module(".".join(["azureml", *parts[:cut]]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise AssertionError(path)


def cases() -> list[tuple[str, str, list[str]]]:
    found = []
    for owner, text in EXISTING.items():
        for entry in re.findall(r"\w+(?:\([^)]*\))?", text):
            name, _, keywords = entry.rstrip(")").partition("(")
            found.append((owner, name, keywords.split()))
    return found


@pytest.mark.parametrize(("owner", "name", "keywords"), cases())
def test_a_name_of_v1_is_there_and_takes_its_keywords(owner: str, name: str, keywords: list[str]):
    holder = resolve(owner)
    short = owner.rsplit(".", 1)[-1]
    if f"{short}.{name}" in OF_THE_SERVER:
        return
    sample = SAMPLES.get(short, holder)
    found = inspect.getattr_static(holder, name, None)
    assert found is not None or hasattr(sample, name), f"azureml.{owner} has no {name}"
    if keywords:
        parameters = inspect.signature(getattr(holder, name)).parameters
        free = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
        missing = [word for word in keywords if word not in parameters]
        assert not missing or free, f"azureml.{owner}.{name} does not take {missing}"


@pytest.mark.parametrize("module", REFUSED)
def test_a_name_of_another_part_imports_and_says_what_to_do_instead_when_used(module: str):
    for name in REFUSED[module].split():
        found = getattr(importlib.import_module(f"azureml.{module}"), name)
        for use in (lambda found=found: found("x", y=1), lambda found=found: found.create):
            with pytest.raises(NotImplementedError) as told:
                use()
            assert name in str(told.value) and len(str(told.value)) > 60


def test_a_name_that_v1_never_had_is_an_import_error():
    with pytest.raises(ImportError):
        from azureml.train.hyperdrive import chioce  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("azureml.nothing")


def test_versions_and_errors_have_their_v1_names():
    import azureml.core
    from azureml.core.compute_target import ComputeTargetException as Same
    from azureml.exceptions import AzureMLException, ComputeTargetException, UserErrorException

    assert azureml.core.VERSION.startswith("1.") and Same is ComputeTargetException
    assert issubclass(UserErrorException, AzureMLException) and issubclass(ComputeTargetException, AzureMLException)
    assert UserErrorException("why").message == "why"


def test_telemetry_is_accepted_and_does_nothing(capsys: pytest.CaptureFixture[str]):
    from azureml.telemetry import set_diagnostics_collection

    set_diagnostics_collection(send_diagnostics=True)
    assert "no diagnostics" in capsys.readouterr().out
