"""A track that pauses or goes on alone: no segment too long, no sample left behind."""

import pytest

from ingest.media import MediaKind
from ingest.packaging.segmenter import Segmenter
from ingest.settings import PackagingSettings
from tests.support.fragments import read_chunks
from tests.support.media_values import (
    STEREO_48K,
    VIDEO,
    Collected,
    audio_samples,
    interleaved,
    video_samples,
)

V, A = MediaKind.VIDEO, MediaKind.AUDIO
SETTINGS = PackagingSettings()


def cut(video, audio):
    sink = Collected()
    segmenter = Segmenter([VIDEO, STEREO_48K], SETTINGS, sink)
    for kind, sample in interleaved(video, audio, STEREO_48K):
        (segmenter.video if kind is V else segmenter.audio)(sample)
    segmenter.finish()
    return sink


def samples_in(sink, kind):
    return sum(len(chunk.samples) for part in sink.parts(kind) for chunk in read_chunks(part.data))


@pytest.mark.parametrize("pause_s", [0.5, 1.9, 3.4, 5.0, 8.0])
def test_a_pause_of_the_sound_makes_no_segment_too_long(pause_s):
    before = list(audio_samples(STEREO_48K, 2.4))
    after = list(audio_samples(STEREO_48K, 6, start_s=2.4 + pause_s))
    sink = cut(list(video_samples(30, 8.4 + pause_s, 2.0)), before + after)
    lengths = [s.duration / 48_000 for s in sink.segments(A)]
    assert max(map(round, lengths)) <= SETTINGS.target_duration_s
    assert samples_in(sink, A) == len(before) + len(after)
    assert [s.msn for s in sink.segments(A)] == [s.msn for s in sink.segments(V)]


@pytest.mark.parametrize("alone_s", [0.1, 0.5, 1.0, 2.3, 2.45, 2.6, 4.0, 5.0])
def test_sound_that_goes_on_alone_is_kept_to_its_last_frame(alone_s):
    audio = list(audio_samples(STEREO_48K, 6 + alone_s))
    sink = cut(list(video_samples(30, 6, 2.0)), audio)
    assert samples_in(sink, A) == len(audio)
    assert [s.msn for s in sink.segments(A)] == [s.msn for s in sink.segments(V)]
