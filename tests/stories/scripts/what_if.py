"""A page asks a job what the model says of a changed row: through the tab's own forms, as a browser sends them.

On `local` the job is a process of this Python; with an image in STORY_IMAGE it is a container of a cluster, and its
packages are installed into an image of its own.
"""

import csv
import html
import http.cookiejar
import io
import os
import re
import time
import urllib.parse
import urllib.request

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

from azureml.core import Environment, Experiment, Workspace
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.conda_dependencies import CondaDependencies
from azureml.interpret import ExplanationClient, TabularExplainer

rng = np.random.default_rng(0)
x = rng.normal(size=(200, 3))
y = (x[:, 0] - x[:, 1] > 0).astype(int)
model = LogisticRegression().fit(x, y)
workspace = Workspace.from_config()
run = Experiment(workspace, "own-what-if").start_logging()
joblib.dump(model, "model.joblib")
run.upload_file("outputs/model.joblib", "model.joblib")
explanation = TabularExplainer(model, x, features=["a", "b", "c"], classes=["no", "yes"]).explain_global(x)
ExplanationClient.from_run(run).upload_model_explanation(explanation, true_ys=y)
run.complete()
mine, target, cluster = Environment("what-if-python"), "local", None
if os.environ.get("STORY_IMAGE"):
    mine.docker.base_image = os.environ["STORY_IMAGE"]
    mine.python.conda_dependencies = CondaDependencies.create(
        pip_packages=["numpy==2.4.6", "scikit-learn==1.9.1", "joblib"]
    )
    target = "what-if-cluster"
    config = AmlCompute.provisioning_configuration("STANDARD_D2_V2", max_nodes=1, idle_seconds_before_scaledown=3)
    cluster = ComputeTarget.create(workspace, target, config)
else:
    mine.python.user_managed_dependencies = True
mine.register(workspace)

opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
server = os.environ["ATELIER_URL"]
base = f"{server}/w/{workspace.name}/runs/{run.id}/explanations/"


def get(address):
    """The page, and where it is in the end."""
    with opener.open(address, timeout=60) as answer:
        return answer.read().decode(), answer.url


def post(address, page, **fields):
    """Send a form of the page; the page that comes of it."""
    fields["csrfmiddlewaretoken"] = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    request = urllib.request.Request(address, urllib.parse.urlencode(fields).encode(), {"Referer": address})
    with opener.open(request, timeout=60) as answer:
        return answer.read().decode(), answer.url


def answered(address, what):
    """Look at the page again until the job has answered."""
    deadline = time.monotonic() + (240 if cluster else 120)
    while time.monotonic() < deadline:
        page, _ = get(address)
        if re.search(what, page):
            return html.unescape(page)
        time.sleep(0.3)
    raise AssertionError(re.sub(r"<[^>]+>", " ", page[page.index('id="what-if"') :])[:3000])


page, address = get(f"{server}/sign-in")
page, _ = post(address, page, username="olga", password=os.environ["STORY_PASSWORD"])
page, _ = get(f"{base}?p=4&p=9")
page, address = post(
    f"{base}session?p=4&p=9", page, model="outputs/model.joblib", environment="what-if-python", compute=target
)
query = urllib.parse.urlsplit(address).query
page = answered(f"{base}?{query}", "Predict row 4")
changed = x[4].copy()
changed[0] += 2
page, address = post(f"{base}what-if?{query}", page, row="4", v0=repr(float(changed[0])))
page = answered(address.partition("#")[0], r">after</dt>")
before, after = map(float, re.findall(r'<dt>(?:Probability of yes before|after)</dt><dd title="([^"]+)">', page))
assert abs(before - model.predict_proba(x[4:5])[0, 1]) < 1e-9, before
assert abs(after - model.predict_proba([changed])[0, 1]) < 1e-9, after

page, address = post(f"{base}ice?{query}", page, row="4", ice="1")
page = answered(address.partition("#")[0], "Answers as one feature changes")
link = re.search(r'href="([^"]+table=ice)"', page)[1]
with opener.open(f"{server}{html.unescape(link)}", timeout=60) as answer:
    heading, *lines = csv.reader(io.StringIO(answer.read().decode()))
assert heading == ["b", "Probability of yes, row 4", "Probability of yes, row 9"] and len(lines) == 25, lines
grid = [float(line[0]) for line in lines]
varied = np.repeat(x[[4, 9], None], len(grid), axis=1)
varied[:, :, 1] = grid
ice = model.predict_proba(varied.reshape(-1, 3))[:, 1].reshape(2, -1)
assert np.abs(np.array([line[1:] for line in lines], dtype=float).T - ice).max() < 1e-9

page, address = post(f"{base}what-if?{query}", page, row="4", v0="many")
assert "needs a number" in html.unescape(page), "a text where a number belongs was accepted"
if cluster:
    job = re.search(r"is held by <a href=\"/w/[^/]+/runs/([^/\"]+)/", page)[1]
    child = run.experiment.workspace.get_run(urllib.parse.unquote(job))
    assert child.get_details()["target"] == target, child.get_details()
    child.cancel()
    child.wait_for_completion(raise_on_error=False)
    page, _ = get(f"{base}?p=4")
    assert "Start a job" in page
    cluster.delete()
print("story: ok")
