// Answers that go on without us: after a cut or a crash the rest of the same
// answer is heard, with no gap and no repeat, and nobody pays twice.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import http from "node:http";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Service, Sim, ask, checkDense, tempDir, within } from "./service.mjs";

// OpenAI's Responses API as far as the simulation cannot play it: it says what it
// is told to, when it is told to, and forgets and falls ill on demand.
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

// The simulation instead: an execution of it, the simulation, and what it has to say.
async function simulated(model, args = [], request = {}) {
	const sim = await Sim.start(["--dialect", "responses", "--first-ms", "5"]);
	const dir = tempDir();
	const file = path.join(dir, "spool.ini");
	const prompt = "Why is the sky blue?";
	const whole = await ask(`${sim.url}/responses`, { body: { model: model.replace(/[?]/, "?rate=0&").replace(/&rate=[1-9]\d*/, "")
		.replace(/^sim-[\w-]+/, "sim"), input: prompt } });

	writeFileSync(file, `[upstream r]\ndialect = responses\nbase_url = ${sim.url}\n
[retry]\nattempts = 2\nbase = 20ms\nmax = 200ms\n`);
	const service = await Service.start({ dir, args: ["--config", file, ...args] });
	const id = await service.execute({ prompt, model: `r/${model}`, ...request });
	return { sim, service, id, text: whole.json.output[0].content[0].text,
		// What was asked of it since.
		stats: async () => {
			const { requests, resumed, cancelled } = await sim.stats();

			return { created: requests - 1, resumed, cancelled };
		},
		stop: async () => {
			await service.stop();
			await sim.stop();
		} };
}

// As if nothing had been: one attempt, no reset, no error, the provider's usage.
function checkWhole(got, text) {
	assert.equal(got.status, "completed", JSON.stringify(got.metadata));
	assert.equal(got.text, text);
	assert.match(kinds(got), /^(text )+end$/);
	assert.deepEqual([...new Set(got.chunks.map((c) => c.metadata.attempt ?? 1))], [1]);
	assert.equal(got.metadata.attempts.length, 1);
	assert.equal(got.metadata.attempts[0].status, "completed");
	assert.equal(got.metadata.usage.output_tokens, got.chunks.length - 1);
	assert.equal(got.metadata.usage_source, "provider");
	assert.match(got.metadata.upstream_id, /^resp_/);
}

const kinds = (answer) => answer.chunks.map((c) => c.metadata.kind).join(" ");
const tried = (answer) => answer.metadata.attempts.map((a) => `${a.target} ${a.error_code ?? a.status}`);

test("an answer made in the background is one like any other", async () => {
	const { service, id, text, stats, stop } = await simulated("sim?tokens=30&rate=200");

	checkWhole(await ended(service, id), text);
	assert.deepEqual(await stats(), { created: 1, resumed: 0, cancelled: 0 });
	await stop();
});

for (const policy of ["fail", "restart", "continue"])
	test(`after kill -9 the rest of the answer is heard (recover ${policy})`, async () => {
		const { service, id, text, stats, stop } = await simulated("sim?tokens=80&rate=20", ["--recover", policy]);

		await service.reach(id, 5);
		await service.kill9();
		await service.launch();
		checkWhole(await ended(service, id), text);
		assert.deepEqual(await stats(), { created: 1, resumed: 1, cancelled: 0 });
		await stop();
	});

test("three kills in one answer are no attempts", async () => {
	const { service, id, text, stats, stop } = await simulated("sim?tokens=120&rate=20");

	for (let i = 1; i <= 3; i++) {
		const { total_chunks } = await service.page(id, { fromIndex: 1_000_000 });

		await service.reach(id, total_chunks + 2);
		await service.kill9();
		await service.launch();
	}
	const got = await ended(service, id);
	checkWhole(got, text);
	assert.equal(got.page.attempt, 1);
	const { created, resumed } = await stats();
	assert.equal(created, 1);
	assert.ok(resumed >= 1 && resumed <= 3, `${resumed} times`);
	await stop();
});

