from tests.contract.object_store.conftest import s3_server  # noqa: F401 - a fixture
from tests.contract.room.redis_server import own_redis, shared_redis  # noqa: F401 - fixtures
from tests.support.databases import (  # noqa: F401 - fixtures
    database_factory,
    database_url,
)
