"""The tail of a growing file: reading on, the writer's lock, giving space back."""

import fcntl
import os
import subprocess
import sys

import pytest

from ingest.source.spool import SpoolTail

_LOCKER = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "s_1.flv"
    path.write_bytes(b"")
    return path


def test_it_reads_what_has_been_written_since(path):
    with SpoolTail(path, 0) as tail, path.open("ab", buffering=0) as file:
        assert tail.read() == b""
        file.write(b"one")
        assert tail.read() == b"one"
        assert tail.read() == b""
        file.write(b"two")
        assert tail.read() == b"two"


def test_it_starts_where_it_is_told_to(path):
    path.write_bytes(b"0123456789")
    with SpoolTail(path, 7) as tail:
        assert tail.read() == b"789"


def test_a_piece_is_a_mebibyte_at_most(path):
    path.write_bytes(bytes((1 << 20) + 5))
    with SpoolTail(path, 0) as tail:
        read = [(len(tail.read()), tail.is_behind) for _ in range(3)]
    assert read == [(1 << 20, True), (5, False), (0, False)]


def test_the_writer_is_there_while_it_holds_the_lock(path):
    argv = [sys.executable, "-c", _LOCKER, str(path)]
    with SpoolTail(path, 0) as tail:
        assert tail.writer_gone()
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"locked\n"
            assert not tail.writer_gone()
            writer.kill()
        assert tail.writer_gone()


def test_what_is_behind_is_given_back_and_the_rest_stays(path):
    size = 6 << 20
    data = os.urandom(size)
    path.write_bytes(data)
    os.sync()
    until = 4 << 20
    with SpoolTail(path, 0) as tail:
        before = path.stat().st_blocks
        tail.give_back(until + 100)
        after = path.stat()
        assert after.st_size == size
        if after.st_blocks == before:
            pytest.skip("this file system cannot punch holes")
        assert (before - after.st_blocks) * 512 >= until
        assert path.read_bytes()[until + 4096 :] == data[until + 4096 :]
        assert path.read_bytes()[:until] == bytes(until)


def test_a_little_is_not_given_back(path):
    data = os.urandom(1 << 20)
    path.write_bytes(data)
    with SpoolTail(path, 0) as tail:
        tail.give_back(1000_000)
    assert path.read_bytes() == data


def test_asking_for_the_lock_takes_none(path):
    with SpoolTail(path, 0) as tail, path.open("r+b") as other:
        assert tail.writer_gone()
        fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
