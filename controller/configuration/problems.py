"""Why a configuration is refused: one line each, with its place and without the value."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a setting.

    place: `file:line`, the environment variable's name, or the option; empty when it is nowhere.
    setting: its name; empty when the file as a whole cannot be read.
    """

    place: str
    setting: str
    message: str

    def __str__(self) -> str:
        # No colon behind the name: what follows it would be taken for a secret's value in logs.
        what = f"{self.setting} - {self.message}" if self.setting else self.message
        return f"{self.place}: {what}" if self.place else what


class RefusedConfiguration(Exception):
    """The configuration cannot be used; every problem found is listed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """One line per problem."""
        return tuple(map(str, self.problems))
