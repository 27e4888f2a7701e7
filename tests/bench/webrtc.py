"""What a WebRTC viewer costs: the picture forwarded, beside the picture encoded for each.

Both send the same clip (720p30, 2.5 Mbit/s, no B-frames) to the same viewers, which decode nothing.
The sender's process alone counts. Then viewers are added until pictures come late.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil

from ingest.webrtc.errors import WebRtcRefused
from ingest.webrtc.messages import Begin, Follow
from ingest.webrtc.settings import WebRtcNetwork
from ingest.webrtc.worker_link import WHEP_MODULE, WorkerLink
from tests.bench.registry import Bar, BenchFailed, Options, Result, Row
from tests.support.flv import FlvTag, flv_file, flv_tag, read_tags
from tests.support.pushers import make_clip

_FPS = 30
_LATE_S = 0.1
_STEPS = (4, 8, 16, 24, 32, 48)
_COLUMNS = ("viewers", "CPU s per viewer minute", "frames/s", "late p95 ms")
_ENVIRONMENT = {"OMP_NUM_THREADS": "1"}


class WebRtcBench:
    """Implements Bench."""

    name = "webrtc"
    about = "a WebRTC viewer, forwarded beside encoded; how many one process carries"

    def run(self, options: Options) -> Result:
        """Each contestant with two viewers, then more and more of them forwarded."""
        clip = _clip(options.cache_dir)
        seconds = min(options.seconds, 10.0)
        rows = [
            Row("encoded for each", asyncio.run(_encoded(clip, 2, seconds))),
            Row("forwarded", asyncio.run(_forwarded(clip, options.work_dir, 2, seconds))),
        ]
        carried = 0
        for viewers in _STEPS:
            try:
                figures = asyncio.run(_forwarded(clip, options.work_dir, viewers, seconds))
            except (BenchFailed, TimeoutError):
                break
            rows.append(Row(f"forwarded to {viewers}", figures))
            if figures["late p95 ms"] > _LATE_S * 1000 or figures["frames/s"] < _FPS * 0.95:
                break
            carried = viewers
        encoded, forwarded = (row.figures[_COLUMNS[1]] for row in rows[:2])
        return Result(
            self.name,
            _COLUMNS,
            tuple(rows),
            (Bar("CPU forwarded / CPU encoded", forwarded / encoded, 0.5),),
            (_note(carried),),
        )


def _note(carried: int) -> str:
    return (
        f"{carried} viewers before pictures come more than {_LATE_S * 1000:.0f} ms late, "
        f"with the viewers themselves on the same {os.cpu_count()} cores"
    )


async def _encoded(clip: Path, viewers: int, seconds: float) -> dict[str, float]:
    async with _child("tests.bench.webrtc_encoding", str(clip)) as sender:

        async def answer(offers: list[str]) -> list[str]:
            return await _ask(sender, offers)

        return await _measured(answer, sender.pid, viewers, seconds)


async def _forwarded(clip: Path, folder: Path, viewers: int, seconds: float) -> dict[str, float]:
    spool = folder / f"spool-{viewers}-{time.monotonic_ns()}.flv"
    with _encoder(clip, spool):
        link = await WorkerLink.spawn(
            WHEP_MODULE,
            Begin(network=WebRtcNetwork(), connect_s=60.0),
            lambda _: None,
            lambda: None,
        )
        try:
            link.tell(Follow(spool=str(spool), offset=0))

            async def answer(offers: list[str]) -> list[str]:
                return [await link.answer(str(i), offer) for i, offer in enumerate(offers)]

            return await _measured(answer, link.pid, viewers, seconds)
        except WebRtcRefused as error:
            raise BenchFailed(str(error)) from error
        finally:
            await link.close()


async def _measured(answer, pid: int, count: int, seconds: float) -> dict[str, float]:
    """Connect viewers, let them watch, and see what the sender took for it."""
    async with _child("tests.bench.webrtc_viewers") as viewers:
        offers = await _ask(viewers, count)
        await _ask(viewers, await answer(offers))
        before, began_s = _cpu_s(pid), time.monotonic()
        figures = await _ask(viewers, seconds)
        took_s = time.monotonic() - began_s
        cpu_s = _cpu_s(pid) - before
    return {
        "viewers": count,
        "CPU s per viewer minute": cpu_s / count / took_s * 60,
        "frames/s": min(one["frames"] for one in figures) / took_s,
        "late p95 ms": max(one["p95_s"] for one in figures) * 1000,
    }


@contextlib.asynccontextmanager
async def _child(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 24,
        env={**os.environ, **_ENVIRONMENT},
    )  # fmt: skip
    try:
        yield child
    finally:
        child.stdin.close()
        try:
            async with asyncio.timeout(20):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()


async def _ask(child: asyncio.subprocess.Process, question: object) -> object:
    child.stdin.write(json.dumps(question).encode() + b"\n")
    async with asyncio.timeout(90):
        line = await child.stdout.readline()
    if not line:
        raise BenchFailed("a process ended early")
    return json.loads(line)


@contextlib.contextmanager
def _encoder(clip: Path, spool: Path) -> Iterator[None]:
    """A process that writes the clip to the spool, over and over, in real time."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.webrtc", str(clip), str(spool)],
        stdout=subprocess.PIPE,
    )
    try:
        child.stdout.readline()
        yield
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _write_spool(clip: Path, spool: Path) -> None:
    tags = [tag for tag in read_tags(clip) if tag.kind in {8, 9}]
    headers = [tag for tag in tags if tag.is_header]
    media = [tag for tag in tags if not tag.is_header]
    length_ms = media[-1].time_ms + 33
    with spool.open("wb", buffering=0) as file:
        file.write(flv_file(headers))
        print("ready", flush=True)
        began_s = time.monotonic()
        for turn in range(1_000):
            for tag in media:
                at_ms = turn * length_ms + tag.time_ms
                time.sleep(max(0.0, began_s + at_ms / 1000 - time.monotonic()))
                file.write(flv_tag(FlvTag(tag.kind, at_ms, tag.data)))


def _clip(cache: Path) -> Path:
    path = cache / "webrtc.flv"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        make_clip(cache, b_frames=0, size="1280x720", video_kbps=2500, name="webrtc")
    return path


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    _write_spool(Path(sys.argv[1]), Path(sys.argv[2]))
