"""The API's operations, over nothing: they are described here, not called."""

from unittest.mock import Mock

import pytest

from controller.api.app import ApiDependencies, api_operations


@pytest.fixture(scope="session")
def operations():
    fields = ApiDependencies.__dataclass_fields__
    return api_operations(ApiDependencies(**dict.fromkeys(fields, Mock())))
