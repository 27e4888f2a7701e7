"""What tests encode, kept below the build folder: processes and runs of a checkout share it."""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "build" / "test-clips"


@cache
def ffmpeg_version() -> str:
    """The version and how it was built, as ffmpeg says."""
    said = subprocess.run(
        ["ffmpeg", "-version"], capture_output=True, text=True, check=True, timeout=30
    )
    return said.stdout


def copy_kept(path: Path, made_of: Iterable[str], make: Callable[[Path], object]) -> None:
    """Write to `path` what `make` makes of `made_of`, which it makes at most once.

    made_of: all that the bytes depend on, the encoder's version among it. make: writes the file
    that it is given. Whoever wants what another process is encoding waits for it; a file has its
    name once it is whole.
    """
    digest = hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:32]
    kept = _FOLDER / f"{digest}{path.suffix}"
    if not kept.exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        with kept.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                unfinished = _FOLDER / f"unfinished-{kept.name}"
                make(unfinished)
                unfinished.rename(kept)
    shutil.copyfile(kept, path)
