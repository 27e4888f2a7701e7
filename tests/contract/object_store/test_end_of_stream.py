"""The end of a stream: its VOD is on the store as soon after 4 hours as after a minute."""

import time
import urllib.request
from urllib.parse import urljoin

import pytest

from ingest.ports import StoredObject
from ingest.session.stream_media import StreamMedia
from ingest.vod.publisher import publish_vod
from ingest.vod.recorder import Recorder
from tests.contract.object_store.conftest import s3_store
from tests.support.executors import AtOnce
from tests.support.media_values import JournalScript
from tests.unit.ingest.vod.doubles import uploading, write

MINUTE, FOUR_HOURS = 30, 7200
"""In segments of 2 s."""

_ENDS = 6
"""Of which the quickest counts: it is the one that nothing else on the machine disturbed."""

ROUND_TRIP_S = 0.1
"""As far away as a store mostly is."""


class BeforeTheEnd:
    """A store that has taken everything of a long stream already, up to its end."""

    def __init__(self, store):
        self.store = store
        self.at_the_end = False

    async def put_file(self, key, path, kind):
        if self.at_the_end:
            return await self.store.put_file(key, path, kind)
        return StoredObject(path.stat().st_size, "")

    async def put_bytes(self, key, data, kind):
        return await self.store.put_bytes(key, data, kind)


async def end_of(segments, root, store, url) -> float:
    """Seconds from the end of a stream until its VOD can be played; the best of a few ends."""
    early = BeforeTheEnd(store)
    folder = root / "live" / "show"
    script = JournalScript(kinds=("video", "audio"), part_s=0.2, parts=10)
    write(folder, [*script.start(), *script.segments(segments)], parts=False)
    took = []
    async with uploading(root / "uploads.db", early) as uploader:
        recorder = Recorder("show", folder, uploader)
        media = StreamMedia("show", folder, 600.0, recorder, AtOnce())
        media.refresh()
        await recorder.catch_up()
        await recorder.stored(120)
        early.at_the_end = True
        for _ in range(_ENDS):
            write(folder, script.segment(), parts=False)
            started = time.monotonic()
            media.finish("ended")
            await recorder.catch_up()
            await recorder.stored(30)
            vod = await publish_vod(
                "show", recorder.presentation(), uploader, histories=recorder.histories
            )
            took.append(time.monotonic() - started)
        media.close()
    with urllib.request.urlopen(f"{url}/{vod.hls_key}", timeout=10) as answer:
        names = [line for line in answer.read().decode().splitlines() if line[:1] not in {"#", ""}]
    with urllib.request.urlopen(urljoin(f"{url}/{vod.hls_key}", names[0]), timeout=10) as answer:
        text = answer.read().decode()
    assert text.count("#EXTINF") == segments + _ENDS
    assert text.endswith("#EXT-X-ENDLIST\n")
    return min(took)


@pytest.mark.alone
async def test_the_end_of_a_stream_takes_as_long_after_four_hours_as_after_a_minute(
    s3_server, b2, tmp_path
):
    bucket = s3_server.bucket(public=True)
    b2.faults.latency_s = ROUND_TRIP_S
    async with s3_store(s3_server.settings(bucket, endpoint=b2.endpoint)) as store:
        url = f"{s3_server.endpoint}/{bucket}"
        short = await end_of(MINUTE, tmp_path / "short", store, url)
        long = await end_of(FOUR_HOURS, tmp_path / "long", store, url)
    assert long / short <= 1.5, (long, short)
