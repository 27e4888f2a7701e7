"use strict";

// The host's page: what the encoder sends, and what to change; rehearsals. The token comes with the address'
// fragment, which is sent to nobody, or is typed in; it stays in this tab.

const POLL_MS = 2000;
const KEY = "golive-token";
const streamId = location.pathname.split("/")[2];
const byId = (id) => document.getElementById(id);

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname);
}

function mega(bits) {
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1e3)} kbit/s`;
}

function say(text) {
  byId("state").textContent = text;
}

function showFigures(intake) {
  byId("figures").hidden = !intake;
  if (!intake) return;
  const size = intake.width ? `${intake.width} × ${intake.height}, ` : "";
  const picture = `${size}${intake.videoCodec}, ${mega(intake.videoBitrate)}`;
  byId("video").textContent = intake.videoCodec ? picture : "none";
  byId("frames").textContent = `${intake.frameRate.toFixed(1)} a second`;
  byId("gop").textContent = `every ${intake.gopSeconds.toFixed(1)} s`;
  byId("audio").textContent = intake.audioCodec ? `${intake.audioCodec}, ${mega(intake.audioBitrate)}` : "none";
}

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function item(advice) {
  const made = document.createElement("li");
  made.className = advice.severity;
  made.dataset.code = advice.code;
  const how = document.createElement("dl");
  how.append(element("dt", "OBS"), element("dd", advice.obs), element("dt", "Phone"), element("dd", advice.phone));
  made.append(element("strong", advice.title), element("p", advice.why), how);
  return made;
}

function show(health) {
  const advice = health.advice;
  if (!health.session) say("No encoder is connected.");
  else if (!health.intake) say("The encoder has connected …");
  else if (advice.length === 0) say("All is well.");
  else say(advice.length === 1 ? "One thing to look at:" : `${advice.length} things to look at:`);
  showFigures(health.intake);
  byId("advice").replaceChildren(...advice.map(item));
}

function call(method, what) {
  return fetch(`/api/v1/streams/${encodeURIComponent(streamId)}${what}`, {
    method,
    headers: { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` },
    cache: "no-store",
  });
}

const rehearsal = new Rehearsal((method) => call(method, "/rehearsal"), pollNow);

let isScheduled = true; // until it is known

// Whether a rehearsal runs; its figures are shown.
async function lookAtRehearsal() {
  const answer = await call("GET", "/rehearsal");
  if (answer.ok) {
    const { data } = await answer.json();
    rehearsal.take(data);
    show(data);
    return true;
  }
  if (rehearsal.isOn && answer.status === 404) {
    rehearsal.over();
    rehearsal.note("The rehearsal is over.");
  }
  const stream = await call("GET", "");
  if (stream.ok) {
    isScheduled = (await stream.json()).data.status === "scheduled";
    rehearsal.offer(isScheduled);
  }
  return false;
}

// The encoder's figures, in the rehearsal or on air; whether to ask again.
async function look() {
  if (isScheduled && (await lookAtRehearsal())) return true;
  const answer = await call("GET", "/health");
  if (answer.ok) {
    show((await answer.json()).data);
    return true;
  }
  if (answer.status === 401) {
    sessionStorage.removeItem(KEY);
    byId("sign-in").hidden = false;
    say("This token is not, or no longer, good.");
    return false;
  }
  say(answer.status === 404 ? "There is no such stream." : "This stream is not yours.");
  return answer.status === 503;
}

let timer = 0;
let turn = 0;

async function poll() {
  const mine = (turn += 1);
  const isSignedIn = Boolean(sessionStorage.getItem(KEY));
  byId("sign-in").hidden = isSignedIn;
  if (!isSignedIn) {
    say("Say who you are: only the host sees this page.");
    return;
  }
  let isAgain = true;
  try {
    isAgain = await look();
  } catch {
    // The server is being restarted.
  }
  if (isAgain && mine === turn) timer = setTimeout(poll, POLL_MS);
}

function pollNow() {
  clearTimeout(timer);
  poll();
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, byId("token").value.trim());
  byId("token").value = "";
  poll();
});
poll();
