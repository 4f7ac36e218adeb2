"""Submits the demo experiment: what a user's own script looks like. Needs ATELIER_URL and ATELIER_TOKEN, or `atelier login`.

python submit.py                       on this machine
python submit.py --compute cluster     on a compute target of the workspace
"""

import argparse
import sys
from pathlib import Path

from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--compute", default="local", help="name of the compute target (default: local)")
parser.add_argument("--epochs", type=int, default=30, help="passes over the training data (default: 30)")
args = parser.parse_args()

here = Path(__file__).resolve().parent
ws = Workspace.from_config(path=str(here / "config.json"))

environment = Environment("diabetes-demo")
if args.compute == "local":
    # The Python that runs this script has what the training needs: no environment has to be built.
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = sys.executable
else:
    environment = Environment.from_pip_requirements("diabetes-demo", str(here / "src" / "requirements.txt"))

config = ScriptRunConfig(
    source_directory=str(here / "src"),
    script="train.py",
    arguments=["--epochs", args.epochs],
    environment=environment,
    compute_target=args.compute,
)
run = Experiment(workspace=ws, name="diabetes-demo").submit(config, tags={"data": "scikit-learn diabetes"})
run.display_name = "Diabetes progression"
print(f"Submitted {run.id}")
run.wait_for_completion(show_output=True, raise_on_error=False)

print(f"\nThe run is {run.get_status()}. Its page: {run.get_portal_url()}")
for child in run.get_children():
    metrics = child.get_metrics()
    print(f"  {child.display_name or child.id}: AUC {metrics['AUC']:.3f}, accuracy {metrics['Accuracy']:.3f}")
sys.exit(0 if run.get_status() == "Completed" else 1)
