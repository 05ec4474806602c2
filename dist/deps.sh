#!/bin/sh
# deps.sh [--optional] GROUP…: have the commands that building (build), testing (test), the
# demo (demo), the benchmarks (bench) and a virtual machine for tests (vm) need.
#
# On Debian and Ubuntu as root it installs the packages that are missing, by name. Elsewhere,
# and for ordinary users, it names the missing commands and stops; with --optional it names
# them and goes on. It asks the network nothing when nothing is missing.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

# package:command that shows it is there
table() {
  case $1 in
    build) echo make:make git:git ;;
    test)  echo systemd-container:systemd-nspawn debootstrap:debootstrap util-linux:unshare procps:pgrep \
                iproute2:ip e2fsprogs:mkfs.ext4 busybox-static:busybox docker-registry:docker-registry \
                skopeo:skopeo umoci:umoci runc:runc python3:python3 curl:curl jq:jq dpkg:dpkg-deb apt:apt-get \
                buildah:buildah gnupg:gpg gnupg:gpgconf openssl:openssl xz-utils:xz bzip2:bzip2 ;;
    demo)  echo systemd-container:systemd-nspawn debootstrap:debootstrap util-linux:setpriv procps:pgrep \
                busybox-static:busybox docker-registry:docker-registry curl:curl dpkg:dpkg-deb apt:apt-get \
                gnupg:gpg gnupg:gpgconf ;;
    bench) echo systemd-container:systemd-nspawn debootstrap:debootstrap procps:pgrep docker-registry:docker-registry \
                podman:podman crun:crun netavark:/usr/lib/podman/netavark iproute2:ip nftables:nft skopeo:skopeo umoci:umoci busybox-static:busybox curl:curl jq:jq ;;
    vm)    echo qemu-system-x86:qemu-system-x86_64 util-linux:setpriv dpkg:dpkg-deb ;;
    *) echo "deps.sh: unknown group $1 (build, test, demo, bench, vm)" >&2; exit 2 ;;
  esac
}

optional=
[ "${1:-}" = --optional ] && { optional=yes; shift; }
[ $# -gt 0 ] || { echo "usage: deps.sh [--optional] build|test|demo|bench|vm…" >&2; exit 2; }
wanted=
for group in "$@"; do wanted="$wanted $(table "$group")"; done

# Commands decide, not the package database: what was built from source counts too.
absent() {
  for pair in $wanted; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair#*:}" >/dev/null || echo "$pair"
  done | sort -u
}

status=0
missing=$(absent)
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  packages=$(for pair in $missing; do echo "${pair%%:*}"; done | sort -u | tr '\n' ' ')
  echo "deps: installing $packages"
  # Nothing may start as a service because a test wants its program.
  guard=/usr/sbin/policy-rc.d
  if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard"; chmod 755 "$guard"
    trap 'rm -f "$guard"' EXIT INT TERM
  fi
  log=$(mktemp)
  # The lists may be absent or old: try with those that are there first.
  # shellcheck disable=SC2086
  apt-get install -y --no-install-recommends $packages >"$log" 2>&1 || {
    apt-get update >>"$log" 2>&1 && apt-get install -y --no-install-recommends $packages >>"$log" 2>&1
  } || { tail -20 "$log" >&2; echo "deps: apt-get failed, its output is in $log" >&2; exit 1; }
  rm -f "$log"
  case " $packages" in *" docker-registry "*)
    ! command -v systemctl >/dev/null || systemctl disable --quiet docker-registry.service 2>/dev/null || : ;;
  esac
  missing=$(absent)
fi
for pair in $missing; do
  echo "deps: missing command ${pair#*:} (Debian package ${pair%%:*})" >&2
  status=1
done

# Go is no package: Debian's is too old.
case " $* " in *" build "*)
  if ! command -v go >/dev/null; then
    echo "deps: missing command go (1.26 or newer, https://go.dev/dl)" >&2
    exit 1
  fi ;;
esac
[ -n "$optional" ] || exit $status
