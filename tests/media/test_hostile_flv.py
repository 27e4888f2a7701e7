"""Bytes that no encoder sends: a typed error or a counted drop, and nobody else notices."""

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.errors import MalformedMedia
from ingest.media import AudioFormat, Packet, VideoFormat
from ingest.session.messages import JournalGrew, StartSpool, StopSession, ToStream
from ingest.session.packager import Packager
from ingest.session.state import SessionState
from ingest.source.aac_config import aac_format
from ingest.source.flv import FlvReader
from ingest.source.h264_sps import picture_size
from ingest.source.mp3_header import mp3_format
from tests.fuzz.__main__ import seeds
from tests.fuzz.hostile import Ears, check, mutate, package
from tests.support.flv import FILE_HEADER, FlvTag, flv_file
from tests.support.inputs import Encoders

CASES = sorted((Path(__file__).parents[1] / "fuzz" / "cases").glob("*.flv"))
MUTANTS = 250
_MANY = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return seeds(Encoders(tmp_path_factory.mktemp("hostile")))


# --- parsers ------------------------------------------------------------------------------------


@_MANY
@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_size_or_malformed(data):
    try:
        width, height = picture_size(data)
    except MalformedMedia:
        return
    assert 0 < width <= 16_384
    assert 0 < height <= 16_384


@_MANY
@given(st.binary(max_size=60))
def test_any_parameter_set_is_a_picture_size_or_malformed(sps):
    head = b"\x01\x64\x00\x1e\xff\xe1" + (len(sps) + 2).to_bytes(2, "big") + b"\x67\x64"
    try:
        assert min(picture_size(head + sps)) > 0
    except MalformedMedia:
        return


@_MANY
@given(st.binary(max_size=20))
def test_any_bytes_are_an_audio_format_or_malformed(data):
    for parse in (aac_format, mp3_format):
        try:
            track = parse(data)
        except MalformedMedia:
            continue
        assert 7_350 <= track.sample_rate <= 192_000
        assert 0 < track.channels <= 8
        assert track.frame_samples in {576, 960, 1024, 1152}


@_MANY
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, (1 << 32) - 1), st.binary(max_size=40)))
)
def test_any_tags_are_items_or_counted(rows):
    tags = [FlvTag(kind, stamp, data) for kind, stamp, data in rows]
    reader = FlvReader()
    items = [item for _, item in reader.feed(flv_file(tags))]
    counted = reader.counters
    media = [t for t in tags if t.kind & 0x1F in {8, 9}]
    assert all(isinstance(item, Packet | VideoFormat | AudioFormat) for item in items)
    assert counted.malformed + counted.unsupported <= len(media)
    assert reader.offset == len(flv_file(tags))


@_MANY
@given(st.binary(max_size=2_000))
def test_any_bytes_behind_the_file_header_are_read_once(data):
    reader = FlvReader()
    for _ in reader.feed(FILE_HEADER + data):
        pass
    assert reader.offset <= len(FILE_HEADER) + len(data)


def test_a_file_that_is_no_flv_is_malformed():
    with pytest.raises(MalformedMedia):
        list(FlvReader().feed(b"GIF89a" + bytes(20)))


# --- a session ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(MUTANTS))
def test_a_mutated_spool_breaks_no_rule(tmp_path, clips, seed):
    dice = random.Random(seed)
    check(mutate(dice.choice(clips), dice), tmp_path / "run")


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_what_broke_something_once_does_not_any_more(tmp_path, case):
    check(case.read_bytes(), tmp_path / "run")


def test_the_mutants_are_not_all_refused(tmp_path, clips):
    """Most of them leave something to package: the mutations are not too coarse."""
    packaged = 0
    for seed in range(30):
        dice = random.Random(seed)
        outcome = package(mutate(dice.choice(clips), dice), tmp_path / str(seed))
        packaged += outcome.report is not None and outcome.report.audio_frames > 20
    assert packaged > 15


# --- neighbours ---------------------------------------------------------------------------------


async def until(ears: Ears, names: set[str]) -> None:
    """Until all these sessions have ended or failed."""
    over = {SessionState.ENDED, SessionState.FAILED}
    async with asyncio.timeout(30):
        while not all(getattr(ears.last_state(name), "state", None) in over for name in names):
            ears.changed.clear()
            await ears.changed.wait()


def start(packager: Packager, name: str, spool: Path, folder: Path) -> None:
    message = StartSpool(
        spool=str(spool),
        folder=str(folder),
        part_target_s=0.2,
        segment_target_s=2.0,
        reason="publish",
    )
    packager.take(ToStream(session=name, message=message))
    packager.take(ToStream(session=name, message=StopSession()))


async def run_beside(tmp_path: Path, good: bytes, hostile: list[bytes]) -> tuple[Ears, dict]:
    """One packager with a good session among hostile ones; what the good one's files hold."""
    ears = Ears()
    packager = Packager(ears)
    names = {"good"}
    for i, data in enumerate(hostile):
        spool = tmp_path / f"bad-{i}.flv"
        spool.write_bytes(data)
        start(packager, f"bad-{i}", spool, tmp_path / f"bad-{i}")
        names.add(f"bad-{i}")
    spool = tmp_path / "good.flv"
    spool.write_bytes(good)
    start(packager, "good", spool, tmp_path / "good")
    running = asyncio.create_task(packager.run())
    try:
        await until(ears, names)
    finally:
        running.cancel()
        await asyncio.wait({running})
    folder = tmp_path / "good"
    files = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.m4s")}
    return ears, files


async def test_a_hostile_neighbour_changes_nothing(tmp_path, clips):
    good = flv_file(clips[0])
    (tmp_path / "alone").mkdir()
    _, alone = await run_beside(tmp_path / "alone", good, [])
    hostile = [mutate(clips[i % len(clips)], random.Random(9_000 + i)) for i in range(40)]
    hostile += [b"", b"GIF89a" + bytes(100), FILE_HEADER, FILE_HEADER + bytes(5_000)]
    (tmp_path / "beside").mkdir()
    ears, beside = await run_beside(tmp_path / "beside", good, hostile)
    assert beside == alone
    assert len(alone) > 20
    assert ears.last_state("good").state is SessionState.ENDED
    faults = [one for one in ears.heard if getattr(one.message, "code", "") == "packager_fault"]
    assert faults == []


async def test_a_session_that_fails_says_why(tmp_path, clips):
    ears, _ = await run_beside(tmp_path, flv_file(clips[0]), [b"GIF89a" + bytes(100)])
    failed = ears.last_state("bad-0")
    assert failed.state is SessionState.FAILED
    assert failed.code == MalformedMedia.code
    assert any(isinstance(one.message, JournalGrew) for one in ears.heard)
