"""`python -m atelier_jobs.score`: holds a model and answers the rows that a page asks about, until its time is up."""

from __future__ import annotations

import faulthandler
import math
import signal
import sys
import time
from typing import Any

from atelier.client import segment
from atelier.errors import AtelierError
from atelier_jobs.inputs import Job

#: Seconds one request may take, and without any request until the session ends.
ONE_REQUEST, IDLE = 20, 300
#: Seconds that loading the model may take, and after which a request that compiled code holds on to ends the job.
LOADING, STUCK = 240, 60
POLL = 0.3


class _TooLong(Exception):
    """A request took longer than its time."""


def main() -> int:
    """Answer until the session's time is up or nobody asks any more."""
    job = Job()
    end = time.monotonic() + float(job.spec["seconds"])
    # A watchdog of its own thread, without the interpreter: a signal waits until compiled code comes back, this does not.
    faulthandler.dump_traceback_later(LOADING, exit=True)
    model, failure = _loaded(job)
    faulthandler.cancel_dump_traceback_later()
    print(failure or f"The model is loaded: {type(model).__module__}.{type(model).__qualname__}.", flush=True)
    path = f"/runs/{segment(job.run_id)}/scoring"
    asked = time.monotonic()
    while time.monotonic() < end and time.monotonic() - asked < IDLE:
        request = job.client.call("GET", f"{path}/next")
        if not request or not request.get("id"):
            time.sleep(POLL)
            continue
        asked = time.monotonic()
        faulthandler.dump_traceback_later(STUCK, exit=True)
        body = {"error": failure} if failure else score(model, request["rows"], request.get("features"))
        faulthandler.cancel_dump_traceback_later()
        _answer(job, f"{path}/{segment(request['id'])}", body)
    print("The session has ended.", flush=True)
    return 0


def _answer(job: Job, path: str, body: dict[str, Any]) -> None:
    """Give the answer; where the server does not take it, say so to the page that waits."""
    for one in (body, {"error": "The model's answer has a form that the page cannot show."}):
        try:
            job.client.call("POST", path, json_body=one)
            return
        except AtelierError as error:
            print(f"An answer was not taken: {error}", flush=True)


def _loaded(job: Job) -> tuple[Any, str]:
    try:
        model = job.model()
    except Exception as error:  # noqa: BLE001 - a model's file may fail in any way, and the page must be told
        return None, f"The model could not be loaded in this environment: {type(error).__name__}: {error}"
    if not hasattr(model, "predict"):
        return None, f"The file holds a {type(model).__name__}, which has no predict."
    return model, ""


def score(model: Any, rows: list[list[Any]], features: list[str] | None = None) -> dict[str, Any]:
    """Predictions (and probabilities) of the rows, or the sentence that says why not."""

    def stop(*_: Any) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(ONE_REQUEST)
    try:
        return _score(model, rows, features)
    except _TooLong:
        return {"error": f"The model took longer than {ONE_REQUEST} s to score {len(rows)} rows."}
    except Exception as error:  # noqa: BLE001 - the model is the user's, and the page must be told what it said
        return {"error": f"The model refused these rows: {type(error).__name__}: {error}"[:2000]}
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _score(model: Any, rows: list[list[Any]], features: list[str] | None) -> dict[str, Any]:
    import numpy as np

    data = table(model, rows, features)
    predicted = np.asarray(model.predict(data))
    if predicted.size != len(rows):
        return {"error": f"The model gives {predicted.size // len(rows)} values for a row; what-if shows one."}
    found = [predicted.ravel()]
    if hasattr(model, "predict_proba"):
        probable = np.asarray(model.predict_proba(data), dtype=np.float64)
        found += [probable] if probable.ndim == 2 else []
    if any(part.dtype.kind == "f" and not np.isfinite(part).all() for part in found):
        return {"error": "The model answered with NaN or infinity for these rows."}
    answer: dict[str, Any] = {"predictions": found[0].tolist()}
    if len(found) > 1:
        answer["probabilities"] = found[1].tolist()
        answer["classes"] = [str(c) for c in getattr(model, "classes_", [])] or None
    return answer


def table(model: Any, rows: list[list[Any]], features: list[str] | None) -> Any:
    """The rows as the model was trained: a frame when it knows column names, else an array."""
    import numpy as np

    known = getattr(model, "feature_names_in_", None)
    names = list(known) if known is not None else None
    mixed = any(isinstance(v, str) for v in rows[0])
    rows = [[math.nan if v is None else v for v in row] for row in rows]
    if names is None and not mixed:
        return np.asarray(rows, dtype=np.float64)
    import pandas

    frame = pandas.DataFrame(rows, columns=names if names and len(names) == len(rows[0]) else features)
    return frame[names] if names and set(names) <= set(frame.columns) else frame


if __name__ == "__main__":
    sys.exit(main())
