"""Writes a small database in MaxMind's format 2.0: a binary search tree over networks, and data."""

import ipaddress
import struct
from pathlib import Path
from typing import Any

_METADATA_START = b"\xab\xcd\xefMaxMind.com"
_RECORD_BITS = 24
_TYPES = {"string": 2, "uint16": 5, "uint32": 6, "map": 7, "uint64": 9, "array": 11, "boolean": 14}


def write_geo_database(path: Path, networks: dict[str, Any]) -> Path:
    """An IPv6 database that gives each network, such as "192.0.2.0/24", its record."""
    tree: list[list[Any]] = [[None, None]]
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        # IPv4 lies at ::/96.
        bits = f"{int(network.network_address):0128b}"
        depth = network.prefixlen + (96 if network.version == 4 else 0)
        node = 0
        for bit in map(int, bits[: depth - 1]):
            if not isinstance(tree[node][bit], int):
                tree.append([None, None])
                tree[node][bit] = len(tree) - 1
            node = tree[node][bit]
        tree[node][int(bits[depth - 1])] = (record,)
    data, offsets = b"", {}
    for node in tree:
        for found in node:
            if isinstance(found, tuple) and repr(found) not in offsets:
                offsets[repr(found)] = len(data)
                data += _encoded(found[0])
    written = b""
    for node in tree:
        for found in node:
            pointer = len(tree) if found is None else found
            if isinstance(found, tuple):
                pointer = len(tree) + 16 + offsets[repr(found)]
            written += pointer.to_bytes(_RECORD_BITS // 8, "big")
    metadata = {
        "binary_format_major_version": ("uint16", 2),
        "binary_format_minor_version": ("uint16", 0),
        "build_epoch": ("uint64", 1_767_323_045),
        "database_type": "Test-Country",
        "description": {"en": "Countries of tests"},
        "ip_version": ("uint16", 6),
        "languages": ["en"],
        "node_count": ("uint32", len(tree)),
        "record_size": ("uint16", _RECORD_BITS),
    }
    path.write_bytes(written + bytes(16) + data + _METADATA_START + _encoded(metadata))
    return path


def _encoded(value: Any) -> bytes:
    match value:
        case str():
            text = value.encode()
            return _control("string", len(text)) + text
        case dict():
            pairs = (_encoded(key) + _encoded(one) for key, one in value.items())
            return _control("map", len(value)) + b"".join(pairs)
        case list():
            return _control("array", len(value)) + b"".join(map(_encoded, value))
        case (str(kind), int(number)):
            size = (number.bit_length() + 7) // 8
            return _control(kind, size) + number.to_bytes(size, "big")
    raise TypeError(type(value))


def _control(kind: str, size: int) -> bytes:
    assert size < 29
    number = _TYPES[kind]
    if number < 8:
        return struct.pack("B", number << 5 | size)
    return struct.pack("BB", size, number - 7)
