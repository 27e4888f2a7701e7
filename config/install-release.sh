#!/bin/sh
# Installs a wheel as a release of its own below /opt/golive, and then golive into the system.
# Releases lie side by side: the daemon that runs goes on from its own files until it is restarted,
# and going back is a link.
#
# usage: install-release.sh WHEEL REQUIREMENTS [ROOT]
#
# ROOT: an image's folder, such as debootstrap makes; it needs python3-venv, nginx and
# libnginx-mod-rtmp. Its own Python fetches the packages, over this machine's network.
set -eu

wheel=$1
requirements=$2
root=${3:-}
home=/opt/golive
python=${PYTHON:-python3}

digest=$(sha256sum "$wheel" | cut -c1-12)
version=$(basename "$wheel" | cut -d- -f2)
release=$home/releases/$version-$digest

there() {
    if [ -n "$root" ]; then
        # systemd's tools want to see /proc; it is mounted for this command alone.
        # shellcheck disable=SC2016 # the inner shell's words
        PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare --mount sh -c \
            'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@"
    else
        "$@"
    fi
}

if [ "$(id -u)" -ne 0 ]; then
    echo 'Please run as root: sudo make install' >&2
    exit 1
fi

if [ ! -e "$root$release/.complete" ]; then
    echo "Installing the Python packages into $release"
    rm -rf "$root$release"
    mkdir -p "$root$release"
    carried=$(mktemp -d "$root/tmp/golive-install.XXXXXX")
    trap 'rm -rf "$carried"' EXIT
    trap 'exit 1' HUP INT TERM
    cp "$wheel" "$requirements" "$carried"
    there "$python" -m venv "$release"
    there "$release/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
        --require-hashes --requirement "${carried#"$root"}/$(basename "$requirements")"
    there "$release/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
        --no-deps --no-index "${carried#"$root"}/$(basename "$wheel")"
    touch "$root$release/.complete"
fi

ln -sfn "releases/$version-$digest" "$root$home/current.new"
mv -T "$root$home/current.new" "$root$home/current"
there "$release/bin/golive" install
