// Answers that go on without us: after a cut or a crash the rest of the same
// answer is heard, with no gap and no repeat, and nobody pays twice.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import http from "node:http";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Service, checkDense, tempDir, within } from "./service.mjs";

// OpenAI's Responses API as far as it matters here: what is created goes on by
// itself, may be heard from any event on, and may be cancelled.
class Responses {
	static async start() {
		const r = new Responses();

		r.answers = new Map();
		r.asked = [];
		r.waiters = [];
		r.refuse = null;
		r.server = http.createServer((request, response) => r.onRequest(request, response));
		await new Promise((done) => r.server.listen(0, "127.0.0.1", done));
		r.server.unref();
		r.server.on("connection", (socket) => socket.unref());
		r.url = `http://127.0.0.1:${r.server.address().port}/v1`;
		return r;
	}

	onRequest(request, response) {
		const parts = [];

		response.on("error", () => {});
		request.on("data", (part) => parts.push(part)).on("end", () => {
			const url = new URL(request.url, this.url);
			const id = url.pathname.split("/")[3];

			// Its list of models is nobody's business here.
			if (!url.pathname.startsWith("/v1/responses")) {
				response.writeHead(404).end();
				return;
			}
			this.note(`${request.method} ${url.pathname.replace(id, "ID")}${id && url.searchParams.has("starting_after") ?
				` after ${url.searchParams.get("starting_after")}` : ""}`);
			if (request.method === "POST" && id === undefined)
				this.create(JSON.parse(Buffer.concat(parts)), response);
			else if (this.refuse)
				response.writeHead(this.refuse, { "Content-Type": "application/json" })
					.end(JSON.stringify({ error: { message: "no longer", type: "invalid_request_error" } }));
			else if (request.method === "POST")
				response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ id, status: "cancelled" }));
			else
				this.answers.get(id).hear(response, Number(url.searchParams.get("starting_after")));
		});
	}

	note(what) {
		this.asked.push(what);
		this.waiters = this.waiters.filter((w) => !w());
	}

	// Resolves once `n` requests match.
	until(pattern, n = 1) {
		const there = () => this.asked.filter((a) => pattern.test(a)).length >= n;

		return within(20_000, () => `${n} × ${pattern} in ${this.asked.join(", ")}`, new Promise((done) => {
			if (there())
				done();
			else
				this.waiters.push(() => there() && (done(), true));
		}));
	}

	create(body, response) {
		const answer = new Answer(`resp_${this.answers.size}_${Date.now()}`, body);

		this.answers.set(answer.id, answer);
		answer.hear(response, -1);
		this.newest = answer;
		answer.event("response.created", { response: answer.object("in_progress") });
	}

	stop() {
		this.server.closeAllConnections();
		this.server.close();
	}
}

class Answer {
	constructor(id, body) {
		Object.assign(this, { id, body, events: [], listener: null });
	}

	object(status, more = {}) {
		return { id: this.id, object: "response", status, background: this.body.background === true, model: this.body.model,
			error: null, incomplete_details: null, output: [], usage: null, ...more };
	}

	event(type, more) {
		const number = this.events.length;

		this.events.push(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, ...more })}\n\n`);
		this.listener?.write(this.events[number]);
	}

	say(...words) {
		for (const delta of words)
			this.event("response.output_text.delta", { item_id: "msg_1", output_index: 0, content_index: 0, delta });
	}

	finish() {
		this.event("response.completed", { response: this.object("completed",
			{ usage: { input_tokens: 7, output_tokens: 11, total_tokens: 18 } }) });
		this.listener?.end();
	}

	hear(response, after) {
		response.writeHead(200, { "Content-Type": "text/event-stream" });
		response.write(this.events.slice(after + 1).join("") || ": ok\n\n");
		this.listener = response;
		response.on("close", () => {
			if (this.listener === response)
				this.listener = null;
		});
	}

	cut() {
		this.listener?.socket?.destroy();
	}
}

let upstream;

before(async () => {
	upstream = await Responses.start();
});
after(() => upstream?.stop());

async function serve(args = [], more = "") {
	const dir = tempDir();
	const file = path.join(dir, "spool.ini");

	upstream.asked = [];
	upstream.refuse = null;
	writeFileSync(file, `[upstream r]\ndialect = responses\nbase_url = ${upstream.url}\nmodel = m\n${more}
