"""What players say about their playback: Common Media Client Data (CTA-5004), read leniently.

In the query (`CMCD=…`) or in the headers CMCD-Request, -Object, -Status and -Session; of version 2
(CTA-5004-A) the keys that tell durations.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_CHARACTERS = 2_048
"""Of what one request says; beyond it nothing is read."""

HEADERS = ("CMCD-Request", "CMCD-Object", "CMCD-Status", "CMCD-Session")

_PAIR = re.compile(
    r'\s*([a-z][a-z0-9_.-]{0,63})(?:=("(?:[^"\\]|\\.)*"|[^,"]*))?\s*(?:,|$)', re.IGNORECASE
)
_NUMBER = re.compile(r"\(?\s*(\d{1,12})")
_MOST_SESSION = 64
_PICTURES = frozenset({"v", "av"})


@dataclass(frozen=True, slots=True)
class ClientData:
    """What one request says; None for what it does not.

    `session` is the player's own (`sid`); `is_startup` (`su`): playback waits for it; `is_starved`
    (`bs`): the buffer has run dry since the last one. Of an object with pictures: what its bit
    rate is (`br`) and how long it lasts (`d`). Version 2: how long playback took to start (`msd`),
    and for how long the buffer was dry (`bsd`).
    """

    session: str
    is_startup: bool = False
    is_starved: bool = False
    bitrate_kbps: int | None = None
    duration_ms: int | None = None
    start_delay_ms: int | None = None
    starved_ms: int | None = None


def read_request(query: Mapping[str, str], headers: Mapping[str, str]) -> ClientData | None:
    """What a request's decoded query, else its headers say; None without a session."""
    text = query.get("CMCD")
    if text is None:
        if HEADERS[-1] not in headers:
            return None
        text = ",".join(headers.get(name, "") for name in HEADERS)
    return read_text(text)


def read_text(text: str) -> ClientData | None:
    """What the decoded text says; None without a session."""
    if len(text) > MOST_CHARACTERS:
        return None
    told = dict(_PAIR.findall(text))
    session = told.get("sid", "").strip('"')
    if not 0 < len(session) <= _MOST_SESSION:
        return None
    kind = told.get("ot", "v")
    shows = kind in _PICTURES
    return ClientData(
        session=session,
        is_startup="su" in told,
        # Players that fetch sound by itself say it once more there.
        is_starved="bs" in told and kind != "a",
        bitrate_kbps=_number(told, "br") if shows else None,
        duration_ms=_number(told, "d") if shows else None,
        start_delay_ms=_number(told, "msd"),
        starved_ms=_number(told, "bsd") if kind != "a" else None,
    )


def _number(told: Mapping[str, str], key: str) -> int | None:
    found = _NUMBER.match(told.get(key, ""))
    return None if found is None else int(found[1])
