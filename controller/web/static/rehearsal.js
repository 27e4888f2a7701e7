"use strict";

// A rehearsal on the host's page: begins and ends it, plays it over WebRTC, or over Low-Latency HLS
// where WebRTC refuses what the encoder sends, and tells how old the picture is.

// One WHEP session (docs/webrtc.md).
class WhepSession {
  constructor(video) {
    this.video = video;
    this.connection = null;
    this.location = null;
    this.before = null;
    this.waits = [];
  }

  // Null when it plays; else the problem that the server answered.
  async open(url) {
    const connection = (this.connection = new RTCPeerConnection());
    const stream = new MediaStream();
    connection.ontrack = ({ track }) => stream.addTrack(track);
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.addTransceiver("audio", { direction: "recvonly" });
    await connection.setLocalDescription(await connection.createOffer());
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: connection.localDescription.sdp,
    });
    if (answer.status !== 201) {
      connection.close();
      return answer.json();
    }
    this.location = new URL(answer.headers.get("Location"), answer.url).pathname;
    await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    this.video.srcObject = stream;
    this.video.play().catch(() => {});
    if (this.video.requestVideoFrameCallback) this.watch(stream);
    return null;
  }

  // Milliseconds from each picture's arrival to the screen, where the browser tells.
  watch(stream) {
    const shown = (_, { expectedDisplayTime, receiveTime }) => {
      if (receiveTime !== undefined) this.waits.push(expectedDisplayTime - receiveTime);
      if (this.video.srcObject === stream) this.video.requestVideoFrameCallback(shown);
    };
    this.video.requestVideoFrameCallback(shown);
  }

  get isLost() {
    return ["failed", "disconnected", "closed"].includes(this.connection.connectionState);
  }

  // Seconds from the server to the screen: half a round trip, and how long the pictures since the
  // last time took in the browser. Null without pictures.
  async delay() {
    let roundTrip = null;
    let now = null;
    for (const one of (await this.connection.getStats()).values()) {
      if (one.type === "candidate-pair" && one.nominated) roundTrip = one.currentRoundTripTime ?? roundTrip;
      if (one.type === "inbound-rtp" && one.kind === "video") now = WhepSession.taken(one);
    }
    const { before, waits } = this;
    this.before = now;
    this.waits = [];
    if (!now || !before || roundTrip === null || now.pictures <= before.pictures) return null;
    const decoded = (now.seconds - before.seconds) / (now.pictures - before.pictures);
    const shown = waits.reduce((sum, one) => sum + one, 0) / waits.length / 1000;
    return roundTrip / 2 + (waits.length ? shown : decoded);
  }

  // What decoded pictures took so far, from their first packets on.
  static taken(video) {
    const { totalProcessingDelay, jitterBufferDelay, totalDecodeTime, framesDecoded } = video;
    return { seconds: totalProcessingDelay ?? jitterBufferDelay + totalDecodeTime, pictures: framesDecoded };
  }

  close() {
    if (this.location) fetch(this.location, { method: "DELETE", keepalive: true }).catch(() => {});
    this.connection.close();
    this.video.srcObject = null;
  }
}

class Rehearsal {
  static TICK_MS = 1000;
  static WAITING = new Set(["no_media_yet", "playback_token_needed", "store_unavailable"]);

  // call: asks the API about the rehearsal, answers the response. onChange: it has begun or ended.
  constructor(call, onChange) {
    this.call = call;
    this.onChange = onChange;
    this.data = null;
    this.whep = null;
    this.hls = null;
    this.isOpening = false;
    this.find("rehearse").addEventListener("click", () => this.change("POST"));
    this.find("end-rehearsal").addEventListener("click", () => this.change("DELETE"));
    this.find("show-key").addEventListener("click", () => this.showKey());
    setInterval(() => this.tick(), Rehearsal.TICK_MS);
  }

  get isOn() {
    return this.data !== null;
  }

  find(id) {
    return document.getElementById(id);
  }

  // What the host may do while none runs.
  offer(isScheduled) {
    this.find("rehearsal").hidden = !isScheduled;
    this.find("rehearse").hidden = !isScheduled;
  }

  // It runs: what the API has said of it.
  take(data) {
    this.data = data;
    this.find("rehearsal").hidden = false;
    this.find("rehearse").hidden = true;
    this.find("rehearsing").hidden = false;
    this.find("server").textContent = data.rtmpUrl;
    this.find("key").value = data.streamKey ?? "";
    this.find("until").textContent = new Date(data.expiresAt).toLocaleTimeString();
    if (this.hls) this.hls.url = new URL(data.hlsUrl).pathname; // with a token that is good
    if (data.ingest !== "connected") this.stopPlaying("Start your encoder: only you will see it.");
  }

  over() {
    this.stopPlaying("");
    this.data = null;
    this.find("rehearsing").hidden = true;
  }

  async change(method) {
    for (const id of ["rehearse", "end-rehearsal"]) this.find(id).disabled = true;
    try {
      const answer = await this.call(method);
      if (answer.status === 204) this.over();
      else if (answer.ok) this.take((await answer.json()).data);
      else this.note((await answer.json()).detail);
    } catch {
      this.note("The server does not answer. Try again.");
    }
    for (const id of ["rehearse", "end-rehearsal"]) this.find(id).disabled = false;
    this.onChange();
  }

  showKey() {
    const isShown = this.find("key").type === "text";
    this.find("key").type = isShown ? "password" : "text";
    this.find("show-key").textContent = isShown ? "Show" : "Hide";
  }

  note(text) {
    this.find("rehearsal-note").textContent = text;
  }

  async tick() {
    if (!this.data || this.data.ingest !== "connected" || this.isOpening) return;
    if (this.whep && this.whep.isLost) this.stopPlaying("");
    if (!this.whep && !this.hls) await this.play();
    else await this.showDelay();
  }

  async play() {
    this.isOpening = true;
    const session = new WhepSession(this.find("picture"));
    const { whepUrl, hlsUrl } = this.data;
    try {
      const problem = await session.open(new URL(whepUrl).pathname);
      if (!this.data) {
        if (!problem) session.close();
      } else if (!problem) {
        this.whep = session;
        this.note("");
      } else if (!Rehearsal.WAITING.has(problem.code)) {
        this.playHls(hlsUrl, problem);
      }
    } catch {
      session.connection.close(); // no network, no WebRTC: tried again
    }
    this.isOpening = false;
  }

  playHls(url, problem) {
    const reason = problem.detail.replace(/: https?:\S+$/, "");
    this.note(`Not over WebRTC: ${reason}. This is the low-latency HLS.`);
    const wanted = { live: true, onUnavailable: () => {}, onDateRanges: () => {} };
    this.hls = new Playback(this.find("picture"), new URL(url).pathname, wanted);
    this.hls.start();
  }

  stopPlaying(text) {
    if (this.whep) this.whep.close();
    if (this.hls) this.hls.stop();
    this.whep = this.hls = null;
    this.find("delay").textContent = "–";
    this.note(text);
  }

  async showDelay() {
    const seconds = this.whep ? await this.whep.delay() : this.hls.latency;
    if (seconds === null) return;
    const how = this.whep ? "WebRTC" : "HLS";
    this.find("delay").textContent = `${seconds.toFixed(this.whep ? 2 : 1)} s over ${how}`;
  }
}
