"""The journal: what was appended is read, once by each reader, whole lines only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import JournalCorrupt
from ingest.journal_entries import (
    InitWritten,
    PartWritten,
    PeriodStarted,
    SegmentWritten,
    StreamFinished,
)
from ingest.vod.journal import JOURNAL_NAME, JournalReader, JournalWriter
from tests.support.media_values import JournalScript

PERIOD = PeriodStarted(period=0, wall_s=1.5, reason='a "reason"\nof two lines')
END = StreamFinished(reason="host")


def journal_file(folder):
    return folder / JOURNAL_NAME


def test_every_kind_of_entry_reads_back_as_it_was(tmp_path):
    script = JournalScript(kinds=("video", "audio"))
    entries = [PERIOD, *script.start(), *script.segment(), *script.gap(2.0), END]
    assert {type(e) for e in entries} == {
        PeriodStarted, InitWritten, PartWritten, SegmentWritten, StreamFinished,
    }  # fmt: skip
    with JournalWriter(tmp_path) as writer:
        writer.append(*entries)
    assert JournalReader(tmp_path).read_new() == entries


def test_a_reader_gets_only_what_is_new(tmp_path):
    reader = JournalReader(tmp_path)
    with JournalWriter(tmp_path) as writer:
        writer.append(PERIOD)
        assert reader.read_new() == [PERIOD]
        assert reader.read_new() == []
        writer.append(END)
        assert reader.read_new() == [END]


def test_readers_do_not_disturb_each_other(tmp_path):
    first, second = JournalReader(tmp_path), JournalReader(tmp_path)
    with JournalWriter(tmp_path) as writer:
        writer.append(PERIOD)
        assert first.read_new() == [PERIOD]
        writer.append(END)
    assert second.read_new() == [PERIOD, END]
    assert first.read_new() == [END]


def test_a_journal_that_is_not_there_yet_is_empty(tmp_path):
    reader = JournalReader(tmp_path / "later")
    assert reader.read_new() == []
    with JournalWriter(tmp_path / "later") as writer:
        writer.append(PERIOD)
    assert reader.read_new() == [PERIOD]


@given(st.integers(0, 200))
def test_wherever_a_crash_cut_the_last_line_the_ones_before_are_whole(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("journal")
    with JournalWriter(folder) as writer:
        writer.append(PERIOD)
        whole = writer.size
        writer.append(END)
    torn = max(whole, writer.size - 1 - cut)
    with journal_file(folder).open("r+b") as file:
        file.truncate(torn)
    reader = JournalReader(folder)
    assert reader.read_new() == [PERIOD]
    with JournalWriter(folder) as writer:
        assert writer.size == whole
        writer.append(END)
    assert reader.read_new() == [END]


def test_a_reader_waits_for_the_end_of_a_line(tmp_path):
    with JournalWriter(tmp_path) as writer:
        writer.append(END)
    line = journal_file(tmp_path).read_bytes()
    journal_file(tmp_path).write_bytes(line[:10])
    reader = JournalReader(tmp_path)
    assert reader.read_new() == []
    journal_file(tmp_path).write_bytes(line)
    assert reader.read_new() == [END]


def test_a_torn_line_longer_than_a_page_is_removed(tmp_path):
    journal_file(tmp_path).write_bytes(b'{"type":"finished","reason":"x"}\n' + b"z" * 10_000)
    with JournalWriter(tmp_path) as writer:
        assert writer.size == 33
    assert JournalReader(tmp_path).read_new() == [StreamFinished(reason="x")]


def test_nothing_but_a_torn_line_leaves_an_empty_journal(tmp_path):
    journal_file(tmp_path).write_bytes(b'{"type":"peri')
    with JournalWriter(tmp_path) as writer:
        assert writer.size == 0
    assert JournalReader(tmp_path).read_new() == []


@pytest.mark.parametrize(
    "line",
    [b"not json", b"{}", b'{"type":"unheard of"}', b'{"type":"finished","reason":7}', b"", b"\xff"],
)
def test_a_whole_line_that_is_no_entry_is_corruption(tmp_path, line):
    with JournalWriter(tmp_path) as writer:
        writer.append(PERIOD)
    with journal_file(tmp_path).open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(JournalCorrupt, match=str(journal_file(tmp_path))):
        JournalReader(tmp_path).read_new()


def test_a_writer_appends_to_what_is_there(tmp_path):
    for _ in range(2):
        with JournalWriter(tmp_path) as writer:
            writer.append(PERIOD)
    assert JournalReader(tmp_path).read_new() == [PERIOD, PERIOD]
