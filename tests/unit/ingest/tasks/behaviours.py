"""What a media task may do, good and bad; run in its own process."""

import ctypes
import os
import signal
import subprocess
import sys
import time

from ingest.errors import MediaRefused


def double(request, report):
    for percent in (10.0, 50.0, 90.0):
        report(percent)
        time.sleep(0.3)  # reports come at most every quarter of a second
    return {"twice": request["number"] * 2, "environment": sorted(os.environ)}


def refuse(request, report):
    raise MediaRefused("too_long", "duration", "3 h; at most 2 h")


def grow(request, report):
    kept = []
    while True:
        kept.append(bytearray(16 << 20))


def burn(request, report):
    while True:
        pass


def hang(request, report):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(request["pids"], "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report(1.0)
    time.sleep(600)


def crash(request, report):
    ctypes.string_at(0)


def fail(request, report):
    raise RuntimeError("a defect")


def be_killed(request, report):
    os.kill(os.getpid(), signal.SIGKILL)


def write(request, report):
    with open(request["path"], "wb") as file:
        file.write(bytes(request["size"]))
    return {}
