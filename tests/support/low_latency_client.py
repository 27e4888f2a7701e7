"""A client of a low-latency MPD that asks for each segment the moment that it is promised."""

import http.client
import threading
import time
import urllib.request
from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin, urlsplit

from tests.support.low_latency_rules import (
    LowLatencyMpd,
    NumberedPeriod,
    check_low_latency_mpd,
    check_low_latency_update,
    read_low_latency_mpd,
)

_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Arrived:
    """A Media Segment: when it was promised and asked for (Unix seconds), and what came when."""

    address: str
    status: int
    promised_s: float
    asked_s: float
    pieces: tuple[tuple[float, bytes], ...]

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(data for _, data in self.pieces)

    @property
    def took_s(self) -> float:
        """From its first byte to its last."""
        return self.pieces[-1][0] - self.pieces[0][0]

    @property
    def waited_s(self) -> float:
        """From the request to its first byte."""
        return self.pieces[0][0] - self.asked_s


class PromiseKeeper:
    """Follows track `index` of the MPD at `url` in a thread of its own until it is left, and holds
    every MPD against the rules."""

    def __init__(self, url: str, index: int) -> None:
        self.segments: list[Arrived] = []
        self.periods: dict[str, NumberedPeriod] = {}
        self._url, self._index = url, index
        self._left = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._mpd: LowLatencyMpd | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join(_TIMEOUT_S)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            number = -1
            while not self._left.is_set():
                mpd = self._read()
                period = mpd.periods[-1]
                if number < 0:
                    number = self._next_promised(mpd, period)
                period = next(p for p in reversed(mpd.periods) if p.video.first <= number)
                track = period.tracks[self._index]
                promised_s = mpd.promised_s(period, track, number)
                if self._left.wait(max(0.0, promised_s - time.time())):
                    return
                self.segments.append(
                    self._fetch(urljoin(self._url, track.address(number)), promised_s)
                )
                number += 1
        except BaseException as error:  # noqa: BLE001  the test that leaves it hears of it
            self._error = error

    def _read(self) -> LowLatencyMpd:
        with urllib.request.urlopen(self._url, timeout=_TIMEOUT_S) as answer:
            mpd = read_low_latency_mpd(answer.read().decode())
        check_low_latency_mpd(mpd, time.time())
        if self._mpd is not None:
            check_low_latency_update(self._mpd, mpd)
        self._mpd = mpd
        self.periods |= {period.id: period for period in mpd.periods}
        return mpd

    def _next_promised(self, mpd: LowLatencyMpd, period: NumberedPeriod) -> int:
        number = period.video.first
        while mpd.promised_s(period, period.tracks[self._index], number) < time.time():
            number += 1
        return number

    @staticmethod
    def _fetch(address: str, promised_s: float) -> Arrived:
        parts = urlsplit(address)
        connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
        asked_s, pieces = time.time(), []
        try:
            connection.request("GET", f"{parts.path}?{parts.query}")
            answer = connection.getresponse()
            while data := answer.read1(1 << 20):
                pieces.append((time.time(), data))
            return Arrived(address, answer.status, promised_s, asked_s, tuple(pieces))
        finally:
            connection.close()
