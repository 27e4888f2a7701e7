"use strict";

// Shows the host's products at their moment of the media, from the metadata that the playlist
// carries (EXT-X-DATERANGE): a pin as a card, a tag as a dot in the picture. Safari hands them out
// as cues of a metadata track, one for each attribute. hls.js does so, too, but what is in the first
// playlist it puts into a track that Chromium empties when it loads it: so with hls.js the date
// ranges become cues of a track of our own.

class Products {
  static ID = "X-GOLIVE-PRODUCT-ID";
  static NEVER = Number.MAX_VALUE; // some browsers refuse an infinite end
  static X = "X-GOLIVE-X";
  static Y = "X-GOLIVE-Y";

  // known: answers the stream's products as the API has them.
  constructor(video, card, tags, known) {
    this.video = video;
    this.card = card;
    this.tags = tags;
    this.known = known;
    this.shown = "";
    this.ours = video.addTextTrack("metadata", "products");
    this.ours.mode = "hidden";
    this.cues = new Map(); // by the date range's id
    this.follow(this.ours);
    video.textTracks.addEventListener("addtrack", (event) => this.follow(event.track));
    for (const track of video.textTracks) this.follow(track);
    video.addEventListener("timeupdate", () => this.refresh());
    video.addEventListener("seeked", () => this.refresh());
    video.addEventListener("emptied", () => this.take({}));
    window.addEventListener("resize", () => this.refresh(true));
    video.addEventListener("resize", () => this.refresh(true));
  }

  follow(track) {
    if (track.kind !== "metadata") return;
    if (track.mode === "disabled") track.mode = "hidden";
    track.addEventListener("cuechange", () => this.refresh());
  }

  // The date ranges of the playlist as hls.js has them now.
  take(ranges) {
    for (const [id, cue] of this.cues) {
      if (ranges[id]) continue;
      this.ours.removeCue(cue);
      this.cues.delete(id);
    }
    for (const range of Object.values(ranges)) {
      if (Products.ID in range.attr && Number.isFinite(range.startTime)) this.place(range);
    }
    this.refresh();
  }

  // A cue for the range, or its time as it is known now.
  place(range) {
    const starts = range.startTime;
    const ends = range.duration === null ? Products.NEVER : starts + range.duration;
    let cue = this.cues.get(range.id);
    if (!cue) {
      cue = new VTTCue(starts, ends, "");
      cue.id = range.id;
      cue.range = { id: range.id, starts };
      for (const key of [Products.ID, Products.X, Products.Y]) {
        if (key in range.attr) cue.range[key] = range.attr[key];
      }
      this.cues.set(range.id, cue);
      this.ours.addCue(cue);
    } else if (cue.startTime !== starts || cue.endTime !== ends) {
      cue.startTime = starts;
      cue.endTime = ends;
      cue.range.starts = starts;
    }
  }

  // What is to be seen now: a pin, and of each product the tag that began last.
  get active() {
    const found = new Map();
    for (const track of this.video.textTracks) {
      if (track.kind !== "metadata") continue;
      for (const cue of track.activeCues || []) {
        if (cue.range) found.set(cue.id, cue.range);
        const { key, data } = cue.value || {};
        if (typeof key !== "string" || !key.startsWith("X-GOLIVE-")) continue;
        const id = cue.id || `${cue.startTime}-${cue.endTime}`;
        const range = found.get(id) || { id, starts: cue.startTime };
        range[key] = data;
        found.set(id, range);
      }
    }
    const ranges = [...found.values()].sort((a, b) => a.starts - b.starts);
    const tags = new Map();
    let pin = null;
    for (const range of ranges) {
      if (Products.X in range) tags.set(range[Products.ID], range);
      else pin = range;
    }
    return { pin, tags: [...tags.values()] };
  }

  refresh(anew = false) {
    const { pin, tags } = this.active;
    const shown = JSON.stringify([pin, tags, this.known().length]);
    if (shown === this.shown && !anew) return;
    this.shown = shown;
    this.showCard(pin && this.product(pin));
    this.tags.replaceChildren(...tags.map((tag) => this.dot(tag)));
  }

  product(range) {
    const id = range[Products.ID];
    return this.known().find((one) => one.id === id) || { id, title: "Product" };
  }

  showCard(product) {
    this.card.hidden = !product;
    if (!product) return;
    this.card.dataset.product = product.id;
    const picture = this.card.querySelector("img");
    picture.hidden = !product.imageUrl;
    picture.onerror = () => { picture.hidden = true; };
    if (product.imageUrl) picture.src = product.imageUrl;
    this.card.querySelector("strong").textContent = product.title;
    this.card.querySelector("span").textContent = Products.price(product);
  }

  // A dot and the product's name, where the picture is within the video's box.
  dot(tag) {
    const place = this.within(Number(tag[Products.X]), Number(tag[Products.Y]));
    const dot = document.createElement("div");
    dot.className = "tag";
    dot.dataset.product = tag[Products.ID];
    dot.classList.toggle("left", place.x > this.video.clientWidth * 0.6);
    dot.style.left = `${place.x}px`;
    dot.style.top = `${place.y}px`;
    const name = document.createElement("span");
    name.textContent = this.product(tag).title;
    dot.append(name);
    return dot;
  }

  within(x, y) {
    const { clientWidth: width, clientHeight: height, videoWidth, videoHeight } = this.video;
    if (!videoWidth || !videoHeight) return { x: x * width, y: y * height };
    const scale = Math.min(width / videoWidth, height / videoHeight);
    return {
      x: (width - videoWidth * scale) / 2 + x * videoWidth * scale,
      y: (height - videoHeight * scale) / 2 + y * videoHeight * scale,
    };
  }

  static price({ price, currency }) {
    if (price === undefined || price === null) return "";
    if (!currency) return String(price);
    return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(price);
  }
}
