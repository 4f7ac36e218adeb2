#!/usr/bin/env bash
# The services of the whole test suite, private to this checkout: PostgreSQL, Redis, a Docker Engine with an offline
# base image, and the programs that tests start themselves (Chromium, docker-registry, mpirun).
#
#   scripts/services.sh          install what is missing (apt), start what is not running, write var/services/env
#   scripts/services.sh stop     end what was started here, by process id
#   scripts/services.sh status   one line per service
#
# Everything lives under var/services: nothing listens on a standard port, no system service is started or changed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
here=$root/var/services
# Two checkouts on one machine must not share a bridge or a socket: names carry a digest of the path.
digest=$(printf %s "$root" | sha256sum | cut -c1-6)

say() { printf '%s\n' "services: $*"; }
die() { printf '%s\n' "services: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this needs root: run it as root, or install sudo (it wanted: $*)"; fi
}

# alive PIDFILE WORD: the process is there, and it is the program we started, not a later owner of the number.
alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q -- "$2"
}

wait_for() { # wait_for SECONDS SENTENCE COMMAND…
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || die "$what"
    sleep 0.1
  done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
secret() { python3 -c 'import secrets; print(secrets.token_hex(16))'; }
kept() { # kept NAME COMMAND: a value made once and read again afterwards (ports, passwords)
  [ -s "$here/$1" ] || (umask 077 && $2 >"$here/$1")
  cat "$here/$1"
}

program() { # program NAME…: the first that is installed, looking where Debian hides the servers too
  local name
  for name in "$@"; do PATH=$PATH:/usr/sbin:/sbin command -v "$name" && return; done
  return 1
}
postgres_bin() {
  local folder
  for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V -r) $(dirname "$(command -v initdb || echo /none/x)"); do
    [ -x "$folder/initdb" ] && { echo "$folder"; return; }
  done
  return 1
}

# The headless shell is Chromium without the windows around its pages, which took a third of the tests' time in it.
browser() { program chromium-headless-shell chromium chromium-browser google-chrome; }

