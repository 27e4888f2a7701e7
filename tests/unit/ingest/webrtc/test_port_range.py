"""UDP sockets within the ports that a firewall lets through."""

import asyncio
import socket

import pytest

from ingest.webrtc.port_range import PortRangeLoop, use_ports


def free_range(count: int) -> range:
    for first in range(40_000, 60_000, count):
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        try:
            for index, one in enumerate(sockets):
                one.bind(("127.0.0.1", first + index))
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
        return range(first, first + count)
    raise AssertionError("no free ports")


def run(work):
    with asyncio.Runner(loop_factory=PortRangeLoop) as runner:
        return runner.run(work())


def test_sockets_that_ask_for_any_port_stay_in_the_range():
    ports = free_range(3)

    async def bind() -> set[int]:
        use_ports(ports[0], ports[-1])
        loop = asyncio.get_running_loop()
        opened = [
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
            for _ in ports
        ]
        with pytest.raises(OSError, match="no free UDP port"):
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
        bound = {transport.get_extra_info("sockname")[1] for transport, _ in opened}
        for transport, _ in opened:
            transport.close()
        return bound

    assert run(bind) == set(ports)


def test_without_a_range_any_port_will_do():
    async def bind() -> int:
        use_ports(0, 0)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, ("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        transport.close()
        return port

    assert run(bind) > 0
