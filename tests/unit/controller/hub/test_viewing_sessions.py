"""Sessions in playlists' addresses: ours and nobody else's."""

import base64
import re
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.hub.guests import GuestSessions
from controller.hub.viewing_sessions import ViewingSessions

SESSIONS = ViewingSessions(b"k" * 32)
STREAM = uuid4()


def test_a_session_names_its_viewer_the_same_each_time():
    user_id = uuid4()
    guest = GuestSessions(b"g" * 32).recognise("").viewer

    of_user, of_guest = SESSIONS.issue(STREAM, str(user_id)), SESSIONS.issue(STREAM, guest)

    assert SESSIONS.read(STREAM, of_user).user_id == user_id
    assert SESSIONS.read(STREAM, of_user).viewer == str(user_id)
    assert SESSIONS.read(STREAM, of_guest).user_id is None
    assert SESSIONS.read(STREAM, of_guest).viewer == guest
    assert of_user == SESSIONS.issue(STREAM, str(user_id)) != of_guest
    assert re.fullmatch(r"[A-Za-z0-9_-]{44}", of_user)


def test_a_session_is_good_for_its_stream_and_its_installation_alone():
    session = SESSIONS.issue(STREAM, str(uuid4()))

    assert SESSIONS.read(uuid4(), session) is None
    assert ViewingSessions(b"o" * 32).read(STREAM, session) is None


def test_a_guests_session_is_not_the_token_that_the_guest_comes_back_with():
    guests = GuestSessions(b"g" * 32)
    guest = guests.recognise("")

    session = SESSIONS.issue(STREAM, guest.viewer)

    assert guests.recognise(session).viewer != guest.viewer
    assert SESSIONS.read(STREAM, guest.token) is None


@pytest.mark.parametrize("at", range(0, 33, 4))
def test_a_single_wrong_byte_is_a_forgery(at):
    raw = bytearray(base64.urlsafe_b64decode(SESSIONS.issue(STREAM, str(uuid4()))))
    raw[at] ^= 1

    assert SESSIONS.read(STREAM, base64.urlsafe_b64encode(raw).decode()) is None


@given(st.one_of(st.text(max_size=60), st.text("AZaz09-_=+/", min_size=44, max_size=44)))
def test_whatever_is_offered_it_is_refused_and_nothing_else(text):
    assert SESSIONS.read(STREAM, text) is None
