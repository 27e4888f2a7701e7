"""Playback tokens: bound to a stream, bounded in time, shared by those who ask together."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.auth.playback import (
    LONGEST_DECISION_S,
    TOKEN_PATTERN,
    PlaybackTokens,
    authorize_playback,
)
from controller.domain.access import PlaybackFacts, PlaybackRefusal
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience

SECRET = b"the secret of these tests, which has 32 bytes"
START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class Clock:
    def __init__(self, at=START):
        self.at = at

    def now(self):
        return self.at


def facts(audience=Audience.FOLLOWERS, status=StreamStatus.LIVE):
    return PlaybackFacts(uuid4(), audience, status)


@given(ttl_s=st.integers(30, 86_400), offset_s=st.floats(0, 1e6))
def test_a_life_is_nine_tenths_of_the_limit_at_least_and_never_more(ttl_s, offset_s):
    clock = Clock(START + timedelta(seconds=offset_s))
    grant = PlaybackTokens(SECRET, ttl_s, clock).issue(uuid4())
    life_s = (grant.expires_at - clock.at).total_seconds()
    assert ttl_s * 0.9 - 1.5 <= life_s <= ttl_s
    assert clock.at - timedelta(seconds=1) <= grant.renew_at < grant.expires_at
    assert TOKEN_PATTERN.fullmatch(grant.token)


@given(ttl_s=st.integers(30, 86_400), offset_s=st.integers(0, 10_000))
def test_a_token_is_good_until_it_expires_and_not_a_second_longer(ttl_s, offset_s):
    clock, stream = Clock(START + timedelta(seconds=offset_s)), facts()
    tokens = PlaybackTokens(SECRET, ttl_s, clock)
    grant = tokens.issue(stream.stream_id)
    left_s = int((grant.expires_at - clock.at).total_seconds())
    decision = authorize_playback(stream, grant.token, tokens)
    assert decision.allowed
    assert decision.valid_for_s == min(left_s, LONGEST_DECISION_S)
    clock.at = grant.expires_at
    assert authorize_playback(stream, grant.token, tokens).refusal is PlaybackRefusal.TOKEN_EXPIRED


def test_those_who_ask_together_share_a_token():
    clock, stream_id = Clock(), uuid4()
    tokens = PlaybackTokens(SECRET, 900, clock)
    seen = set()
    for second in range(900):
        clock.at = START + timedelta(seconds=second)
        seen.add(tokens.issue(stream_id).token)
    assert len(seen) in (10, 11)


def test_a_token_opens_its_own_stream_only():
    tokens = PlaybackTokens(SECRET, 900, Clock())
    mine, other = facts(), facts()
    token = tokens.issue(mine.stream_id).token
    assert authorize_playback(mine, token, tokens).allowed
    assert authorize_playback(other, token, tokens).refusal is PlaybackRefusal.TOKEN_INVALID
    elsewhere = PlaybackTokens(b"z" * 32, 900, Clock())
    assert authorize_playback(mine, token, elsewhere).refusal is PlaybackRefusal.TOKEN_INVALID


def test_no_changed_token_opens_anything():
    tokens, stream = PlaybackTokens(SECRET, 900, Clock()), facts()
    token = tokens.issue(stream.stream_id).token
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert not authorize_playback(stream, changed, tokens).allowed


@pytest.mark.parametrize("token", ["x", "A" * 31, "A" * 33, "ä" * 32, "A" * 31 + "\n", "=" * 32])
def test_what_is_no_token_is_refused(token):
    tokens = PlaybackTokens(SECRET, 900, Clock())
    assert authorize_playback(facts(), token, tokens).refusal is PlaybackRefusal.TOKEN_INVALID


@pytest.mark.parametrize(
    ("known", "refusal"),
    [
        (None, PlaybackRefusal.UNKNOWN_STREAM),
        (facts(status=StreamStatus.CANCELLED), PlaybackRefusal.CANCELLED),
        (facts(Audience.EVERYONE, StreamStatus.CANCELLED), PlaybackRefusal.CANCELLED),
        (facts(Audience.EVERYONE), None),
        (facts(Audience.EVERYONE, StreamStatus.ENDED), None),
        (facts(Audience.FOLLOWERS), PlaybackRefusal.TOKEN_MISSING),
        (facts(Audience.NEIGHBORHOOD, StreamStatus.ENDED), PlaybackRefusal.TOKEN_MISSING),
    ],
)
def test_without_a_token_the_facts_decide(known, refusal):
    tokens = PlaybackTokens(SECRET, 900, Clock())
    for token in (None, ""):
        decision = authorize_playback(known, token, tokens)
        assert (decision.allowed, decision.refusal) == (refusal is None, refusal)
