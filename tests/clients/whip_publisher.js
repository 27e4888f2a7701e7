// Publishes a clip with H.264 and Opus over WHIP, in real time: `whip_publisher.js CLIP URL`, with
// the stream key in WHIP_KEY. ffmpeg cuts the clip into RTP. Writes how many pictures it sent.
const { spawn } = require("node:child_process");
const { createSocket } = require("node:dgram");
const { once } = require("node:events");
const { MediaStreamTrack, RtpPacket } = require("werift");
const { newConnection, open } = require("./webrtc_session.js");

async function source(kind, connection) {
  const track = new MediaStreamTrack({ kind });
  connection.addTransceiver(track, { direction: "sendonly" });
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const counted = { pictures: 0, url: `rtp://127.0.0.1:${socket.address().port}?pkt_size=1200` };
  socket.on("message", (data) => {
    const packet = RtpPacket.deSerialize(data);
    if (packet.header.marker) counted.pictures += 1;
    track.writeRtp(packet);
  });
  return counted;
}

async function main([clip, url]) {
  const connection = newConnection();
  const video = await source("video", connection);
  const audio = await source("audio", connection);
  const close = await open(connection, url, process.env.WHIP_KEY);
  const picture = ["-map", "0:v", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "rtp", video.url];
  const sound = ["-map", "0:a", "-c", "copy", "-f", "rtp", audio.url];
  const quiet = ["-hide_banner", "-nostdin", "-v", "error", "-re", "-i", clip];
  const ffmpeg = spawn("ffmpeg", [...quiet, ...picture, ...sound], { stdio: ["ignore", "ignore", "inherit"] });
  const [status] = await once(ffmpeg, "exit");
  await close();
  console.log(`sent ${video.pictures}`);
  process.exit(status);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
