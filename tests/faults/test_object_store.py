"""The object store fails in every way that it can while streams are live: nothing is lost, and
nobody who watches notices."""

import hashlib
import os
import random
import re
import signal
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from ingest.vod.upload_ledger import UploadLedger, UploadState
from tests.support.b2_proxy import B2Proxy, Faults
from tests.support.players import HLS_JS
from tests.support.processes import wait_until
from tests.support.pushers import FRAME_RATE, Pusher, count_frames, decode_complaints
from tests.support.s3 import KEY_ID, SECRET, S3Server, missing_programs
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e

FAULT_S = float(os.environ.get("GOLIVE_TEST_STORE_FAULT_S", "2"))
"""How long the store is in each kind of trouble; 20 for the full length."""

AWAY_S = float(os.environ.get("GOLIVE_TEST_STORE_AWAY_S", str(FAULT_S)))
"""How long it is away; 300 for the full length."""

KILLS = int(os.environ.get("GOLIVE_TEST_STORE_KILLS", "3"))
"""How often something is killed; 30 for the full length."""

KILL_EVERY_S = float(os.environ.get("GOLIVE_TEST_STORE_KILL_EVERY_S", "4"))
"""10 for the full length: `golive dev` gives up after five restarts of its daemon in a minute."""

PACKAGER, DAEMON = "packager", "controller.cli serve"
VICTIMS = ((PACKAGER,), (DAEMON,), (PACKAGER, DAEMON))
RECOVERED_S = 60.0


def victims_of(server, victim):
    """The processes to kill."""
    return server.packagers if victim == PACKAGER else server.find_processes(*victim.split())


@dataclass
class Site:
    """A server whose recordings go to a bucket, through a proxy that fails on command."""

    server: object
    b2: B2Proxy
    s3: S3Server
    bucket: str

    def wait_vod(self, stream) -> str:
        wait_until(lambda: self.server.stream(stream)["vod_url"], RECOVERED_S, "the VOD")
        return self.server.stream(stream)["vod_url"]

    def stored(self, stream) -> int:
        """How many objects of the stream the proxy has let through."""
        return sum(f"/vods/{stream.id}/" in path for path in [*self.b2.puts])

    def assert_complete(self, stream) -> None:
        """The ledger has nothing to do, and the store has what it says, byte for byte, and no other
        file of a rendition; pictures and the MP4 are made of these later."""
        ledger = UploadLedger(self.server.data_dir / "uploads.db")
        hashes = ledger.hashes(stream.id)
        left = [ledger.count(stream.id, s) for s in UploadState if s is not UploadState.STORED]
        ledger.close()
        assert not any(left)
        found = {
            key.removeprefix("shop/"): (len(data), hashlib.md5(data).hexdigest())
            for key, data in self.s3.contents(self.bucket).items()
            if re.search(f"/{stream.id}/[a-z0-9]+/", key)
        }
        assert found == hashes
        folder = self.server.data_dir / "live" / stream.id
        here = {str(p.relative_to(folder)): p for p in folder.glob("*/[is]*.m*4*")}
        assert here
        for name, path in here.items():
            assert (
                found[f"vods/{stream.id}/{name}"][1] == hashlib.md5(path.read_bytes()).hexdigest()
            )


@pytest.fixture(scope="module")
def s3():
    if missing_programs():
        pytest.skip(f"not installed: {', '.join(missing_programs())}")
    server = S3Server()
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextmanager
def site_over(s3, data_dir):
    b2 = B2Proxy(s3.endpoint)
    b2.start()
    bucket = s3.bucket(public=True)
    settings = {
        "GOLIVE_STORE_URL": f"s3://{bucket}/shop",
        "GOLIVE_S3_ENDPOINT": b2.endpoint,
        "GOLIVE_S3_REGION": "us-west-004",
        "GOLIVE_S3_ACCESS_KEY_ID": KEY_ID,
        "GOLIVE_S3_SECRET_ACCESS_KEY": SECRET,
    }
    try:
        with golive_server(data_dir, settings) as server:
            server.secrets |= {SECRET, KEY_ID}
            yield Site(server, b2, s3, bucket)
            b2.faults = Faults()
    finally:
        b2.close()


