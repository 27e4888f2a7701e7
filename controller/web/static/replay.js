"use strict";

// The chat of the live beside its recording, each message at its time.

class Replay {
  static SPAN_S = 60;
  static SHOWN = 30;

  constructor(video, list, streamId) {
    this.video = video;
    this.list = list;
    this.streamId = streamId;
    this.active = false;
    this.stretches = new Map(); // by minute: its messages, or null while they are asked for
    this.shown = "";
    for (const event of ["timeupdate", "seeked"]) video.addEventListener(event, () => this.refresh());
  }

  // Whether the recording is playing.
  play(active) {
    this.active = active;
    this.list.hidden = !active || !this.list.childElementCount;
    if (active) this.refresh();
  }

  refresh() {
    if (!this.active) return;
    const now = this.video.currentTime;
    const minute = Math.floor(now / Replay.SPAN_S);
    for (const one of [minute - 1, minute, minute + 1]) if (one >= 0) this.ask(one);
    const known = [minute - 1, minute].flatMap((one) => this.stretches.get(one) || []);
    const said = known.filter((message) => message.t <= now).slice(-Replay.SHOWN);
    const shown = said.map((message) => message.messageId).join();
    if (shown === this.shown) return;
    this.shown = shown;
    this.list.replaceChildren(...said.map(Replay.line));
    this.list.hidden = said.length === 0;
    this.list.scrollTop = this.list.scrollHeight;
  }

  async ask(minute) {
    if (this.stretches.has(minute)) return;
    this.stretches.set(minute, null);
    const messages = [];
    try {
      let from = minute * Replay.SPAN_S;
      const to = from + Replay.SPAN_S;
      for (let more = true; more;) {
        const answer = await fetch(`/api/v1/streams/${encodeURIComponent(this.streamId)}/replay?from=${from}&to=${to}`);
        if (!answer.ok) throw new Error(String(answer.status));
        const { data } = await answer.json();
        messages.push(...data.chat);
        from = data.to;
        more = data.more;
      }
      this.stretches.set(minute, messages);
    } catch {
      setTimeout(() => this.stretches.delete(minute), 2000); // then it is asked for again
    }
  }

  static line(message) {
    const line = document.createElement("li");
    const name = document.createElement("strong");
    name.textContent = message.username;
    line.append(name, ` ${message.message}`);
    return line;
  }
}
