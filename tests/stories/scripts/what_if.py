"""A page asks a job what the model says of a changed row: through the tab's own forms, as a browser sends them."""

import html
import http.cookiejar
import os
import re
import time
import urllib.parse
import urllib.request

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

from azureml.core import Environment, Experiment, Workspace
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
mine = Environment("what-if-python")
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
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        page, _ = get(address)
        if re.search(what, page):
            return html.unescape(page)
        time.sleep(0.3)
    raise AssertionError(re.sub(r"<[^>]+>", " ", page[page.index('id="what-if"') :])[:3000])


page, address = get(f"{server}/sign-in")
page, _ = post(address, page, username="olga", password=os.environ["STORY_PASSWORD"])
page, _ = get(f"{base}?p=4")
page, address = post(f"{base}session?p=4", page, model="outputs/model.joblib", environment="what-if-python")
query = urllib.parse.urlsplit(address).query
page = answered(f"{base}?{query}", "Predict row 4")
changed = x[4].copy()
changed[0] += 2
page, address = post(f"{base}what-if?{query}", page, row="4", v0=repr(float(changed[0])))
page = answered(address.partition("#")[0], r">after</dt>")
shown = float(re.search(r"<dt>after</dt><dd>([^<]+)</dd>", page)[1])
assert abs(shown - model.predict_proba([changed])[0, 1]) < 1e-4, (shown, model.predict_proba([changed]))
page, address = post(f"{base}ice?{query}", page, row="4", ice="1")
page = answered(address.partition("#")[0], r"as one feature changes\"")
rows = re.findall(r'<tr><td class="num">([^<]+)</td><td class="num">([^<]+)</td></tr>', page)
assert len(rows) == 25, rows
for value, shown in rows[::8]:
    expected = model.predict_proba([[x[4][0], float(value), x[4][2]]])[0, 1]
    assert abs(float(shown) - expected) < 1e-3, (value, shown, expected)
page, address = post(f"{base}what-if?{query}", page, row="4", v0="many")
assert "needs a number" in html.unescape(page), "a text where a number belongs was accepted"
print("story: ok")
