"""What tests share: how the log looks, and for those of a whole server a clip and a browser.

Playwright's synchronous API keeps an event loop running in this thread for as long as it is
started. So the browser is a module's, not the run's: other modules have asynchronous tests.
"""

import pytest

from tests.support.plain_log import log_plainly
from tests.support.players import players
from tests.support.pushers import make_clip


@pytest.fixture(autouse=True)
def plain_log():
    """For each test anew, as some configure the log their own way."""
    log_plainly()


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def browser():
    with players() as started:
        yield started
