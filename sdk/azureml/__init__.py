"""The names that scripts and notebooks of the Azure ML SDK v1 import, for an Atelier server.

Written from public documentation and examples. Nothing here has logic of its own: each name is one of `atelier`, and
names of parts that the server does not have can be imported and are refused, with what to do instead, when used.
"""

from azureml import _later, _names

_later.install()
_names.install()
