"""WebRTC for tests: browsers with a fake camera, a bad network."""

import heapq
import json
import random
import re
import selectors
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.players import CHROMIUM, FLAGS, serving_players

_FAKE_CAMERA = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
)

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "m=video 9 UDP/TLS/RTP/SAVPF 102 103",
        "c=IN IP4 0.0.0.0",
        "a=rtcp-mux",
        "a=ice-ufrag:EsAw",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
        "a=fingerprint:sha-256 " + ":".join(["D2"] * 32),
        "a=setup:actpass",
        "a=mid:0",
        "a=DIRECTION",
        "a=rtpmap:102 H264/90000",
        "a=rtcp-fb:102 nack",
        "a=rtcp-fb:102 nack pli",
        "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtpmap:103 rtx/90000",
        "a=fmtp:103 apt=102",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=rtcp-mux",
        "a=ice-ufrag:EsAw",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
        "a=fingerprint:sha-256 " + ":".join(["D2"] * 32),
        "a=setup:actpass",
        "a=mid:1",
        "a=DIRECTION",
        "a=rtpmap:111 opus/48000/2",
        "",
    ]
)
WATCH_OFFER = OFFER.replace("a=DIRECTION", "a=recvonly")
PUBLISH_OFFER = OFFER.replace("a=DIRECTION", "a=sendonly")
"""Offers of somebody who never sends a packet."""


@dataclass(frozen=True)
class HttpAnswer:
    """Status, headers in lower case, and the body."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def problem(self) -> dict:
        """The body as a problem; AssertionError when it is none."""
        assert self.headers["content-type"].startswith("application/problem+json"), self
        return json.loads(self.body)


def http(method: str, url: str, body: str | bytes | None = None, **headers: str) -> HttpAnswer:
    """One request; header names with `_` for `-`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, method=method, data=data, headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return _answer(answer)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error)


def _answer(answer: object) -> HttpAnswer:
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return HttpAnswer(answer.status, headers, answer.read().decode())


def post_offer(url: str, offer: str, **headers: str) -> HttpAnswer:
    """An SDP offer."""
    return http("POST", url, offer, Content_Type="application/sdp", **headers)


class WebRtcPage:
    """A page of `webrtc.html`."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def publish(self, url: str, key: str, codec: str = "") -> dict:
        """The fake camera over WHIP."""
        return self.page.evaluate("([u, k, c]) => publish(u, k, c)", [url, key, codec])

    def watch(self, url: str, token: str = "") -> dict:
        """Over WHEP."""
        return self.page.evaluate("([u, t]) => watch(u, t)", [url, token])

    def watch_relayed(self, url: str, relayed: Callable[[str], str]) -> dict:
        """Over WHEP, with the answer as `relayed` makes it."""
        self.page.expose_function("relay", relayed)
        return self.page.evaluate("([u]) => watch(u, '', true)", [url])

    def watch_with_client(self, url: str) -> None:
        """Over WHEP, with the client of its authors."""
        self.page.evaluate("([u]) => watchWithClient(u)", [url])

    def watch_hls(self, url: str) -> None:
        """Over LL-HLS."""
        self.page.evaluate("([u]) => watchHls(u)", [url])

    def stats(self) -> dict:
        """See `webrtc.js`."""
        return self.page.evaluate("stats()")

    def wait(self, reached: Callable[[dict], bool], timeout_s: float, what: str) -> dict:
        """Until the figures are as wanted."""
        deadline_s = time.monotonic() + timeout_s
        while not reached(stats := self.stats()):
            assert time.monotonic() < deadline_s, f"not {what} within {timeout_s} s: {stats}"
            self.page.wait_for_timeout(100)
        return stats


class WebRtcBrowser:
    """Chromium with a fake camera."""

    def __init__(self, browser: Browser, origin: str) -> None:
        self._browser = browser
        self._origin = origin

    @contextmanager
    def pages(self, count: int) -> Iterator[list[WebRtcPage]]:
        """So many pages of one window."""
        context = self._browser.new_context()
        try:
            opened = [context.new_page() for _ in range(count)]
            for page in opened:
                page.goto(f"{self._origin}/webrtc.html")
            yield [WebRtcPage(page) for page in opened]
        finally:
            context.close()


@contextmanager
def webrtc_browser() -> Iterator[WebRtcBrowser]:
    """Start Chromium and the pages' own web server."""
    with serving_players() as origin, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *_FAKE_CAMERA])
        try:
            yield WebRtcBrowser(browser, origin)
        finally:
            browser.close()


@dataclass
class Weather:
    """What a relay does to datagrams, in both directions; may be changed at any time."""

    loss: float = 0.0
    jitter_s: float = 0.0
    dropped: int = 0
    passed: int = 0
    reordered: int = 0


@dataclass
class _Later:
    at_s: float
    order: int
    data: bytes
    send: Callable[[bytes], object] = field(compare=False)

    def __lt__(self, other: "_Later") -> bool:
        return (self.at_s, self.order) < (other.at_s, other.order)


class Relay:
    """A UDP relay to `target` with weather: loses, delays and reorders by a seeded dice."""

    def __init__(self, host: str, target: tuple[str, int], weather: Weather, seed: int) -> None:
        self._target = target
        self._weather = weather
        self._dice = random.Random(seed)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._front.bind((host, 0))
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self._later: list[_Later] = []
        self._count = 0
        self._stopped = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._front.getsockname()[1]

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(5)
        self._selector.close()
        for one in (self._front, *self._backs.values()):
            one.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            wait_s = 0.05
            if self._later:
                wait_s = max(0.0, min(wait_s, self._later[0].at_s - time.monotonic()))
            for key, _ in self._selector.select(wait_s):
                self._receive(key.fileobj, key.data)
            while self._later and self._later[0].at_s <= time.monotonic():
                due = heapq.heappop(self._later)
                due.send(due.data)

    def _receive(self, one: socket.socket, client: tuple[str, int] | None) -> None:
        try:
            data, sender = one.recvfrom(65_536)
        except OSError:
            return
        if client is None:
            back = self._backs.get(sender)
            if back is None:
                back = self._backs[sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                back.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                back.connect(self._target)
                self._selector.register(back, selectors.EVENT_READ, sender)
            self._pass(data, back.send)
        else:
            self._pass(data, lambda sent: self._front.sendto(sent, client))

    def _pass(self, data: bytes, send: Callable[[bytes], object]) -> None:
        weather = self._weather
        if self._dice.random() < weather.loss:
            weather.dropped += 1
            return
        weather.passed += 1
        self._count += 1
        at_s = time.monotonic() + self._dice.random() * weather.jitter_s
        weather.reordered += any(waiting.at_s > at_s for waiting in self._later)
        heapq.heappush(self._later, _Later(at_s, self._count, data, send))


def host_candidates(answer: str) -> list[tuple[str, int]]:
    """The IPv4 hosts and ports of an answer."""
    found = re.findall(r"a=candidate:\S+ \d+ udp \d+ ([0-9.]+) (\d+) typ host", answer)
    return [(host, int(port)) for host, port in dict.fromkeys(found)]


def relayed_answer(answer: str, host: str, port: int, relay_port: int) -> str:
    """The answer with a relay's port in the place of the worker's, and no other way to it."""
    lines = [
        line.replace(f" {port} typ", f" {relay_port} typ")
        for line in answer.splitlines()
        if not line.startswith("a=candidate") or f"{host} {port} typ" in line
    ]
    return "\r\n".join(lines) + "\r\n"
