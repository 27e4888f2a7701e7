#!/bin/sh
# Prints where tests keep what they write: in memory where 8 GiB of it are free, since a disk that others
# write to can hold a commit up for seconds; else where temporary files go.
set -eu

NEEDED_KB=8388608
IN_MEMORY=/dev/shm

free_kb() {
    awk '/^MemAvailable:/ {print $2}' /proc/meminfo
}

room_kb() {
    df --output=avail -k "$IN_MEMORY" 2>/dev/null | tail -n 1
}

if [ -w "$IN_MEMORY" ] && [ "$(free_kb)" -gt "$NEEDED_KB" ] && [ "$(room_kb)" -gt "$NEEDED_KB" ]; then
    echo "$IN_MEMORY"
else
    echo "${TMPDIR:-/tmp}"
fi
