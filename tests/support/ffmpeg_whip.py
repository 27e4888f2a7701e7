"""FFmpeg's WHIP muxer as an encoder: `python -m tests.support.ffmpeg_whip CLIP URL CERT KEY`.

The stream key comes in the environment as WHIP_KEY. Sends the clip in real time, writes how many
pictures were sent, and ends the session. A process of its own, as encoders are, which may
be ended at any time.
"""

import os
import sys
import time

import av


def main(arguments: list[str]) -> int:
    """Send; the exit status is 0 when all was sent."""
    clip, url, certificate, key = arguments[1:]
    options = {
        "authorization": os.environ["WHIP_KEY"],
        "cert_file": certificate,
        "key_file": key,
        "handshake_timeout": "20000",
    }
    sent = 0
    with av.open(clip) as source, av.open(url, "w", format="whip", options=options) as session:
        outputs = {one.index: session.add_stream_from_template(one) for one in source.streams}
        session.start_encoding()
        began_s = time.monotonic()
        for packet in source.demux():
            if packet.dts is None:
                continue
            due_s = began_s + float(packet.dts * packet.time_base)
            time.sleep(max(0.0, due_s - time.monotonic()))
            sent += packet.stream.type == "video"
            packet.stream = outputs[packet.stream.index]
            session.mux(packet)
    print(f"sent {sent}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
