"""The schema revision that this release's code expects, without Alembic, whose import takes longer
than all else at the daemon's start."""

from importlib.resources import files

_VERSIONS = "controller.stores.migrations.versions"


def head_revision() -> str:
    """The newest: modules are named `m{revision}_{what}.py`, and each follows the one before."""
    names = (entry.name for entry in files(_VERSIONS).iterdir())
    return max(name[1:].partition("_")[0] for name in names if name.startswith("m"))
