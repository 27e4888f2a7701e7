"""All settings, from their own metadata."""

from pydantic import SecretStr

from controller.configuration.reference import describe, is_reloaded
from controller.settings import Settings
from docs.generator.tables import code, table

_HEAD = """\
# Settings

Each is an environment variable, and a key of `golive.toml` under the same name in small letters
without `GOLIVE_`. The environment has precedence. `golive config` prints a file with all of them;
unknown keys and contradictions are refused at the start, with their line.

*Reload*: a running daemon takes it over with `systemctl reload golive`; everything else waits for a
restart, which costs no stream a frame. *Secret*: it may stand in a file, named by the same setting
with `_FILE` behind it, or in `/etc/golive/credentials` ([install](../install.md#secrets)).

"""


def settings_page() -> str:
    """The page."""
    rows = []
    for name, field in Settings.model_fields.items():
        text = describe(field)
        marks = ["*Reload.*"] * is_reloaded(field)
        marks += ["*Secret.*"] * isinstance(field.default, SecretStr)
        default = "" if text.default == '""' else code(text.default)
        rows.append((code(f"GOLIVE_{name.upper()}"), default, " ".join([text.said, *marks])))
    return _HEAD + table(("Setting", "Default", "What it is for"), rows)
