"""What nginx's words mean: durations, sizes, addresses, and which value holds in a block."""

import re
from collections.abc import Sequence

from controller.checking.nginx_reader import Directive

_UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|)")
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"(\d+)([kmg]?)")
_LOOPBACK = re.compile(r"(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d+)?")


def seconds(text: str) -> float | None:
    """`8s`, `500ms`, `1m30s` in seconds; None for anything else."""
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        return None
    return sum(int(number) * _UNITS_S[unit] for number, unit in _DURATION.findall(text))


def size_bytes(text: str) -> int | None:
    """`4M` in bytes; None for anything else."""
    match = _SIZE.fullmatch(text.lower())
    return int(match[1]) * _SIZES[match[2]] if match else None


def is_local_listen(address: str) -> bool:
    """Whether only this host reaches a `listen` address."""
    return address.startswith("unix:") or _LOOPBACK.fullmatch(address) is not None


def setting(chain: Sequence[Directive], name: str) -> Directive | None:
    """The directive that holds in the innermost block of `chain` (innermost first)."""
    for block in chain:
        found = None
        for directive in block.named(name):
            found = directive
        if found is not None:
            return found
    return None


def address_of_hook(url: str) -> str:
    """Where a hook's URL or a `proxy_pass` leads: `host:port` or `unix:/path`, no URI."""
    rest = url.removeprefix("http://")
    if rest.startswith("unix:"):
        path = rest.removeprefix("unix:").partition(":")[0]
        return f"unix:{path}"
    return rest.partition("/")[0]
