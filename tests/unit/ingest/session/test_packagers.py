"""The shared packagers, with real processes: what ends one session, and what must not end others."""

import asyncio
import fcntl
import os
import signal
import subprocess

import pytest

from ingest.journal_entries import PeriodStarted, SegmentWritten
from ingest.media import MediaKind
from ingest.session.admission import Admission, SessionBudget
from ingest.session.messages import (
    JournalGrew,
    SessionReport,
    SpaceMissing,
    StartSpool,
    StateChanged,
    StopSession,
    ToStream,
    decode_from_stream,
    decode_to_stream,
    encode,
)
from ingest.session.packager_process import PackagerPool
from ingest.session.session import Session, SessionSpec
from ingest.session.state import SessionState
from ingest.session.stream_media import StreamMedia
from ingest.session.worker_process import WorkerPool
from ingest.settings import PackagingSettings
from ingest.vod.journal import JournalReader
from ingest.vod.recovery import read_end
from tests.support.executors import AtOnce
from tests.support.flv import flv_file
from tests.support.inputs import Encoders


@pytest.fixture(scope="module")
def spool_bytes(tmp_path_factory):
    encoders = Encoders(tmp_path_factory.mktemp("spool"))
    return flv_file(t for t in encoders.flv(seconds=3, size="64x48") if t.kind != 18)


class Probe:
    """nginx, as far as sessions ask it."""

    def __init__(self, *, there: bool) -> None:
        self.there = there

    async def is_publishing(self, publication: str) -> bool:
        return self.there


def start_message(spool, folder):
    return StartSpool(
        spool=str(spool), folder=str(folder), part_target_s=0.2, segment_target_s=2.0, reason="x"
    )


async def heard_until(lease, *states):
    heard = []
    async with asyncio.timeout(20):
        async for message in lease.messages():
            heard.append(message)
            if isinstance(message, StateChanged) and message.state in states:
                return heard
    return heard


async def heard_until_ended(lease):
    return await heard_until(lease, SessionState.ENDED, SessionState.FAILED)


async def test_a_spool_is_packaged_and_the_report_comes_before_the_end(tmp_path, spool_bytes):
    spool = tmp_path / "s_1.flv"
    spool.write_bytes(spool_bytes)
    pool = PackagerPool(1)
    try:
        lease = await pool.take("s_1")
        lease.tell(start_message(spool, tmp_path / "show"))
        lease.tell(StopSession())
        heard = await heard_until_ended(lease)
        assert await lease.end() == 0
    finally:
        await pool.close()
    states = [m.state.value for m in heard if isinstance(m, StateChanged)]
    assert states == ["connecting", "probing", "live", "draining", "ended"]
    (report,) = [m for m in heard if isinstance(m, SessionReport)]
    assert report.video_frames == 90
    assert any(isinstance(m, JournalGrew) for m in heard)


async def test_one_packager_more_serves_when_all_are_full():
    pool = PackagerPool(1)
    try:
        places = [(await pool.take(f"s_{number}")).pid for number in range(150)]
    finally:
        await pool.close()
    assert len({*places[:50]}) == 1
    assert {*places[50:100]} == {*places} - {*places[:50]}, "the least loaded serves"
    assert len({*places}) == 2, "and no more than one"


async def test_ending_a_session_by_force_leaves_its_packager_to_the_others(
    tmp_path, spool_bytes, monkeypatch
):
    """One that obeyed must not be taken for one that hangs."""
    monkeypatch.setattr("ingest.session.packager_process._STOP_WAIT_S", 1.0)
    spool = tmp_path / "s_1.flv"
    spool.write_bytes(spool_bytes)
    pool = PackagerPool(1)
    try:
        lease, neighbour = await pool.take("s_1"), await pool.take("s_2")
        lease.tell(start_message(spool, tmp_path / "one"))
        await heard_until(lease, SessionState.LIVE)
        lease.kill()
        await heard_until_ended(lease)
        await lease.end()
        later = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(1.2, later.set_result, None)
        await later  # behind the timer that kill() set
        neighbour.tell(start_message(spool, tmp_path / "two"))
        neighbour.tell(StopSession())
        heard = await heard_until_ended(neighbour)
        assert heard[-1].state is SessionState.ENDED
    finally:
        await pool.close()


async def test_a_packager_that_dies_ends_its_leases(tmp_path):
    pool = PackagerPool(1)
    try:
        lease = await pool.take("s_1")
        os.kill(lease.pid, signal.SIGKILL)
        assert await heard_until_ended(lease) == []
        assert await lease.end() == 1
        successor = await pool.take("s_1")
        assert successor.pid != lease.pid
    finally:
        await pool.close()


def test_messages_survive_the_socket():
    start = start_message("/spool/a b.flv", "/live/ü")
    message = ToStream(session="s#1", message=start)
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode_to_stream(line) == message
    told = b'{"session":"s#1","message":{"type":"journal","size":5}}\n'
    assert decode_from_stream(told).message == JournalGrew(size=5)


