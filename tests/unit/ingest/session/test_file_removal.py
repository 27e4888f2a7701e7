"""Files that nobody needs go in batches, beside the loop, and none is forgotten."""

import pytest
import structlog

from ingest.session.file_removal import FileRemoval
from ingest.window.segment_store import SegmentStore
from tests.support.executors import ByHand

NAMES = [f"part-{number}.m4s" for number in range(200)]


@pytest.fixture
def threads():
    return ByHand()


@pytest.fixture
def removal(tmp_path, threads):
    for name in NAMES:
        (tmp_path / name).touch()
    return FileRemoval(SegmentStore(tmp_path), threads)


def left(folder):
    return {path.name for path in folder.iterdir()}


def test_files_go_in_batches(removal, threads, tmp_path):
    for name in NAMES[:15]:
        removal.remove([name])
    assert threads.calls == [], "not worth a thread's while"
    removal.remove(NAMES[15:20])
    assert len(threads.calls) == 1
    threads.run()
    assert left(tmp_path) == {*NAMES[20:]}


def test_a_slow_disk_has_one_batch_at_a_time(removal, threads, tmp_path):
    for name in NAMES[:100]:
        removal.remove([name])
    assert len(threads.calls) == 1
    threads.run()
    assert left(tmp_path) == {*NAMES[16:]}
    removal.remove(NAMES[100:101])
    threads.run()
    assert left(tmp_path) == {*NAMES[101:]}


def test_what_waits_is_handed_over_at_the_end(removal, threads, tmp_path):
    removal.remove(NAMES[:3])
    removal.flush()
    removal.flush()
    assert len(threads.calls) == 1
    threads.run()
    assert left(tmp_path) == {*NAMES[3:]}


def test_what_is_gone_is_fine_and_what_stays_is_told(removal, threads, tmp_path):
    (tmp_path / NAMES[0]).unlink()
    (tmp_path / NAMES[1]).unlink()
    (tmp_path / NAMES[1]).mkdir()  # cannot be unlinked
    removal.remove(NAMES[:16])
    with structlog.testing.capture_logs() as logs:
        threads.run()
    assert left(tmp_path) == {NAMES[1], *NAMES[16:]}
    assert [(one["event"], one["files"]) for one in logs] == [("files_not_removed", 1)]
