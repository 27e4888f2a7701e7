"""A result as a table for people and as JSON for machines."""

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.registry import Options, Result


def table(result: Result) -> str:
    """Columns under each other, then the bars and the notes."""
    header = ("", *result.columns)
    lines = [header] + [
        (row.name, *(_figure(row.figures.get(column)) for column in result.columns))
        for row in result.rows
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    for bar in result.bars:
        mark = "ok  " if bar.reached else "MISS"
        text.append(f"{mark} {bar.text}: {bar.value:.2f} (at most {bar.limit:.2f})")
    text += [f"     {note}" for note in result.notes]
    return "\n".join(text)


def write_json(result: Result, options: Options, folder: Path) -> Path:
    """Write `{folder}/{bench}-{time}.json`; answers its path."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    document = {
        "bench": result.bench,
        "at": now.isoformat(timespec="seconds"),
        "machine": {
            "cpus": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "options": {
            "streams": options.streams,
            "seconds": options.seconds,
            "windows": options.windows,
        },
        "rows": {row.name: row.figures for row in result.rows},
        "bars": [asdict(bar) | {"reached": bar.reached} for bar in result.bars],
        "notes": result.notes,
    }
    path = folder / f"{result.bench}-{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
