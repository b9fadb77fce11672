// scripted_upstream: a provider that does what the test says, when it says it.
//
//	const upstream = await ScriptedUpstream.start();
//	const x = await upstream.next();      // the service has asked
//	await x.send("Hel"); await x.send("lo");
//	await x.finish();                     // or x.cut(), x.end(), x.hang()
//	await x.closed;                       // the service has hung up

import http from "node:http";

// What it is asked for: an answer or, in any dialect, embeddings.
const asks = /(\/chat\/completions|\/embeddings|\/api\/embed|:batchEmbedContents)$/;

const sse = (value) => `data: ${JSON.stringify(value)}\n\n`;

class Exchange {
	constructor(request, response, body) {
		this.headers = request.headers;
		this.url = request.url;
		this.body = body;
		this.response = response;
		this.sent = "";
		// Resolves when the connection is gone; true if the answer was whole.
		this.closed = new Promise((done) => {
			response.on("close", () => done(response.writableFinished));
		});
	}

	// Text of the last user message.
	get prompt() {
		const last = this.body.messages.findLast((m) => m.role === "user");

		return typeof last?.content === "string" ? last.content :
			(last?.content ?? []).map((p) => p.text ?? "").join("");
	}

	open(status = 200, headers = {}) {
		if (!this.response.headersSent) {
			this.response.writeHead(status, {
				"Content-Type": "text/event-stream; charset=utf-8", ...headers });
			this.response.flushHeaders();
		}
		return this;
	}

	// Bytes as they are; resolves when the kernel has them (or nobody wants them).
	sendRaw(bytes) {
		this.open();
		return new Promise((done) => {
			if (this.response.destroyed)
				done();
			else
				this.response.write(bytes, () => done());
		});
	}

	chunk(delta, finish = null) {
		return sse({ id: "chatcmpl-scripted", object: "chat.completion.chunk", created: 1755800000,
			model: "scripted", choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });
	}

	send(text) {
		this.sent += text;
		return this.sendRaw(this.chunk({ content: text }));
	}

	// A proper end.
	async finish({ reason = "stop", usage = { prompt_tokens: 7, completion_tokens: 11, total_tokens: 18 } } = {}) {
		await this.sendRaw(this.chunk({}, reason) +
			(usage ? sse({ id: "chatcmpl-scripted", object: "chat.completion.chunk",
				created: 1755800000, model: "scripted", choices: [], usage }) : "") +
			"data: [DONE]\n\n");
		this.end();
	}

	// An error before any byte of an answer.
	refuse(status, error = { message: "scripted", type: "server_error", param: null, code: null }, headers = {}) {
		this.response.writeHead(status, { "Content-Type": "application/json", ...headers });
		this.response.end(JSON.stringify({ error }));
	}

	// An answer that is no stream.
	whole(value) {
		this.response.writeHead(200, { "Content-Type": "application/json" });
		this.response.end(typeof value === "string" ? value : JSON.stringify(value));
	}

	// The body ends, whatever was said before.
	end() {
		this.open();
		this.response.end();
	}

	// The connection breaks.
	cut() {
		this.response.socket?.destroy();
	}

	// Nothing more, for ever (until the service hangs up or the test ends).
	hang() {}
}

export class ScriptedUpstream {
	// `script` (optional) is run for every exchange; without it they wait in next().
	static async start(script) {
		const upstream = new ScriptedUpstream();

		upstream.script = script;
		upstream.server = http.createServer((request, response) => upstream.onRequest(request, response));
		upstream.server.keepAliveTimeout = 60_000;
		await new Promise((done) => upstream.server.listen(0, "127.0.0.1", done));
		// Neither it nor what it hangs on keeps a failed test from ending.
		upstream.server.unref();
		upstream.server.on("connection", (socket) => socket.unref());
		upstream.url = `http://127.0.0.1:${upstream.server.address().port}/v1`;
		return upstream;
	}

	constructor() {
		this.exchanges = [];
		this.ready = [];
		this.takers = [];
	}

	onRequest(request, response) {
		const parts = [];

		response.on("error", () => {});
		request.on("error", () => {});
		request.on("data", (part) => parts.push(part));
		request.on("end", () => {
			if (request.method !== "POST" || !asks.test(request.url)) {
				response.writeHead(404).end();
				return;
			}
			const x = new Exchange(request, response, JSON.parse(Buffer.concat(parts).toString("utf8")));

			this.exchanges.push(x);
			if (this.script)
				this.script(x);
			else
				this.offer(x);
		});
	}

	offer(x) {
		const i = this.takers.findIndex((t) => t.wants(x));

		if (i >= 0)
			this.takers.splice(i, 1)[0].done(x);
		else
			this.ready.push(x);
	}

	// The next request nobody took yet (that `wants` it).
	next(wants = () => true, ms = 10_000) {
		const i = this.ready.findIndex(wants);

		if (i >= 0)
			return Promise.resolve(this.ready.splice(i, 1)[0]);
		return new Promise((done, fail) => {
			const taker = { wants, done: (x) => { clearTimeout(timer); done(x); } };
			const timer = setTimeout(() => {
				this.takers.splice(this.takers.indexOf(taker), 1);
				fail(new Error(`the service did not ask the upstream within ${ms} ms`));
			}, ms);

			this.takers.push(taker);
		});
	}

	nextFor(prompt) {
		return this.next((x) => x.prompt === prompt);
	}

	async stop() {
		this.server.closeAllConnections();
		await new Promise((done) => this.server.close(done));
	}
}
