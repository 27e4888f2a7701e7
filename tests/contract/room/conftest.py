"""Real servers for the room's ports."""

from tests.contract.room.redis_server import own_redis, shared_redis  # noqa: F401 - fixtures
from tests.support.databases import database_factory, database_url  # noqa: F401 - fixtures
