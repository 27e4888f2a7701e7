"""WebRTC's answers to those who cannot be served, and to those who never come."""

import json
import os
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.processes import free_ports, wait_until
from tests.support.pushers import Pusher, make_clip
from tests.support.servers import golive_server
from tests.support.webrtc import PUBLISH_OFFER, WATCH_OFFER, http, post_offer

pytestmark = pytest.mark.e2e

SDP = {"Content_Type": "application/sdp"}
FRAGMENT = "application/trickle-ice-sdpfrag"
VIEWERS = 12
CONNECT_S = 3
HALF_OPEN = int(os.environ.get("GOLIVE_TEST_HALF_OPEN", "20"))
"""Viewers who never send a packet; 200 for the full number."""


@pytest.fixture(scope="module")
def metrics_port():
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory, metrics_port):
    settings = {
        "GOLIVE_WEBRTC_VIEWERS": str(VIEWERS),
        "GOLIVE_WEBRTC_VIEWERS_PER_STREAM": str(VIEWERS),
        "GOLIVE_WEBRTC_CONNECT_S": str(CONNECT_S),
        "GOLIVE_WEBRTC_ICE_SERVERS": '["stun:stun.example:3478", "turn:turn.example:3478"]',
        "GOLIVE_WEBRTC_TURN_SECRET": "a secret shared with coturn",
        "GOLIVE_WEBRTC_PUBLIC_ADDRESSES": '["203.0.113.9"]',
        "GOLIVE_METRICS_LISTEN": f"127.0.0.1:{metrics_port}",
    }
    with golive_server(tmp_path_factory.mktemp("golive"), settings) as started:
        yield started


@pytest.fixture(scope="module")
def plain_clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return make_clip(folder, b_frames=0, size="320x180", video_kbps=300, duration_s=8)


@pytest.fixture(scope="module")
def stream(server, plain_clip):
    """Live, without B-frames."""
    live = server.live_stream("plain")
    with Pusher(plain_clip, server.push_url(live.key), loop=True) as pusher:
        pusher.wait_frames(30)
        server.wait_ingest(live, "connected")
        yield live


def whep(server, stream) -> str:
    return f"{server.url}/live/{stream.id}/whep"


def metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
    assert found, name
    return float(found[1])


def test_an_answer_names_its_session_its_servers_and_the_public_address(server, stream):
    answer = post_offer(whep(server, stream), WATCH_OFFER, Origin="https://shop.example")

    assert answer.status == 201
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.headers["location"].startswith(f"/live/{stream.id}/whep/")
    assert re.fullmatch(r'"[0-9a-f]{16}"', answer.headers["etag"])
    assert "location" in answer.headers["access-control-expose-headers"].lower()
    assert answer.headers["access-control-allow-origin"] == "*"
    link = answer.headers["link"]
    assert '<stun:stun.example:3478>; rel="ice-server"' in link
    assert re.search(r'<turn:turn.example:3478>; rel="ice-server"; username="\d+:golive"; ', link)
    assert "coturn" not in link
    assert " 203.0.113.9 " in answer.body
    assert answer.body.count("a=sendonly") == 2
    assert "H264" in answer.body
    assert "VP8" not in answer.body

    session = server.url + answer.headers["location"]
    assert http("DELETE", session).status == 200
    assert http("DELETE", session).problem["code"] == "no_such_session"


def test_options_tell_what_may_be_posted(server, stream):
    answer = http("OPTIONS", whep(server, stream))

    assert answer.status == 204
    assert answer.headers["accept-post"] == "application/sdp"
    assert "ice-server" in answer.headers["link"]

    preflight = http(
        "OPTIONS",
        whep(server, stream),
        Origin="https://shop.example",
        Access_Control_Request_Method="POST",
    )
    assert preflight.status == 204
    assert "if-match" in preflight.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize(
    ("offer", "status", "code"),
    [
        ("", 400, "offer_malformed"),
        ("garbage", 400, "offer_malformed"),
        (b"\xff\xfe", 422, "validation_failed"),
        ("v=0\r\n" + "a=x\r\n" * 8_000, 413, "payload_too_large"),
        (WATCH_OFFER.replace("a=ice-pwd", "a=ice-pwn"), 400, "offer_malformed"),
        (WATCH_OFFER.replace("UDP/TLS/RTP/SAVPF", "%%%"), 400, "offer_malformed"),
        (WATCH_OFFER.replace("H264", "H265"), 422, "offer_unacceptable"),
        (PUBLISH_OFFER, 422, "offer_unacceptable"),
        (WATCH_OFFER + "m=application 9 UDP/DTLS/SCTP x\r\n", 422, "offer_unacceptable"),
    ],
)
def test_an_offer_that_cannot_be_answered_is_refused(server, stream, offer, status, code):
    answer = post_offer(whep(server, stream), offer)

    assert (answer.status, answer.problem["code"]) == (status, code)