[retry]\nattempts = 2\nbase = 20ms\nmax = 200ms\n`);
	return Service.start({ dir, args: ["--config", file, ...args] });
}

// An execution that has shown `words`, and its answer at the upstream.
async function begun(service, words, request = {}) {
	const n = upstream.answers.size;
	const id = await service.execute({ prompt: "go", ...request });

	await within(10_000, "the creation", (async () => {
		while (upstream.answers.size === n)
			await new Promise((done) => upstream.waiters.push(() => (done(), true)));
	})());
	const answer = upstream.newest;
	answer.say(...words);
	if (words.length)
		await service.reach(id, words.length);
	return { id, answer };
}

async function ended(service, id) {
	const answer = await service.finish(id);

	checkDense(assert, answer.chunks);
	assert.equal(answer.chunks.at(-1).metadata.kind, "end");
	return answer;
}

const kinds = (answer) => answer.chunks.map((c) => c.metadata.kind).join(" ");
const tried = (answer) => answer.metadata.attempts.map((a) => `${a.target} ${a.error_code ?? a.status}`);

test("an answer made in the background is one like any other", async () => {
	const service = await serve();
	const { id, answer } = await begun(service, ["one ", "two"]);

	assert.equal(answer.body.background, true);
	assert.equal(answer.body.store, true);
	assert.equal(answer.body.stream, true);
	answer.finish();
	const got = await ended(service, id);
	assert.equal(got.text, "one two");
	assert.equal(got.metadata.upstream_id, answer.id);
	assert.equal(got.metadata.usage.total_tokens, 18);
	await service.stop();
});

for (const policy of ["fail", "restart", "continue"])
	test(`after kill -9 the rest of the answer is heard (recover ${policy})`, async () => {
		const service = await serve(["--recover", policy]);
		const { id, answer } = await begun(service, ["eins ", "zwei ", "grün "]);

		await service.kill9();
		answer.say("während ", "niemand ");
		await service.launch();
		await upstream.until(/GET .* after 3$/);
		answer.say("zuhört ");
		await service.reach(id, 6);
		answer.say("😀");
		answer.finish();
		const got = await ended(service, id);

		assert.equal(got.status, "completed");
		assert.equal(got.text, "eins zwei grün während niemand zuhört 😀");
		assert.equal(kinds(got), "text text text text text text text end", "no reset, no error");
		assert.deepEqual(got.chunks.map((c) => c.metadata.attempt ?? 1), Array(8).fill(1));
		assert.deepEqual(tried(got), ["r/m completed"]);
		assert.equal(got.metadata.usage.total_tokens, 18);
		assert.equal(got.metadata.usage_source, "provider");
		assert.equal(got.metadata.upstream_id, answer.id);
		assert.deepEqual(upstream.asked, ["POST /v1/responses", "GET /v1/responses/ID after 3"]);
		await service.stop();
	});

test("three kills in one answer, and one before its first word", async () => {
	const service = await serve();
	const { id, answer } = await begun(service, []);

	// What was stored of it is its name alone.
	await service.child.says(/./);
	for (let i = 1; i <= 3; i++) {
		answer.say(`word${i} `);
		await service.reach(id, i);
		await service.kill9();
		await service.launch();
		await upstream.until(/^GET/, i);
	}
	answer.finish();
	const got = await ended(service, id);
	assert.equal(got.text, "word1 word2 word3 ");
	assert.equal(got.page.attempt, 1);
	assert.deepEqual(upstream.asked, ["POST /v1/responses", "GET /v1/responses/ID after 1",
		"GET /v1/responses/ID after 2", "GET /v1/responses/ID after 3"]);
	await service.stop();
});

test("a stop whose time is up leaves it to the next start", async () => {
	const service = await serve(["--drain", "0s"]);
	const { id, answer } = await begun(service, ["half "]);

	await service.stop();
	answer.say("and half");
	answer.finish();
	await service.launch();
	const got = await ended(service, id);
	assert.equal(got.text, "half and half");
	assert.equal(upstream.asked.some((a) => /cancel/.test(a)), false);
	await service.stop();
});

test("a cut connection is taken up again, and is no attempt", async () => {
	const service = await serve();
	const { id, answer } = await begun(service, ["a ", "b "]);

	for (let i = 0; i < 6; i++) {
		answer.cut();
		await upstream.until(/^GET/, i + 1);
		answer.say(`${i} `);
		await service.reach(id, 3 + i);
	}
	answer.finish();
	const got = await ended(service, id);
	assert.equal(got.text, "a b 0 1 2 3 4 5 ");
	assert.deepEqual(tried(got), ["r/m completed"]);
	assert.equal(upstream.asked.filter((a) => /^POST/.test(a)).length, 1);
	await service.stop();
});

test("silence is taken up again, too", async () => {
	const service = await serve(["--idle-timeout", "1s"]);
	const { id, answer } = await begun(service, ["a "]);

	await upstream.until(/^GET .* after 1$/);
	answer.say("b");
	answer.finish();
	assert.equal((await ended(service, id)).text, "a b");
	await service.stop();
});

test("what is not kept any more is lost, and the policy says what follows", async () => {
	const service = await serve();
	const { id, answer } = await begun(service, ["old"], { on_interrupt: "restart" });

	upstream.refuse = 404;
	answer.cut();
	await upstream.until(/^POST/, 2);
	upstream.newest.say("new");
	upstream.newest.finish();
	const got = await ended(service, id);
	assert.equal(kinds(got), "text error reset text end");
	assert.deepEqual(tried(got), ["r/m truncated", "r/m completed"]);
	await service.stop();
});

test("after a crash, too: recover fail fails, with what came", async () => {
	const service = await serve();
	const { id } = await begun(service, ["half"]);

	await service.kill9();
	upstream.refuse = 400;
	await service.launch();
	const got = await ended(service, id);
	assert.equal(got.status, "failed");
	assert.equal(got.metadata.error.code, "interrupted");
	assert.equal(got.text, "half");
	assert.deepEqual(tried(got), ["r/m interrupted"]);
	assert.equal(upstream.asked.filter((a) => a === "POST /v1/responses").length, 1);
	await service.stop();
});

test("an upstream that is ill for a moment is asked again for the rest", async () => {
	const service = await serve();
	const { id, answer } = await begun(service, ["a "]);

	upstream.refuse = 503;
	answer.cut();
	await upstream.until(/^GET/, 2);
	upstream.refuse = null;
	answer.say("b");
	answer.finish();
	const got = await ended(service, id);
	assert.equal(got.text, "a b");
	assert.deepEqual(tried(got), ["r/m completed"]);
	await service.stop();
});

test("a cancel reaches the upstream, which would go on", async () => {
	const service = await serve();
	const { id } = await begun(service, ["half"]);

	await service.ask(`/v1/executions/${id}/cancel`, { method: "POST" });
	const got = await ended(service, id);
	assert.equal(got.status, "cancelled");
	assert.equal(got.text, "half");
	await upstream.until(/^POST .*ID\/cancel$/);
	await service.stop();
});

test("background = no asks for nothing to be kept, and a cut is a failure", async () => {
	const service = await serve([], "background = no\n");
	const { id, answer } = await begun(service, ["half"], { on_interrupt: "fail" });

	assert.equal(answer.body.background, undefined);
	assert.equal(answer.body.store, false);
	answer.cut();
	const got = await ended(service, id);
	assert.equal(got.metadata.error.code, "truncated");
	assert.deepEqual(upstream.asked, ["POST /v1/responses"]);
	await service.stop();
});

test("a call in the making cannot be taken up: the policy says what follows", async () => {
	const service = await serve();
	const { id, answer } = await begun(service, [], { on_interrupt: "fail" });

	answer.event("response.output_item.added", { output_index: 0,
		item: { id: "fc_1", type: "function_call", call_id: "call_1", name: "f", arguments: "" } });
	answer.event("response.function_call_arguments.delta", { output_index: 0, item_id: "fc_1", delta: '{"a":' });
	await service.reach(id, 2);
	answer.cut();
	const got = await ended(service, id);
	assert.equal(got.metadata.error.code, "truncated");
	assert.deepEqual(upstream.asked, ["POST /v1/responses"]);
	await service.stop();
});
