"use strict";

// The list of live streams, renewed while the page is seen.

const RENEW_MS = 5000;

function entry(stream) {
  const link = document.createElement("a");
  link.href = `/watch/${encodeURIComponent(stream.id)}`;
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.textContent = "Live";
  const names = document.createElement("span");
  const title = document.createElement("strong");
  title.textContent = stream.title;
  const host = document.createElement("small");
  host.textContent = stream.user ? stream.user.username : "";
  names.append(title, host);
  link.append(badge, names);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

async function renew() {
  const empty = document.getElementById("empty");
  try {
    const answer = await fetch("/api/v1/streams?status=live&limit=50", { cache: "no-store" });
    const items = (await answer.json()).data.items;
    document.getElementById("streams").replaceChildren(...items.map(entry));
    empty.textContent = "Nobody is live at the moment.";
    empty.hidden = items.length > 0;
  } catch {
    empty.textContent = "The list cannot be loaded at the moment.";
    empty.hidden = false;
  }
}

renew();
setInterval(() => document.visibilityState === "visible" && renew(), RENEW_MS);
