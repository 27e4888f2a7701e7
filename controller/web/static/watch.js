"use strict";

// The watch page: waiting → live → recording, as the stream goes.

const POLL_MS = 2000;
const TICK_MS = 500;
const LEAVE_LIVE_MS = 10000;
const BEHIND_S = 8;

const streamId = location.pathname.split("/")[2];
const video = document.getElementById("video");
const badge = document.getElementById("badge");
const message = document.getElementById("message");
const unmute = document.getElementById("unmute");
const storyboard = new Storyboard(video, document.getElementById("preview"));

const replay = new Replay(video, document.getElementById("replay"), streamId);

const page = {
  playback: null,
  playing: null, // "live" or "recording": what the playback plays
  stream: null, // the API's last word
  started: false, // whether the current playback has shown a picture
  stalled: false, // whether it then ran out of media
  endedAt: 0,
};

const products = new Products(
  video,
  document.getElementById("pin"),
  document.getElementById("tags"),
  () => (page.stream && page.stream.products) || [],
);

// For tests and the curious.
window.golive = {
  get hls() { return page.playback && page.playback.hls; },
  get state() { return document.body.dataset.state; },
  get latency() { return page.playback && page.playback.latency; },
};

const WORDS = {
  waiting: ["Waiting", "The stream has not started yet. It will play here as soon as it does."],
  connecting: ["Waiting", "Connecting …"],
  interrupted: ["Interrupted", "The host has lost the connection. Back in a moment …"],
  live: ["Live", ""],
  ended: ["Ended", "This stream has ended."],
  preparing: ["Ended", "This stream has ended. The recording will play in a moment …"],
  recording: ["Recording", ""],
  missing: ["Not found", "There is no such stream."],
  cancelled: ["Cancelled", "This stream was cancelled."],
  unsupported: ["Sorry", "This browser cannot play the stream."],
};

function show(state) {
  const [label, text] = WORDS[state];
  document.body.dataset.state = state;
  badge.textContent = label;
  if (text) message.textContent = text;
}

function play(kind, url) {
  if (page.playing === kind) return;
  leave();
  page.playing = kind;
  page.started = false;
  page.stalled = false;
  page.playback = new Playback(video, url, {
    live: kind === "live",
    onUnavailable: () => {
      page.started = false;
      refresh();
    },
    onDateRanges: (ranges) => products.take(ranges),
  });
  page.playback.start();
  replay.play(kind === "recording");
}

function leave() {
  if (page.playback) page.playback.stop();
  page.playback = null;
  page.playing = null;
  replay.play(false);
}

function recordingUrl() {
  return (page.stream && page.stream.vod_url) || `/vods/${streamId}.m3u8`;
}

// Which of the states holds, from what the API says and what the video does.
function refresh() {
  const stream = page.stream;
  if (!stream) return;
  if (page.playing === "recording") show(page.started ? "recording" : "preparing");
  else if (stream.status === "ended") show(page.started ? "live" : "ended");
  else if (page.started && stalled() && stream.ingest_state === "interrupted") show("interrupted");
  else if (page.started) show("live");
  else if (stream.status === "cancelled") show("cancelled");
  else if (stream.ingest_state === "interrupted") show("interrupted");
  else show(stream.ingest_state === "connected" ? "connecting" : "waiting");
}

function stalled() {
  return video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
}

function follow() {
  const stream = page.stream;
  if (stream.status === "live" || stream.status === "scheduled") {
    page.endedAt = 0;
    play("live", `/live/${streamId}/index.m3u8`);
  } else if (stream.status === "ended") {
    // What is in the buffer is played to its end before the recording takes over.
    page.endedAt = page.endedAt || performance.now();
    const overdue = performance.now() - page.endedAt > LEAVE_LIVE_MS;
    if (page.playing === "live" && page.started && !video.ended && !stalled() && !overdue) return;
    if (stream.record_stream === false) leave();
    else play("recording", recordingUrl());
  } else {
    leave();
  }
  refresh();
}

async function poll() {
  try {
    const answer = await fetch(`/api/v1/streams/${encodeURIComponent(streamId)}`, { cache: "no-store" });
    if (answer.status === 404) {
      page.stream = null;
      show("missing");
    } else if (answer.ok) {
      page.stream = (await answer.json()).data;
      describe();
      follow();
    }
  } catch {
    // The server is being restarted; what plays goes on playing.
  }
  setTimeout(poll, POLL_MS);
}

function describe() {
  if (page.stream.thumbnail_url && !page.started) video.poster = page.stream.thumbnail_url;
  products.refresh();
  storyboard.load(page.playing === "recording" ? page.stream.storyboard_url : null);
  document.title = `${page.stream.title} · golive`;
  document.getElementById("title").textContent = page.stream.title;
  document.getElementById("host").textContent = page.stream.user ? page.stream.user.username : "";
}

function tick() {
  if (page.playback) page.playback.pace();
  const latency = page.playback ? page.playback.latency : null;
  const seen = latency !== null && document.body.dataset.state === "live";
  document.getElementById("latency").textContent = seen ? `${latency.toFixed(1)} s behind live` : "";
  const behind = seen && (latency > BEHIND_S || video.paused);
  badge.disabled = !behind;
  badge.classList.toggle("behind", behind);
  badge.textContent = behind ? "Go to live" : WORDS[document.body.dataset.state][0];
  unmute.hidden = !(page.started && video.muted);
}

function toLive() {
  const edge = page.playback && page.playback.liveEdge;
  if (edge) video.currentTime = edge;
  video.play().catch(() => {});
}

video.addEventListener("playing", () => {
  if (page.playback && (page.stalled || !page.started)) page.playback.settle();
  page.started = true;
  page.stalled = false;
  refresh();
});
video.addEventListener("waiting", () => {
  // Who goes back in time waits, too, and wants to stay there.
  page.stalled = page.started && !video.seeking;
  if (page.stream) follow();
});
video.addEventListener("ended", () => page.stream && follow());
video.addEventListener("volumechange", tick);
badge.addEventListener("click", toLive);
unmute.addEventListener("click", () => {
  video.muted = false;
  video.controls = true;
  video.play().catch(() => {});
});
video.addEventListener("click", () => {
  video.controls = true;
});
document.addEventListener("visibilitychange", () => {
  // A phone that slept comes back to the present.
  const latency = page.playback && page.playback.latency;
  if (document.visibilityState === "visible" && page.playing === "live" && latency > BEHIND_S) toLive();
});

if (Playback.supported) poll();
else show("unsupported");
setInterval(tick, TICK_MS);
