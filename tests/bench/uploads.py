"""What the durable upload queue costs beside a bare loop of PUTs, and how much memory it takes.

Both send the same segments of many streams to the same S3 server, with as many connections: the
one from memory to the wire and done; golive from the journal, over the ledger, verified.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from ingest.journal_entries import InitWritten, SegmentWritten, init_name, segment_name
from ingest.vod.journal import JournalWriter
from tests.bench.registry import Bar, BenchFailed, Options, Result, Row
from tests.support.media_values import JournalScript
from tests.support.s3 import KEY_ID, SECRET, S3Server, missing_programs

_STREAMS = 50
_SEGMENT_BYTES = 500_000
_CONNECTIONS = 4
_LIMIT_S = 600.0
_COLUMNS = ("PUT/s", "CPU ms/PUT", "peak MB above idle")


class UploadsBench:
    """Implements Bench."""

    name = "uploads"
    about = f"uploads of {_STREAMS} streams to S3, beside a bare loop of PUTs"

    def run(self, options: Options) -> Result:
        """Rounds alternate between the two; the best round of each counts."""
        if missing_programs():
            raise BenchFailed(f"not installed: {', '.join(missing_programs())}")
        rounds: dict[str, list[dict[str, float]]] = {"bare": [], "golive": []}
        server = S3Server()
        try:
            server.start()
            for turn in range(2):
                for who, figures in rounds.items():
                    root = options.work_dir / f"{who}-{turn}" / "live"
                    _write_streams(root, segments=4)
                    figures.append(_contest(who, server, root))
        finally:
            server.close()
        best = {who: max(figures, key=lambda one: one["PUT/s"]) for who, figures in rounds.items()}
        slower = best["bare"]["PUT/s"] / best["golive"]["PUT/s"]
        memory = best["golive"]["peak MB above idle"]
        return Result(
            self.name,
            _COLUMNS,
            tuple(Row(who, figures) for who, figures in best.items()),
            (
                Bar("time of golive's uploads / time of the bare loop", slower, 1.5),
                Bar(f"peak MB above idle, {_STREAMS} streams", memory, 32.0),
            ),
            (f"{_SEGMENT_BYTES} bytes an object, {_CONNECTIONS} connections, plain HTTP",),
        )


def _contest(who: str, server: S3Server, root: Path) -> dict[str, float]:
    run = subprocess.run(
        [
            sys.executable, "-m", "tests.bench.upload_contestant", who, server.endpoint,
            server.bucket(), KEY_ID, SECRET, str(root), str(_CONNECTIONS),
        ],
        capture_output=True, text=True, timeout=_LIMIT_S, check=False,
    )  # fmt: skip
    if run.returncode:
        raise BenchFailed(f"{who}: {run.stderr[-2000:]}")
    return dict(json.loads(run.stdout.splitlines()[-1]))


def _write_streams(root: Path, segments: int) -> None:
    """Journals whose segments are all the same file."""
    media = root.with_name("media")
    media.parent.mkdir(parents=True)
    media.write_bytes(os.urandom(_SEGMENT_BYTES))
    for number in range(_STREAMS):
        folder = root / f"stream-{number}"
        script = JournalScript()
        with JournalWriter(folder) as journal:
            for scripted in [*script.start(), *script.segments(segments)]:
                entry, name = scripted, ""
                if isinstance(entry, InitWritten):
                    name = init_name(entry.init)
                elif isinstance(entry, SegmentWritten):
                    name = segment_name(entry.msn)
                    entry = msgspec.structs.replace(entry, size=_SEGMENT_BYTES)
                if name:
                    (folder / "video").mkdir(exist_ok=True)
                    os.link(media, folder / "video" / name)
                journal.append(entry)
