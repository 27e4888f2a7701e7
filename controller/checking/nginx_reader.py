"""Reads nginx configurations as nginx does: words, quotes, blocks, comments, includes.

nginx's own `-T` would need its user's rights and make its folders; this only reads.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>\#[^\n]*)|(?P<mark>[;{}])
    |"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'
    |(?P<word>(?!["'])(?:\\.|\$\{[^}]*\}|[^\s;{}\\])+)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\([\"'\\ ])")
_MOST_FILES = 100
_MOST_BYTES = 4 << 20


class NginxConfigError(ValueError):
    """A file that cannot be read, or that nginx would not accept; says where."""


@dataclass(frozen=True, slots=True)
class Directive:
    """A name with its words; `block` holds what stands between its braces."""

    name: str
    words: tuple[str, ...]
    file: Path
    line: int
    block: tuple["Directive", ...] = ()

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"

    @property
    def value(self) -> str:
        """Its first word; empty without one."""
        return self.words[0] if self.words else ""

    def named(self, name: str) -> Iterator["Directive"]:
        """Those of that name directly inside."""
        return (inner for inner in self.block if inner.name == name)

    def walk(self) -> Iterator["Directive"]:
        """All that is inside, at any depth."""
        for inner in self.block:
            yield inner
            yield from inner.walk()


def read_nginx_config(path: Path) -> Directive:
    """The whole configuration with its includes, as the block of a directive named `main`.

    Raises NginxConfigError.
    """
    reader = _Reader(path.parent)
    return Directive("main", (), path, 1, reader.read(path))


@dataclass(slots=True)
class _Reader:
    folder: Path
    files: int = field(default=0)

    def read(self, path: Path) -> tuple[Directive, ...]:
        self.files += 1
        if self.files > _MOST_FILES:
            raise NginxConfigError(f"{path}: includes too many files")
        try:
            text = path.read_bytes()[:_MOST_BYTES].decode("utf-8", "replace")
        except OSError as error:
            raise NginxConfigError(f"{path}: {error.strerror or 'cannot be read'}") from error
        tokens = _tokens(text, path)
        return tuple(self._directives(tokens, path, closes=False))

    def _directives(
        self, tokens: Iterator[tuple[str, bool, int]], path: Path, *, closes: bool
    ) -> Iterator[Directive]:
        words: list[str] = []
        begun = 0
        for text, is_mark, line in tokens:
            if not is_mark:
                begun = begun if words else line
                words.append(text)
            elif text == "}":
                if not closes or words:
                    raise NginxConfigError(f"{path}:{line}: unexpected }}")
                return
            elif not words:
                raise NginxConfigError(f"{path}:{line}: unexpected {text}")
            else:
                block: tuple[Directive, ...] = ()
                if text == "{":
                    block = tuple(self._directives(tokens, path, closes=True))
                yield from self._finished(Directive(words[0], tuple(words[1:]), path, begun, block))
                words = []
        if closes or words:
            raise NginxConfigError(f"{path}: ends in the middle of a directive")

    def _finished(self, directive: Directive) -> Iterator[Directive]:
        """The directive, or for an `include` those of the files."""
        if directive.name != "include" or not directive.words:
            yield directive
            return
        pattern = self.folder / directive.value
        names = sorted(glob(str(pattern)))
        if not names and not re.search(r"[*?\[]", directive.value):
            raise NginxConfigError(f"{directive.place}: {pattern} does not exist")
        for name in names:
            yield from self.read(Path(name))


def _tokens(text: str, path: Path) -> Iterator[tuple[str, bool, int]]:
    """Each word or mark, whether it is a mark, and its line."""
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NginxConfigError(f"{path}:{line}: cannot be read")
        kind = match.lastgroup
        if kind == "mark":
            yield match[0], True, line
        elif kind == "word":
            yield match[0], False, line
        elif kind in {"double", "single"}:
            yield _ESCAPED.sub(r"\1", match[kind]), False, line
        line += match[0].count("\n")
        at = match.end()
