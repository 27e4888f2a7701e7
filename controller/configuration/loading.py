"""Loads a whole configuration: valid in every part, or refused with a line for each problem."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from controller.configuration.contradictions import contradictions
from controller.configuration.document import Document, read_document
from controller.configuration.problems import Problem, RefusedConfiguration
from controller.configuration.secret_values import SecretValues
from controller.settings import Settings, settings_from

_UNKNOWN = "extra_forbidden"


def load_configuration(
    config_file: Path | None,
    environment: Mapping[str, str],
    *,
    files_only: bool = False,
    **overrides: object,
) -> Settings:
    """Overrides over the environment over `config_file` over credentials over the defaults.

    environment: the process's own; named in problems, and where files of secrets are looked up.
    files_only: leave out what the process's environment sets.
    RefusedConfiguration names every problem with its place; a value is never shown, because it may
    be a secret.
    """
    document = read_document(config_file)
    secrets = SecretValues(document, environment)
    values = secrets.file_values()
    explicit = {**dict(secrets.environment_values()), **overrides}
    if secrets.problems:
        raise RefusedConfiguration(secrets.problems)
    places = _Places(document, environment, overrides)
    try:
        settings = settings_from(values, files_only=files_only, **explicit)
    except ValidationError as error:
        raise RefusedConfiguration(
            [_problem(dict(one), places) for one in error.errors()]
        ) from None
    except ValueError as error:  # an environment variable that holds no JSON where a list is due
        raise RefusedConfiguration([Problem("", "", str(error))]) from None
    found = contradictions(settings)
    if found:
        raise RefusedConfiguration(
            [Problem(places.of(*one.settings), one.settings[0], one.message) for one in found]
        )
    return settings


class _Places:
    """Where a setting got its value."""

    def __init__(
        self, document: Document, environment: Mapping[str, str], overrides: Mapping[str, object]
    ) -> None:
        self._document = document
        self._environment = environment
        self._overrides = overrides

    def of(self, *names: str) -> str:
        """The place of the first that was given; empty when all are at their defaults."""
        return next((place for name in names if (place := self._of(name))), "")

    def _of(self, name: str) -> str:
        if name in self._overrides:
            return "the command line"
        for variable in (f"GOLIVE_{name}".upper(), f"GOLIVE_{name}_FILE".upper()):
            if variable in self._environment:
                return variable
        return self._document.place(name) or self._document.place(f"{name}_file")


def _problem(said: Mapping[str, Any], places: _Places) -> Problem:
    location = said["loc"]
    name = str(location[0]) if location else ""
    inside = ".".join(map(str, location))
    if said["type"] != _UNKNOWN:
        return Problem(places.of(name), inside, said["msg"])
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Problem(places.of(name), inside, f"there is no such setting{hint}")
