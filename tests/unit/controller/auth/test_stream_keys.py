"""Stream keys: random, found by hash, opened by nobody but their installation."""

import base64
import re
from dataclasses import replace
from uuid import uuid4

import pytest

from controller.auth.stream_keys import StreamKeys, StreamKeyVault

SECRET = b"the secret of these tests, which has 32 bytes"


class Store:
    """Remembers what it was asked."""

    def __init__(self, keys=None):
        self.asked = []
        self.keys = keys or {}

    async def find(self, lookup_hash):
        self.asked.append(lookup_hash)
        return "match"

    async def active(self, stream_ids):
        return {stream_id: self.keys[stream_id] for stream_id in stream_ids}


def test_a_key_is_sk_and_32_random_bytes():
    vault = StreamKeyVault(SECRET)
    keys = {vault.issue(uuid4())[0] for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        assert re.fullmatch(r"sk_[A-Za-z0-9_-]{43}", key)
        assert len(base64.urlsafe_b64decode(key[3:] + "=")) == 32


def test_what_is_stored_does_not_contain_the_key():
    vault = StreamKeyVault(SECRET)
    plaintext, stored = vault.issue(uuid4())
    kept = stored.lookup_hash.encode() + stored.ciphertext
    assert plaintext.encode() not in kept
    assert base64.urlsafe_b64decode(plaintext[3:] + "=") not in kept


def test_its_owner_reads_it_and_a_moved_or_changed_ciphertext_does_not_open():
    vault, stream_id = StreamKeyVault(SECRET), uuid4()
    plaintext, stored = vault.issue(stream_id)
    assert vault.reveal(stream_id, stored) == plaintext
    assert vault.reveal(uuid4(), stored) is None
    assert vault.reveal(stream_id, replace(stored, id=uuid4())) is None
    flipped = stored.ciphertext[:-1] + bytes([stored.ciphertext[-1] ^ 1])
    assert vault.reveal(stream_id, replace(stored, ciphertext=flipped)) is None
    assert StreamKeyVault(SECRET + b"!").reveal(stream_id, stored) is None


def test_the_hash_depends_on_the_secret():
    assert StreamKeyVault(SECRET).lookup_hash("sk_x") == StreamKeyVault(SECRET).lookup_hash("sk_x")
    assert StreamKeyVault(SECRET).lookup_hash("sk_x") != StreamKeyVault(b"y" * 32).lookup_hash(
        "sk_x"
    )


async def test_a_key_is_looked_up_by_its_hash():
    vault, store = StreamKeyVault(SECRET), Store()
    plaintext, stored = vault.issue(uuid4())
    assert await StreamKeys(vault, store).find_key(plaintext) == "match"
    assert store.asked == [stored.lookup_hash]


@pytest.mark.parametrize(
    "word",
    [
        "",
        "sk_",
        "x" * 46,
        "sk_" + "a" * 42,
        "sk_" + "a" * 44,
        "sk_" + "ä" * 43,
        "sk_" + "a" * 42 + "\n",
    ],
)
async def test_what_is_no_key_is_not_looked_up(word):
    store = Store()
    assert await StreamKeys(StreamKeyVault(SECRET), store).find_key(word) is None
    assert store.asked == []


async def test_a_key_of_another_secret_is_left_out():
    here, elsewhere = StreamKeyVault(SECRET), StreamKeyVault(b"z" * 32)
    ours, theirs = uuid4(), uuid4()
    plaintext, stored = here.issue(ours)
    store = Store({ours: stored, theirs: elsewhere.issue(theirs)[1]})
    assert await StreamKeys(here, store).reveal([ours, theirs]) == {ours: plaintext}
