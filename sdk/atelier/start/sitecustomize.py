"""Where the SDK lies on PYTHONPATH, Python looks for this at its start. Then comes the one that it stands before."""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from os.path import dirname, realpath

import atelier.early  # noqa: F401 - to be imported is all it needs

_here = realpath(dirname(__file__))  # noqa: PTH120 - pathlib would cost every start 10 ms
_next = PathFinder.find_spec("sitecustomize", [folder for folder in sys.path if realpath(folder or ".") != _here])
if _next is not None and _next.loader is not None:
    _next.loader.exec_module(module_from_spec(_next))
