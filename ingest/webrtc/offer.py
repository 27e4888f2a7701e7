"""Looks at an SDP offer before a WebRTC stack does (RFC 8866, RFC 9725 §4.2). Pure."""

import ipaddress
import re

from ingest.webrtc.errors import FragmentMalformed, OfferMalformed, OfferUnacceptable

MOST_SDP_BYTES = 32_768
_MOST_LINES = 1_000
_LINE = re.compile(r"[a-z]=[^\x00-\x1f\x7f]*")
_NEEDED = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=mid:")
_MDNS = re.compile(r"a=candidate:(\S+ ){4}\S+\.local ", re.IGNORECASE)
_CANDIDATE = re.compile(r"a=candidate:(?P<body>\S+ \d+ \S+ \d+ (?P<host>\S+) \d+ typ host.*)")


def checked_offer(text: str) -> str:
    """The offer as the stack gets it: without candidates that name a host by mDNS (RFC 8828),
    whose checks reach us all the same, and without a word that there will be no more.

    Raises OfferMalformed or OfferUnacceptable.
    """
    lines = _lines(text)
    if lines[:1] != ["v=0"]:
        raise OfferMalformed("the body does not begin with v=0")
    media = [line.split(" ", 1)[0].removeprefix("m=") for line in lines if line.startswith("m=")]
    if not media:
        raise OfferMalformed("the offer has no media")
    if sorted(media) not in (["audio"], ["video"], ["audio", "video"]):
        raise OfferUnacceptable("offer at most one audio and one video section, and nothing else")
    for needed in _NEEDED:
        if not any(line.startswith(needed) for line in lines):
            raise OfferMalformed(f"the offer has no {needed.removeprefix('a=').rstrip(':')}")
    kept = [line for line in lines if line != "a=end-of-candidates" and not _MDNS.match(line)]
    return "\r\n".join(kept) + "\r\n"


def answer_with(text: str, public_addresses: tuple[str, ...]) -> str:
    """The answer with each host candidate repeated for the addresses that NAT maps to it."""
    if not public_addresses:
        return text
    lines: list[str] = []
    for line in text.splitlines():
        lines.append(line)
        match = _CANDIDATE.fullmatch(line)
        if match is None:
            continue
        family = _family(match["host"])
        lines += [_moved(match, one) for one in public_addresses if _family(one) == family]
    return "\r\n".join(lines) + "\r\n"


def trickled(text: str, ufrag: str) -> list[tuple[str, str]]:
    """Candidates of a fragment (RFC 8840 §9), each as `candidate:…` with its section's mid.

    An empty mid is the first section's. Raises FragmentMalformed; ValueError when the fragment's
    `ice-ufrag` is not `ufrag`, which is an ICE restart.
    """
    found: list[tuple[str, str]] = []
    mid = ""
    try:
        lines = _lines(text)
    except OfferMalformed as error:
        raise FragmentMalformed(str(error)) from error
    if not lines:
        raise FragmentMalformed("the fragment is empty")
    for line in lines:
        name, _, value = line.removeprefix("a=").partition(":")
        if name == "mid":
            mid = value
        elif name == "ice-ufrag" and value != ufrag:
            raise ValueError("the fragment is of another ICE session")
        elif name == "candidate" and not _MDNS.match(line):
            found.append((f"candidate:{value}", mid))
    return found


def ufrag_of(text: str) -> str:
    """The offer's first ice-ufrag."""
    for line in text.splitlines():
        if line.startswith("a=ice-ufrag:"):
            return line.removeprefix("a=ice-ufrag:")
    return ""


def _lines(text: str) -> list[str]:
    if len(text.encode()) > MOST_SDP_BYTES:
        raise OfferMalformed("the body is too long")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n") if text.strip() else []
    if len(lines) > _MOST_LINES or not all(map(_LINE.fullmatch, lines)):
        raise OfferMalformed("the body has lines that are not SDP's")
    return lines


def _moved(match: re.Match[str], address: str) -> str:
    before, after = match.string[: match.start("host")], match.string[match.end("host") :]
    return f"{before}{address}{after}"


def _family(address: str) -> int:
    try:
        return ipaddress.ip_address(address).version
    except ValueError:
        return 0
