"use strict";

// Shows a small picture of where a seek goes, from a storyboard: WebVTT whose cues name a sheet of
// tiles and the tile's place in it (#xywh).

class Storyboard {
  static HIDE_MS = 400;

  constructor(video, element) {
    this.video = video;
    this.element = element;
    this.url = null;
    this.tiles = [];
    this.timer = 0;
    video.addEventListener("seeking", () => this.show(video.currentTime));
    video.addEventListener("seeked", () => this.hideSoon());
  }

  // null: there is none for what plays now.
  async load(url) {
    if (url === this.url) return;
    this.url = url;
    this.tiles = [];
    if (!url) return;
    try {
      const answer = await fetch(url);
      const text = answer.ok ? await answer.text() : "";
      if (url === this.url) this.tiles = Storyboard.parse(text, new URL(url, location.href));
    } catch {
      this.url = null; // asked for again with the next answer of the API
    }
  }

  static parse(text, base) {
    const cue = /([\d:.]+) --> ([\d:.]+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;
    return [...text.matchAll(cue)].map(([, start, end, sheet, ...place]) => {
      const [x, y, width, height] = place.map(Number);
      const seconds = (stamp) => stamp.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
      return { start: seconds(start), end: seconds(end), sheet: new URL(sheet, base).href, x, y, width, height };
    });
  }

  show(time) {
    const tile = this.tiles.find((one) => time < one.end);
    if (!tile) return;
    clearTimeout(this.timer);
    const style = this.element.style;
    style.width = `${tile.width}px`;
    style.height = `${tile.height}px`;
    style.backgroundImage = `url("${tile.sheet}")`;
    style.backgroundPosition = `-${tile.x}px -${tile.y}px`;
    this.element.hidden = false;
  }

  hideSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.element.hidden = true; }, Storyboard.HIDE_MS);
  }
}