test("a stop whose time is up leaves it to the next start", async () => {
	const { service, id, text, stats, stop } = await simulated("sim?tokens=80&rate=20", ["--drain", "0s"]);

	await service.reach(id, 3);
	await service.stop();
	await service.launch();
	checkWhole(await ended(service, id), text);
	assert.deepEqual(await stats(), { created: 1, resumed: 1, cancelled: 0 });
	await stop();
});

for (const [fault, what] of [["cut", "a cut connection"], ["no-end", "an end that is none"], ["stall", "silence"]])
	test(`${what} is taken up again, each time, and is no attempt`, async () => {
		const { service, id, text, stats, stop } = await simulated(`sim-${fault}?tokens=23&after=5&rate=500`,
			["--idle-timeout", "1s"]);

		checkWhole(await ended(service, id), text);
		const { created, resumed } = await stats();
		assert.equal(created, 1);
		assert.ok(resumed >= 4, `${resumed} times`);
		await stop();
	});

test("an answer that says nothing, however often it is taken up, is lost", async () => {
	const { service, id, stats, stop } = await simulated("sim-cut?tokens=20&after=0&rate=500", [],
		{ on_interrupt: "fail" });
	const got = await ended(service, id);

	assert.equal(got.status, "failed");
	assert.equal(got.metadata.error.code, "truncated");
	assert.equal((await stats()).resumed > 0, true);
	await stop();
});

test("a cancel reaches the upstream, which would go on", async () => {
	const { sim, service, id, stats, stop } = await simulated("sim?tokens=5000&rate=50");

	await service.reach(id, 3);
	await service.ask(`/v1/executions/${id}/cancel`, { method: "POST" });
	const got = await ended(service, id);
	assert.equal(got.status, "cancelled");
	for (let i = 0; (await stats()).cancelled === 0; i++)
		assert.ok(i < 2000, "the upstream is told");
	const kept = await ask(`${sim.url}/responses/${got.metadata.upstream_id}`);
	assert.equal(kept.json.status, "cancelled");
	assert.equal(kept.json.usage, null);
	await stop();
});

test("the simulation tells an answer from any event on, and says how it stands", async () => {
	const { sim, stop } = await simulated("sim");
	const body = { model: "sim?tokens=6&rate=0", input: "x", background: true, stream: true, reasoning: { effort: "low" } };
	const events = (await ask(`${sim.url}/responses`, { body })).text.split("\n\n").slice(0, -1);
	const first = JSON.parse(events[0].split("data: ")[1]);
	const url = `${sim.url}/responses/${first.response.id}`;

	assert.equal(first.type, "response.created");
	assert.equal(first.response.background, true);
	events.forEach((event, i) => assert.equal(JSON.parse(event.split("data: ")[1]).sequence_number, i));
	assert.match(events.at(-1), /^event: response.completed\n/);
	assert.deepEqual((await ask(`${url}?stream=true`)).text.split("\n\n").slice(0, -1), events);
	for (let i = 0; i < events.length; i++)
		assert.deepEqual((await ask(`${url}?stream=true&starting_after=${i}`)).text.split("\n\n").slice(0, -1),
			events.slice(i + 1));
	const { response } = JSON.parse(events.at(-1).split("data: ")[1]);
	assert.deepEqual((await ask(url)).json, response);
	assert.deepEqual((await ask(`${url}/cancel`, { method: "POST" })).json, response, "too late");

	const slow = (await ask(`${sim.url}/responses`, { body: { ...body, stream: false, model: "sim?first_ms=600000" } })).json;
	assert.equal(slow.status, "in_progress");
	assert.equal((await ask(`${sim.url}/responses/${slow.id}/cancel`, { method: "POST" })).json.status, "cancelled");
	const failed = (await ask(`${sim.url}/responses`, { body: { ...body, stream: false, model: "sim-error?rate=0&first_ms=0" } })).json;
	assert.equal(failed.status, "failed");
	assert.equal(failed.error.code, "server_error");
	assert.equal((await ask(`${sim.url}/responses/resp_none`)).status, 404);
	assert.equal((await ask(`${url}?stream=true&starting_after=x`)).status, 400);
	await stop();
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
