"""Picture sizes: what x264 writes is read as it was asked for."""

import pytest

from ingest.errors import MalformedMedia
from ingest.source.h264_sps import picture_size
from tests.support.flv import VIDEO
from tests.support.inputs import Encoders


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": "128x96"}, (128, 96)),
        ({"size": "90x160"}, (90, 160)),
        ({"size": "426x238"}, (426, 238)),
        ({"video": "-profile:v baseline", "b_frames": 0}, (128, 96)),
        ({"video": "-pix_fmt yuv422p", "size": "98x46"}, (98, 46)),
        ({"video": "-pix_fmt yuv444p", "size": "98x46"}, (98, 46)),
        ({"x264": "interlaced=1", "size": "128x100"}, (128, 100)),
        ({"x264": "cqm=jvt"}, (128, 96)),
    ],
)
def test_the_size_is_the_encoders(tmp_path, options, expected):
    tags = Encoders(tmp_path).flv(**{"seconds": 0.2, "audio": "", **options})
    header = next(t for t in tags if t.kind == VIDEO and t.is_header)
    assert picture_size(header.data[5:]) == expected


@pytest.mark.parametrize(
    "avcc",
    [
        b"",
        bytes(8),
        b"\x01\x64\x00\x1e\xff\xe0\x00\x00",
        b"\x01\x64\x00\x1e\xff\xe1\x00\x40\x67",
        b"\x01\x64\x00\x1e\xff\xe1\x00\x05\x67\x64\x00\x1e\x00",
        b"\x01\x64\x00\x1e\xff\xe1\x00\x20\x67\x42\x00\x1e" + b"\x00" * 28,
    ],
)
def test_what_tells_no_size_is_malformed(avcc):
    with pytest.raises(MalformedMedia):
        picture_size(avcc)
