"""A settings file: its values, and the line where each one stands."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.configuration.problems import Problem, RefusedConfiguration

_POSITION = re.compile(r" ?\(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True)
class Document:
    """What was read; empty without a file."""

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    text: str = field(default="", repr=False)

    def place(self, name: str) -> str:
        """`file:line` of a key that the file has, else empty."""
        if self.path is None or name not in self.values:
            return ""
        return f"{self.path}:{_line_of(self.text, name)}"


def read_document(path: Path | None) -> Document:
    """Read a TOML file. RefusedConfiguration when it cannot be read."""
    if path is None:
        return Document()
    try:
        text = path.read_text("utf-8")
        return Document(path, tomllib.loads(text), text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        where = _POSITION.search(said)
        line = where[1] if where else str(text.count("\n") + 1)
        problem = Problem(f"{path}:{line}", "", f"not TOML: {_POSITION.sub('', said)}")
    except UnicodeDecodeError:
        problem = Problem(str(path), "", "not UTF-8")
    except OSError as error:
        problem = Problem(str(path), "", f"cannot be read: {error.strerror}")
    raise RefusedConfiguration([problem])


def _line_of(text: str, name: str) -> int:
    """The first line of the statement that brings the key, counted from 1.

    tomllib tells no places. Each line at which the text so far is a whole document ends a
    statement; the one after which the key is there began behind the last such line.
    """
    lines = text.splitlines(keepends=True)
    whole = 0
    for count in range(1, len(lines) + 1):
        try:
            found = name in tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if found:
            return whole + 1
        whole = count
    return whole + 1
