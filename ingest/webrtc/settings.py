"""How WebRTC reaches its peers, and how many there may be."""

import msgspec


class WebRtcNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to be reached.

    `port_first` and `port_last` bound the UDP ports that it binds; both 0: any. `public_addresses`
    are offered beside the machine's own, with the same ports, where NAT maps them one to one.
    """

    port_first: int = 0
    port_last: int = 0
    public_addresses: tuple[str, ...] = ()


class WebRtcBounds(msgspec.Struct, frozen=True, kw_only=True):
    """Most viewers of all streams and of one; how long a peer may take to connect, in seconds, and
    how long a publisher may send nothing."""

    viewers: int = 100
    viewers_per_stream: int = 50
    connect_s: float = 10.0
    silence_s: float = 10.0
