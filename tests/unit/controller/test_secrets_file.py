"""Secrets that golive makes for itself: once, for all its processes, for nobody else's eyes."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from controller.errors import ConfigurationError
from controller.secrets_file import SECRETS_FILE, load_secrets

LONG = "x" * 32


def test_secrets_are_made_once_and_kept(tmp_path):
    folder = tmp_path / "data"
    first = load_secrets(folder)
    assert load_secrets(folder) == first
    assert first.auth != first.keys
    assert min(len(first.auth), len(first.keys)) >= 32
    assert (folder / SECRETS_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [SECRETS_FILE]


def test_processes_that_start_together_agree(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _number: load_secrets(tmp_path), range(32)))
    assert len({(secrets.auth, secrets.keys) for secrets in made}) == 1


def test_a_configured_secret_wins(tmp_path):
    kept = load_secrets(tmp_path)
    mixed = load_secrets(tmp_path, auth_secret=LONG)
    assert (mixed.auth, mixed.keys) == (LONG.encode(), kept.keys)


def test_nothing_is_written_when_everything_is_configured(tmp_path):
    load_secrets(tmp_path, LONG, LONG)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_not_shown(tmp_path):
    secrets = load_secrets(tmp_path, LONG, LONG)
    assert LONG not in repr(secrets)


def test_a_short_secret_is_refused_without_being_quoted(tmp_path):
    with pytest.raises(ConfigurationError, match="auth_secret must have 32 bytes") as caught:
        load_secrets(tmp_path, "hush-hush", LONG)
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps({"auth_secret": 5})])
def test_a_damaged_file_is_not_replaced(tmp_path, content):
    (tmp_path / SECRETS_FILE).write_text(content)
    with pytest.raises(ConfigurationError):
        load_secrets(tmp_path)
    assert (tmp_path / SECRETS_FILE).read_text() == content
