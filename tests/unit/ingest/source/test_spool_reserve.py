"""The space that a spool file has before it needs it, on a small disk that fills."""

import os
import subprocess
import sys
import textwrap

import pytest

from ingest.errors import SpoolFull
from ingest.source.spool_reserve import SpoolReserve

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False, timeout=10).returncode:
        pytest.skip("this user may not mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True, timeout=10)


def fill(disk):
    with (disk / "filler").open("wb") as file:
        while True:
            try:
                os.write(file.fileno(), bytes(4096))
            except OSError:
                return


class Recorder:
    """Another process that holds the lock, as nginx does; nginx itself is in the e2e test."""

    CODE = textwrap.dedent("""
        import fcntl, sys
        file = open(sys.argv[1], "ab")
        fcntl.lockf(file, fcntl.LOCK_EX)
        print("locked", flush=True)
        for line in sys.stdin:
            file.write(bytes(int(line)))
            file.flush()
            print("written", flush=True)
    """)

    def __init__(self, path):
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.CODE, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "locked\n"

    def write(self, size):
        self._process.stdin.write(f"{size}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "written\n", "its write failed"

    def end(self):
        self._process.kill()
        self._process.communicate(timeout=10)


@pytest.fixture
def recorder(disk):
    one = Recorder(disk / "spool.flv")
    yield one
    one.end()


def test_a_full_disk_leaves_the_recorder_its_reserve_and_time_to_be_stopped(disk, recorder):
    path = disk / "spool.flv"
    reserve = SpoolReserve(path, 8 * MIB, 2 * MIB)
    reserve.keep()
    fill(disk)
    for _ in range(6):
        recorder.write(MIB)
        reserve.keep()
    recorder.write(MIB // 2)
    with pytest.raises(SpoolFull):
        reserve.keep()
    recorder.write(MIB)  # what was on its way still fits
    reserve.close()


def test_space_that_comes_back_is_taken_again(disk, recorder):
    reserve = SpoolReserve(disk / "spool.flv", 8 * MIB, 2 * MIB)
    reserve.keep()
    fill(disk)
    recorder.write(5 * MIB)
    reserve.keep()
    (disk / "filler").unlink()
    reserve.keep()
    assert (disk / "spool.flv").stat().st_blocks * 512 >= 13 * MIB
    reserve.close()


def test_a_recorder_that_has_gone_needs_no_reserve(disk):
    path = disk / "spool.flv"
    path.write_bytes(b"FLV")
    fill(disk)
    reserve = SpoolReserve(path, 8 * MIB, 2 * MIB)
    reserve.keep()
    reserve.close()
