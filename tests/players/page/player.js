"use strict";

// player.html?player=hls.js|dash.js|shaka&url=…&live=1&rate=1: plays the address with that player,
// `rate` times as fast, and answers probe().

const query = new URLSearchParams(location.search);
const url = query.get("url");
const live = query.get("live") === "1";
const rate = Number(query.get("rate") || 1);
const video = document.getElementById("video");
const probing = makeProbe(video);
let latencyOf = () => NaN;

function load(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`cannot load ${path}`));
    document.head.append(script);
  });
}

const PLAYERS = {
  "hls.js": async () => {
    await load("/node_modules/hls.js/dist/hls.min.js");
    const hls = new Hls({ lowLatencyMode: live });
    window.player = hls;
    hls.on(Hls.Events.ERROR, (_, data) => {
      // A stall is counted by the probe; anything fatal is an error.
      if (data.fatal) probing.error(`hls.js: ${data.type} ${data.details}`);
    });
    latencyOf = () => (live ? hls.latency : NaN);
    hls.loadSource(url);
    hls.attachMedia(video);
    hls.once(Hls.Events.MANIFEST_PARSED, () => video.play());
  },
  "dash.js": async () => {
    await load("/node_modules/dashjs/dist/modern/umd/dash.all.min.js");
    const dash = dashjs.MediaPlayer().create();
    window.player = dash;
    dash.on("error", (event) => probing.error(`dash.js: ${event.error && event.error.message}`));
    latencyOf = () => (live ? dash.getCurrentLiveLatency() : NaN);
    // It starts by itself: when the page calls play() first, it never renews the MPD.
    dash.initialize(video, url, true);
  },
  shaka: async () => {
    await load("/node_modules/shaka-player/dist/shaka-player.compiled.js");
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    window.player = player;
    player.addEventListener("error", (event) => probing.error(`shaka: ${event.detail.code}`));
    latencyOf = () => (live ? player.getStats().liveLatency : NaN);
    await player.attach(video);
    // Else its sums of durations abort the buffer at some segments, which leaves gaps in LL-HLS.
    player.configure("manifest.hls.ignoreManifestTimestampsInSegmentsMode", true);
    await player.load(url);
    await video.play();
  },
};

if (rate !== 1) {
  video.addEventListener("playing", () => {
    if (video.playbackRate !== rate) video.playbackRate = rate;
  });
}

window.probe = () => probing.sample(latencyOf());

PLAYERS[query.get("player")]().catch((error) => probing.error(String((error && error.code) || error)));
