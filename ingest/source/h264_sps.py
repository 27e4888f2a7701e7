"""Picture size from an H.264 sequence parameter set (ITU-T H.264 §7.3.2.1.1)."""

from ingest.errors import MalformedMedia

_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_MAX_LEADING_ZEROS = 31
_MAX_REF_FRAMES_IN_CYCLE = 255
_LARGEST_SIDE = 16_384


class _Bits:
    """Reads an RBSP bit by bit; MalformedMedia behind its end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def read(self, count: int) -> int:
        """`count` bits as an unsigned number, u(n)."""
        if count > self._left:
            raise MalformedMedia("the sequence parameter set is cut off")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def unsigned(self) -> int:
        """An Exp-Golomb code, ue(v) (§9.1)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _MAX_LEADING_ZEROS:
                raise MalformedMedia("the sequence parameter set has an endless code")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb code, se(v) (§9.1.1)."""
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def picture_size(avcc: bytes) -> tuple[int, int]:
    """Width and height in luma samples, cropped, from an AVCDecoderConfigurationRecord.

    Raises MalformedMedia when there is no readable sequence parameter set in it.
    """
    if len(avcc) < 8 or not avcc[5] & 0x1F:  # noqa: PLR2004
        raise MalformedMedia("the decoder configuration has no sequence parameter set")
    length = int.from_bytes(avcc[6:8], "big")
    nal = avcc[8 : 8 + length]
    if len(nal) != length or length < 4:  # noqa: PLR2004
        raise MalformedMedia("the sequence parameter set is cut off")
    width, height = _parse(_Bits(nal[1:].replace(b"\0\0\3", b"\0\0")))
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        raise MalformedMedia(f"a picture of {width} x {height} cannot be right")
    return width, height


def _parse(bits: _Bits) -> tuple[int, int]:
    profile = bits.read(8)
    bits.read(16)  # constraint flags, level
    bits.unsigned()  # seq_parameter_set_id
    chroma_format = _high_profile_fields(bits) if profile in _HIGH_PROFILES else 1
    bits.unsigned()  # log2_max_frame_num_minus4
    _picture_order_count(bits)
    bits.unsigned()  # max_num_ref_frames
    bits.read(1)  # gaps_in_frame_num_value_allowed_flag
    width = (bits.unsigned() + 1) * 16
    map_units = bits.unsigned() + 1
    frame_mbs_only = bits.read(1)
    height = map_units * 16 * (2 - frame_mbs_only)
    if not frame_mbs_only:
        bits.read(1)  # mb_adaptive_frame_field_flag
    bits.read(1)  # direct_8x8_inference_flag
    if bits.read(1):  # frame_cropping_flag (§7.4.2.1.1, table 6-1)
        unit_x = 1 if chroma_format in {0, 3} else 2
        unit_y = (2 if chroma_format == 1 else 1) * (2 - frame_mbs_only)
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        width -= (left + right) * unit_x
        height -= (top + bottom) * unit_y
    return width, height


def _high_profile_fields(bits: _Bits) -> int:
    """Skip to behind the scaling matrix; answers chroma_format_idc."""
    chroma_format = bits.unsigned()
    if chroma_format == 3:  # noqa: PLR2004
        bits.read(1)  # separate_colour_plane_flag
    bits.unsigned()  # bit_depth_luma_minus8
    bits.unsigned()  # bit_depth_chroma_minus8
    bits.read(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.read(1):  # seq_scaling_matrix_present_flag
        for index in range(8 if chroma_format != 3 else 12):  # noqa: PLR2004
            if bits.read(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)  # noqa: PLR2004
    return chroma_format


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _picture_order_count(bits: _Bits) -> None:
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()  # log2_max_pic_order_cnt_lsb_minus4
    elif kind == 1:
        bits.read(1)
        bits.signed()
        bits.signed()
        count = bits.unsigned()
        if count > _MAX_REF_FRAMES_IN_CYCLE:
            raise MalformedMedia("the sequence parameter set has an endless cycle")
        for _ in range(count):
            bits.signed()
