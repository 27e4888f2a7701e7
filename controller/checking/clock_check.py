"""Whether this machine's clock is right: by the kernel's word, and against other machines'."""

import ctypes
import struct
import time
from collections.abc import Sequence

from controller.checking.findings import Finding, fail, ok, warn

SUBJECT = "clock"
_REMEDY = "Let the clock be set from the network: `apt-get install chrony`."
_TOLERATED_S = 2.0
_FATAL_S = 30.0
_TIMEX_BYTES = 208  # struct timex of adjtimex(2)
_TIME_ERROR = 5


async def check_clock() -> Sequence[Finding]:
    """What the kernel says of it; `skew_finding` compares it with other machines."""
    timex = ctypes.create_string_buffer(struct.pack("I", 0), _TIMEX_BYTES)
    if ctypes.CDLL(None).adjtimex(timex) == _TIME_ERROR:
        return [warn(SUBJECT, "nothing sets it: the kernel calls it not synchronized", _REMEDY)]
    return [ok(SUBJECT, "synchronized, says the kernel")]


def skew_finding(whose: str, their_time_s: float) -> Finding:
    """How far this machine's clock is from another's, which was asked just now.

    Tokens are refused, signatures to S3 too, and players wait for media that is not there yet.
    """
    skew_s = time.time() - their_time_s
    if abs(skew_s) <= _TOLERATED_S:
        return ok(SUBJECT, f"within {_TOLERATED_S:g} s of {whose}'s")
    found = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} {whose}'s"
    return (fail if abs(skew_s) > _FATAL_S else warn)(SUBJECT, found, _REMEDY)
