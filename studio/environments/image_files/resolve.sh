#!/bin/sh
# Exact versions for /opt/env's Python:  resolve.sh <options for uv…>  with /opt/atelier/wanted.in; the result ends the output.
set -eu
export NO_COLOR=1 UV_NO_PROGRESS=1
/opt/atelier/bin/uv pip compile /opt/atelier/wanted.in --python /opt/env/bin/python --no-config --cache-dir /tmp/uv \
  --no-header --no-annotate --quiet --index-url http://packages.atelier/simple "$@" -o /tmp/resolved.txt
echo '===== resolved ====='
cat /tmp/resolved.txt
