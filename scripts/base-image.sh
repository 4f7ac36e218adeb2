#!/usr/bin/env bash
# Makes the base image of jobs without pulling any: debootstrap a minimal Debian with Python, then `docker import`.
#
# ATELIER_BASE_IMAGE      its name (default atelier-base:local)
# ATELIER_CA_BUNDLE       certificates that the image must trust (a company's proxy or index)
# ATELIER_DEBIAN_MIRROR   where the packages come from (default: the mirror that this machine's apt uses)
# ATELIER_DEBIAN_SUITE    which release (default: this machine's)
# Skipped when an image of that name made from the same script, suite and certificates is there.
set -euo pipefail
image=${ATELIER_BASE_IMAGE:-atelier-base:local}
bundle=${ATELIER_CA_BUNDLE:-}
say() { printf '%s\n' "base image: $*"; }
die() { printf '%s\n' "base image: $*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# What jobs need: Python with venv (environments are made inside), Open MPI with ssh (distributed jobs), certificates.
packages=ca-certificates,python3,python3-venv,openmpi-bin,openssh-client,openssh-server,libgomp1,iproute2,procps
suite=${ATELIER_DEBIAN_SUITE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}
[ -n "$suite" ] || die "this machine does not tell its release; set ATELIER_DEBIAN_SUITE (for example bookworm) and ATELIER_DEBIAN_MIRROR"
if [ -n "$bundle" ] && [ ! -r "$bundle" ]; then die "ATELIER_CA_BUNDLE names $bundle, which cannot be read"; fi

made_from=$({ cat "$0"; echo "$suite"; [ -z "$bundle" ] || cat "$bundle"; } | sha256sum | cut -c1-32)
if [ "$(docker image inspect --format '{{index .Config.Labels "atelier.made-from"}}' "$image" 2>/dev/null)" = "$made_from" ]; then
  say "$image is current"
  exit 0
fi

# The mirror is the one that apt uses for this release, whichever that is.
mirror=${ATELIER_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 2>/dev/null | awk -v s="$suite" '$2 == s && $3 == "main" {print $1; exit}')}
[ -n "$mirror" ] || die "apt knows no source of $suite; set ATELIER_DEBIAN_MIRROR to a mirror that has it"
command -v debootstrap >/dev/null || PATH=$PATH:/usr/sbin
command -v debootstrap >/dev/null || die "debootstrap is missing; install it (apt-get install debootstrap)"

folder=$(mktemp -d "${TMPDIR:-/var/tmp}/atelier-base.XXXXXX")
log=$folder.log
trap 'as_root rm -rf "$folder"' EXIT
say "making $image: a minimal $suite with Python (about a minute)"
# Downloaded packages are kept, so that a new certificate does not fetch them again.
cache=$PWD/var/services/debs
mkdir -p "$cache"
as_root debootstrap --variant=minbase --cache-dir="$cache" --include="$packages" "$suite" "$folder/root" "$mirror" >"$log" 2>&1 \
  || { tail -5 "$log" >&2; die "debootstrap failed; the whole log is $log"; }
python=$(as_root chroot "$folder/root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$(printf '%s\n' 3.11 "$python" | sort -V | head -1)" = 3.11 ] || die "$suite has Python $python; jobs need 3.11 or newer: set ATELIER_DEBIAN_SUITE and ATELIER_DEBIAN_MIRROR to a newer release"

if [ -n "$bundle" ]; then
  # Each certificate that the image lacks becomes a file of its own, so that update-ca-certificates keeps it for good.
  as_root python3 - "$bundle" "$folder/root" <<'PY'
import pathlib, re, sys
pem = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.S)
bundle, root = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
strip = lambda text: {"".join(c.split()): c for c in pem.findall(text)}
known = strip((root / "etc/ssl/certs/ca-certificates.crt").read_text())
folder = root / "usr/local/share/ca-certificates/atelier"
folder.mkdir(parents=True, exist_ok=True)
for number, (key, text) in enumerate(strip(bundle.read_text()).items()):
    if key not in known:
        (folder / f"{number:03d}.crt").write_text(text.rstrip() + "\n")
PY
  as_root chroot "$folder/root" update-ca-certificates >>"$log" 2>&1
fi
# `python` as well as `python3`; nothing that only a workstation reads.
as_root ln -sfn python3 "$folder/root/usr/bin/python"
as_root rm -rf "$folder/root/var/cache/apt" "$folder/root/var/lib/apt/lists" "$folder/root/usr/share/doc" "$folder/root/usr/share/man" \
  "$folder/root/usr/share/locale" "$folder/root/var/log" "$folder/root/etc/ssh"/ssh_host_*
as_root mkdir -p "$folder/root/var/log" "$folder/root/var/cache/apt/archives/partial" "$folder/root/var/lib/apt/lists/partial"
as_root rm -f "$folder/root/etc/hostname" "$folder/root/etc/resolv.conf"
certs=/etc/ssl/certs/ca-certificates.crt
as_root tar -C "$folder/root" --numeric-owner -c . | docker import \
  --change "LABEL atelier.made-from=$made_from" --change "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
  --change "ENV LANG=C.UTF-8" --change "ENV SSL_CERT_FILE=$certs" --change "ENV REQUESTS_CA_BUNDLE=$certs" --change "ENV PIP_CERT=$certs" \
  --change 'CMD ["/bin/bash"]' - "$image" >/dev/null
rm -f "$log"
say "$image is ready (Python $python, $(docker image inspect --format '{{.Size}}' "$image" | awk '{printf "%d MB", $1 / 1000000}'))"
