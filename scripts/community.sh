#!/usr/bin/env bash
# interpret-community beside the interpret and shap of requirements: its explainers, for the tests that use the real ones.
#
# Its last release pins interpret-core 0.6 and shap 0.46, whose compiled parts do not run on today's numpy; its own code
# runs on today's interpret and shap, so it is put into a folder of its own without what it would bring. The last line
# printed is that folder, for PYTHONPATH.
#
#   scripts/community.sh [folder]      default: ~/.cache/atelier/interpret-community
#   PYTHON=…                           the Python to install with; default: this checkout's, else python3
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-${ATELIER_COMMUNITY:-$HOME/.cache/atelier/interpret-community}}
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
packages=(interpret-community==0.32.0 ml-wrappers==0.6.4 raiutils==0.4.2 lightgbm==4.7.0)

mkdir -p "$folder"
exec 9>"$folder/.lock" # one install at a time: a second caller waits and then finds it
flock 9
if [ "$(cat "$folder/.made" 2>/dev/null)" != "${packages[*]}" ]; then
  "$python" -m pip install -q --disable-pip-version-check --no-deps --upgrade --target "$folder" "${packages[@]}" >&2 ||
    { echo "community: ${packages[0]} cannot be fetched from the package index." >&2; exit 1; }
  echo "${packages[*]}" >"$folder/.made"
fi
printf '%s\n' "$folder"
