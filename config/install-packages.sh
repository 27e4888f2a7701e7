#!/bin/sh
# Installs those of the named Debian packages that are missing, without a question, and without
# starting or enabling a system service: golive runs nginx (and its tests PostgreSQL and Redis)
# by itself, from its own folders.
#
# usage: install-packages.sh PACKAGE...
set -eu

services="nginx postgresql redis-server prometheus"
missing=""

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

for package in "$@"; do
    if ! installed "$package"; then
        missing="$missing $package"
    fi
done
missing="${missing# }"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Please install what this system calls: $missing" >&2
    exit 1
fi

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}
if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    echo "Please run as root: apt-get install $missing" >&2
    exit 1
fi

# Only services that were not there before are ours to disable.
disable=""
for service in $services; do
    case " $missing " in
        *" $service "*) disable="$disable $service" ;;
        *) [ "$service" != nginx ] || installed nginx-common || disable="$disable nginx" ;;
    esac
done

# The system asks this program whether a package may start its service: 101 is no.
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM
if [ ! -e "$policy" ]; then
    trap 'rm -f "$log"; as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
fi

apt_install() {
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get install --yes --no-install-recommends -qq \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 $missing </dev/null >"$log" 2>&1
}

known() {
    # shellcheck disable=SC2086 # a list of words
    [ "$(apt-cache madison $missing 2>/dev/null | cut -d'|' -f1 | sort -u | wc -l)" -ge \
        "$(echo "$missing" | wc -w)" ]
}

echo "Installing $missing"
# The package lists are fetched when they are missing or too old to find the packages.
if ! known || ! apt_install; then
    as_root apt-get update -qq -o DPkg::Lock::Timeout=300
    if ! apt_install; then
        cat "$log" >&2
        exit 1
    fi
fi

for service in $disable; do
    if command -v systemctl >/dev/null; then
        as_root systemctl disable --quiet "$service" || true
    elif command -v update-rc.d >/dev/null; then
        as_root update-rc.d "$service" disable || true
    fi
done
