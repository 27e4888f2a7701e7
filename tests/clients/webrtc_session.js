// WHIP's and WHEP's way to a session, with a WebRTC stack that shares no code with the server's.
const { RTCPeerConnection, useH264, useOPUS } = require("werift");

const feedback = [{ type: "nack" }, { type: "nack", parameter: "pli" }];

function newConnection() {
  return new RTCPeerConnection({
    codecs: { video: [useH264({ rtcpFeedback: feedback })], audio: [useOPUS()] },
    iceServers: [],
  });
}

// Answers a function that ends the session; it resolves when ICE and DTLS are through.
async function open(connection, url, token) {
  await connection.setLocalDescription(await connection.createOffer());
  while (connection.iceGatheringState !== "complete") {
    await connection.iceGatheringStateChange.asPromise(10_000);
  }
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/sdp", ...authorization },
    body: connection.localDescription.sdp,
  });
  const body = await answer.text();
  if (answer.status !== 201) throw new Error(`${answer.status} ${body}`);
  const session = new URL(answer.headers.get("location"), url);
  await connection.setRemoteDescription({ type: "answer", sdp: body });
  while (connection.connectionState !== "connected") {
    const [state] = await connection.connectionStateChange.asPromise(20_000);
    if (state === "failed" || state === "closed") throw new Error(`the connection ${state}`);
  }
  return async () => {
    await fetch(session, { method: "DELETE", headers: authorization });
    await connection.close();
  };
}

module.exports = { newConnection, open };
