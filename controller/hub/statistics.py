"""What the rooms of this daemon have done since it started, all together."""

from collections import Counter
from dataclasses import dataclass, field

from controller.hub.closing import CloseCode


@dataclass(slots=True)
class HubStatistics:
    """Counts that only grow.

    Of the log: `events` that members were sent, the `writes` that they took and the events in
    those (`deliveries`); `undelivered`: writes to clients that did not read, and are gone.
    `coalesced`: reactions, joins and leaves that a big room told as a count. `refused`: messages
    and reactions over their rate. `closed`: connections that the server closed, by why.
    """

    events: int = 0
    writes: int = 0
    deliveries: int = 0
    undelivered: int = 0
    messages: int = 0
    held: int = 0
    reactions: int = 0
    refused: int = 0
    coalesced: int = 0
    closed: Counter[CloseCode] = field(default_factory=Counter)
