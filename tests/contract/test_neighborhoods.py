"""A thousand places, the poles and the date line among them: each database finds the same people
near, and they are those within two kilometres of the great circle.
"""

import math
import os
import random
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from controller.domain.geography import NEIGHBORHOOD_RADIUS_M, Position, is_neighbor, unit_vector
from controller.domain.people import Role
from controller.domain.streams import Audience
from controller.stores.audience import is_near
from controller.stores.notifications import recipients
from controller.stores.opening import open_stores
from controller.stores.schema import users
from controller.system_clock import SystemClock
from tests.support.databases import DatabaseFactory, postgres_server

EARTH_M = 6_371_008.8
# How many of the people are centres of neighborhoods, too.
LOOKED_FROM = int(os.environ.get("GOLIVE_TEST_NEIGHBORHOODS", "60"))
CENTRES = [
    *(Position(90.0, 0.0), Position(-90.0, 120.0), Position(89.995, 30.0), Position(-89.99, -170.0)),
    *(Position(0.0, 180.0), Position(0.0, -180.0), Position(52.0, 179.999), Position(-17.0, -179.99)),
    *(Position(0.0, 0.0), Position(52.52, 13.405), Position(-33.9, 151.2), Position(80.0, 0.0)),
]  # fmt: skip


def great_circle_m(a, b):
    lat1, lat2 = math.radians(a.latitude), math.radians(b.latitude)
    east = math.radians(b.longitude - a.longitude)
    h = math.sin((lat2 - lat1) / 2) ** 2
    h += math.cos(lat1) * math.cos(lat2) * math.sin(east / 2) ** 2
    return 2 * EARTH_M * math.asin(math.sqrt(min(1.0, h)))


def travelled(start, far_m, way):
    arc, latitude = far_m / EARTH_M, math.radians(start.latitude)
    sine = math.sin(latitude) * math.cos(arc) + math.cos(latitude) * math.sin(arc) * math.cos(way)
    arrived = math.asin(max(-1.0, min(1.0, sine)))
    east = math.atan2(
        math.sin(way) * math.sin(arc) * math.cos(latitude),
        math.cos(arc) - math.sin(latitude) * math.sin(arrived),
    )
    longitude = (start.longitude + math.degrees(east) + 180) % 360 - 180
    return Position(math.degrees(arrived), longitude)


def places():
    """A thousand: most around the centres, near and just outside, some anywhere."""
    chance = random.Random(7)
    near = [
        travelled(
            CENTRES[n % len(CENTRES)], chance.uniform(0, 4000), chance.uniform(0, 2 * math.pi)
        )
        for n in range(800)
    ]
    anywhere = [
        Position(math.degrees(math.asin(chance.uniform(-1, 1))), chance.uniform(-180, 180))
        for _ in range(200)
    ]
    return [*near, *anywhere]


def centres(people):
    return [*CENTRES, *random.Random(8).sample([*people.values()], LOOKED_FROM)]


async def neighborhoods(url, people):
    """For each centre, then for some of the people as centres: who is near."""
    stores = open_stores(url, SystemClock())
    now = SystemClock().now()
    rows = []
    for user_id, place in people.items():
        point = unit_vector(place)
        rows.append(
            {
                "id": user_id,
                "username": "somebody",
                "role": Role.BUYER,
                "created_at": now,
                "updated_at": now,
                "latitude": place.latitude,
                "longitude": place.longitude,
                "unit_x": point.x,
                "unit_y": point.y,
                "unit_z": point.z,
            }
        )
    try:
        async with stores.database.write() as connection:
            await connection.execute(insert(users), rows)
        found = []
        async with stores.database.read() as connection:
            for centre in centres(people):
                near = await connection.execute(select(users.c.id).where(is_near(centre)))
                found.append(set(near.scalars()))
        return found
    finally:
        await stores.database.close()


async def test_both_databases_find_the_same_neighbors_and_the_right_ones(
    request: pytest.FixtureRequest, tmp_path
):
    people = {UUID(int=n + 1): place for n, place in enumerate(places())}
    server = postgres_server(request.config)
    found = []
    for factory in (
        DatabaseFactory("sqlite", tmp_path, None),
        DatabaseFactory("pg", tmp_path, server),
    ):
        url = await factory.fresh()
        found.append(await neighborhoods(url, people))
        await factory.dispose(url)
    on_sqlite, on_postgres = found
    assert on_sqlite == on_postgres
    undecided = 0
    for centre, near in zip(centres(people), on_sqlite, strict=True):
        assert near == {user_id for user_id, place in people.items() if is_neighbor(centre, place)}
        distances = {user_id: great_circle_m(centre, place) for user_id, place in people.items()}
        for user_id, far_m in distances.items():
            if abs(far_m - NEIGHBORHOOD_RADIUS_M) < 0.001:
                undecided += 1
            else:
                assert (user_id in near) is (far_m < NEIGHBORHOOD_RADIUS_M)
    assert undecided < 10
    # The poles and the date line are not left out by chance.
    assert all(len(near) > 20 for near in on_sqlite[: len(CENTRES)])
    print(f"\n{len(people)} places, {sum(map(len, on_sqlite))} pairs, the same on both")


@pytest.mark.parametrize("at", [(90.0, 0.0), (0.0, 180.0)])
async def test_neighbors_at_the_pole_and_the_date_line_are_told(world, at):
    host = await world.user(at=at)
    across = await world.user(at=(89.99, -120.0) if at[0] else (0.001, -179.99))
    stream_id = await world.stream(
        host, await world.product(host), audience=Audience.NEIGHBORHOOD, notify_neighborhood=True
    )
    live = await world.stores.streams.go_live(stream_id)
    assert live.notifications_queued == 1
    query = recipients(live.stream, Position(*at), live.stream.started_at)
    async with world.stores.database.read() as connection:
        assert (await connection.execute(query)).scalars().all() == [across.user_id]
