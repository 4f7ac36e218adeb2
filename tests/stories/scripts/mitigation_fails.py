"""Mitigations that cannot succeed end with a sentence for their owner, and one that is cancelled ends."""

import os
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from atelier.errors import RunFailed
from atelier.fairness import mitigate
from azureml.core import Environment, Experiment, Workspace

rng = np.random.default_rng(0)
data = pd.DataFrame({"x": rng.normal(size=200), "z": rng.normal(size=200)})
label, sex = (data["x"] > 0).astype(int), rng.choice(["f", "m"], 200)
run = Experiment(Workspace.from_config(), "own-failures").start_logging()
joblib.dump({"no": "model"}, "odd.pkl")
joblib.dump(LogisticRegression().fit(rng.normal(size=(50, 3)), label[:50]), "wide.pkl")
joblib.dump(LogisticRegression().fit(data.to_numpy(), np.where(label, "ill", "well")), "words.pkl")
Path("cut.pkl").write_bytes(b"\x80\x04 no pickle")
for name in ("odd", "wide", "words", "cut"):
    run.upload_file(f"outputs/{name}.pkl", f"{name}.pkl")
run.complete()
mine = Environment("this-python")
mine.python.user_managed_dependencies = True


def asked(model):
    """A mitigation with that original."""
    return mitigate(
        run,
        data,
        label,
        {"sex": sex},
        model=f"outputs/{model}.pkl",
        environment=mine,
        compute=os.environ["STORY_COMPUTE"],
        grid_size=2,
    )


requests = {name: asked(name) for name in ("odd", "wide", "words", "cut")}
for name, sentence in {
    "odd": "holds a dict, which has no predict",
    "wide": "refused the columns x, z",
    "cut": "can't be loaded",
    "words": "predicts other values than 0 and 1",
}.items():
    try:
        requests[name].wait(timeout=200, poll=0.5)
    except RunFailed as failed:
        assert sentence in str(failed), failed
    else:
        raise AssertionError(f"{name} brought a dashboard")
cancelled = asked("odd")
cancelled.cancel()
try:
    cancelled.wait(timeout=100, poll=0.5)
except RunFailed as failed:
    assert "Canceled" in str(failed) or "canceled" in str(failed), failed
print("story: ok")
