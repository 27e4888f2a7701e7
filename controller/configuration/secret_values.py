"""Secrets that stand in files of their own: `…_file` settings, and the credentials folder.

For every secret setting NAME there is `NAME_file` (`GOLIVE_NAME_FILE`), and a file called NAME in
the folder that `CREDENTIALS_DIRECTORY` names, where systemd's LoadCredential= puts them. A file
replaces the value at its own rank: the environment before the settings file before the credentials.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from controller.configuration.document import Document
from controller.configuration.problems import Problem
from controller.settings import Settings

CREDENTIAL_PREFIX = "golive_"
"""systemd calls the files of a folder that is loaded as `golive` so."""

_FILE = "_file"
_ENV = "GOLIVE_"
_MOST_BYTES = 65_536


def secret_settings() -> tuple[str, ...]:
    """The names of all settings that are secrets."""
    return tuple(n for n, f in Settings.model_fields.items() if f.annotation is SecretStr)


class SecretValues:
    """Reads them; what is wrong is collected in `problems`."""

    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment
        self.problems: list[Problem] = []

    def file_values(self) -> dict[str, Any]:
        """The document's values with the secrets that it, or the credentials folder, points to."""
        values = dict(self._document.values)
        for name in secret_settings():
            path = values.pop(name + _FILE, None)
            if path is not None:
                place = self._document.place(name + _FILE)
                if name in values:
                    self._wrong(place, name + _FILE, f"either this or {name}, not both")
                elif not isinstance(path, str):
                    self._wrong(place, name + _FILE, "must be a path")
                else:
                    values[name] = self._read(Path(path), place, name + _FILE)
            elif name not in values and (found := self._credential(name)) is not None:
                values[name] = self._read(found, str(found), name)
        return values

    def environment_values(self) -> Iterator[tuple[str, str]]:
        """Secrets that environment variables point to, by setting."""
        for name in secret_settings():
            variable = f"{_ENV}{name}{_FILE}".upper()
            path = self._environment.get(variable, "")
            if not path:
                continue
            if self._environment.get(f"{_ENV}{name}".upper()):
                self._wrong(variable, "", f"either this or {_ENV}{name.upper()}, not both")
            else:
                yield name, self._read(Path(path), variable, "")

    def _credential(self, name: str) -> Path | None:
        folder = self._environment.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            return None
        candidates = (Path(folder) / (CREDENTIAL_PREFIX + name), Path(folder) / name)
        return next((path for path in candidates if path.is_file()), None)

    def _read(self, path: Path, place: str, setting: str) -> str:
        """The file's content without the white space around it; empty when that is no secret."""
        try:
            with path.open("rb") as file:
                raw = file.read(_MOST_BYTES + 1)
            if len(raw) > _MOST_BYTES:
                self._wrong(place, setting, "its file is too large for a secret")
                return ""
            if text := raw.decode("utf-8").strip():
                return text
            self._wrong(place, setting, "its file is empty")
        except OSError as error:
            self._wrong(place, setting, f"its file cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            self._wrong(place, setting, "its file is not UTF-8")
        return ""

    def _wrong(self, place: str, setting: str, message: str) -> None:
        self.problems.append(Problem(place, setting, message))
