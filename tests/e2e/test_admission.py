"""A machine that carries one encoder only: who is refused and why, and what is told of the other."""

import urllib.error
import urllib.request

import pytest

from tests.support.processes import free_ports, wait_until
from tests.support.pushers import FRAME_RATE, GOP_S, Pusher, push_refused
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def metrics_port():
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory, metrics_port):
    settings = {
        "GOLIVE_SESSION_BUDGET": "1",
        "GOLIVE_METRICS_LISTEN": f"127.0.0.1:{metrics_port}",
    }
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
        assert health(server, first)["session"] == "live"
        pusher.stop()
    server.wait_ingest(first, "interrupted")
    assert health(server, first)["session"] is None
    with Pusher(clip, server.push_url(second.key), loop=True):
        server.wait_ingest(second, "connected")
        server.end(second)


def test_the_host_and_prometheus_are_told_how_it_goes(server, clip, metrics_port):
    stream = server.live_stream("watched")
    with Pusher(clip, server.push_url(stream.key), loop=True):
        wait_until(lambda: health(server, stream)["intake"], 20, "the first figures")
        found = health(server, stream)
        text = read(f"http://127.0.0.1:{metrics_port}/metrics")
        server.end(stream)
    intake, parts = found["intake"], found["parts"]
    assert intake["frameRate"] == pytest.approx(FRAME_RATE, rel=0.05)
    assert intake["gopSeconds"] == pytest.approx(GOP_S, abs=0.05)
    assert intake["videoBitrate"] > 10 * intake["audioBitrate"] > 0
    assert abs(intake["avOffsetSeconds"]) < 0.5
    assert intake["packetsDropped"] == intake["timestampsRepaired"] == found["restarts"] == 0
    assert parts["listed"] > 0
    assert 'golive_sessions{state="live"} 1.0' in text
    assert "golive_sessions_refused_total 1.0" in text
    assert stream.key not in text
    assert stream.id not in text
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(f"{server.url}/metrics")


def health(server, stream):
    return server.expect(200, "GET", f"/streams/{stream.id}/health", token=stream.token)


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()
