"""Takes a changed configuration over while the daemon runs: a whole, valid one, or none of it."""

from collections.abc import Callable
from dataclasses import dataclass

from controller.configuration.reference import is_reloaded
from controller.settings import Settings

Load = Callable[[], Settings]
"""Reads the configuration anew; RefusedConfiguration when it cannot be used."""

Apply = Callable[[Settings], None]
"""Has the running parts go by these settings; must not fail."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """`taken`: settings that are in force now. `waiting`: changed ones that need a restart."""

    taken: tuple[str, ...]
    waiting: tuple[str, ...]

    def __str__(self) -> str:
        said = f"reloaded {', '.join(self.taken)}" if self.taken else "reloaded, nothing changed"
        return said + (
            f"; waiting for a restart: {', '.join(self.waiting)}" if self.waiting else ""
        )


class Reloading:
    """The settings in force. `started`: those that everything was built from."""

    def __init__(self, started: Settings, load: Load, apply: Apply) -> None:
        self._started = started
        self._current = started
        self._load = load
        self._apply = apply

    def reload(self) -> Reloaded:
        """Read, check, then swap. RefusedConfiguration: everything stays as it was."""
        found = self._load()
        fields = Settings.model_fields
        taken = [
            n for n, f in fields.items() if is_reloaded(f) and _differ(n, found, self._current)
        ]
        waiting = [
            n for n, f in fields.items() if not is_reloaded(f) and _differ(n, found, self._started)
        ]
        self._apply(found)
        self._current = found
        return Reloaded(tuple(taken), tuple(waiting))


def _differ(name: str, one: Settings, other: Settings) -> bool:
    return bool(getattr(one, name) != getattr(other, name))
