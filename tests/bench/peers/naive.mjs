// The service that one writes in an afternoon: Node and SQLite, a row for each
// chunk, a query for each poll. SYNC=FULL or NORMAL, DB, UPSTREAM (a base URL).

import http from "node:http";
import { EventEmitter } from "node:events";

import Database from "better-sqlite3";

const db = new Database(process.env.DB);
const news = new EventEmitter().setMaxListeners(0);
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
const upstream = new URL(`${process.env.UPSTREAM}/chat/completions`);

db.pragma("journal_mode = WAL");
db.pragma(`synchronous = ${process.env.SYNC ?? "FULL"}`);
db.exec(`CREATE TABLE executions (id TEXT PRIMARY KEY, status TEXT);
	CREATE TABLE chunks (id INTEGER PRIMARY KEY, execution TEXT, idx INTEGER, content TEXT, ts INTEGER,
		UNIQUE (execution, idx))`);
const begin = db.prepare("INSERT INTO executions VALUES (?, 'streaming')");
const end = db.prepare("UPDATE executions SET status = 'completed' WHERE id = ?");
const add = db.prepare("INSERT INTO chunks (execution, idx, content, ts) VALUES (?, ?, ?, ?)");
const status = db.prepare("SELECT status FROM executions WHERE id = ?");
const read = db.prepare("SELECT idx, content, ts FROM chunks WHERE execution = ? AND idx >= ? ORDER BY idx LIMIT 1000");
const total = db.prepare("SELECT count(*) AS n FROM chunks WHERE execution = ?");
let tokens = 0;

function run(id) {
	const request = http.request(upstream, { method: "POST", agent, headers: { "Content-Type": "application/json",
		Authorization: "Bearer none" } });
	let rest = "", index = 0;

	begin.run(id);
	request.on("response", (answer) => {
		answer.setEncoding("utf8");
		answer.on("data", (text) => {
			const lines = (rest + text).split("\n");

			rest = lines.pop();
			for (const line of lines) {
				if (!line.startsWith("data: {"))
					continue;
				const content = JSON.parse(line.slice(6)).choices[0]?.delta.content;

				if (!content)
					continue;
				add.run(id, index, content, Date.now());
				tokens++;
				news.emit(id, index++, content);
			}
		});
		answer.on("end", () => {
			end.run(id);
			news.emit(id, -1);
		});
	});
	request.end(JSON.stringify({ model: "sim", stream: true, messages: [{ role: "user", content: "go on" }] }));
}

function page(id, from) {
	const rows = read.all(id, from);

	return { execution_id: id, status: status.get(id)?.status, total_chunks: total.get(id).n,
		chunks: rows.map((row) => ({ index: row.idx, content: row.content, timestamp: new Date(row.ts).toISOString(),
			metadata: { kind: "text" } })),
		next_index: rows.length ? rows.at(-1).idx + 1 : from };
}

function events(id, answer) {
	const tell = (index, content) => index < 0 ? answer.end()
		: answer.write(`id: ${index}\ndata: ${JSON.stringify({ index, content })}\n\n`);

	answer.writeHead(200, { "Content-Type": "text/event-stream" });
	for (const chunk of page(id, 0).chunks)
		tell(chunk.index, chunk.content);
	news.on(id, tell);
	answer.on("close", () => news.off(id, tell));
}

const server = http.createServer((request, answer) => {
	const url = new URL(request.url, "http://localhost");
	const [, what, id, view] = url.pathname.split("/");

	if (view === "events")
		return events(id, answer);
	if (request.method === "POST")
		run(id);
	const text = JSON.stringify(what === "tokens" ? { tokens }
		: request.method === "POST" ? { execution_id: id } : page(id, Number(url.searchParams.get("fromIndex") ?? 0)));

	answer.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) });
	answer.end(text);
});

server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
