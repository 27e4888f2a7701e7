"""Every bound of the room, in one value."""

from dataclasses import dataclass, field

from controller.domain.room import Allowance


@dataclass(frozen=True, slots=True)
class HubLimits:
    """Bounds and paces; the defaults suit one daemon with some thousand viewers.

    A room rests `rest_per_member_s` per member after a write, at most `most_rest_s`: what comes
    meanwhile goes out in one write. A write costs about 10 µs per member, so a room of any size
    takes about an eighth of the loop however much is said in it; a small one waits for nothing.
    A write has at most `write_bytes`, and after one that could not take everything the room rests
    `full_write_rest_s` at least: so a reader that takes that much in that time is never behind.
    """

    connections: int = 20_000
    rooms_per_connection: int = 8
    frame_bytes: int = 32_768
    backlog_bytes: int = 262_144
    pending_bytes: int = 8_388_608
    stalled_s: float = 15.0
    heartbeat_s: float = 20.0
    malformed_frames: int = 10
    rest_per_member_s: float = 80e-6
    most_rest_s: float = 0.1
    full_write_rest_s: float = 0.02
    big_room_viewers: int = 100
    log_events: int = 1_000
    room_linger_s: float = 30.0
    lease_s: float = 6.0
    tick_s: float = 1.0
    refresh_s: float = 5.0
    settle_s: float = 3.0
    behind_s: float = 1.0
    token_warning_s: float = 60.0
    unwritten_records: int = 50_000
    players: int = 50_000
    unseen_s: float = 20.0
    sum_up_s: float = 10.0
    frames: Allowance = field(default=Allowance(burst=60, per_s=20.0))
    chat: Allowance = field(default=Allowance(burst=10, per_s=10 / 60))
    reactions: Allowance = field(default=Allowance(burst=20, per_s=5.0))

    @property
    def write_bytes(self) -> int:
        """What one write of a room may have, roughly; a longer message goes alone."""
        return self.backlog_bytes // 4