# --- a session over a spool ----------------------------------------------------------------------


def make_session(tmp_path, spool, probe, packagers, workers, states):
    folder = tmp_path / "show"
    media = StreamMedia("show", folder, 600.0, None, AtOnce())
    spec = SessionSpec("show", "s_1", "rtmp://127.0.0.1:1/live/s_1", spool)
    return Session(
        spec,
        media,
        workers,
        packagers,
        probe,
        PackagingSettings(),
        Admission(SessionBudget(total=10)),
        lambda session, state: states.append(state.value),
        reason="publish",
    )


async def test_a_packager_that_dies_while_the_stream_is_ended_loses_nothing(tmp_path, spool_bytes):
    """The recorder holds its lock, the host has ended the stream, and half is yet to be read."""
    spool = tmp_path / "s_1.flv"
    half = len(spool_bytes) // 2
    spool.write_bytes(spool_bytes[:half])
    packagers, workers, states = PackagerPool(1), WorkerPool(), []
    session = make_session(tmp_path, spool, Probe(there=True), packagers, workers, states)
    try:
        with spool.open("ab") as recorder:
            fcntl.lockf(recorder, fcntl.LOCK_EX)
            running = asyncio.create_task(session.run())
            async with asyncio.timeout(20):
                while "live" not in states:
                    await asyncio.sleep(0.01)
            packager = session.worker_pid
            os.kill(packager, signal.SIGSTOP)
            recorder.write(spool_bytes[half:])
            recorder.flush()
            session.stop()
            os.kill(packager, signal.SIGKILL)
            async with asyncio.timeout(30):
                await running
    finally:
        await workers.close()
        await packagers.close()
        session.media.close()
    assert states[-1] == "ended"
    with JournalReader(tmp_path / "show") as journal:
        entries = journal.read_new()
    periods = [entry for entry in entries if isinstance(entry, PeriodStarted)]
    seconds = sum(
        entry.duration / 90_000
        for entry in entries
        if isinstance(entry, SegmentWritten) and entry.rendition == "video"
    )
    assert (len(periods), seconds) == (1, pytest.approx(3, abs=0.01))


async def run_session(tmp_path, spool, probe, *, kill_first):
    packagers, workers = PackagerPool(1), WorkerPool()
    states = []
    session = make_session(tmp_path, spool, probe, packagers, workers, states)
    try:
        running = asyncio.create_task(session.run())
        if kill_first:
            async with asyncio.timeout(20):
                while session.worker_pid is None:
                    await asyncio.sleep(0)
            os.kill(session.worker_pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            await running
    finally:
        await workers.close()
        await packagers.close()
        session.media.close()
    return session, states


@pytest.mark.parametrize("kill_first", [False, True])
async def test_a_spool_is_read_to_its_end_though_the_encoder_has_gone(
    tmp_path, spool_bytes, kill_first
):
    """Whether or not a packager died over it."""
    spool = tmp_path / "s_1.flv"
    spool.write_bytes(spool_bytes)
    session, states = await run_session(tmp_path, spool, Probe(there=False), kill_first=kill_first)
    assert states[-1] == "ended"
    end = read_end(tmp_path / "show")
    seconds = {
        name: sum(s.duration_s for s in r.segments)
        for r in session.media.window.presentation().renditions
        for name in [r.name]
    }
    assert seconds[MediaKind.VIDEO.value] == pytest.approx(3, abs=0.1)
    assert end.next_period == 1
    assert not spool.exists()


async def test_a_full_disk_is_waited_out_and_nothing_is_lost(tmp_path, spool_bytes):
    (tmp_path / "whole").mkdir()
    spool = tmp_path / "s_1.flv"
    spool.write_bytes(spool_bytes)
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False, timeout=10).returncode:
        pytest.skip("this user may not mount a small disk")
    pool = PackagerPool(1)
    try:
        whole = await pool.take("whole")
        whole.tell(start_message(spool, tmp_path / "whole"))
        whole.tell(StopSession())
        await heard_until_ended(whole)
        fill(small)
        lease = await pool.take("s_1")
        lease.tell(start_message(spool, small / "show"))
        lease.tell(StopSession())
        async with asyncio.timeout(20):
            async for message in lease.messages():
                if isinstance(message, SpaceMissing):
                    break
        (small / "filler").unlink()
        heard = await heard_until_ended(lease)
        assert heard[-1].state is SessionState.ENDED
        assert media_of(small / "show") == media_of(tmp_path / "whole")
        await whole.end()
        await lease.end()
    finally:
        await pool.close()
        subprocess.run(["umount", "--lazy", str(small)], check=True, timeout=10)


def fill(disk):
    """All but what a folder and an empty journal take, so that it fails in the middle."""
    with (disk / "filler").open("wb") as file:
        while os.statvfs(disk).f_bavail > 16:
            os.write(file.fileno(), bytes(4096))


def media_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.glob("*/*.m*4*")
        if path.name[0] != "."
    }
