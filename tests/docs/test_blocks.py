"""What readers copy out of the pages: it parses, and what it names exists."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from controller.cli import main
from controller.settings import Settings
from docs.generator.commands_page import command_paths

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"GOLIVE_[A-Z0-9_]*[A-Z0-9]")
_OPTION_VARIABLES = {
    "GOLIVE_HTTP_PORT",
    "GOLIVE_RTMP_PORT",
    "GOLIVE_HTTPS_PORT",
    "GOLIVE_RTMPS_PORT",
}
_COMMAND = re.compile(
    r"(?:^|\$\(|sudo |bin/)golive ([a-z]+)(?: ([a-z]+))?(?![a-z-]*/)", re.MULTILINE
)


def blocks(page: Path, kind: str) -> list[str]:
    return [text for found, text in _BLOCK.findall(page.read_text("utf-8")) if found == kind]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_parse(page):
    for text in blocks(page, "sh"):
        done = subprocess.run(
            ["bash", "-n"], input=text, capture_output=True, text=True, check=False, timeout=20
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
    for text in blocks(page, "json"):
        json.loads(text)
    for text in blocks(page, "toml"):
        assert tomllib.loads(text).keys() <= Settings.model_fields.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_that_are_named_exist(page):
    secrets = {f"GOLIVE_{name.upper()}" for name in Settings.model_fields}
    named = set(_VARIABLE.findall(page.read_text("utf-8")))

    unknown = named - secrets - _OPTION_VARIABLES
    # `GOLIVE_S3_…` is short for those that begin so; `…_FILE` names a secret's file.
    assert [
        name
        for name in unknown
        if not any(known.startswith(f"{name}_") for known in secrets)
        and name.removesuffix("_FILE") not in secrets
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page):
    known = set(command_paths())
    wrong = []
    for text in blocks(page, "sh"):
        for first, second in _COMMAND.findall(text):
            command = main.get_command(click.Context(main), first)
            is_group = isinstance(command, click.Group)
            path = f"golive {first} {second}" if is_group else f"golive {first}"
            if path.strip() not in known:
                wrong.append(path)
    assert wrong == []
