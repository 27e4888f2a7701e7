"""Looks for stream keys and tokens in logs, where they must never be."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from controller.checking.findings import Finding, fail
from controller.checking.nginx_reader import Directive

_SECRET = re.compile(rb"sk_[A-Za-z0-9_-]{24,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.")
_TAIL_BYTES = 4 << 20
_MOST_FILES = 100
_LOGS = frozenset({"access_log", "error_log"})


def key_findings(configs: Sequence[Directive], log_folder: Path) -> Iterator[Finding]:
    """A finding for each log that holds a key; how often, never which."""
    for path in _log_files(configs, log_folder)[:_MOST_FILES]:
        with suppress(OSError):
            count = len(set(_SECRET.findall(_tail(path))))
            if count:
                yield fail(
                    "logs",
                    f"{path} holds {count} stream {'key' if count == 1 else 'keys'} or tokens",
                    "Rotate those keys (`POST /api/v1/streams/{id}/rotate-key`), delete the file, "
                    "and mend the nginx configuration that wrote it.",
                )


def _log_files(configs: Sequence[Directive], log_folder: Path) -> list[Path]:
    named = [
        Path(directive.value)
        for config in configs
        for directive in config.walk()
        if directive.name in _LOGS and directive.value.startswith("/")
    ]
    kept = sorted(log_folder.rglob("*.log")) if log_folder.is_dir() else []
    return list(dict.fromkeys([*named, *kept]))


def _tail(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read(_TAIL_BYTES)
