"""Clips, encoded once for all tests of the session."""

import pytest

from tests.support.media import ClipLibrary


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """A library of small real clips."""
    return ClipLibrary(tmp_path_factory.mktemp("clips"))
