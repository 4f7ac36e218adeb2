#!/bin/sh
# Exactly what a lock lists, into /opt/env:  install.sh <lock> <options for uv…>
set -eu
lock=$1
shift
export NO_COLOR=1 UV_NO_PROGRESS=1
grep -q '^[^#]' "$lock" || exit 0
exec /opt/atelier/bin/uv pip install --python /opt/env/bin/python --break-system-packages --no-config --no-cache --no-deps \
  --compile-bytecode --index-url http://packages.atelier/simple "$@" -r "$lock"
