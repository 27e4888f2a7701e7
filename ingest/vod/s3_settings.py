"""Where an S3 store is, and with what key it is opened."""

from dataclasses import dataclass, field

_LARGEST_PUT_BYTES = 5_000_000_000
_PART_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class S3Settings:
    """A bucket, an optional key prefix without slashes around it, and how to get there.

    Files larger than `part_bytes` (5 MB at least) are sent in parts of that size.

    `endpoint` is `https://host[:port]`; empty for Amazon's own. The key is in no representation.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    path_style: bool = True
    connections: int = 4
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 20.0
    call_timeout_s: float = 300.0
    max_object_bytes: int = _LARGEST_PUT_BYTES
    part_bytes: int = _PART_BYTES
