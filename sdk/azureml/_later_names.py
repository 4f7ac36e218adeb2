"""Names of v1 whose part the server does not have, each with the sentence that says what to do instead.

A table, and nothing else; `_later` makes modules and classes of it.
"""

from __future__ import annotations

AUTOML = (
    "This server does not run AutoML. Submit a script that tries the candidates (ScriptRunConfig) and logs each in a "
    "child run (run.child_run)."
)
SWEEP = (
    "This server does not run HyperDrive sweeps. Submit one run a setting: experiment.submit(ScriptRunConfig(…, "
    "arguments=['--rate', rate])) for each, and compare them on the experiment's page."
)
PIPELINE = (
    "This server does not run pipelines. Submit the steps' scripts one after the other with ScriptRunConfig and "
    "run.wait_for_completion()."
)
SERVICE = (
    "This server does not deploy web services. Register the model (run.register_model) and fetch it where it is served "
    "with Model(ws, name).download()."
)
DATA = (
    "This server does not register datasets. Put data into the source directory, or read it from a folder that every "
    "node sees."
)
ESTIMATOR = "Estimators are gone, as in v1's last releases. Use ScriptRunConfig with an Environment."
SECRETS = "This server has no key vault. Pass secrets as environment variables of the run."
AZURE = "This belongs to Azure and has no counterpart on a self-hosted server."
COMPUTE = "This server's compute targets are AmlCompute clusters, ComputeInstance and 'local'; use one of those."
DRIFT = "This server does not watch datasets for drift. Log the measures of a comparison with run.log."
BOARD = "TensorBoard files are kept with the run's logs: download them (run.download_files('logs')) and open them."
SPARK = "Spark does not run here; use Python packages in the environment instead."
RESPONSIBLE = (
    "Explanations and fairness of a run are uploaded with azureml.interpret.ExplanationClient and "
    "azureml.contrib.fairness."
)

