"""The commented settings file: made from the settings' own descriptions, bounds and defaults."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from controller.settings import Settings

_WIDTH = 100
_HEAD = """\
golive's settings, each with its default. Take the # away from what you change.

The same names in capitals, with GOLIVE_ before them, are environment variables; those have
precedence. What is wrong or unknown here is refused at the start, with its line.

"(reload)": a running daemon takes it over with `systemctl reload golive`. Everything else waits for
`systemctl restart golive`, which costs no stream a frame. What concerns nginx or the units
(data_dir, spool, spool_dir, …_listen, nginx_control, player_log, tls_…, requests_per_s,
trusted_proxies, private_store_url) wants `golive install` before that.

A secret may stand in a file of its own: NAME_file = "/path", or a file called NAME in
/etc/golive/credentials (what `golive install` sets up for systemd's LoadCredential=).
"""
_BOUNDS = {Ge: ("at least {}", "ge"), Gt: ("more than {}", "gt"), Le: ("at most {}", "le"),
           Lt: ("less than {}", "lt")}  # fmt: skip


def reference(given: Mapping[str, Any] | None = None) -> str:
    """The text of a settings file in which only the `given` settings are set."""
    values = given or {}
    blocks = [_comment(_HEAD)]
    for name, field in Settings.model_fields.items():
        blocks.append("\n".join(_block(name, field, values)))
    return "\n\n".join(blocks) + "\n"


def is_reloaded(field: FieldInfo) -> bool:
    """Whether a running daemon takes this setting over."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("reloaded"))


@dataclass(frozen=True, slots=True)
class SettingText:
    """What is told of a setting: its purpose with choices and bounds, and its default in TOML."""

    said: str
    default: str


def describe(field: FieldInfo) -> SettingText:
    """The texts of one setting, as its metadata have them."""
    notes = [*_choices(field), *_bounds(field)]
    said = " ".join((field.description or "").split())
    if notes:
        said += f" ({', '.join(notes)})"
    default = field.default
    plain = default.get_secret_value() if isinstance(default, SecretStr) else default
    return SettingText(said, _toml(plain))


def _block(name: str, field: FieldInfo, values: Mapping[str, Any]) -> Iterator[str]:
    text = describe(field)
    yield _comment(f"{text.said} (reload)" if is_reloaded(field) else text.said)
    if name in values:
        yield f"{name} = {_toml(values[name])}"
        return
    yield f"# {name} = {text.default}"
    if isinstance(field.default, SecretStr):
        yield f'# {name}_file = ""'


def _choices(field: FieldInfo) -> Iterator[str]:
    choices = get_args(field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        yield "one of " + ", ".join(choices)


def _bounds(field: FieldInfo) -> Iterator[str]:
    for rule in field.metadata:
        for kind, (words, attribute) in _BOUNDS.items():
            if isinstance(rule, kind):
                yield words.format(f"{getattr(rule, attribute):g}")


def _toml(value: Any) -> str:
    """The value as TOML has it; nothing at all is an empty string."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case None:
            return '""'
        case str() | Path():
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case _:
            raise TypeError(f"no TOML for {type(value).__name__}")


def _comment(text: str) -> str:
    """Each paragraph wrapped, behind `# `."""
    paragraphs = []
    for paragraph in text.strip().split("\n\n"):
        wrapped = textwrap.wrap(
            " ".join(paragraph.split()),
            _WIDTH - 2,
            break_long_words=False,
            break_on_hyphens=False,
        )
        paragraphs.append("\n".join(f"# {line}" for line in wrapped))
    return "\n#\n".join(paragraphs)
