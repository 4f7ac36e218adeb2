#!/bin/sh
# The SDK and the agent, the last layer:  sdk.sh <python> <wheel>
set -eu
export NO_COLOR=1 UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never
python=$(command -v "$1" || true)
if [ -z "$python" ] && [ "$1" = python ]; then python=$(command -v python3 || true); fi
if [ -z "$python" ]; then
  echo "Python $1 can't be had in this image, which manages its own; set interpreter_path to the Python inside it."
  exit 3
fi
constraint=
[ ! -f /opt/atelier/lock.txt ] || constraint='--constraint /opt/atelier/lock.txt'
# shellcheck disable=SC2086 # two words or none
/opt/atelier/bin/uv pip install --python "$python" --break-system-packages --no-config --no-cache --compile-bytecode \
  --index-url http://packages.atelier/simple $constraint "$2"
[ -f /opt/atelier/lock.txt ] || /opt/atelier/bin/uv pip freeze --python "$python" --no-config --quiet > /opt/atelier/lock.txt