_SHARED = "azureml.automl.core.shared"
_SCORE = "azureml.automl.runtime.shared.score"
_MANY = "azureml.train.automl.runtime"
_VISION = ("azureml.automl.dnn.vision", "azureml.contrib.automl.dnn.vision")
_VISION_NAMES = {
    "classification.inference.score": "_score_with_model",
    "common.logging_utils": "get_logger",
    "common.model_export_utils": "load_model run_inference_batch",
    "common.utils": "_set_logging_parameters",
}
#: module -> (sentence, names)
NAMES: dict[str, tuple[str, str]] = {
    "azureml.core": (AZURE, "Image SynapseWorkspaceLinkedServiceConfiguration LinkedService"),
    "azureml.core.dataset": (DATA, "Dataset"),
    "azureml.core.keyvault": (SECRETS, "Keyvault"),
    "azureml.core.linked_service": (AZURE, "LinkedService SynapseWorkspaceLinkedServiceConfiguration"),
    "azureml.core.profile": (SERVICE, "ModelProfile"),
    "azureml.core.image": (SERVICE, "ContainerImage Image"),
    "azureml.core.runconfig": (DATA, "DataReferenceConfiguration JarLibrary ParallelTaskConfiguration"),
    "azureml.core.model": (SERVICE, "InferenceConfig"),
    "azureml.core.compute": (
        COMPUTE,
        "AdlaCompute AksCompute BatchCompute DataFactoryCompute DatabricksCompute DsvmCompute HDInsightCompute "
        "KubernetesCompute KustoCompute RemoteCompute SynapseCompute",
    ),
    "azureml.core.compute.aks": (COMPUTE, "AksCompute AksProvisioningConfiguration"),
    "azureml.core.webservice": (
        SERVICE,
        "AciWebservice AksEndpoint AksWebservice LocalWebservice Webservice",
    ),
    "azureml.core.webservice.webservice": (SERVICE, "Webservice"),
    "azureml.data": (
        DATA,
        "DataType FileDataset HDFSOutputDatasetConfig LinkTabularOutputDatasetConfig OutputFileDatasetConfig "
        "TabularDataset",
    ),
    "azureml.data.azure_storage_datastore": (DATA, "AzureBlobDatastore AzureFileDatastore"),
    "azureml.data.data_reference": (DATA, "DataReference"),
    "azureml.data.datapath": (DATA, "DataPath DataPathComputeBinding"),
    "azureml.data.dataset_consumption_config": (DATA, "DatasetConsumptionConfig"),
    "azureml.data.dataset_error_handling": (DATA, "DatasetExecutionError DatasetValidationError"),
    "azureml.data.dataset_factory": (DATA, "DataType FileDatasetFactory TabularDatasetFactory"),
    "azureml.data.dataset_type_definitions": (DATA, "PromoteHeadersBehavior"),
    "azureml.data.output_dataset_config": (DATA, "OutputFileDatasetConfig OutputTabularDatasetConfig"),
    "azureml.data.sql_data_reference": (DATA, "SqlDataReference"),
    "azureml.dataprep": (DATA, "Dataflow"),
    "azureml.opendatasets": (DATA, "Diabetes MNIST NoaaIsdWeather NycTlcGreen NycTlcYellow PublicHolidays"),
    "azureml.datadrift": (DRIFT, "AlertConfiguration DataDriftDetector"),
    "azureml.tensorboard": (BOARD, "Tensorboard"),
    "azureml.tensorboard.export": (BOARD, "export_to_tensorboard"),
    "azureml.train.hyperdrive": (
        SWEEP,
        "BanditPolicy BayesianParameterSampling GridParameterSampling HyperDriveConfig HyperDriveRun HyperDriveRunConfig "
        "HyperDriveStep HyperDriveStepRun MedianStoppingPolicy NoTerminationPolicy PrimaryMetricGoal "
        "RandomParameterSampling TruncationSelectionPolicy choice lognormal loguniform normal qlognormal qloguniform "
        "qnormal quniform randint uniform",
    ),
    "azureml.train.estimator": (ESTIMATOR, "Estimator Mpi"),
    "azureml.train.dnn": (ESTIMATOR, "Chainer Gloo Mpi Nccl ParameterServer PyTorch TensorFlow"),
    "azureml.train.sklearn": (ESTIMATOR, "SKLearn"),
    "azureml.train.automl": (AUTOML, "AutoMLConfig AutoMLImageConfig AutoMLStep"),
    "azureml.train.automl.constants": (AUTOML, "MODEL_RESOURCE_PATH_ONNX Scenarios"),
    "azureml.train.automl.model_proxy": (AUTOML, "ModelProxy"),
    "azureml.train.automl.run": (AUTOML, "AutoMLRun"),
    "azureml.train.automl.utilities": (AUTOML, "get_primary_metrics"),
    f"{_MANY}.automl_explain_utilities": (
        AUTOML,
        "automl_check_model_if_explainable automl_setup_model_explanations",
    ),
    f"{_MANY}._hts.hts_parameters": (AUTOML, "HTSInferenceParameters HTSTrainParameters"),
    f"{_MANY}._hts.hts_runtime_utilities": (AUTOML, "dump_object_to_json"),
    f"{_MANY}._many_models.many_models_parameters": (
        AUTOML,
        "ManyModelsInferenceParameters ManyModelsTrainParameters",
    ),
    "azureml.automl.core.featurization": (AUTOML, "FeaturizationConfig"),
    "azureml.automl.core.forecasting_parameters": (AUTOML, "ForecastingParameters"),
    "azureml.automl.core.onnx_convert": (AUTOML, "OnnxConvertConstants"),
    f"{_SHARED}.constants": (
        AUTOML,
        "CONDA_ENV_FILE_PATH ImageTask MODEL_PATH Metric PROPERTY_KEY_OF_MODEL_PATH RunState TimeSeries "
        "TimeSeriesInternal",
    ),
    f"{_SHARED}.logging_utilities": (AUTOML, "log_traceback"),
    f"{_SHARED}.types": (AUTOML, "GrainType"),
    f"{_SCORE}.constants": (AUTOML, "CLASSIFICATION_SCALAR_SET REGRESSION_SCALAR_SET"),
    f"{_SCORE}.scoring": (AUTOML, "score_classification score_regression"),
    "azureml.automl.runtime._ml_engine.classification_ml_engine": (AUTOML, "evaluate_classifier"),
    "azureml.automl.runtime.onnx_convert": (AUTOML, "OnnxConverter OnnxInferenceHelper"),
    "azureml.contrib.automl.pipeline.steps": (AUTOML, "AutoMLPipelineBuilder"),
    "azureml.contrib.automl.pipeline.steps.utilities": (AUTOML, "get_output_from_mm_pipeline"),
    "azureml.pipeline.core": (
        PIPELINE,
        "InputPortBinding InputPortDef Module OutputPortBinding OutputPortDef Pipeline PipelineData PipelineDraft "
        "PipelineEndpoint PipelineParameter PipelineRun PortDataReference PublishedPipeline Schedule ScheduleRecurrence "
        "StepRun StepSequence TrainingOutput",
    ),
    "azureml.pipeline.core.graph": (PIPELINE, "InputPortDef OutputPortDef PipelineParameter"),
    "azureml.pipeline.core.run": (PIPELINE, "PipelineRun StepRun"),
    "azureml.pipeline.core.schedule": (PIPELINE, "Schedule ScheduleRecurrence"),
    "azureml.pipeline.core.pipeline_output_dataset": (
        PIPELINE,
        "PipelineOutputFileDataset PipelineOutputTabularDataset",
    ),
    "azureml.pipeline.steps": (
        PIPELINE,
        "AdlaStep AutoMLStep AzureBatchStep CommandStep DataTransferStep DatabricksStep EstimatorStep HyperDriveStep "
        "HyperDriveStepRun KustoStep ModuleStep MpiStep ParallelRunConfig ParallelRunStep PythonScriptStep RScriptStep "
        "SynapseSparkStep",
    ),
    "azureml.contrib.train.rl": (AZURE, "Ray ReinforcementLearningEstimator WorkerConfiguration"),
    "azureml.contrib.notebook": (PIPELINE, "AzureMLNotebookHandler NotebookRunConfig NotebookRunnerStep"),
    "azureml.contrib.services.aml_request": (SERVICE, "AMLRequest rawhttp"),
    "azureml.contrib.services.aml_response": (SERVICE, "AMLResponse"),
    "azureml.responsibleai.tools.model_analysis": (RESPONSIBLE, "ModelAnalysisConfig"),
    "azureml.responsibleai.tools.model_analysis.counterfactual_config": (RESPONSIBLE, "CounterfactualConfig"),
    "azureml.responsibleai.tools.model_analysis.explain_config": (RESPONSIBLE, "ExplainConfig"),
    "azureml.responsibleai.common.pickle_model_loader": (RESPONSIBLE, "PickleModelLoader"),
    **{f"{vision}.{module}": (AUTOML, names) for vision in _VISION for module, names in _VISION_NAMES.items()},
    "azureml._restclient.jasmine_client": (AUTOML, "JasmineClient"),
}
#: names whose sentence is not their module's
SENTENCES = {
    ("azureml.core", "Dataset"): DATA,
    ("azureml.core", "Keyvault"): SECRETS,
    ("azureml.core", "Webservice"): SERVICE,
    ("azureml.core.runconfig", "JarLibrary"): SPARK,
    ("azureml.core.runconfig", "ParallelTaskConfiguration"): PIPELINE,
}
