"""An event loop whose UDP sockets stay within the ports that a firewall lets through."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)


class PortRangeLoop(asyncio.SelectorEventLoop):
    """Binds datagram sockets that ask for any port within `ports`, in turn; an empty range: any."""

    def __init__(self) -> None:
        super().__init__()
        self.ports = range(0)
        self._turn = 0

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], _Protocol],
        local_addr: tuple[str, int] | None = None,
        **options: Any,
    ) -> tuple[asyncio.DatagramTransport, _Protocol]:
        """As the base class; OSError when every port of the range is taken."""
        create = super().create_datagram_endpoint
        if local_addr is None or local_addr[1] or not self.ports:
            return await create(protocol_factory, local_addr, **options)
        last: OSError | None = None
        for _ in self.ports:
            port = self.ports[self._turn % len(self.ports)]
            self._turn += 1
            try:
                return await create(protocol_factory, (local_addr[0], port), **options)
            except OSError as error:
                last = error
        raise OSError(f"no free UDP port in {self.ports}") from last


def use_ports(first: int, last: int) -> None:
    """Let the running loop bind within these ports; 0: any."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, PortRangeLoop) and first:
        loop.ports = range(first, last + 1)
