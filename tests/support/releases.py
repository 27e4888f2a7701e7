"""Releases of golive as users get them: the wheel, unpacked, with nothing of the checkout."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]


def build_wheel(folder: Path) -> Path:
    """The wheel, as `make wheel` builds it."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(_CHECKOUT)),
        ],
        check=True,
        timeout=180,
    )
    (wheel,) = folder.glob("golive-*.whl")
    return wheel


def unpack(wheel: Path, folder: Path, version: str) -> Path:
    """The wheel's content, called `version`."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (metadata,) = folder.glob("golive-*.dist-info/METADATA")
    text = metadata.read_text()
    metadata.write_text(re.sub(r"^Version: .*$", f"Version: {version}", text, flags=re.MULTILINE))
    metadata.parent.rename(folder / f"golive-{version}.dist-info")
    return folder


def successor(release: Path, folder: Path, version: str) -> Path:
    """Another release of the same code, which has been compiled as pip would have."""
    folder.mkdir()
    for package in ("controller", "ingest"):
        (folder / package).symlink_to(release / package)
    (metadata,) = release.glob("golive-*.dist-info")
    of_its_own = folder / f"golive-{version}.dist-info"
    shutil.copytree(metadata, of_its_own)
    text = (of_its_own / "METADATA").read_text()
    changed = re.sub(r"^Version: .*$", f"Version: {version}", text, flags=re.MULTILINE)
    (of_its_own / "METADATA").write_text(changed)
    return folder


def running_from(folder: Path) -> dict[str, str]:
    """The environment in which `python -m controller.cli` is that release's.

    To be run in a folder that has no packages of its own, because Python looks there first.
    """
    return {"PYTHONPATH": str(folder)}
