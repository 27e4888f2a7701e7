"""Which sizes a video is offered in: pure."""

from dataclasses import dataclass
from fractions import Fraction

_BOXES = ((1920, 1080), (1280, 720))
_WORTH_ITS_SPACE = 0.8
"""A further size must save a fifth of the pixels."""

_FULL_HD_PIXELS = 1920 * 1080
_FULL_HD_BITS_PER_S = 5_000_000
_FEWEST_BITS_PER_S = 300_000
_HIGH_RATE_FPS = 31
_HIGH_RATE_FACTOR = 1.4
_SHORTEST_SIDE = 2

_RATES = tuple(
    Fraction(*rate)
    for rate in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1),
                 (60000, 1001), (60, 1))
)  # fmt: skip
_SLOWEST_FPS = 10


@dataclass(frozen=True, slots=True)
class Picture:
    """A video as it is meant to be seen: upright, in square pixels."""

    width: int
    height: int
    fps: Fraction


@dataclass(frozen=True, slots=True)
class Rung:
    """One size of the ladder; sides are even, as 4:2:0 needs them. `max_bits_per_s` bounds what
    constant quality may take."""

    name: str
    width: int
    height: int
    max_bits_per_s: int


def ladder(source: Picture) -> tuple[Rung, ...]:
    """The sizes for `source`, the largest first: 1080p and 720p, or what it has if that is less.

    A size is the largest picture of the source's shape within a box of 1920x1080 or 1280x720
    (upright for upright pictures), and never larger than the source.
    """
    rungs: list[Rung] = []
    for box in _BOXES:
        rung = _within(source, box)
        if not rungs or _area(rung) <= _WORTH_ITS_SPACE * _area(rungs[-1]):
            rungs.append(rung)
    return tuple(rungs)


def output_rate(measured: Fraction | None) -> Fraction:
    """The constant frame rate for a video of a measured one, in frames a second: the nearest that
    television and phones know; what is slower than the slowest stays, from 10 on."""
    if measured is None or measured <= 0:
        return Fraction(30)
    if measured < _RATES[0]:
        return Fraction(max(_SLOWEST_FPS, round(measured)))
    return min(_RATES, key=lambda rate: abs(rate - measured))


def upright(width: int, height: int, aspect: Fraction | None, rotation: int) -> tuple[int, int]:
    """Width and height as seen, from coded samples of an aspect ratio and a rotation in degrees."""
    if aspect is not None and aspect > 0:
        width = round(width * aspect)
    return (height, width) if rotation % 180 else (width, height)


def _within(source: Picture, box: tuple[int, int]) -> Rung:
    long_side, short_side = box
    scale = min(
        Fraction(1),
        Fraction(long_side, max(source.width, source.height)),
        Fraction(short_side, min(source.width, source.height)),
    )
    width, height = (_even(side * scale) for side in (source.width, source.height))
    share = width * height / _FULL_HD_PIXELS
    factor = _HIGH_RATE_FACTOR if source.fps > _HIGH_RATE_FPS else 1.0
    bits = max(_FEWEST_BITS_PER_S, round(_FULL_HD_BITS_PER_S * share**0.75 * factor, -3))
    return Rung(f"{min(width, height)}p", width, height, bits)


def _even(side: Fraction) -> int:
    """The nearest even number that is not above the side."""
    return max(_SHORTEST_SIDE, int(side) // 2 * 2)


def _area(rung: Rung) -> int:
    return rung.width * rung.height
