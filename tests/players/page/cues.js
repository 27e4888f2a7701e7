"use strict";

// cues.html?player=hls.js|dash.js&url=…&live=1&behind=8: plays a picture that counts its own frames
// (see tests/support/counted.py), `behind` seconds behind live, and notes which frame every product
// cue comes with: `cueLog()`.

const query = new URLSearchParams(location.search);
const url = query.get("url");
const live = query.get("live") === "1";
const behind = Number(query.get("behind") || 0);
const SCHEME = "urn:golive:product:2026";
const BITS = 16;
const video = document.getElementById("video");
const probing = makeProbe(video);
const canvas = new OffscreenCanvas(320, 180);
const context = canvas.getContext("2d", { willReadFrequently: true });
const cues = {};
let seen = null; // the frame shown last: its number, and its time in the media
let latencyOf = () => NaN;

function frameShown() {
  context.drawImage(video, 0, 0, 320, 180);
  const row = context.getImageData(0, 10, 320, 1).data;
  let number = 0;
  for (let bit = 0; bit < BITS; bit += 1) number = number * 2 + (row[(bit * 20 + 10) * 4] > 127 ? 1 : 0);
  return number;
}

function watchFrames(_, frame) {
  seen = { number: frameShown(), mediaTime: frame.mediaTime };
  video.requestVideoFrameCallback(watchFrames);
}
video.requestVideoFrameCallback(watchFrames);

// A cue that begins at `starts_s` of the media has come, now.
function note(id, what, starts_s, fields) {
  if (cues[`${id} ${what}`]) return;
  cues[`${id} ${what}`] = { id, what, starts_s, now_s: video.currentTime, seen, ...fields };
}

function load(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`cannot load ${path}`));
    document.head.append(script);
  });
}

// The cues of hls.js' own track are lost in Chromium where the first playlist has them: it empties
// the track when it loads it. So its date ranges, with their place on its time, become cues here.
const track = video.addTextTrack("metadata", "cues under test");
track.mode = "hidden";
const placed = new Map();

function place(ranges) {
  for (const range of Object.values(ranges)) {
    if (!Number.isFinite(range.startTime)) continue; // not placed yet
    const ends = range.duration === null ? Number.MAX_VALUE : range.startTime + range.duration;
    let cue = placed.get(range.id);
    if (!cue) {
      cue = new VTTCue(range.startTime, ends, "");
      cue.addEventListener("enter", () => note(range.id, "enter", cue.startTime, {}));
      placed.set(range.id, cue);
      track.addCue(cue);
    } else if (cue.startTime !== range.startTime || cue.endTime !== ends) {
      cue.startTime = range.startTime;
      cue.endTime = ends;
    }
  }
}

const PLAYERS = {
  "hls.js": async () => {
    await load("/node_modules/hls.js/dist/hls.min.js");
    const hls = new Hls(behind ? { liveSyncDuration: behind, liveMaxLatencyDuration: behind + 20 } : { lowLatencyMode: live });
    window.player = hls;
    latencyOf = () => (live ? hls.latency : NaN);
    hls.on(Hls.Events.ERROR, (_, data) => (data.fatal || data.details === "internalException") && probing.error(`hls.js: ${data.type} ${data.details}`));
    hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => place(details.dateRanges));
    hls.on(Hls.Events.LEVEL_PTS_UPDATED, (_, { details }) => place(details.dateRanges));
    hls.loadSource(url);
    hls.attachMedia(video);
    hls.once(Hls.Events.MANIFEST_PARSED, () => video.play());
  },
  "dash.js": async () => {
    await load("/node_modules/dashjs/dist/modern/umd/dash.all.min.js");
    const dash = dashjs.MediaPlayer().create();
    window.player = dash;
    latencyOf = () => (live ? dash.getCurrentLiveLatency() : NaN);
    dash.updateSettings({ streaming: { events: { eventControllerRefreshDelay: 20 }, ...(behind ? { delay: { liveDelay: behind } } : {}) } });
    dash.on("error", (event) => probing.error(`dash.js: ${event.error && event.error.message}`));
    dash.on(SCHEME, (event) => {
      const message = JSON.parse(event.event.messageData);
      note(message.id, "enter", event.event.calculatedPresentationTime, { message });
    }, null);
    dash.initialize(video, url, true);
  },
};

window.probe = () => probing.sample(latencyOf());
window.cueLog = () => ({ cues, seen });

PLAYERS[query.get("player")]().catch((error) => probing.error(String(error)));
