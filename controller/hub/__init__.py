"""The room around a stream: chat, reactions, viewers and pins, over every transport alike."""
