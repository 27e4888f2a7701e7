"""The command line: help everywhere, one line for a mistake, the right exit status."""

import subprocess
import sys

import pytest

COMMANDS = ["dev", "demo", "serve", "migrate", "config"]


def golive(*arguments: str) -> subprocess.CompletedProcess:
    argv = [sys.executable, "-m", "controller.cli", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_help_lists_every_command():
    answer = golive("--help")

    assert answer.returncode == 0
    assert all(f"\n  {command} " in answer.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    answer = golive(command, "--help")

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"Usage: golive {command}")
    assert answer.stderr == ""


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("dev", "--http-port", "0"), ("dev", "--config", "/no/such")]
)
def test_wrong_usage_ends_with_2(arguments):
    assert golive(*arguments).returncode == 2


def test_a_wrong_setting_is_told_without_its_value(tmp_path, monkeypatch):
    monkeypatch.setenv("GOLIVE_PART_TARGET_S", "hunter2")

    answer = golive("migrate", "--data", str(tmp_path))

    assert answer.returncode == 2
    assert answer.stderr.startswith("golive migrate: GOLIVE_PART_TARGET_S: part_target_s - ")
    assert "hunter2" not in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_demo_without_a_server_says_what_to_start(tmp_path):
    answer = golive("demo", "--data", str(tmp_path))

    assert answer.returncode == 1
    assert answer.stderr == (
        f"golive demo: Nothing runs on {tmp_path}: start `golive dev` first, "
        "or name its folder with --data.\n"
    )


def test_migrate_makes_a_database_and_may_be_repeated(tmp_path):
    for _ in range(2):
        assert golive("migrate", "--data", str(tmp_path / "new")).returncode == 0
    assert (tmp_path / "new" / "golive.db").is_file()
