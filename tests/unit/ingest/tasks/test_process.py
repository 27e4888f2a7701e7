"""A media task in its own process: what it answers, and how it is ended."""

import asyncio

import psutil
import pytest

from ingest.errors import MediaRefused, TaskCrashed, TaskTooExpensive
from ingest.tasks.process import TaskLimits, run_task

LIMITS = TaskLimits(time_s=60.0, memory_bytes=1 << 30)


async def run(name, request=None, limits=LIMITS, on_progress=lambda percent: None):
    target = f"tests.unit.ingest.tasks.behaviours:{name}"
    return await run_task(target, request or {}, limits, on_progress)


async def test_a_task_answers_and_tells_its_progress(monkeypatch):
    monkeypatch.setenv("GOLIVE_AUTH_SECRET", "hush-hush")
    told = []
    answer = await run("double", {"number": 21}, on_progress=told.append)
    assert answer["twice"] == 42
    assert told == [10.0, 50.0, 90.0]
    assert not [name for name in answer["environment"] if name.startswith("GOLIVE")]


async def test_a_refusal_arrives_with_its_reason_and_field():
    with pytest.raises(MediaRefused, match="3 h; at most 2 h") as caught:
        await run("refuse")
    assert (caught.value.reason, caught.value.field) == ("too_long", "duration")


async def test_memory_is_bounded():
    with pytest.raises(TaskTooExpensive, match="more than 400 MB"):
        await run("grow", limits=TaskLimits(memory_bytes=400 << 20))


async def test_time_is_bounded():
    with pytest.raises(TaskTooExpensive, match="not done within 1 s"):
        await run("burn", limits=TaskLimits(time_s=1.0))


@pytest.mark.parametrize(
    ("name", "why", "passing"),
    [("crash", "SIGSEGV", False), ("fail", "status 1", False), ("be_killed", "SIGKILL", True)],
)
async def test_a_process_that_ends_by_itself_is_told_of(name, why, passing):
    with pytest.raises(TaskCrashed, match=why) as caught:
        await run(name)
    assert caught.value.passing is passing


async def test_a_file_is_no_longer_than_allowed(tmp_path):
    limits = TaskLimits(file_bytes=1000)
    assert await run("write", {"path": str(tmp_path / "a"), "size": 1000}, limits) == {}
    with pytest.raises(TaskCrashed):
        await run("write", {"path": str(tmp_path / "b"), "size": 1001}, limits)


async def test_cancelling_ends_the_process_and_what_it_started(tmp_path):
    started, pids = asyncio.Event(), tmp_path / "pids"
    running = asyncio.create_task(
        run("hang", {"pids": str(pids)}, on_progress=lambda percent: started.set())
    )
    await asyncio.wait_for(started.wait(), 20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    parent, child = map(int, pids.read_text().split())
    assert not psutil.pid_exists(parent)
    _, alive = psutil.wait_procs([psutil.Process(p) for p in (child,) if psutil.pid_exists(p)], 5)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
