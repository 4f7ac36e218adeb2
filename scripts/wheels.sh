#!/usr/bin/env bash
# The two wheels of the curated environment AzureML-PyTorch: PyTorch for CPUs and Horovod built against it with Open MPI.
#
# Horovod 0.28.1 (its last release) asks for C++14, the headers of today's PyTorch need C++17: the CMakeLists.txt that set
# the standard are raised, nothing else is changed. The build takes about four minutes on two cores, once: the wheel's
# name says what it was built against, and an existing one is kept. The last line printed is the folder with the wheels,
# which ATELIER_FIND_LINKS takes.
#
#   scripts/wheels.sh [folder]         default: ~/.cache/atelier/wheels
#   TORCH_INDEX_URL=…                  where the CPU build of PyTorch is, if pip's own settings do not lead to it
#   PYTHON=python3.11                  the Python that the wheels are for: the minor version of the base image's Python
set -euo pipefail

TORCH=2.13.0
HOROVOD=0.28.1
PYTHON=${PYTHON:-python3.11}
wheels=${1:-${ATELIER_WHEELS:-$HOME/.cache/atelier/wheels}}

say() { printf 'wheels: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

command -v "$PYTHON" >/dev/null || die "$PYTHON is not here; set PYTHON to a Python of the base image's minor version."
mkdir -p "$wheels"
wheels=$(cd "$wheels" && pwd)
tag=$("$PYTHON" -c 'import sys; print(f"cp{sys.version_info[0]}{sys.version_info[1]}")')

# One build at a time: a second caller waits and then finds the wheel.
exec 9>"$wheels/.lock"
flock 9

found() { compgen -G "$wheels/$1" >/dev/null; }

if ! found "torch-$TORCH*-$tag-$tag-*.whl"; then
  say "fetching PyTorch $TORCH"
  index=()
  [ -n "${TORCH_INDEX_URL:-}" ] && index=(--index-url "$TORCH_INDEX_URL")
  fetch=$(mktemp -d "$wheels/.fetch.XXXXXX")
  trap 'rm -rf "$fetch"' EXIT
  "$PYTHON" -m pip download -q --no-deps --only-binary :all: "${index[@]}" -d "$fetch" "torch==$TORCH" ||
    die "PyTorch $TORCH for $tag cannot be fetched. Set TORCH_INDEX_URL to an index that has its CPU build."
  mv "$fetch"/torch-*.whl "$wheels/"
  rmdir "$fetch"
fi

if ! found "horovod-$HOROVOD+torch$TORCH-$tag-$tag-*.whl"; then
  missing=()
  command -v mpicxx >/dev/null || missing+=(libopenmpi-dev openmpi-bin)
  command -v cmake >/dev/null || missing+=(cmake)
  command -v g++ >/dev/null || missing+=(g++ make)
  [ ${#missing[@]} -eq 0 ] || die "Building Horovod needs: apt-get install ${missing[*]}"
  build=$(mktemp -d)
  trap 'rm -rf "$build"' EXIT
  "$PYTHON" -m venv "$build/venv"
  # setuptools: PyTorch's own extension helpers and Horovod's setup.py import it; below 81 it still has pkg_resources.
  "$build/venv/bin/python" -m pip install -q --find-links "$wheels" "torch==$TORCH" \
    'setuptools<81' wheel packaging cloudpickle psutil pyyaml cffi
  "$build/venv/bin/python" -m pip download -q --no-deps --no-build-isolation --no-binary :all: -d "$build" "horovod==$HOROVOD"
  tar -xzf "$build/horovod-$HOROVOD.tar.gz" -C "$build"
  source=$build/horovod-$HOROVOD
  # The top file, the torch binding's and that of Gloo inside it each set a standard; one for all keeps their ABI the same.
  sed -i -E 's/(CMAKE_CXX_STANDARD) 14/\1 17/; s/std=c\+\+14/std=c++17/g' "$source/CMakeLists.txt" "$source/horovod/torch/CMakeLists.txt"
  sed -i -E 's/-std=c\+\+11 -fPIC/-std=c++17 -fPIC/' "$source/third_party/gloo/CMakeLists.txt"
  say "building Horovod $HOROVOD against PyTorch $TORCH (about four minutes on two cores)"
  log=$wheels/horovod-build.log
  HOROVOD_LOCAL_VERSION="torch$TORCH" HOROVOD_WITH_PYTORCH=1 HOROVOD_WITH_MPI=1 HOROVOD_WITH_GLOO=1 \
    HOROVOD_WITHOUT_TENSORFLOW=1 HOROVOD_WITHOUT_MXNET=1 PATH="$build/venv/bin:$PATH" \
    "$build/venv/bin/python" -m pip wheel --no-deps --no-build-isolation -w "$build/out" "$source" >"$log" 2>&1 ||
    { tail -n 30 "$log" >&2; die "Horovod did not build; the whole log is $log"; }
  mv "$build"/out/horovod-*.whl "$wheels/"
  rm -f "$log"
fi

echo "$wheels"
