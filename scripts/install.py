"""Brings .venv to the pins of this checkout. Standard library only: it runs before anything is installed.

uv does the work (seconds where pip takes minutes) and pip is the fallback, because a site's pip settings may hold more
than uv understands.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = {
    "demo": ["requirements.txt", "demo/requirements.txt"],
    "dev": ["requirements-dev.txt", "demo/requirements.txt"],
}
NEEDED_BYTES = 2_000_000_000


def fingerprint(mode: str) -> str:
    """Changes whenever an environment of this mode has to be brought up to date."""
    digest = hashlib.sha256(sys.version.encode())
    for name in [*FILES[mode], "requirements.txt", "sdk/pyproject.toml"]:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()[:20]


def is_current(mode: str) -> bool:
    """True when the environment holds what `mode` needs; a development environment holds the demo's too."""
    stamps = [Path(sys.prefix, f".atelier-{name}") for name in {mode, "dev"}]
    return any(
        stamp.exists() and stamp.read_text() == fingerprint(stamp.name.removeprefix(".atelier-")) for stamp in stamps
    )


def settings_for_uv() -> dict[str, str]:
    """pip's own index and certificates in uv's words, so that a company's mirror is used without a second setting."""
    from_pip = dict(os.environ)
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    options = dict(re.findall(r"^(?:global|install)\.([\w-]+)='(.*)'$", listing, re.M))
    index = os.environ.get("PIP_INDEX_URL") or options.get("index-url")
    certificates = os.environ.get("PIP_CERT") or options.get("cert")
    if index:
        from_pip.setdefault("UV_DEFAULT_INDEX", index)
    if certificates:
        from_pip.setdefault("SSL_CERT_FILE", certificates)
    return from_pip


def install(mode: str) -> bool:
    """Install with uv, or with pip where uv cannot; True when it worked."""
    arguments = [part for name in FILES[mode] for part in ("-r", name)] + ["-e", "sdk"]
    environment = settings_for_uv()
    uv = Path(sys.prefix, "bin", "uv")
    pin = re.search(r"^uv==\S+", (ROOT / "requirements.txt").read_text(), re.M)
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    if not uv.exists() and pin:
        subprocess.run([*pip, pin.group()], cwd=ROOT, check=False)
    if uv.exists():
        command = [str(uv), "pip", "install", "--python", sys.executable, *arguments]
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0:
            return True
        print("uv could not install the requirements; trying pip, which reads all of pip's settings", flush=True)
    return subprocess.run([sys.executable, "-m", "pip", "install", *arguments], cwd=ROOT, check=False).returncode == 0


def main(mode: str) -> int:
    """Exit status: 0 when the environment is current."""
    if is_current(mode):
        return 0
    free = shutil.disk_usage(sys.prefix).free
    if free < NEEDED_BYTES:
        print(
            f"The disk that holds {sys.prefix} has {free / 1e9:.1f} GB free and the packages need about "
            f"{NEEDED_BYTES / 1e9:.0f} GB. Make room and start this again.",
            file=sys.stderr,
        )
        return 1
    started = time.monotonic()
    print(f"Installing {' and '.join(FILES[mode])} and the SDK into .venv (once; a minute or two)", flush=True)
    if not install(mode):
        print("The packages could not be installed; the reason stands above.", file=sys.stderr)
        return 1
    Path(sys.prefix, f".atelier-{mode}").write_text(fingerprint(mode))
    print(f"Installed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "demo"))
