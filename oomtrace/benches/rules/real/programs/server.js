// A server in Node.js that keeps its sessions: `leak` for good, `clean` the latest 20,000. 100 requests a second in the mean; a "day" is 24 min.
const crypto = require("crypto");
const leaks = process.argv[2] === "leak";
const sessions = new Map();
const began = Date.now();
let number = 0;
let owed = 0;
setInterval(() => {
  const load = 1 + 0.7 * Math.sin((2 * Math.PI * (Date.now() - began)) / 1440000);
  owed += 10 * load;
  for (; owed >= 1; owed -= 1) {
    const body = JSON.parse(JSON.stringify({ id: number, rows: Array.from({ length: 200 }, (_, row) => ({ row, text: "row " + row })) }));
    sessions.set(number++, { user: body.id, token: crypto.randomBytes(450).toString("hex"), at: Date.now() });
    if (!leaks && sessions.size > 20000) sessions.delete(sessions.keys().next().value);
  }
}, 100);
