"""Entries of a room's log as Redis keeps them, given to a listener in order, each once."""

import asyncio

from controller.domain.room import Position, RoomEvent
from controller.domain.room_ports import RoomListener


class RoomFeed:
    """What one room's listener has been given."""

    def __init__(self, listener: RoomListener) -> None:
        self.listener = listener
        self.epoch = ""
        self.offset = 0
        self.caught_up = asyncio.Event()

    def give(self, entry: bytes) -> None:
        """Pass on an entry of the log, unless it was."""
        offset, epoch, name, data = entry.split(b"\n", 3)
        position = Position(epoch.decode(), int(offset))
        if position.epoch == self.epoch and position.offset <= self.offset:
            return
        self.epoch, self.offset = position.epoch, position.offset
        self.listener(RoomEvent(name.decode(), data, position))
