"""Static files that a pinned package ships: plotly.js out of the plotly wheel, and nothing else of it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

FILES = {"plotly/plotly.min.js": ("plotly", "package_data/plotly.min.js")}


def _folder(package: str) -> Path:
    # find_spec does not import the package: plotly takes a third of a second and 40 MB.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"The package {package} is not installed; run: pip install -r requirements.txt")
    return Path(next(iter(spec.submodule_search_locations)))


class PackageFinder(BaseFinder):
    """Finds FILES where their packages are installed."""

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """The file behind a static path, [] when it is none of ours."""
        if path not in FILES:
            return []
        package, inside = FILES[path]
        found = str(_folder(package) / inside)
        return [found] if find_all else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterable[tuple[str, FileSystemStorage]]:
        """Every file with a storage that knows it under its static path."""
        for path, (package, inside) in FILES.items():
            storage = FileSystemStorage(location=str((_folder(package) / inside).parent))
            storage.prefix = Path(path).parent.as_posix()  # type: ignore[attr-defined]  # as Django's own finders do
            yield Path(path).name, storage
