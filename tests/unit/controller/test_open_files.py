import resource
import subprocess
import sys

import pytest

from controller.open_files import MOST_OPEN_FILES

SCRIPT = """
import resource
from controller.open_files import raise_open_files_limit
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(raise_open_files_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard", "limit"), [(256, 2048, 2048), (2048, 2048, 2048)])
def test_the_limit_is_raised_to_what_is_allowed(soft, hard, limit):
    script = SCRIPT.format(soft=soft, hard=hard)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(limit), str(limit), str(hard)]


def test_it_is_not_raised_beyond_what_is_needed():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    script = SCRIPT.format(soft=256, hard=hard)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    most = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    assert int(done.stdout.split()[0]) == most
