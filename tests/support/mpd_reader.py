"""Reads the MPD of a running stream again and again, and holds it against the standard's rules."""

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin

from lxml import etree

from tests.support.mpd_rules import MediaRules, Mpd, check_mpd, check_update, read_mpd

SCHEMA = os.environ.get("GOLIVE_TEST_MPD_SCHEMA", "")
"""Path of DASH-MPD.xsd (ISO/IEC 23009-1), whose licence keeps it out of this repository."""

_ROUNDING_S = 0.01

Get = Callable[[str], tuple[int, bytes, dict[str, str]]]


class MpdReader:
    """A client of the MPD at `url`; `get` answers status, body and headers."""

    def __init__(self, url: str, get: Get) -> None:
        self._url = url
        self._get = get
        self._media = MediaRules()
        self._fetched: set[tuple[str, str, int]] = set()
        self._inits: set[str] = set()
        self._schema = etree.XMLSchema(file=Path(SCHEMA).as_uri()) if SCHEMA else None
        self.mpd: Mpd | None = None
        self.reads = 0

    @property
    def segments(self) -> int:
        """Media Segments that were fetched and compared with what was said of them."""
        return len(self._fetched)

    def read(self) -> None:
        """Once more; AssertionError names the rule that is broken."""
        status, body, headers = self._get(self._url)
        assert status == 200, (status, body)
        assert headers["Content-Type"].startswith("application/dash+xml"), "DASH §C.1"
        if self._schema is not None:
            self._schema.assertValid(etree.fromstring(body))
        mpd = read_mpd(body.decode())
        check_mpd(mpd, time.time())
        if self.mpd is None:
            self._check_clock(mpd)
        else:
            check_update(self.mpd, mpd)
        self.mpd = mpd
        self.reads += 1
        self._url = urljoin(self._url, mpd.location)  # DASH §5.3.1.2: updates are there
        self._fetch_new(mpd)

    def _check_clock(self, mpd: Mpd) -> None:
        """DASH §5.8.5.7: the time is that of the clock by which segments become available."""
        assert mpd.timing["schemeIdUri"] == "urn:mpeg:dash:utc:http-iso:2014", "DASH §5.8.5.7"
        before_s = time.time()
        status, body, headers = self._get(urljoin(self._url, mpd.timing["value"]))
        told_s = datetime.fromisoformat(body.decode()).timestamp()
        assert status == 200
        assert headers["Cache-Control"] == "no-store", "a clock that is cached stands still"
        assert before_s - _ROUNDING_S <= told_s <= time.time() + _ROUNDING_S

    def _fetch_new(self, mpd: Mpd) -> None:
        for period in mpd.periods:
            for track in period.tracks:
                if track.initialization not in self._inits:
                    assert self._get(urljoin(self._url, track.initialization))[0] == 200
                    self._inits.add(track.initialization)
                for segment in track.segments:
                    key = (period.id, track.id, segment.number)
                    if key in self._fetched:
                        continue
                    address = urljoin(self._url, track.address(segment.number))
                    status, media, _ = self._get(address)
                    assert status == 200, f"DASH §5.3.9.5.3: {address} is available"
                    self._media.check(period, track, segment, media)
                    self._fetched.add(key)
