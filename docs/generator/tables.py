"""Markdown tables."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells may hold anything but a line break; empty without rows."""
    lines = [_line(row) for row in rows]
    if not lines:
        return ""
    return "\n".join([_line(heads), _line(["---"] * len(heads)), *lines]) + "\n"


def code(text: str) -> str:
    """The text in code type; nothing for nothing."""
    return f"`{text}`" if text else ""


def one_line(text: str | None) -> str:
    """A text that was wrapped, in one line."""
    return " ".join((text or "").split())


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(one_line(cell).replace('|', '&#124;') for cell in cells)} |"
