"""What a dead session left open is closed from its parts, and the next one goes on counting."""

import pytest

from ingest.journal_entries import PartWritten, SegmentWritten, StreamFinished, part_name
from ingest.media import MediaKind
from ingest.vod.journal import JournalReader, JournalWriter
from ingest.vod.recovery import read_end, seal
from tests.support.media_values import JournalScript

V, A = MediaKind.VIDEO, MediaKind.AUDIO


def write(folder, entries):
    """Append to the journal, and make the part files that it tells of."""
    with JournalWriter(folder) as journal:
        journal.append(*entries)
    for entry in entries:
        if isinstance(entry, PartWritten):
            path = folder / entry.rendition / part_name(entry.number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"<{entry.rendition} {entry.number}>".encode().ljust(entry.size))


def sealed(folder):
    with JournalWriter(folder) as journal:
        return seal(folder, journal)


def entries_of(folder, rendition):
    return [
        e
        for e in JournalReader(folder).read_new()
        if isinstance(e, SegmentWritten) and e.rendition == rendition
    ]


def test_a_stream_without_a_journal_starts_at_zero(tmp_path):
    end = read_end(tmp_path)
    assert (end.next_period, end.next_init, end.next_msn, end.next_numbers) == (0, 0, 0, {})
    assert not end.finished


def test_nothing_is_open_after_a_finished_segment(tmp_path):
    script = JournalScript(kinds=("video", "audio"))
    write(tmp_path, script.start() + script.segments(3))
    before = (tmp_path / "journal.jsonl").read_bytes()
    end = sealed(tmp_path)
    assert (tmp_path / "journal.jsonl").read_bytes() == before
    assert (end.next_period, end.next_init, end.next_msn) == (1, 2, 3)
    assert end.next_numbers == {V: 12, A: 12}


def test_open_parts_become_a_segment(tmp_path):
    script = JournalScript()
    write(tmp_path, [*script.start(), *script.segment(), *script.part(0), *script.part(1)])
    end = sealed(tmp_path)
    last = entries_of(tmp_path, "video")[-1]
    assert (last.msn, last.parts, last.start, last.duration) == (1, 2, 180_000, 90_000)
    media = (tmp_path / "video" / "segment-1.m4s").read_bytes()
    assert len(media) == last.size == 2000
    assert media[:9] == b"<video 4>"
    assert media[1000:1009] == b"<video 5>"
    assert (end.next_msn, end.next_numbers) == (2, {V: 6})


def test_sealing_twice_changes_nothing(tmp_path):
    script = JournalScript()
    write(tmp_path, [*script.start(), *script.part(0)])
    sealed(tmp_path)
    before = (tmp_path / "journal.jsonl").read_bytes()
    sealed(tmp_path)
    assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_the_rendition_that_is_behind_gets_gaps_up_to_the_other(tmp_path):
    """Afterwards both count the same Media Sequence Numbers."""
    script = JournalScript(kinds=("video", "audio"))
    started, first = script.start(), script.segment()
    ahead = [e for e in script.segments(2) if e.rendition == "video"]
    write(tmp_path, [*started, *first, *ahead])
    end = sealed(tmp_path)
    assert [e.msn for e in entries_of(tmp_path, "audio")] == [0, 1, 2]
    gaps = entries_of(tmp_path, "audio")[1:]
    assert [(g.parts, g.size, g.start) for g in gaps] == [(0, 0, 96_000)] * 2
    assert end.next_msn == 3


def test_a_torn_last_part_is_not_part_of_the_segment(tmp_path):
    script = JournalScript()
    write(tmp_path, [*script.start(), *script.part(0), *script.part(1)])
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    end = sealed(tmp_path)
    (segment,) = entries_of(tmp_path, "video")
    assert (segment.parts, segment.size) == (1, 1000)
    assert end.next_numbers == {V: 1}  # the number of the lost part is used again


def test_the_end_of_the_stream_is_known(tmp_path):
    script = JournalScript()
    write(tmp_path, [*script.start(), *script.segment(), StreamFinished(reason="host")])
    assert read_end(tmp_path).finished


def test_the_target_duration_of_the_stream_is_remembered(tmp_path):
    """RFC 8216 §6.2.1: the Target Duration "MUST NOT change"."""
    write(tmp_path, JournalScript(target_duration_s=6).start())
    assert read_end(tmp_path).target_duration_s == 6


@pytest.mark.parametrize("periods", [1, 3])
def test_periods_and_init_sections_are_counted_over_all_sessions(tmp_path, periods):
    script = JournalScript(kinds=("video", "audio"))
    for _ in range(periods):
        write(tmp_path, script.start() + script.segment())
    end = read_end(tmp_path)
    assert (end.next_period, end.next_init, end.next_msn) == (periods, 2 * periods, periods)
