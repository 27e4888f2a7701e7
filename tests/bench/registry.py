"""The benchmarks that there are. A new one is a module with a `BENCH`, named in `BENCHES`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Options:
    """What a run is asked for. `seconds` is the measured time, cut into `windows` windows."""

    streams: int
    seconds: float
    windows: int
    work_dir: Path
    cache_dir: Path


@dataclass(frozen=True)
class Row:
    """One contestant: its name, and its figures by column."""

    name: str
    figures: dict[str, float]


@dataclass(frozen=True)
class Bar:
    """What a figure must reach."""

    text: str
    value: float
    limit: float

    @property
    def reached(self) -> bool:
        """Whether it is at or below its limit."""
        return self.value <= self.limit


@dataclass(frozen=True)
class Result:
    """A benchmark's table, in the order of its columns."""

    bench: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    bars: tuple[Bar, ...]
    notes: tuple[str, ...]


class Bench(Protocol):
    """One benchmark."""

    name: str
    """What the command line calls it."""

    about: str
    """One line of help."""

    def run(self, options: Options) -> Result:
        """Measure. Raises BenchFailed when what was measured did not do its work."""
        ...


class BenchFailed(Exception):
    """A contestant did not do what it was measured for; the figures would mean nothing."""
