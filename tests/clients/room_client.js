// A Socket.IO client that a test drives: commands as JSON lines in, events as JSON lines out.
// In:  {"emit": event, "data": {...}, "number": n}
// Out: {"event": name, "data": payload} | {"answer": n, "data": acknowledgement}
const readline = require("node:readline");
const { io } = require("socket.io-client");

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const [url, auth, transports] = process.argv.slice(2);
const socket = io(url, {
  auth: JSON.parse(auth),
  transports: JSON.parse(transports ?? '["websocket"]'),
  reconnectionDelay: 50,
  reconnectionDelayMax: 100,
});
socket.on("connect", () => say({ event: "connect", data: null }));
socket.on("disconnect", (reason) => say({ event: "disconnect", data: reason }));
socket.on("connect_error", (error) => say({ event: "connect_error", data: error.message }));
socket.onAny((event, ...data) => say({ event, data: data[0], more: data.length - 1 }));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { emit, data, number } = JSON.parse(line);
  socket.emit(emit, data, (answer) => say({ answer: number, data: answer }));
}).on("close", () => {
  socket.disconnect();
  process.exit(0);
});
