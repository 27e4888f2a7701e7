"use strict";

// Seconds of media in the buffer from where it plays.
function buffered(video) {
  for (let i = 0; i < video.buffered.length; i += 1) {
    if (video.buffered.start(i) <= video.currentTime && video.currentTime <= video.buffered.end(i)) {
      return video.buffered.end(i) - video.currentTime;
    }
  }
  return 0;
}

// What a video element does, counted from the start; shared by every page under test.

function makeProbe(video) {
  const counts = { stalls: 0, stalledAt: [], skips: [], stalledMs: 0, waitingSince: null, errors: [], startedAt: null, openedAt: performance.now() };
  let playing = false;
  const resumed = () => {
    if (counts.waitingSince !== null) counts.stalledMs += performance.now() - counts.waitingSince;
    counts.waitingSince = null;
  };
  video.addEventListener("playing", () => {
    playing = true;
    resumed();
    counts.startedAt = counts.startedAt ?? performance.now();
  });
  video.addEventListener("waiting", () => {
    // Before the first picture it waits by nature; a seek waits by request.
    if (!playing || video.seeking) return;
    counts.stalls += 1;
    counts.stalledAt.push([video.currentTime, buffered(video)]);
    counts.waitingSince = counts.waitingSince ?? performance.now();
  });
  let last = 0;
  let reached = 0;
  video.addEventListener("timeupdate", () => {
    if (!video.seeking) last = video.currentTime;
    reached = Math.max(reached, last);
  });
  video.addEventListener("seeking", () => {
    // Nobody seeks here: it is the player that skips a hole, or moves to where media begin.
    if (playing) counts.skips.push([last, video.currentTime]);
  });
  video.addEventListener("error", () => counts.errors.push(`video: ${video.error && video.error.message}`));

  return {
    error: (text) => counts.errors.push(text),
    sample: (latency) => {
      const quality = video.getVideoPlaybackQuality();
      const buffered = [];
      for (let i = 0; i < video.buffered.length; i += 1) {
        buffered.push([video.buffered.start(i), video.buffered.end(i)]);
      }
      return {
        at_s: performance.now() / 1000,
        current_s: video.currentTime,
        reached_s: Math.max(reached, video.seeking ? 0 : video.currentTime),
        buffered,
        duration_s: Number.isFinite(video.duration) ? video.duration : null,
        latency_s: Number.isFinite(latency) ? latency : null,
        stalls: counts.stalls,
        stalled_at: counts.stalledAt.map((stall) => [...stall]),
        skips: counts.skips.map((skip) => [...skip]),
        stalled_s: (counts.stalledMs + (counts.waitingSince === null ? 0 : performance.now() - counts.waitingSince)) / 1000,
        errors: [...counts.errors],
        frames: quality.totalVideoFrames,
        dropped: quality.droppedVideoFrames,
        width: video.videoWidth,
        paused: video.paused,
        ended: video.ended,
        started_after_s: counts.startedAt === null ? null : (counts.startedAt - counts.openedAt) / 1000,
      };
    },
  };
}
