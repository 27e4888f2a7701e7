"""A chunk says exactly what went into it: decode time, durations, sizes, flags, offsets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.media import Sample
from ingest.packaging.fragment import (
    NON_SYNC,
    SYNC,
    audio_chunk,
    audio_tfhd,
    video_chunk,
)
from tests.support.fragments import read_chunks

FIRST_FLAGS, ALL_FLAGS = 0x4, 0x400


def samples_of(*keys: bool, start: int = 0, duration: int = 3000) -> list[Sample]:
    return [
        Sample(start + i * duration, 0, key, bytes([i + 1]) * (i + 1)) for i, key in enumerate(keys)
    ]


def test_tfdt_is_the_decode_time_of_the_first_sample_in_64_bits():
    far = 40 * 24 * 3600 * 90_000  # forty days: more than 32 bits
    (chunk,) = read_chunks(video_chunk(7, samples_of(True, False, start=far), [3000, 3000]))
    assert chunk.decode_time == far
    assert far > 0xFFFFFFFF
    assert (chunk.sequence, chunk.track) == (7, 1)


def test_composition_offsets_are_signed_as_trun_version_1_has_them():
    samples = [Sample(0, -3000, True, b"k"), Sample(3000, 6000, False, b"p")]
    (chunk,) = read_chunks(video_chunk(1, samples, [3000, 3000]))
    assert chunk.trun_version == 1
    assert [s.cts_offset for s in chunk.samples] == [-3000, 6000]


def test_a_keyframe_that_leads_needs_only_the_first_samples_flags():
    (chunk,) = read_chunks(video_chunk(1, samples_of(True, False, False), [3000] * 3))
    assert chunk.trun_flags & FIRST_FLAGS
    assert not chunk.trun_flags & ALL_FLAGS
    assert [s.flags for s in chunk.samples] == [SYNC, NON_SYNC, NON_SYNC]


def test_a_chunk_without_a_keyframe_has_no_sync_sample():
    (chunk,) = read_chunks(video_chunk(1, samples_of(False, False), [3000] * 2))
    assert [s.is_sync for s in chunk.samples] == [False, False]


def test_a_late_keyframe_makes_every_sample_carry_its_own_flags():
    (chunk,) = read_chunks(video_chunk(1, samples_of(False, True, False), [3000] * 3))
    assert chunk.trun_flags & ALL_FLAGS
    assert not chunk.trun_flags & FIRST_FLAGS  # §8.8.8.1: the two may not stand together
    assert [s.is_sync for s in chunk.samples] == [False, True, False]


def test_two_keyframes_in_a_chunk_are_both_sync_samples():
    (chunk,) = read_chunks(video_chunk(1, samples_of(True, False, True), [3000] * 3))
    assert [s.is_sync for s in chunk.samples] == [True, False, True]


def test_audio_has_its_duration_once_and_only_sync_samples():
    samples = [Sample(i * 1024, 0, True, bytes([i]) * (9 + i)) for i in range(5)]
    (chunk,) = read_chunks(audio_chunk(3, samples, audio_tfhd(1024)))
    assert not chunk.trun_flags & 0x100
    assert [s.duration for s in chunk.samples] == [1024] * 5
    assert [s.data for s in chunk.samples] == [s.data for s in samples]
    assert all(s.is_sync for s in chunk.samples)


def test_durations_and_samples_must_be_as_many():
    with pytest.raises(ValueError, match="zip"):
        video_chunk(1, samples_of(True, False), [3000])


@st.composite
def video_runs(draw):
    count = draw(st.integers(1, 20))
    durations = draw(st.lists(st.integers(1, 0xFFFFFFFF), min_size=count, max_size=count))
    dts = draw(st.integers(0, 1 << 50))
    samples = []
    for duration in durations:
        samples.append(
            Sample(
                dts,
                draw(st.integers(-(1 << 31), (1 << 31) - 1)),
                draw(st.booleans()),
                draw(st.binary(min_size=1, max_size=30)),
            )
        )
        dts += duration
    return samples, durations


@given(video_runs(), st.integers(0, 0xFFFFFFFF))
def test_any_run_of_video_samples_reads_back_as_it_was(run, number):
    samples, durations = run
    (chunk,) = read_chunks(video_chunk(number, samples, durations))
    assert (chunk.sequence, chunk.decode_time) == (number, samples[0].dts)
    assert [
        (s.duration, s.cts_offset, s.is_sync, s.data) for s in chunk.samples
    ] == [
        (d, s.cts_offset, s.is_key, s.data) for d, s in zip(durations, samples, strict=True)
    ]  # fmt: skip
