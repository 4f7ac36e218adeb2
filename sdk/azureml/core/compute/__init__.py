"""Compute targets. Clusters and instances exist here; the others are refused when used."""

from atelier.compute import Cluster as AmlCompute
from atelier.compute import ComputeTarget
from atelier.compute import Instance as ComputeInstance
from azureml._later import refusal

AdlaCompute = refusal("azureml.core.compute", "AdlaCompute")
AksCompute = refusal("azureml.core.compute", "AksCompute")
BatchCompute = refusal("azureml.core.compute", "BatchCompute")
DataFactoryCompute = refusal("azureml.core.compute", "DataFactoryCompute")
DatabricksCompute = refusal("azureml.core.compute", "DatabricksCompute")
DsvmCompute = refusal("azureml.core.compute", "DsvmCompute")
HDInsightCompute = refusal("azureml.core.compute", "HDInsightCompute")
KubernetesCompute = refusal("azureml.core.compute", "KubernetesCompute")
KustoCompute = refusal("azureml.core.compute", "KustoCompute")
RemoteCompute = refusal("azureml.core.compute", "RemoteCompute")
SynapseCompute = refusal("azureml.core.compute", "SynapseCompute")

__all__ = ["AmlCompute", "ComputeInstance", "ComputeTarget"]
