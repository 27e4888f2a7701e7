"""`python -m tests.fuzz --minutes N`: package mutated spools until the time is up.

What breaks a rule is kept in `--keep` (default: `tests/fuzz/broken`), by its seed; a copy in
`tests/fuzz/cases` is a regression test from then on. Exit status 1 when anything was found.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.hostile import check, mutate
from tests.support.inputs import Encoders

_HERE = Path(__file__).parent


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=_HERE / "broken")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    deadline_s = time.monotonic() + options.minutes * 60
    found = tried = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        clips = seeds(Encoders(root))
        while time.monotonic() < deadline_s:
            dice = random.Random(seed + tried)
            data = mutate(dice.choice(clips), dice)
            try:
                check(data, root / "run")
            except Exception:  # noqa: BLE001  whatever it is, it is what we look for
                found += 1
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{seed + tried}.flv").write_bytes(data)
                print(f"seed {seed + tried}:\n{traceback.format_exc()}", flush=True)
            shutil.rmtree(root / "run", ignore_errors=True)
            tried += 1
    print(f"{tried} spools from seed {seed} on, {found} broke a rule")
    return 1 if found else 0


def seeds(encoders: Encoders) -> list[list]:
    """Short clips of each kind that the recorder writes."""
    small = {"seconds": 3, "size": "64x48", "gop": 15}
    return [
        encoders.flv(**small),
        encoders.flv(**small, audio=""),
        encoders.flv(seconds=4, video="none"),
        encoders.flv(**small, audio="-c:a libmp3lame", sound_rate=44_100),
        encoders.flv(**small) + encoders.flv(seconds=2, size="48x64"),
    ]


if __name__ == "__main__":
    sys.exit(main())
