"""What is refused is refused as a whole, with file and line; secrets come from files."""

import pytest

from controller.configuration.loading import load_configuration
from controller.configuration.problems import RefusedConfiguration

SECRET = "s" * 40


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "golive.toml"
        path.write_text(text)
        return path

    return write


def refused(path, environment=None, **overrides):
    with pytest.raises(RefusedConfiguration) as caught:
        load_configuration(path, environment or {}, **overrides)
    return [line.removeprefix(f"{path}:") for line in caught.value.lines]


def test_a_whole_file(config):
    path = config("# mine\n\npart_target_s = 0.5\ncors_origins = [\n  'https://a',\n]\n")
    settings = load_configuration(path, {}, data_dir="/data")
    assert (settings.part_target_s, settings.cors_origins) == (0.5, ["https://a"])
    assert str(settings.data_dir) == "/data"


def test_every_unknown_key_is_named_with_its_line(config):
    path = config(
        "part_target_s = 0.5\ncors_origins = [\n  'https://a', # colours = 1\n]\n"
        "part_targets_s = 1\n[colours]\nred = 1\n"
    )
    assert refused(path) == [
        "5: part_targets_s - there is no such setting; did you mean part_target_s?",
        "6: colours - there is no such setting",
    ]


def test_a_value_in_several_lines_is_found_at_its_first(config):
    path = config("log_level = 'info'\n\ncors_origins = [\n 1,\n 'b',\n]\n")
    assert refused(path) == ["3: cors_origins.0 - Input should be a valid string"]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = = 2\n", 2), ("a = 1\na = 2\n", 2), ("a = [\n1,\n", 3), ("x = 'é", 1)],
)
def test_what_is_no_toml_is_told_with_its_line(config, text, line):
    (problem,) = refused(config(text))
    assert problem.startswith(f"{line}: not TOML: ")


def test_the_environment_is_named_when_it_is_wrong(config, monkeypatch):
    monkeypatch.setenv("GOLIVE_PART_TARGET_S", "hunter2")
    problems = refused(config("part_target_s = 0.5\n"), {"GOLIVE_PART_TARGET_S": "hunter2"})
    assert len(problems) == 1
    assert problems[0].startswith("GOLIVE_PART_TARGET_S: part_target_s - ")
    assert "hunter2" not in problems[0]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("part_target_s = 1.5\nsegment_target_s = 1\n", 1, "a part cannot be longer"),
        ("\nsegment_target_s = 1.0\n[]", 3, "not TOML"),
        ("auth_algorithm = 'RS256'\n", 1, "RS256 needs auth_jwks_url"),
        ("auth_jwks_url = 'https://issuer'\n", 1, "is for a shared secret"),
        (
            "auth_algorithm='RS256'\nauth_jwks_url = 'https://i'\nauth_public_key_file='/k'\n",
            3,
            "not both",
        ),
        ("auth_secret = 'short'\n", 1, "32 bytes"),
        ("store_url = 's3://bucket'\ns3_access_key_id='k'\n", 1, "needs s3_secret_access_key"),
        ("private_store_url = 's3://bucket'\n", 1, "only when store_url"),
        ("clip_longest_s = 30\n", 1, "cannot be more than clip_longest_s"),
        ("\nsession_budget = 0.5\n", 2, "not even one encoder"),
        ("http_listen = 'unix:/a'\nhook_listen = 'unix:/a'\n", 2, "same address"),
        ("public_http_listen = ['80; include /etc/passwd']\n", 1, "should match pattern"),
    ],
)
def test_contradictions(config, text, line, words):
    (problem,) = refused(config(text))
    assert problem.startswith(f"{line}: ")
    assert words in problem
    assert "short" not in problem


def test_all_contradictions_are_found_at_once(config):
    assert len(refused(config("part_target_s = 1.5\nsegment_target_s = 1\nkey_secret='x'\n"))) == 2


# Secrets


def test_a_secret_in_a_file_of_its_own(config, tmp_path):
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    path = config(f"auth_secret_file = '{tmp_path}/secret'\n")
    assert load_configuration(path, {}).auth_secret.get_secret_value() == SECRET


def test_a_secret_named_by_the_environment_goes_before_the_file(config, tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    path = config("key_secret = '" + "x" * 40 + "'\n")
    environment = {"GOLIVE_KEY_SECRET_FILE": str(tmp_path / "secret")}
    assert load_configuration(path, environment).key_secret.get_secret_value() == SECRET


@pytest.mark.parametrize("name", ["golive_s3_secret_access_key", "s3_secret_access_key"])
def test_credentials_are_what_the_file_leaves_open(config, tmp_path, name):
    (tmp_path / name).write_text("from systemd")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    found = load_configuration(config(""), environment)
    assert found.s3_secret_access_key.get_secret_value() == "from systemd"
    own = load_configuration(config("s3_secret_access_key = 'own'\n"), environment)
    assert own.s3_secret_access_key.get_secret_value() == "own"


@pytest.mark.parametrize(
    ("text", "content", "words"),
    [
        ("auth_secret_file = '{path}'", None, "cannot be read: No such file"),
        ("auth_secret_file = '{path}'", b" \n", "its file is empty"),
        ("auth_secret_file = '{path}'", b"\xff", "not UTF-8"),
        ("auth_secret_file = '{path}'", b"x" * 70_000, "too large"),
        ("auth_secret_file = '{path}'", b"short", "32 bytes or more"),
        ("auth_secret_file = 7", None, "must be a path"),
        ("auth_secret = '" + SECRET + "'\nauth_secret_file = '{path}'", b"x", "not both"),
        ("http_listen_file = '{path}'", b"x", "there is no such setting"),
    ],
)
def test_files_of_secrets_that_cannot_be_used(config, tmp_path, text, content, words):
    at = tmp_path / "secret"
    if content is not None:
        at.write_bytes(content)
    path = config(text.format(path=at) + "\n")
    (problem,) = refused(path)
    assert words in problem
    assert problem.startswith(("1: ", "2: "))
    assert SECRET not in problem
