"""Pushes one clip to many RTMP publications in real time, from one process.

`python -m tests.bench.rtmp_publisher CLIP PORT/APP/NAME…`. Each publication is a connection of its
own, its frames are sent when they are due, and the publications are out of step with each other as
real encoders are. On SIGUSR1 it says how late it was, and writes when it sent each message into
GOLIVE_BENCH_SENT. One process instead of an ffmpeg each leaves the CPU to what is measured.
"""

import asyncio
import heapq
import json
import os
import signal
import sys
import time
from bisect import bisect_left
from pathlib import Path

from ingest import LATENESS_BOUNDS_S
from tests.bench.clip import PushClip, read_clip
from tests.bench.part_delays import Sent
from tests.support.rtmp_publisher import RtmpPublication, chunked

_STAGGER_S = 2.0
"""Starts are spread over one GOP."""


async def end_with(publication: RtmpPublication, name: str) -> None:
    """A publication that ends makes the whole measurement worthless."""
    await publication.wait_closed()
    print(f"nginx closed {name}", file=sys.stderr)
    os._exit(1)


class SendLateness:
    """How late messages were sent, counted up to each of the bounds; and when, into `path`."""

    def __init__(self, publications: int, path: str | None) -> None:
        self._buckets = [0] * (len(LATENESS_BOUNDS_S) + 1)
        self._path = path
        self.sent: list[list[Sent]] = [[] for _ in range(publications)]

    def take(self, late_s: float) -> None:
        """Count a message."""
        self._buckets[bisect_left(LATENESS_BOUNDS_S, late_s)] += 1

    def tell(self) -> None:
        """Print the counts so far."""
        if self._path:
            Path(self._path).write_text(json.dumps(self.sent), encoding="ascii")
        print(json.dumps(self._buckets), flush=True)


async def push(clip: PushClip, publications: list[RtmpPublication], late: SendLateness) -> None:
    """Send the clip in a loop to all, each frame when it is due, until cancelled."""
    bodies = [chunked(6 if tag.kind == 9 else 5, tag.data) for tag in clip.media]
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    heap = []
    for i, publication in enumerate(publications):
        for tag in clip.headers:
            publication.media(tag, chunked(6 if tag.kind == 9 else 5, tag.data), 0)
        heap.append((start_s + _STAGGER_S * i / len(publications), i, 0, 0))
    heapq.heapify(heap)
    starts = {i: due_s for due_s, i, _, _ in heap}
    sent = late.sent
    while True:
        due_s, i, turn, position = heap[0]
        wait_s = due_s - loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        late.take(loop.time() - due_s)
        tag = clip.media[position]
        time_ms = turn * clip.length_ms + tag.time_ms
        publications[i].media(tag, bodies[position], time_ms)
        sent[i].append(Sent(time_ms, tag.kind, time.monotonic()))
        position += 1
        if position == len(clip.media):
            turn, position = turn + 1, 0
        next_ms = turn * clip.length_ms + clip.media[position].time_ms
        heapq.heapreplace(heap, (starts[i] + next_ms / 1000, i, turn, position))


async def main(arguments: list[str]) -> None:
    """Publish until SIGTERM; says `publishing` once every publication is accepted."""
    clip = read_clip(Path(arguments[0]))
    publications = []
    for target in arguments[1:]:
        port, app, name = target.split("/")
        publications.append(RtmpPublication(int(port), app, name))
    watching = []
    for publication, target in zip(publications, arguments[1:], strict=True):
        await publication.open()
        watching.append(asyncio.create_task(end_with(publication, target)))
    late = SendLateness(len(publications), os.environ.get("GOLIVE_BENCH_SENT"))
    pushing = asyncio.create_task(push(clip, publications, late))
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, late.tell)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, pushing.cancel)
    print("publishing", flush=True)
    try:
        await pushing
    except asyncio.CancelledError:
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