def test_other_types_methods_and_streams_are_refused(server, stream):
    url = whep(server, stream)

    assert http("POST", url, "{}", Content_Type="application/json").status == 415
    assert http("GET", url).problem["code"] == "method_not_allowed"
    assert http("PUT", f"{url}/abc", "x").status == 405
    unknown = url.replace(stream.id, "0" * 8 + stream.id[8:])
    assert post_offer(unknown, WATCH_OFFER).status in {403, 404}
    assert post_offer(f"{server.url}/live/whip", PUBLISH_OFFER).status == 401


def test_a_stream_with_b_frames_is_refused_with_the_address_of_hls(server, clip):
    live = server.live_stream("reordered")
    with Pusher(clip, server.push_url(live.key), loop=True) as pusher:
        pusher.wait_frames(30)
        server.wait_ingest(live, "connected")

        answer = post_offer(whep(server, live), WATCH_OFFER)

    assert answer.status == 409
    assert answer.problem["code"] == "not_forwardable"
    assert "B-frames" in answer.problem["detail"]
    assert server.hls(live.id) in answer.problem["detail"]


def test_a_stream_without_an_encoder_is_refused(server):
    live = server.live_stream("silent")

    assert post_offer(whep(server, live), WATCH_OFFER).problem["code"] == "no_media_yet"


def test_a_limited_stream_needs_a_playback_token(server):
    live = server.live_stream("limited", audience="followers")

    refused = post_offer(whep(server, live), WATCH_OFFER)
    assert (refused.status, refused.problem["code"]) == (403, "playback_token_needed")

    path = f"/streams/{live.id}/playback-token"
    token = server.expect(200, "POST", path, token=live.token)["token"]
    for answer in (
        post_offer(whep(server, live), WATCH_OFFER, Authorization=f"Bearer {token}"),
        post_offer(f"{server.url}/~{token}/live/{live.id}/whep", WATCH_OFFER),
    ):
        assert answer.problem["code"] == "no_media_yet"


def test_candidates_may_follow_and_a_restart_may_not(server, stream):
    answer = post_offer(whep(server, stream), WATCH_OFFER)
    session = server.url + answer.headers["location"]
    fragment = (
        "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
        "a=candidate:1 1 udp 2113937151 198.51.100.7 51000 typ host\r\n"
    )

    def patch(body, etag=answer.headers["etag"]):
        sent = {"Content_Type": FRAGMENT, "If_Match": etag}
        return http("PATCH", session, body, **sent)

    assert patch(fragment).status == 204
    assert patch(fragment, '"another"').status == 412
    restart = patch(fragment.replace("EsAw", "Other"))
    assert (restart.status, restart.problem["code"]) == (422, "ice_restart_unsupported")
    assert patch("\x01").problem["code"] == "fragment_malformed"
    assert http("DELETE", session).status == 200


def test_nobody_ends_the_publication_of_another(server):
    mine, theirs = server.live_stream("mine"), server.live_stream("theirs")
    url = f"{server.url}/live/whip"
    wrong = post_offer(url, PUBLISH_OFFER, Authorization="Bearer sk_nobody")
    assert (wrong.status, wrong.problem["code"]) == (403, "unknown_key")
    garbage = post_offer(url, "garbage", Authorization=f"Bearer {mine.key}")
    assert garbage.problem["code"] == "offer_malformed"

    answer = post_offer(url, PUBLISH_OFFER, Authorization=f"Bearer {mine.key}")
    assert answer.status == 201
    assert answer.body.count("a=recvonly") == 2
    session = server.url + answer.headers["location"]

    second = post_offer(url, PUBLISH_OFFER, Authorization=f"Bearer {mine.key}")
    assert (second.status, second.problem["code"]) == (403, "already_publishing")
    assert http("DELETE", session).status == 401
    other = http("DELETE", session, Authorization=f"Bearer {theirs.key}")
    assert (other.status, other.problem["code"]) == (403, "not_your_session")
    assert http("DELETE", session, Authorization=f"Bearer {mine.key}").status == 200

    def may_begin_again() -> bool:
        again = post_offer(url, PUBLISH_OFFER, Authorization=f"Bearer {mine.key}")
        return again.status == 201

    wait_until(may_begin_again, 20, "the key is free again")


