// Plays over WHEP: `whep_player.js URL`, with a playback token in WHEP_TOKEN where one is needed.
// Writes what has come as a JSON line every 200 ms; SIGTERM ends the session.
const { newConnection, open } = require("./webrtc_session.js");

const IDR = 5;
const STAP_A = 24;
const FU_A = 28;

// Whether an H.264 payload (RFC 6184) holds a keyframe's slice, or its start.
function isKey(payload) {
  const type = payload[0] & 0x1f;
  if (type === FU_A) return (payload[1] & 0x80) !== 0 && (payload[1] & 0x1f) === IDR;
  if (type !== STAP_A) return type === IDR;
  for (let at = 1; at + 2 < payload.length; at += 2 + payload.readUInt16BE(at)) {
    if ((payload[at + 2] & 0x1f) === IDR) return true;
  }
  return false;
}

async function main([url]) {
  const connection = newConnection();
  const got = { video: 0, pictures: 0, keyframes: 0, audio: 0, lost: 0 };
  let expected = null;
  connection.onTrack.subscribe((track) => {
    track.onReceiveRtp.subscribe(({ header, payload }) => {
      got[track.kind] += 1;
      if (track.kind !== "video") return;
      if (expected !== null && header.sequenceNumber !== expected) got.lost += 1;
      expected = (header.sequenceNumber + 1) & 0xffff;
      if (header.marker) got.pictures += 1;
      if (isKey(payload)) got.keyframes += 1;
    });
  });
  connection.addTransceiver("video", { direction: "recvonly" });
  connection.addTransceiver("audio", { direction: "recvonly" });
  const close = await open(connection, url, process.env.WHEP_TOKEN);
  setInterval(() => console.log(JSON.stringify(got)), 200);
  process.once("SIGTERM", async () => {
    await close();
    process.exit(0);
  });
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
