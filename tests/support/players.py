"""Players in headless Chromium: what they play, how far behind, and where they stall.

hls.js, dash.js and Shaka come from `tests/players/node_modules` (`make test` installs them) and
are served from an origin of their own, so that cross-origin rules are tested too.
"""

import functools
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
_PLAYERS = Path(__file__).parents[1] / "players"
_SAMPLE_S = 0.25
HLS_JS = "hls.js"
DASH_JS = "dash.js"
SHAKA = "shaka"


@dataclass(frozen=True)
class Sample:
    """The player at one moment; see `tests/players/page/probe.js`."""

    at_s: float
    current_s: float
    reached_s: float
    buffered: list[list[float]]
    duration_s: float | None
    latency_s: float | None
    stalls: int
    stalled_at: list[list[float]]
    skips: list[list[float]]
    stalled_s: float
    errors: list[str]
    frames: int
    dropped: int
    width: int
    paused: bool
    ended: bool
    started_after_s: float | None


@dataclass(frozen=True)
class Watched:
    """What a player did over a while."""

    samples: list[Sample]

    @property
    def advanced_s(self) -> float:
        """Media time played."""
        return self.samples[-1].current_s - self.samples[0].current_s

    @property
    def took_s(self) -> float:
        """Wall time watched."""
        return self.samples[-1].at_s - self.samples[0].at_s

    @property
    def stalls(self) -> int:
        """Waits for data after the first picture, in this while."""
        return self.samples[-1].stalls - self.samples[0].stalls

    @property
    def frames(self) -> int:
        """Frames shown or dropped."""
        return self.samples[-1].frames - self.samples[0].frames

    @property
    def errors(self) -> list[str]:
        """All errors since the page was opened."""
        return self.samples[-1].errors

    @property
    def latency_s(self) -> float:
        """Median of the player's own figure."""
        return median(one.latency_s for one in self.samples if one.latency_s is not None)

    def __str__(self) -> str:
        last = self.samples[-1]
        known = [one.latency_s for one in self.samples if one.latency_s is not None]
        latency = f"{median(known):.2f} s" if known else "unknown"
        return (
            f"played {self.advanced_s:.2f} s in {self.took_s:.2f} s, stalls {self.stalls}, "
            f"latency {latency}, frames {self.frames}, errors {last.errors}, "
            f"first picture after {last.started_after_s} s"
        )


class PlayerPage:
    """A page with a player in it that answers `probe()`."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def sample(self) -> Sample:
        """The player now."""
        return Sample(**self.page.evaluate("probe()"))

    def wait_playing(self, timeout_s: float = 20.0) -> Sample:
        """Until the first second has been played; AssertionError with what it said else."""
        return self.wait(lambda one: one.current_s > 0 and one.frames > 15, timeout_s, "playing")

    def wait(self, reached: Callable[[Sample], bool], timeout_s: float, what: str) -> Sample:
        """Until a sample is as wanted."""
        deadline_s = time.monotonic() + timeout_s
        while not reached(sample := self.sample()):
            assert time.monotonic() < deadline_s, f"not {what} within {timeout_s} s: {sample}"
            self.page.wait_for_timeout(100)
        return sample

    def watch(self, seconds: float) -> Watched:
        """Look on for so long."""
        samples = [self.sample()]
        while samples[-1].at_s - samples[0].at_s < seconds:
            self.page.wait_for_timeout(_SAMPLE_S * 1000)
            samples.append(self.sample())
        return Watched(samples)


class Players:
    """One browser for a test session."""

    def __init__(self, browser: Browser, origin: str) -> None:
        self._browser = browser
        self._origin = origin

    @contextmanager
    def play(self, player: str, url: str, *, live: bool = True) -> Iterator[PlayerPage]:
        """The address in one of the three players."""
        query = urlencode({"player": player, "url": url, "live": "1" if live else "0"})
        with self._page() as page:
            page.goto(f"{self._origin}/player.html?{query}")
            yield PlayerPage(page)

    @contextmanager
    def play_cues(
        self, player: str, url: str, *, live: bool = True, behind_s: float = 0.0
    ) -> Iterator[PlayerPage]:
        """The address in hls.js or dash.js, so far behind live, on the page that notes cues."""
        fields = {"player": player, "url": url, "live": "1" if live else "0"}
        query = urlencode({**fields, "behind": str(behind_s)})
        with self._page() as page:
            page.goto(f"{self._origin}/cues.html?{query}")
            yield PlayerPage(page)

    @contextmanager
    def watch_page(self, url: str, **context: object) -> Iterator[PlayerPage]:
        """golive's own watch page. `context`: Playwright's, to be a phone for example."""
        with self._page(**context) as page:
            page.goto(url)
            page.evaluate((_PLAYERS / "page" / "probe.js").read_text() + _PROBE_WATCH_PAGE)
            yield PlayerPage(page)

    @contextmanager
    def page(self, url: str, **context: object) -> Iterator[Page]:
        """A page of the browser's own, at that address. `context`: Playwright's."""
        with self._page(**context) as page:
            page.goto(url)
            yield page

    @contextmanager
    def _page(self, **context: object) -> Iterator[Page]:
        opened = self._browser.new_context(**context)
        try:
            yield opened.new_page()
        finally:
            opened.close()


_PROBE_WATCH_PAGE = """
;(() => {
  const probing = makeProbe(document.getElementById("video"));
  window.probe = () => probing.sample(window.golive.latency ?? NaN);
})()
"""


@contextmanager
def players() -> Iterator[Players]:
    """Start Chromium and the players' own web server."""
    with serving_players() as origin, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield Players(browser, origin)
        finally:
            browser.close()


class _Files(http.server.SimpleHTTPRequestHandler):
    """`page/` at the root, `node_modules/` beside it; silent."""

    def translate_path(self, path: str) -> str:
        inside = path if path.startswith("/node_modules/") else f"/page{path}"
        return super().translate_path(inside)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serving_players() -> Iterator[str]:
    """A web server with the page and the players; answers its origin."""
    handler = functools.partial(_Files, directory=str(_PLAYERS))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)
