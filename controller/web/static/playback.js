"use strict";

// Plays one HLS address in a video element, and tries again for as long as it is wanted.
// hls.js where the browser has Media Source Extensions, else the browser's own player (iPhones).

class Playback {
  static RETRY_MS = 1000;
  // A stream that has just begun lists parts, but no segment yet: hls.js takes that for an error
  // and would wait for seconds before it looks again.
  static PLAYLIST_POLICY = {
    default: {
      maxTimeToFirstByteMs: 15000,
      maxLoadTimeMs: 20000,
      timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
      errorRetry: { maxNumRetry: 20, retryDelayMs: 250, maxRetryDelayMs: 500, backoff: "linear" },
    },
  };
  static MUCH_S = 1.2;
  static LITTLE_S = 0.8;
  static NEAR_S = 0.1;
  static SLOWLY = 0.95;
  static INTO_SEGMENT_S = 0.05;
  static MEDIA_ERRORS_FORGIVEN = 3;

  // live: low latency settings. onUnavailable: called with the HTTP status, or 0, whenever the
  // address gave nothing; it is tried again a second later. onDateRanges: called with those of the
  // playlist whenever it was read.
  constructor(video, url, { live, onUnavailable, onDateRanges }) {
    this.video = video;
    this.url = url;
    this.live = live;
    this.onUnavailable = onUnavailable;
    this.onDateRanges = onDateRanges;
    this.hls = null;
    this.timer = 0;
    this.mediaErrors = 0;
    this.stopped = false;
    this.native = null;
  }

  static get supported() {
    return Playback.hlsJs || Playback.nativeHls;
  }

  static get hlsJs() {
    return typeof Hls !== "undefined" && Hls.isSupported();
  }

  static get nativeHls() {
    return document.createElement("video").canPlayType("application/vnd.apple.mpegurl") !== "";
  }

  start() {
    if (Playback.hlsJs) {
      this.startHls();
    } else {
      this.startNative();
    }
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    if (this.native) this.video.removeEventListener("error", this.native);
    this.drop();
    this.video.removeAttribute("src");
    this.video.load();
  }

  // Seconds behind the camera; null when that is not known.
  get latency() {
    if (!this.live) return null;
    if (this.hls) return this.hls.latency > 0 ? this.hls.latency : null;
    const start = this.video.getStartDate ? this.video.getStartDate().getTime() : NaN;
    return Number.isNaN(start) ? null : Date.now() / 1000 - start / 1000 - this.video.currentTime;
  }

  // Where one can go to be live; null when that is not known.
  get liveEdge() {
    if (this.hls) return this.shown(this.hls.liveSyncPosition);
    const ranges = this.video.seekable;
    return ranges.length ? ranges.end(ranges.length - 1) - 3 : null;
  }

  // The position itself, or where the last keyframe before it is: hls.js shows nothing of what
  // it loads from between two of them.
  shown(position) {
    const details = this.hls.latestLevelDetails;
    if (!position || !details || details.startTimeOffset === null) return position;
    const { buffered } = this.video;
    for (let n = 0; n < buffered.length; n += 1) {
      if (buffered.start(n) <= position && position < buffered.end(n)) return position;
    }
    return details.edge + details.startTimeOffset + Playback.INTO_SEGMENT_S;
  }

  // When the picture moves for the first time, or again after a stall: straight to the present.
  settle() {
    const edge = this.hls && this.live ? this.liveEdge : null;
    if (edge > this.video.currentTime && this.excess > Playback.MUCH_S) this.video.currentTime = edge;
  }

  // Called now and then: catches up what is left, then plays at its own pace again. All the time,
  // as hls.js would, one could hear it.
  pace() {
    if (!this.hls || !this.live || this.excess === null) return;
    const config = this.hls.config;
    if (this.excess > Playback.MUCH_S) config.maxLiveSyncPlaybackRate = 1.1;
    else if (this.excess < Playback.LITTLE_S) config.maxLiveSyncPlaybackRate = 1;
    this.keepDistance();
  }

  // Whoever has skipped a hole may be nearer to live than PART-HOLD-BACK, and would run out of media
  // again and again: falls back to it.
  keepDistance() {
    const details = this.hls.latestLevelDetails;
    const missing = details ? details.partHoldBack - this.latency : 0;
    const { video } = this;
    if (missing > Playback.NEAR_S && video.playbackRate === 1) video.playbackRate = Playback.SLOWLY;
    else if (missing <= 0 && video.playbackRate === Playback.SLOWLY) video.playbackRate = 1;
  }

  // Seconds behind what the playlist asks for.
  get excess() {
    const target = this.hls ? this.hls.targetLatency : null;
    return target && this.latency ? this.latency - target : null;
  }

  startHls() {
    this.hls = new Hls({
      lowLatencyMode: this.live,
      // fMP4 is passed through: there is nothing to do that would be worth a thread.
      enableWorker: false,
      backBufferLength: 60,
      enableDateRangeMetadataCues: false,
      playlistLoadPolicy: Playback.PLAYLIST_POLICY,
    });
    this.hls.on(Hls.Events.ERROR, (_, error) => error.fatal && this.failed(error));
    const read = (_, { details }) => this.onDateRanges(details.dateRanges);
    this.hls.on(Hls.Events.LEVEL_UPDATED, read);
    this.hls.on(Hls.Events.LEVEL_PTS_UPDATED, read);
    this.hls.loadSource(this.url);
    this.hls.attachMedia(this.video);
    this.hls.once(Hls.Events.MANIFEST_PARSED, () => this.play());
  }

  failed(error) {
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR && this.mediaErrors < Playback.MEDIA_ERRORS_FORGIVEN) {
      this.mediaErrors += 1;
      this.hls.recoverMediaError();
      return;
    }
    this.again(error.response ? error.response.code : 0);
  }

  again(status) {
    this.drop();
    if (this.stopped) return;
    this.onUnavailable(status);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => !this.stopped && this.start(), Playback.RETRY_MS);
  }

  startNative() {
    if (!this.native) {
      this.native = () => this.again(0);
      this.video.addEventListener("error", this.native);
    }
    this.video.src = this.url;
    this.play();
  }

  drop() {
    if (this.hls) this.hls.destroy();
    this.hls = null;
  }

  play() {
    // Refused where even silent video may not start by itself: the button is there for that.
    this.video.play().catch(() => {});
  }
}
