#!/bin/sh
# Makes /opt/env with a Python of the base image:  python.sh <uv's request, such as 3.11> <the pin as people wrote it>
set -eu
export UV_PYTHON_DOWNLOADS=never NO_COLOR=1
uv=/opt/atelier/bin/uv
if ! "$uv" python find --quiet "$1" >/dev/null 2>&1; then
  there=$("$uv" python list --only-installed 2>/dev/null | sed -n 's/^cpython-\([0-9.]*\)-.*/\1/p' | sort -u | tr '\n' ' ' | sed 's/ *$//; s/ /, /g')
  echo "Python $2 can't be had in this base image; there is ${there:-none}."
  exit 3
fi
exec "$uv" venv --no-config --no-cache --python "$1" /opt/env
