"""The errors of the SDK under their v1 names."""

from atelier.errors import (
    AtelierError,
    AuthenticationError,
    ComputeTargetError,
    ConfigurationError,
    ConflictError,
    ModelNotFoundError,
    RunContextError,
    RunFailed,
    ServiceError,
    SnapshotError,
    UnsupportedError,
    UserError,
    WebserviceError,
)

AzureMLException = AtelierError
UserErrorException = UserError
ServiceException = ServiceError
AuthenticationException = AuthenticationError
ComputeTargetException = ComputeTargetError
WebserviceException = WebserviceError
ModelNotFoundException = ModelNotFoundError
ModelPathNotFoundException = ModelNotFoundError
RunEnvironmentException = RunContextError
ActivityFailedException = RunFailed
ExperimentExecutionException = RunFailed
TrainingException = RunFailed
SnapshotException = SnapshotError
RunConfigurationException = ConfigurationError
ProjectSystemException = ConfigurationError
WorkspaceException = UserError
ExperimentException = UserError
DiscoveryUrlNotFoundException = ConfigurationError
UnexpectedFileException = ConfigurationError
DatasetTimestampMissingError = UnsupportedError
ImageBuildFailedException = RunFailed
ConflictException = ConflictError