@pytest.fixture(scope="module")
def site(s3, tmp_path_factory):
    with site_over(s3, tmp_path_factory.mktemp("golive")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def healed(site):
    yield
    site.b2.faults = Faults()


@pytest.mark.alone
def test_a_recording_is_on_the_store_while_live_and_plays_when_the_stream_ends(site, clip):
    stream = site.server.live_stream("records")
    with Pusher(clip, site.server.push_url(stream.key), duration_s=5) as pusher:
        wait_until(lambda: site.stored(stream) >= 4, 30, "segments on the store while live")
        assert site.server.stream(stream)["ingest_state"] == "connected"
        assert pusher.wait() == 0
        sent = pusher.frames
    site.server.wait_ingest(stream, "interrupted")
    url = site.server.end(stream)["vodUrl"]
    assert url == f"{site.b2.endpoint}/{site.bucket}/shop/vods/{stream.id}.m3u8"
    for playlist in (url, url.replace(".m3u8", ".mpd")):
        assert count_frames(playlist) == sent
    assert decode_complaints(url) == ""
    site.assert_complete(stream)
    assert site.b2.refused == []
    assert max(site.b2.puts.values()) == 1, "B2 keeps a version of every PUT"


TROUBLE = {
    "away": Faults(away=True),
    "silent": Faults(hang=True),
    "slow": Faults(bytes_per_s=50_000),
    "overloaded": Faults(share_503=0.3, share_reset=0.1, share_reset_after=0.05),
}


@pytest.mark.alone
def test_a_store_in_trouble_loses_nothing_and_disturbs_nobody(site, clip, browser):
    stream = site.server.live_stream("troubled")
    with Pusher(clip, site.server.push_url(stream.key), loop=True) as pusher:
        site.server.wait_ingest(stream, "connected")
        pusher.wait_frames(3 * FRAME_RATE)
        with browser.play(HLS_JS, site.server.hls(stream.id)) as page:
            page.wait_playing()
            for name, faults in TROUBLE.items():
                site.b2.faults = faults
                watched = page.watch(AWAY_S if name == "away" else FAULT_S)
                assert watched.stalls == 0, (name, watched)
                assert watched.errors == [], (name, watched)
        site.server.end(stream)
        pusher.wait(10)
        sent = pusher.frames
    site.b2.faults = Faults()
    url = site.wait_vod(stream)
    assert sent - FRAME_RATE <= count_frames(url) <= sent + FRAME_RATE
    assert decode_complaints(url) == ""
    site.assert_complete(stream)


def test_what_is_killed_in_the_middle_of_uploads_goes_on_with_them(site, clip):
    """Packager, daemon or both, at random moments, while the store is slow and overloaded."""
    chance = random.Random(7)
    stream = site.server.live_stream("killed")
    site.b2.faults = Faults(bytes_per_s=400_000, share_503=0.3, share_reset=0.1)
    step = KILL_EVERY_S * FRAME_RATE
    seconds = KILL_EVERY_S * KILLS + 4
    with Pusher(clip, site.server.push_url(stream.key), loop=True, duration_s=seconds) as pusher:
        for turn in range(KILLS):
            if turn % len(VICTIMS) == 0:
                order = chance.sample(VICTIMS, len(VICTIMS))
            pusher.wait_frames(int(step * (turn + chance.uniform(0.4, 1.0))), 60)
            for victim in order[turn % len(VICTIMS)]:
                for process in victims_of(site.server, victim):
                    process.send_signal(signal.SIGKILL)
        assert pusher.wait() == 0, "the encoder noticed nothing"
        sent = pusher.frames
    site.b2.faults = Faults()
    wait_until(lambda: site.server.api("GET", "/streams").status == 200, 20, "the API")
    site.server.wait_ingest(stream, "interrupted")
    site.server.end(stream)
    url = site.wait_vod(stream)
    assert count_frames(url) == sent
    assert decode_complaints(url) == ""
    site.assert_complete(stream)


def test_a_stream_that_ended_while_the_store_was_away_is_taken_up_after_a_crash(site, clip):
    stream = site.server.live_stream("ended-away")
    site.b2.faults = Faults(away=True)
    with Pusher(clip, site.server.push_url(stream.key), duration_s=4) as pusher:
        assert pusher.wait() == 0
        sent = pusher.frames
    site.server.wait_ingest(stream, "interrupted")
    assert site.server.end(stream)["vodUrl"] is None
    before = site.server.daemon
    before.kill()
    site.b2.faults = Faults()
    wait_until(
        lambda: [
            p for p in site.server.find_processes("controller.cli", "serve") if p.pid != before.pid
        ],
        20,
        "another daemon",
    )
    wait_until(lambda: site.server.api("GET", "/streams").status == 200, 20, "the API")
    assert count_frames(site.wait_vod(stream)) == sent
    site.assert_complete(stream)
