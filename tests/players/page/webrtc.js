"use strict";

// Publishes a fake camera with the time burnt into its picture, and watches over WebRTC or HLS,
// reading that time back: how old is what is shown?

const CELL = 20; // pixels of a burnt-in bit
const BITS = 32; // 24 of milliseconds, 8 of their sum
const LOOP_MS = 1 << 24;
const video = document.getElementById("video");
const seen = { ages: [], stamps: [], errors: [] };

function checked(ms) {
  const value = Math.floor(ms) % LOOP_MS;
  const sum = ((value >> 16) + (value >> 8) + value) & 0xff;
  return [value, sum];
}

function burn(context) {
  const [value, sum] = checked(Date.now());
  for (let bit = 0; bit < BITS; bit += 1) {
    const on = bit < 24 ? (value >> bit) & 1 : (sum >> (bit - 24)) & 1;
    context.fillStyle = on ? "#fff" : "#000";
    context.fillRect(bit * CELL, 0, CELL, CELL);
  }
}

const strip = new OffscreenCanvas(BITS * CELL, CELL).getContext("2d", { willReadFrequently: true });

function readStamp() {
  const scale = video.videoWidth / (BITS * CELL);
  strip.drawImage(video, 0, 0, video.videoWidth, CELL * scale, 0, 0, BITS * CELL, CELL);
  const { data } = strip.getImageData(0, CELL / 2, BITS * CELL, 1);
  let value = 0;
  let sum = 0;
  for (let bit = 0; bit < BITS; bit += 1) {
    const on = data[(bit * CELL + CELL / 2) * 4] > 127 ? 1 : 0;
    if (bit < 24) value |= on << bit;
    else sum |= on << (bit - 24);
  }
  return checked(value)[1] === sum ? value : null;
}

function watchStamps() {
  const step = () => {
    const stamp = readStamp();
    if (stamp !== null) {
      seen.ages.push((Math.floor(Date.now()) - stamp + LOOP_MS) % LOOP_MS);
      seen.stamps.push(stamp);
    }
    video.requestVideoFrameCallback(step);
  };
  video.requestVideoFrameCallback(step);
}

async function post(url, connection, headers, change = async (sdp) => sdp) {
  await connection.setLocalDescription(await connection.createOffer());
  let answer;
  for (let turn = 0; turn < 5; turn += 1) {
    answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", ...headers },
      body: connection.localDescription.sdp,
    });
    if (answer.status !== 503) break;
    await new Promise((resolve) => setTimeout(resolve, 2000)); // as Retry-After says
  }
  const body = await answer.text();
  if (answer.status !== 201) return { status: answer.status, body };
  await connection.setRemoteDescription({ type: "answer", sdp: await change(body) });
  const location = new URL(answer.headers.get("Location"), url).href;
  return { status: 201, location, etag: answer.headers.get("ETag"), body };
}

window.publish = async (url, key, codec) => {
  const media = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360 }, audio: true });
  const camera = document.createElement("video");
  camera.srcObject = new MediaStream(media.getVideoTracks());
  camera.muted = true;
  await camera.play();
  const canvas = document.getElementById("camera");
  const context = canvas.getContext("2d");
  setInterval(() => {
    context.drawImage(camera, 0, 0, canvas.width, canvas.height);
    burn(context);
  }, 1000 / 30);
  burn(context);
  const connection = (window.connection = new RTCPeerConnection());
  const [picture] = canvas.captureStream(30).getVideoTracks();
  const sender = connection.addTransceiver(picture, { direction: "sendonly" });
  if (codec) {
    const { codecs } = RTCRtpSender.getCapabilities("video");
    sender.setCodecPreferences(codecs.filter((one) => one.mimeType === codec || one.mimeType === "video/rtx"));
  }
  connection.addTransceiver(media.getAudioTracks()[0], { direction: "sendonly" });
  return post(url, connection, { Authorization: `Bearer ${key}` });
};

// `relayed`: called with the answer, answers the one to use; tests put a relay in its candidates.
window.watch = async (url, token, relayed) => {
  const connection = (window.connection = new RTCPeerConnection());
  const stream = new MediaStream();
  video.srcObject = stream;
  connection.ontrack = (event) => stream.addTrack(event.track);
  connection.addTransceiver("video", { direction: "recvonly" });
  connection.addTransceiver("audio", { direction: "recvonly" });
  watchStamps();
  const change = relayed ? (sdp) => window.relay(sdp) : undefined;
  return post(url, connection, token ? { Authorization: `Bearer ${token}` } : {}, change);
};

// The reference client of WHEP's authors.
window.watchWithClient = async (url) => {
  const { WHEPClient } = await import("/node_modules/whip-whep/whep.js");
  const connection = (window.connection = new RTCPeerConnection());
  const stream = new MediaStream();
  video.srcObject = stream;
  connection.ontrack = (event) => stream.addTrack(event.track);
  connection.addTransceiver("video", { direction: "recvonly" });
  connection.addTransceiver("audio", { direction: "recvonly" });
  window.addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
  window.client = new WHEPClient();
  await window.client.view(connection, url);
};

window.watchHls = (url) => {
  // It catches up what its start has cost, as those set it who want it low.
  const hls = (window.hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.5 }));
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.fatal) seen.errors.push(`${data.type} ${data.details}`);
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  hls.once(Hls.Events.MANIFEST_PARSED, () => video.play());
  watchStamps();
};

window.stats = async () => {
  const found = {};
  if (window.connection) {
    found.connection = connection.connectionState;
    for (const one of (await connection.getStats()).values()) {
      if (one.type === "inbound-rtp" || one.type === "outbound-rtp") found[one.kind] = one;
    }
  }
  const { ages, stamps, errors } = seen;
  const recent = [...ages.slice(-60)].sort((a, b) => a - b);
  return {
    ...found,
    frames: ages.length,
    latency_s: recent.length ? recent[recent.length >> 1] / 1000 : null,
    worst_s: recent.length ? recent[recent.length - 1] / 1000 : null,
    stamp: stamps.at(-1) ?? null,
    distinct: new Set(stamps).size,
    errors,
    currentTime: video.currentTime,
    width: video.videoWidth,
    soundBytes: video.webkitAudioDecodedByteCount,
  };
};
