// Reads an AsyncAPI document from standard input, prints what AsyncAPI's own parser says of it.
const { Parser } = require("@asyncapi/parser");

const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", async () => {
  const { document, diagnostics } = await new Parser().parse(Buffer.concat(chunks).toString());
  const said = diagnostics.map(({ code, message, path, severity }) => ({
    code, message, path: path.join("."), severity,
  }));
  const messages = document ? document.allMessages().all().map((one) => one.name()) : [];
  console.log(JSON.stringify({ valid: Boolean(document), said, messages }));
});
