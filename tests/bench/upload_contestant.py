"""One contestant of the upload benchmark, in a process of its own.

`python -m tests.bench.upload_contestant WHO ENDPOINT BUCKET KEY_ID SECRET LIVE_ROOT CONNECTIONS`:
sends every segment of every stream below LIVE_ROOT, prints its figures as JSON.
"""

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

from ingest.vod.recorder import Recorder
from ingest.vod.s3_settings import S3Settings
from ingest.vod.s3_store import S3ObjectStore, s3_client
from ingest.vod.upload_ledger import UploadLedger
from ingest.vod.uploader import Uploader

_WAIT_S = 600.0


def bare(settings: S3Settings, live_root: Path) -> dict[str, float]:
    """Threads over one client: read a file, put it, forget it."""
    client = boto3.client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            max_pool_connections=settings.connections,
        ),
    )
    paths = sorted(live_root.glob("*/*/*.m*4*"))

    def put(path: Path) -> None:
        key = f"bare/{path.relative_to(live_root)}"
        client.put_object(Bucket=settings.bucket, Key=key, Body=path.read_bytes())

    meter = _Meter()
    with ThreadPoolExecutor(settings.connections) as threads:
        list(threads.map(put, paths))
    return meter.figures(len(paths))


async def golive(settings: S3Settings, live_root: Path) -> dict[str, float]:
    """Recorders, ledger, uploader and store, as in the daemon."""
    store = S3ObjectStore(settings, s3_client(settings))
    streams = [path.name for path in live_root.iterdir()]
    meter = _Meter()
    uploader = Uploader(
        UploadLedger(live_root.with_name("uploads.db")), store, settings.connections
    )
    recorders = [Recorder(name, live_root / name, uploader) for name in streams]
    await asyncio.gather(*(recorder.catch_up() for recorder in recorders))
    await asyncio.gather(*(recorder.stored(_WAIT_S) for recorder in recorders))
    figures = meter.figures(len([*live_root.glob("*/*/*.m*4*")]))
    for recorder in recorders:
        recorder.close()
    await uploader.close()
    await store.close()
    return figures


class _Meter:
    """Time, CPU and memory from its making on."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM starts anew
        self._memory_kb = _status_kb("VmRSS")
        self._started_s, self._cpu_s = time.monotonic(), time.process_time()

    def figures(self, puts: int) -> dict[str, float]:
        return {
            "PUT/s": puts / (time.monotonic() - self._started_s),
            "CPU ms/PUT": 1000 * (time.process_time() - self._cpu_s) / puts,
            "peak MB above idle": (_status_kb("VmHWM") - self._memory_kb) / 1000,
        }


def _status_kb(name: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name}:"))


def main(arguments: list[str]) -> None:
    who, endpoint, bucket, key_id, secret, live_root, connections = arguments
    settings = S3Settings(
        bucket,
        endpoint=endpoint,
        region="us-west-004",
        access_key_id=key_id,
        secret_access_key=secret,
        connections=int(connections),
    )
    root = Path(live_root)
    figures = bare(settings, root) if who == "bare" else asyncio.run(golive(settings, root))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