install_missing() {
  local want=()
  command -v python3 >/dev/null || want+=(python3)
  postgres_bin >/dev/null || want+=(postgresql)
  program redis-server >/dev/null || want+=(redis-server)
  program dockerd >/dev/null || want+=(docker.io)
  program docker >/dev/null || want+=(docker.io)
  program iptables >/dev/null || want+=(iptables)
  program ip >/dev/null || want+=(iproute2)
  program debootstrap >/dev/null || want+=(debootstrap)
  program docker-registry >/dev/null || want+=(docker-registry)
  program mpirun >/dev/null || want+=(openmpi-bin)
  # What scripts/wheels.sh compiles Horovod with.
  program mpicxx >/dev/null || want+=(libopenmpi-dev)
  program cmake >/dev/null || want+=(cmake)
  program g++ >/dev/null || want+=(g++ make)
  browser >/dev/null || want+=(chromium-headless-shell fonts-dejavu-core)
  [ ${#want[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "missing: ${want[*]}. They are installed by apt on Debian and Ubuntu only; install them yourself and start this again."
  say "installing ${want[*]} (apt; a few minutes the first time)"
  # The packages would start system services on the standard ports; a policy of 101 keeps Debian from doing so.
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
    trap "as_root rm -f $policy" EXIT
  fi
  as_root apt-get update -qq || die "apt-get update failed: the package lists cannot be read (is the network there?)"
  apt-cache show chromium-headless-shell >/dev/null 2>&1 || want=("${want[@]/#chromium-headless-shell/chromium}")
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${want[@]}" >"$here/apt.log" 2>&1 \
    || die "apt-get install failed; the reason is at the end of $here/apt.log"
  [ -e $policy ] && grep -q 'exit 101' $policy && { as_root rm -f $policy; trap - EXIT; }
  return 0
}

start_postgres() {
  local bin port password data run owner
  bin=$(postgres_bin)
  port=$(kept postgres.port free_port)
  password=$(kept postgres.password secret)
  data=$here/postgres
  # PostgreSQL refuses to run as root. Its own user must be able to reach the folder, which it cannot below /root.
  owner=$(id -un)
  if [ "$(id -u)" = 0 ]; then
    owner=postgres
    id postgres >/dev/null 2>&1 || die "there is no user 'postgres' to run PostgreSQL as; install the package postgresql"
    if ! runuser -u postgres -- test -x "$here"; then data=/var/tmp/atelier-$digest-postgres; fi
  fi
  run=$data.run # sockets: a short path where the checkout's is long (a socket's name ends at 107 bytes)
  [ ${#run} -lt 80 ] || run=/tmp/atelier-$digest-pg
  run_as() { if [ "$(id -un)" = "$owner" ]; then "$@"; else (cd / && runuser -u "$owner" -- "$@"); fi; }
  if [ ! -s "$data/PG_VERSION" ]; then
    say "making a PostgreSQL cluster"
    rm -rf "$data"
    mkdir -p "$data"
    chmod 700 "$data"
    chown "$owner" "$data"
    local file
    file=$(mktemp)
    printf '%s\n' "$password" >"$file"
    chown "$owner" "$file"
    run_as "$bin/initdb" -D "$data" -U atelier --pwfile="$file" -A scram-sha-256 -E UTF8 --locale=C.UTF-8 --no-sync >"$here/initdb.log" 2>&1 \
      || die "initdb failed; see $here/initdb.log"
    rm -f "$file"
    # Tests throw their databases away: a crash may lose them, so nothing waits for the disk.
    cat >>"$data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 300
shared_buffers = 128MB
CONF
  fi
  mkdir -p "$run"
  chown "$owner" "$run"
  if ! alive "$data/postmaster.pid.first" postgres; then
    if python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; then
      rm -f "$here/postgres.port"
      port=$(kept postgres.port free_port)
    fi
    rm -f "$data/postmaster.pid"
    : >"$here/postgres.log"
    chown "$owner" "$here/postgres.log"
    run_as "$bin/postgres" -D "$data" -p "$port" -k "$run" >>"$here/postgres.log" 2>&1 </dev/null 9>&- &
    disown
    wait_for 30 "PostgreSQL did not start; see $here/postgres.log" test -s "$data/postmaster.pid"
    head -1 "$data/postmaster.pid" >"$data/postmaster.pid.first"
  fi
  wait_for 30 "PostgreSQL does not answer on port $port; see $here/postgres.log" \
    env PGPASSWORD="$password" "$bin/psql" -h 127.0.0.1 -p "$port" -U atelier -d postgres -c 'select 1'
  ln -sfn "$data/postmaster.pid.first" "$here/postgres.pid"
  echo "TEST_POSTGRES_URL=postgres://atelier:$password@127.0.0.1:$port/postgres" >>"$here/env.new"
  say "PostgreSQL on 127.0.0.1:$port"
}

start_redis() {
  local port password
  port=$(kept redis.port free_port)
  password=$(kept redis.password secret)
  if ! alive "$here/redis.pid" redis-server; then
    if python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; then
      rm -f "$here/redis.port"
      port=$(kept redis.port free_port)
    fi
    # The password goes in by standard input: a command line can be read by everybody.
    printf 'port %s\nbind 127.0.0.1\nrequirepass %s\nsave ""\nappendonly no\ndir %s\n' "$port" "$password" "$here" \
      | "$(program redis-server)" - >"$here/redis.log" 2>&1 9>&- &
    echo $! >"$here/redis.pid"
    disown
  fi
  wait_for 15 "Redis does not answer on port $port; see $here/redis.log" \
    python3 -c "import socket; s = socket.create_connection(('127.0.0.1', $port), 1); s.sendall(b'AUTH $password\r\n'); assert s.recv(9).startswith(b'+OK')"
  echo "TEST_REDIS_URL=redis://:$password@127.0.0.1:$port/0" >>"$here/env.new"
  say "Redis on 127.0.0.1:$port"
}

bridge_network() { # the second number of a 10.x.0.0/16 that no route of this machine uses
  local n=$((0x$(printf %s "$digest" | cut -c1-2) % 100 + 100)) tried=0
  while ip -4 route | grep -q "^10\.$n\." && [ $tried -lt 100 ]; do n=$((n % 100 + 101)) tried=$((tried + 1)); done
  echo $n
}

start_docker() {
  local socket=$here/docker.sock bridge=atl$digest net
  [ ${#socket} -lt 100 ] || socket=/tmp/atelier-$digest-docker.sock
  if ! as_root true 2>/dev/null; then die "the Docker Engine needs root: run make services as root or with sudo installed"; fi
  if ! alive "$here/docker.pid" dockerd; then
    net=$(ip -4 -o addr show dev "$bridge" 2>/dev/null | sed -n 's/.*inet 10\.\([0-9]*\)\..*/\1/p' || true)
    [ -n "$net" ] || net=$(bridge_network)
    # An engine of its own on a bridge of its own, so that it can run beside one that is already there.
    if ! ip link show "$bridge" >/dev/null 2>&1; then
      as_root ip link add name "$bridge" type bridge
      as_root ip addr add "10.$net.128.1/20" dev "$bridge"
      as_root ip link set "$bridge" up
    fi
    as_root mkdir -p "$here/docker" "$here/docker-run"
    as_root rm -f "$here/docker.pid" "$socket"
    # A run has a network of its own: small ranges, so that hundreds fit (the default pools end after thirty).
    as_root "$(program dockerd)" --host "unix://$socket" --group "$(id -gn)" --data-root "$here/docker" --exec-root "$here/docker-run" \
      --pidfile "$here/docker.pid" --bridge "$bridge" --default-address-pool "base=10.$net.0.0/17,size=26" \
      >"$here/docker.log" 2>&1 </dev/null 9>&- &
    disown
  fi
  export DOCKER_HOST=unix://$socket
  wait_for 60 "the Docker Engine does not answer; see $here/docker.log" docker version
  echo "DOCKER_HOST=$DOCKER_HOST" >>"$here/env.new"
  say "Docker Engine on $DOCKER_HOST"
  local image bundle
  image=${ATELIER_BASE_IMAGE:-atelier-base:local}
  bundle=$(host_bundle)
  ATELIER_BASE_IMAGE=$image ATELIER_CA_BUNDLE=$bundle scripts/base-image.sh
  echo "ATELIER_BASE_IMAGE=$image" >>"$here/env.new"
  # Not the machine's plain bundle: only one that holds more than the distribution's authorities needs passing on.
  [ -z "$bundle" ] || echo "ATELIER_CA_BUNDLE=$bundle" >>"$here/env.new"
}

host_bundle() { # the bundle that builds must carry: the one asked for, else the host's where it has authorities of its own
  if [ -n "${ATELIER_CA_BUNDLE:-}" ]; then echo "$ATELIER_CA_BUNDLE"
  elif [ -n "$(find /usr/local/share/ca-certificates -name '*.crt' 2>/dev/null | head -1)" ]; then echo /etc/ssl/certs/ca-certificates.crt
  elif [ -n "${SSL_CERT_FILE:-}" ]; then echo "$SSL_CERT_FILE"; fi
}

write_programs() {
  local registry mpirun
  echo "CHROMIUM=$(browser)" >>"$here/env.new"
  registry=$(program docker-registry) && echo "DOCKER_REGISTRY=$registry" >>"$here/env.new"
  mpirun=$(program mpirun) && echo "MPIRUN=$mpirun" >>"$here/env.new"
  return 0
}

make_wheels() { # PyTorch and Horovod for the distributed tests; compiled once and kept in ~/.cache/atelier/wheels
  local wheels python
  python=$(program python3.11 python3)
  if wheels=$(PYTHON=$python scripts/wheels.sh ${ATELIER_WHEELS:+"$ATELIER_WHEELS"}); then
    echo "ATELIER_WHEELS=$(tail -1 <<<"$wheels")" >>"$here/env.new"
  else
    say "no wheels of PyTorch and Horovod (the reason stands above): tests of distributed training are left out"
  fi
}

make_community() { # interpret-community for the tests of its explainers; fetched once and kept in ~/.cache/atelier
  local folder
  if folder=$(scripts/community.sh ${ATELIER_COMMUNITY:+"$ATELIER_COMMUNITY"}); then
    echo "ATELIER_COMMUNITY=$(tail -1 <<<"$folder")" >>"$here/env.new"
  else
    say "no interpret-community (the reason stands above): tests of its explainers are left out"
  fi
}

stop_one() { # stop_one NAME PIDFILE WORD [SIGNAL]
  local pid
  if alive "$2" "$3"; then
    pid=$(cat "$2")
    say "stopping $1 ($pid)"
    as_root kill -"${4:-TERM}" "$pid"
    wait_for 40 "$1 ($pid) did not end" sh -c "! kill -0 $pid 2>/dev/null && ! test -d /proc/$pid"
  fi
}

command=${1:-start}
mkdir -p "$here"
chmod 755 "$here"
exec 9>"$here/lock"
command -v flock >/dev/null && flock 9
case $command in
  start)
    started=$SECONDS
    install_missing
    (umask 077 && : >"$here/env.new")
    start_postgres
    start_redis
    start_docker
    write_programs
    make_wheels
    make_community
    mv "$here/env.new" "$here/env"
    say "ready after $((SECONDS - started)) s; the addresses are in var/services/env"
    ;;
  stop)
    stop_one "Docker Engine" "$here/docker.pid" dockerd
    stop_one Redis "$here/redis.pid" redis-server
    stop_one PostgreSQL "$here/postgres.pid" postgres INT
    if ip link show "atl$digest" >/dev/null 2>&1; then as_root ip link delete "atl$digest"; fi
    rm -f "$here/env"
    ;;
  status)
    for line in "PostgreSQL postgres postgres" "Redis redis redis-server" "Docker docker dockerd"; do
      read -r name file word <<<"$line"
      if alive "$here/$file.pid" "$word"; then say "$name runs (process $(cat "$here/$file.pid"))"; else say "$name does not run"; fi
    done
    ;;
  *) die "unknown command '$command': start, stop or status" ;;
esac
