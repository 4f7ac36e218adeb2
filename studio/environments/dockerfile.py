"""Environment -> Dockerfiles. A pure derivation: the same input gives the same text, so that layers are found again.

Four stages, each an image of its own that others share, ordered by how seldom they change:

1. the user's Dockerfile, when the environment has one, with the site's certificates put in;
2. the ground: a base image with the account of jobs, certificates and uv;
3. Python: a virtual environment, or the conda packages;
4. the packages, in two layers (the large ones that seldom change first), and the SDK as the last layer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name

HERE = Path(__file__).with_name("image_files")
ENVIRONMENT = "/opt/env"
PYTHON = f"{ENVIRONMENT}/bin/python"
CERTIFICATES = "/opt/atelier/ca.pem"
# The variables that Python's ssl, requests, pip, uv, curl, git and Node read a bundle from.
CERTIFICATE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)
# Where a user's own `RUN pip install` finds packages while the image is built. An ARG leaves nothing in the image.
INDEX_ARGUMENTS = ("PIP_INDEX_URL", "PIP_TRUSTED_HOST", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
# Large and rarely changed: in a layer of their own, so that a small package beside them does not install them anew.
LARGE = {
    *(
        "torch",
        "torchvision",
        "torchaudio",
        "horovod",
        "triton",
        "tensorflow",
        "tensorflow-cpu",
        "jax",
        "jaxlib",
        "keras",
    ),
    *(
        "numpy",
        "scipy",
        "pandas",
        "scikit-learn",
        "xgboost",
        "lightgbm",
        "catboost",
        "pyarrow",
        "pyspark",
        "numba",
        "llvmlite",
    ),
    *(
        "opencv-python",
        "opencv-python-headless",
        "transformers",
        "matplotlib",
        "shap",
        "statsmodels",
        "onnx",
        "onnxruntime",
    ),
}


@dataclass(frozen=True)
class Recipe:
    """A build context: the Dockerfile's text, further files by name (bytes, or the path to copy), names of executables."""

    dockerfile: str
    files: Mapping[str, bytes | Path] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()


def _run(*words: str) -> str:
    """The exec form: no shell reads the words, so a name from a user is only a name."""
    return "RUN " + json.dumps(list(words))


def _environment(variables: Mapping[str, str]) -> str:
    return "ENV " + " ".join(f"{name}={value}" for name, value in variables.items())


def base_images(dockerfile: str) -> list[str]:
    """The images that a Dockerfile starts from: its FROM lines, without its own stages, scratch and names with variables."""
    stages: set[str] = set()
    found: list[str] = []
    for match in re.finditer(
        r"^[ \t]*FROM[ \t]+((?:--\S+[ \t]+)*)(\S+)(?:[ \t]+AS[ \t]+(\S+))?", dockerfile, re.IGNORECASE | re.MULTILINE
    ):
        name = match.group(2)
        if name.lower() not in stages and name != "scratch" and "$" not in name and name not in found:
            found.append(name)
        if match.group(3):
            stages.add(match.group(3).lower())
    return found


def users_own(dockerfile: str, certificates: bytes | None) -> Recipe:
    """The user's Dockerfile; after each FROM the site's certificates and the arguments that lead pip to its index."""
    added = [f"ARG {name}" for name in INDEX_ARGUMENTS]
    files: dict[str, bytes | Path] = {}
    if certificates:
        files["atelier-site.pem"] = certificates
        added.append("COPY atelier-site.pem /opt/atelier/site.pem")
        added.append(_environment(dict.fromkeys(CERTIFICATE_VARIABLES, "/opt/atelier/site.pem")))
    lines: list[str] = []
    continued = starts = False
    for line in dockerfile.split("\n"):
        if not continued:  # a line that continues another belongs to that one's instruction
            starts = re.match(r"[ \t]*FROM[ \t]", line, re.IGNORECASE) is not None
        continued = line.rstrip().endswith("\\") and not line.lstrip().startswith("#")
        lines.append(line)
        if starts and not continued:
            lines += added
            starts = False
    return Recipe("\n".join(lines) + "\n", files)


