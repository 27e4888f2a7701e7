"""JPEG pictures from decoded frames: scaled, put side by side, encoded."""

from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

_FORMAT = "yuvj420p"
_FULL_RANGE = 2
_SUBSAMPLING = (1, 2, 2)


def fitted(width: int, height: int, most_width: int, most_height: int) -> tuple[int, int]:
    """The size within the bounds, of the same shape and never larger; even numbers."""
    scale = min(1.0, most_width / width, most_height / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def scaled(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """The frame in that size, in JPEG's colors."""
    picture = frame.reformat(
        width, height, _FORMAT, dst_color_range=_FULL_RANGE, interpolation="AREA"
    )
    picture.pts = None
    return picture


def encode_jpeg(picture: VideoFrame, quality: int = 4) -> bytes:
    """The picture as JPEG; `quality` from 2 (best) to 31."""
    context = VideoCodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = picture.width, picture.height, _FORMAT
    context.time_base = Fraction(1, 25)
    context.color_range = _FULL_RANGE
    context.options = {"qmin": str(quality), "qmax": str(quality), "threads": "1"}
    packets = [*context.encode(picture), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


class Sheet:
    """Tiles of one size side by side: `columns` in a row, as many rows as there are tiles for."""

    def __init__(self, width: int, height: int, columns: int) -> None:
        self._size = (width, height)
        self._columns = columns
        self._tiles: list[VideoFrame] = []

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return len(self._tiles)

    def add(self, tile: VideoFrame) -> None:
        """Add a tile, which has the sheet's tile size."""
        self._tiles.append(tile)

    def picture(self) -> VideoFrame:
        """All tiles; what is left of the last row is black."""
        width, height = self._size
        columns = min(self._columns, len(self._tiles))
        rows = -(-len(self._tiles) // columns)
        sheet = VideoFrame(width * columns, height * rows, _FORMAT)
        sheet.color_range = _FULL_RANGE
        for plane, divisor in enumerate(_SUBSAMPLING):
            target = sheet.planes[plane]
            line = target.line_size
            black = b"\0" if plane == 0 else b"\x80"
            canvas = bytearray(black * target.buffer_size)
            for index, tile in enumerate(self._tiles):
                row, column = divmod(index, columns)
                at = row * (height // divisor) * line + column * (width // divisor)
                self._paste(tile.planes[plane], canvas, at, line, divisor)
            target.update(bytes(canvas))
        return sheet

    def _paste(
        self,
        source: "av.video.plane.VideoPlane",
        canvas: bytearray,
        at: int,
        line: int,
        divisor: int,
    ) -> None:
        width, height = (side // divisor for side in self._size)
        data = bytes(source)
        for row in range(height):
            start = row * source.line_size
            canvas[at + row * line : at + row * line + width] = data[start : start + width]
