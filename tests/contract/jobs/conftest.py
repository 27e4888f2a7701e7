from tests.contract.room.redis_server import own_redis, shared_redis  # noqa: F401 - fixtures
