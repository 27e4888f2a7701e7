"""A machine that carries one encoder only: who is refused, and why."""

import pytest

from tests.support.pushers import FRAME_RATE, Pusher, push_refused
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {"GOLIVE_SESSION_BUDGET": "1"}
    with golive_server(tmp_path_factory.mktemp("golive"), settings) as started:
        yield started


def test_one_encoder_too_many_is_refused_and_the_first_goes_on(server, clip):
    first, second = server.live_stream("first"), server.live_stream("second")
    with Pusher(clip, server.push_url(first.key), loop=True) as pusher:
        server.wait_ingest(first, "connected")
        assert push_refused(clip, server.push_url(second.key))
        (refusal,) = [e for e in server.events("publish_refused") if e["code"] == "no_capacity"]
        assert refusal["reason"] == "a passthrough session costs 1, and 1 of 1 are used"
        pusher.wait_frames(pusher.frames + FRAME_RATE)
        health = server.api("GET", f"/streams/{first.id}/health", token=first.token).data
        assert health["session"] == "live"
        assert health["restarts"] == 0
        pusher.stop()
    server.wait_ingest(first, "interrupted")
    with Pusher(clip, server.push_url(second.key), loop=True):
        server.wait_ingest(second, "connected")
        server.end(second)