def test_every_answer_is_one_that_the_document_names(server, stream):
    document = json.loads(http("GET", f"{server.url}/api/v1/openapi.json").body)
    whip, watch = "/live/whip", "/live/{stream_id}/whep"
    key, fragment = {"Authorization": "Bearer sk_nobody"}, {"Content_Type": FRAGMENT}
    silent = server.live_stream("unheard")
    session = post_offer(whep(server, stream), WATCH_OFFER).headers["location"].rpartition("/")[2]
    asked = [
        ("POST", whip, PUBLISH_OFFER, SDP),
        ("POST", whip, PUBLISH_OFFER, SDP | key),
        ("POST", whip, "garbage", SDP | {"Authorization": f"Bearer {silent.key}"}),
        ("POST", whip, "v=0", key | {"Content_Type": "text/plain"}),
        ("OPTIONS", whip, None, {}),
        ("PATCH", f"{whip}/{{session}}", "a=x", fragment | key),
        ("DELETE", f"{whip}/{{session}}", None, key),
        ("DELETE", f"{whip}/{{session}}", None, {}),
        ("POST", watch, "garbage", SDP),
        ("POST", watch, WATCH_OFFER.replace("H264", "H265"), SDP),
        ("POST", watch, "a=x\r\n" * 8_000, SDP),
        ("POST", watch, WATCH_OFFER, SDP),
        ("OPTIONS", watch, None, {}),
        ("PATCH", f"{watch}/{{session}}", "\x01", fragment),
        ("PATCH", f"{watch}/{{session}}", "a=x", fragment | {"If_Match": '"another"'}),
        ("PATCH", f"{watch}/{{session}}", "a=ice-ufrag:other", fragment),
        ("DELETE", f"{watch}/{{session}}", None, {}),
        ("DELETE", f"{watch}/{{session}}", None, {}),
    ]
    statuses = []
    for method, path, body, headers in asked:
        entry = document["paths"][path][method.lower()]
        assert entry["servers"] == [{"url": server.url}]
        address = server.url + path.format(stream_id=stream.id, session=session)
        answer = http(method, address, body, **headers)
        statuses.append(answer.status)
        documented = entry["responses"][str(answer.status)]
        if answer.status >= 400:
            content = documented["content"]["application/problem+json"]
            assert answer.problem["code"] in content["examples"]
        else:
            sent = {name.lower() for name in answer.headers}
            assert {name.lower() for name in documented.get("headers", {})} <= sent
    assert statuses.count(201) == 1  # given up soon: nobody ever connects
    assert len(set(statuses)) > 9


def test_nobody_ends_the_session_of_another_viewer(server, stream):
    """A session's address is a secret; it is of no use at another stream."""
    answer = post_offer(whep(server, stream), WATCH_OFFER)
    other = server.live_stream("another")
    session = answer.headers["location"].rpartition("/")[2]
    theirs = f"{whep(server, other)}/{session}"

    for method in ("DELETE", "PATCH"):
        refused = http(method, theirs, "a=ice-ufrag:EsAw\r\n", Content_Type=FRAGMENT)
        assert (refused.status, refused.problem["code"]) == (404, "no_such_session")
    assert http("DELETE", server.url + answer.headers["location"]).status == 200


def test_a_publisher_who_never_connects_frees_its_key_and_its_process(server):
    live = server.live_stream("absent")
    sent = {"Authorization": f"Bearer {live.key}"}
    assert post_offer(f"{server.url}/live/whip", PUBLISH_OFFER, **sent).status == 201
    assert server.find_processes("ingest.webrtc.whip_worker")

    wait_until(
        lambda: "not_connected" in [one["reason"] for one in server.events("whip_closed")],
        30,
        "given up",
    )
    wait_until(lambda: not server.find_processes("ingest.webrtc.whip_worker"), 30, "gone")

    def may_begin_again() -> bool:
        again = post_offer(f"{server.url}/live/whip", PUBLISH_OFFER, **sent)
        return again.status == 201

    wait_until(may_begin_again, 20, "the key is free again")
    wait_until(lambda: not server.find_processes("ingest.webrtc.whip_worker"), 30, "gone again")


def test_those_who_never_come_and_garbage_leave_nothing_in_the_daemon(server, stream, metrics_port):
    url = whep(server, stream)

    def come_and_never_connect(count: int) -> None:
        """One after the other: the database's connections, which stay, are as many as callers."""
        offers = [WATCH_OFFER] * count + ["garbage", WATCH_OFFER.replace("H264", "H265")]
        answers = [post_offer(url, offer).status for offer in offers]
        assert answers == [201] * count + [400, 422]
        wait_until(lambda: metric(metrics_port, "golive_whep_sessions") == 0, 60, "given up")

    def held() -> tuple[float, ...]:
        tasks = metric(metrics_port, "golive_event_loop_tasks")
        return server.daemon.num_fds(), server.daemon.num_threads(), tasks

    come_and_never_connect(VIEWERS - 2)  # the worker, and nginx's connections, stay
    before = held()
    memory_before = server.daemon.memory_info().rss
    come = 0
    while come < HALF_OPEN:
        come_and_never_connect(VIEWERS - 2)
        come += VIEWERS - 2
        print(f"before {before}, after {come} viewers {held()}")

    def nothing_stayed() -> bool:
        return all(now <= then for now, then in zip(held(), before, strict=True))

    wait_until(nothing_stayed, 60, f"no more than {before} descriptors, threads, tasks")
    assert server.daemon.memory_info().rss < memory_before * 1.2


def test_one_viewer_too_many_is_sent_to_hls(server, stream, metrics_port):
    url = whep(server, stream)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post_offer(url, WATCH_OFFER), range(VIEWERS + 6)))

    refused = [answer for answer in answers if answer.status == 503]
    assert refused, "nobody was refused"
    assert refused[0].problem["code"] == "viewers_full"
    assert server.hls(stream.id) in refused[0].problem["detail"]
    assert refused[0].headers["retry-after"]
    assert 'rel="alternate"' in refused[0].headers["link"]
    for answer in answers:
        if answer.status == 201:
            http("DELETE", server.url + answer.headers["location"])
    wait_until(lambda: metric(metrics_port, "golive_whep_sessions") == 0, 20, "all gone")
