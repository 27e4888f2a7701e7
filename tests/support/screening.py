"""Many recordings in headless Chromium at once, several pages beside each other, faster than
they were made: what each player says at the end of each."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

from playwright.async_api import Browser, async_playwright

from tests.support.players import CHROMIUM, FLAGS, Sample, serving_players

_POLL_S = 0.15
_END_S = 0.2
_CAN_DECODE = """codec => ["video/mp4", "audio/mp4"].some(
    type => MediaSource.isTypeSupported(`${type}; codecs="${codec}"`))"""


@dataclass(frozen=True)
class Showing:
    """One recording in one player, `rate` times as fast as it was made."""

    name: str
    player: str
    suffix: str
    rate: float


class NoDecoder(Exception):
    """This browser says that it cannot decode a codec (`MediaSource.isTypeSupported`)."""


class Screening:
    """Plays `showings` from a thread of its own, `at_once` pages at a time; `address` answers where
    a showing's playlist is and may wait for it, `codecs` what is in it, as a media type names them
    (RFC 6381).

    What does not go as `is_fine` wants it at another speed than its own is played again at that:
    players look for media once a second, however fast they play.
    """

    def __init__(
        self,
        showings: Iterable[Showing],
        address: Callable[[Showing], str],
        codecs: Callable[[Showing], list[str]],
        *,
        is_fine: Callable[[Sample], bool],
        at_once: int,
        timeout_s: float,
    ) -> None:
        self._results: dict[Showing, Future[Sample]] = {one: Future() for one in showings}
        self._address, self._codecs, self._is_fine = address, codecs, is_fine
        self._at_once, self._timeout_s = at_once, timeout_s
        self._thread = threading.Thread(target=lambda: asyncio.run(self._play_all()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def last_sample(self, showing: Showing) -> Sample:
        """How the player was when it had played everything, or when it took too long. NoDecoder
        where the browser has none."""
        return self._results[showing].result()

    async def _play_all(self) -> None:
        places = asyncio.Semaphore(self._at_once)
        with serving_players() as origin:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=CHROMIUM, args=list(FLAGS)
                )

                async def one(showing: Showing) -> None:
                    async with places:
                        try:
                            url = await asyncio.to_thread(self._address, showing)
                            codecs = await asyncio.to_thread(self._codecs, showing)
                            sample = await self._play(browser, origin, showing, url, codecs)
                            if showing.rate != 1 and not self._is_fine(sample):
                                slower = replace(showing, rate=1.0)
                                sample = await self._play(browser, origin, slower, url, codecs)
                            self._results[showing].set_result(sample)
                        except BaseException as error:  # noqa: BLE001  the test that asks tells
                            self._results[showing].set_exception(error)

                await asyncio.gather(*(one(showing) for showing in self._results))
                await browser.close()

    async def _play(
        self, browser: Browser, origin: str, showing: Showing, url: str, codecs: list[str]
    ) -> Sample:
        rate = str(showing.rate)
        query = {"player": showing.player, "url": url, "live": "0", "rate": rate}
        context = await browser.new_context()
        try:
            page = await context.new_page()
            for codec in codecs:
                if not await page.evaluate(_CAN_DECODE, codec):
                    raise NoDecoder(codec)
            await page.goto(f"{origin}/player.html?{urlencode(query)}")
            deadline_s = time.monotonic() + self._timeout_s
            while True:
                sample = Sample(**await page.evaluate("probe()"))
                if played(sample) or time.monotonic() > deadline_s:
                    return sample
                await asyncio.sleep(_POLL_S)
        finally:
            await context.close()


def played(sample: Sample) -> bool:
    """Whether it is over, or a few frames before: players differ about what the last frame is."""
    if sample.ended or sample.duration_s is None:
        return sample.ended
    return sample.reached_s > max(1.0, sample.duration_s - _END_S)