def ground(base: str, uv: Path, certificates: bytes | None) -> Recipe:
    """The base image (by its id) made ready: nothing here depends on the environment."""
    files: dict[str, bytes | Path] = {"bin/uv": uv}
    files |= {path.name: path for path in sorted(HERE.glob("*.sh"))}
    lines = [f"FROM {base}", "USER root"]
    if certificates:
        files["site.pem"] = certificates
    lines += ["COPY . /opt/atelier/", _run("/bin/sh", "/opt/atelier/ground.sh")]
    variables = dict.fromkeys(CERTIFICATE_VARIABLES, CERTIFICATES) if certificates else {}
    lines.append(_environment({"HOME": "/home/atelier", **variables}))
    # The Dockerfile lies in the context too; it is no secret, but nobody looks for it in the image.
    files[".dockerignore"] = b"Dockerfile\n.dockerignore\n"
    return Recipe("\n".join(lines) + "\n", files, frozenset({"bin/uv", *(path.name for path in HERE.glob("*.sh"))}))


def python(ground_image: str, request: str, pin: str) -> Recipe:
    """A virtual environment with the base image's Python; `request` as uv reads it, `pin` as people wrote it."""
    lines = [
        f"FROM {ground_image}",
        _run("/bin/sh", "/opt/atelier/python.sh", request, pin),
        f"ENV PATH={ENVIRONMENT}/bin:$PATH",
    ]
    return Recipe("\n".join(lines) + "\n")


def conda(ground_image: str, lock: str) -> Recipe:
    """The conda packages, laid out beside the Dockerfile in `env`; the lock tells the cache whether they are the same."""
    lines = [
        f"FROM {ground_image}",
        "COPY conda.lock /opt/atelier/conda.lock",
        f"COPY env {ENVIRONMENT}",
        f"ENV PATH={ENVIRONMENT}/bin:$PATH",
    ]
    return Recipe("\n".join(lines) + "\n", {"conda.lock": lock.encode()})


def split(lock: str) -> tuple[str, str]:
    """A lock's lines in two: the large packages, the rest."""
    large: list[str] = []
    rest: list[str] = []
    for line in lock.splitlines():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        (large if name and canonicalize_name(name.group(0)) in LARGE else rest).append(line)
    return "".join(f"{line}\n" for line in large), "".join(f"{line}\n" for line in rest)


def packages(python_image: str, lock: str, options: Sequence[str], sdk: Path, labels: Mapping[str, str]) -> Recipe:
    """The packages of a lock and the SDK. `options` are uv's own (--no-binary …)."""
    large, rest = split(lock)
    files: dict[str, bytes | Path] = {"lock.txt": lock.encode(), sdk.name: sdk}
    lines = [f"FROM {python_image}"]
    for name, part in (("large.txt", large), ("rest.txt", rest)):
        if part.strip():
            files[name] = part.encode()
            lines += [
                f"COPY {name} /opt/atelier/{name}",
                _run("/bin/sh", "/opt/atelier/install.sh", f"/opt/atelier/{name}", *options),
            ]
    lines.append(f"COPY lock.txt {sdk.name} /opt/atelier/")
    return Recipe("\n".join([*lines, *_last_layer(PYTHON, sdk, labels)]) + "\n", files)


def user_managed(ground_image: str, interpreter: str, sdk: Path, labels: Mapping[str, str]) -> Recipe:
    """The SDK into an image whose Python its user manages."""
    lines = [f"FROM {ground_image}", f"COPY {sdk.name} /opt/atelier/", *_last_layer(interpreter, sdk, labels)]
    return Recipe("\n".join(lines) + "\n", {sdk.name: sdk})


def _last_layer(interpreter: str, sdk: Path, labels: Mapping[str, str]) -> list[str]:
    """Labels stand here: as an option of the build each would be a step of its own."""
    return [
        _run("/bin/sh", "/opt/atelier/sdk.sh", interpreter, f"/opt/atelier/{sdk.name}"),
        "USER 1000:1000",
        "LABEL " + " ".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items())),
    ]


def write(recipe: Recipe, folder: Path) -> None:
    """Lays a recipe out as a build context."""
    (folder / "Dockerfile").write_text(recipe.dockerfile)
    for name, content in recipe.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        # Equal modes give equal layers, whatever this process's umask is.
        target.chmod(0o755 if name in recipe.executable else 0o644)
