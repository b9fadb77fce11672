// Durable Streams: is it the protocol, with the protocol's own tests and its own
// client; is what was acknowledged there after kill -9, once? APPENDS_S says for
// how long, KILLS how often, SEED when.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { DurableStream, IdempotentProducer, stream } from "@durable-streams/client";

import { command } from "./command.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { ADMIN_KEY, Service, ask, each, knob, pause, run, tempDir, within } from "./service.mjs";
import { Dice } from "./witness.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const START = "0000000000000000_0000000000000000";
const POLL_MS = 3000;

let upstream, service;

before(async () => {
	upstream = await ScriptedUpstream.start();
	service = await Service.start({ upstream: upstream.url, args: ["--max-wait", `${POLL_MS}ms`] });
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

const put = (name, type = "text/plain", headers = {}, body = "", options = {}) => service.ask(`/v1/stream/${name}`,
	{ method: "PUT", headers: { "Content-Type": type, ...headers }, body, ...options });
const post = (name, body, headers = {}, options = {}) => service.ask(`/v1/stream/${name}`,
	{ method: "POST", headers: { "Content-Type": "text/plain", ...headers }, body, ...options });
const get = (name, query = "", options = {}) => service.ask(`/v1/stream/${name}${query}`, options);
const next = (answer) => answer.headers["stream-next-offset"];

async function keyOf(owner, scopes = ["run", "read"]) {
	return (await service.ask("/v1/keys", { body: { label: owner, owner, scopes } })).json.secret;
}

// --- the protocol's own tests ---

function vitest(url, out) {
	const child = spawn(process.execPath, [path.join(here, "node_modules/vitest/vitest.mjs"), "run",
		"--root", path.join(here, "durable"), "--reporter=json", `--outputFile=${out}`,
		// They have clocks of their own: on a busy machine some must be tried again.
		"--testTimeout=60000", "--hookTimeout=60000", "--retry=2"],
	{ env: { ...process.env, DURABLE_URL: url, DURABLE_POLL_MS: POLL_MS }, stdio: ["ignore", "pipe", "pipe"] });
	let said = "";

	child.stdout.on("data", (data) => { said += data; });
	child.stderr.on("data", (data) => { said += data; });
	return within(400_000, "the conformance tests", new Promise((done) => {
		child.on("close", () => done(said));
	})).finally(() => child.kill());
}

test("the protocol's conformance tests pass", { timeout: 420_000 }, async () => {
	const open = await Service.start({ demo: true, key: null,
		args: ["--auth", "none", "--cors-origin", "*", "--max-wait", `${POLL_MS}ms`] });
	const out = path.join(tempDir(), "out.json");
	const allowed = JSON.parse(readFileSync(path.join(here, "durable/allowed.json")));
	const said = await vitest(open.url, out);
	let result;

	try {
		result = JSON.parse(readFileSync(out));
	} catch {
		assert.fail(said);
	}
	const all = result.testResults.flatMap((f) => f.assertionResults);
	const failed = all.filter((t) => t.status === "failed");
	const names = failed.map((t) => t.fullName);

	assert.deepEqual(failed.filter((t) => !(t.fullName in allowed))
		.map((t) => `${t.fullName}: ${t.failureMessages[0]}`), []);
	assert.deepEqual(Object.keys(allowed).filter((name) => !names.includes(name)), [], "these do not fail any more");
	// The others are of subscriptions, which a server need not have.
	assert.equal(all.filter((t) => t.status === "passed").length, 332 - names.length, said);
	await open.stop();
});

// --- the protocol's own client ---

test("the client appends, batches, and reads what is there and what comes", async () => {
	const headers = { Authorization: `Bearer ${ADMIN_KEY}` };
	const url = `${service.url}/v1/stream/client/json`;
	const handle = await DurableStream.create({ url, headers, contentType: "application/json" });
	const producer = new IdempotentProducer(handle, "writer-1", { autoClaim: true,
		onError: (error) => assert.fail(error) });

	for (let n = 0; n < 500; n++)
		producer.append(JSON.stringify({ n }));
	await producer.flush();
	const there = await (await stream({ url, headers, live: false })).json();
	assert.deepEqual(there.map(({ n }) => n), [...Array(500).keys()]);

	for (const live of ["long-poll", "sse"]) {
		const at = (await service.ask("/v1/stream/client/json", { method: "HEAD" })).headers["stream-next-offset"];
		const res = await stream({ url, headers, live, offset: at });
		const told = within(20_000, live, new Promise((done) => {
			res.subscribeJson((batch) => { if (batch.items.length) done(batch.items); });
		}));

		await handle.append(JSON.stringify({ live }));
		assert.deepEqual(await told, [{ live }]);
		res.cancel();
	}
	await producer.close();
});

// --- executions ---

test("an execution is a stream of its chunks, growing and then closed", async () => {
	const id = await service.execute("answer");
	const x = await upstream.next();
	const name = `executions/${id}`;

	await x.send("Hello ");
	await service.reach(id, 1);
	const first = await get(name, "?offset=-1");
	assert.equal(first.status, 200);
	assert.equal(first.headers["content-type"], "application/json");
	assert.equal(first.json[0].content, "Hello ");
	assert.equal(first.headers["stream-closed"], undefined);

	const waiting = get(name, `?offset=${next(first)}&live=long-poll`);
	await x.send("world");
	const second = await waiting;
	assert.deepEqual(second.json.map((c) => c.content), ["world"]);
	assert.match(second.headers["stream-cursor"], /^\d+$/);
	await x.finish();
	const { chunks } = await service.finish(id);

	const all = await get(name);
	assert.deepEqual(all.json, chunks);
	assert.equal(all.headers["stream-closed"], "true");
	assert.equal(next(all), `0000000000000000_${String(chunks.length).padStart(16, "0")}`);
	assert.equal((await get(name, "", { headers: { "If-None-Match": all.headers.etag } })).status, 304);
	assert.equal((await get(name, `?offset=${next(all)}&live=long-poll`)).status, 204);
	const events = await get(name, "?offset=-1&live=sse");
	assert.equal(events.text.split("event: data").length, 2);
	assert.match(events.text, /"streamClosed":true/);
	const head = await get(name, "", { method: "HEAD" });
	assert.equal(next(head), next(all));

	for (const [method, body] of [["PUT", "x"], ["POST", "x"], ["DELETE"]]) {
		const answer = await service.ask(`/v1/stream/${name}`, { method, body, headers: { "Content-Type": "text/plain" } });

		assert.equal(answer.status, 405, method);
		assert.equal(answer.headers.allow, "GET, HEAD");
	}
	await service.ask(`/v1/executions/${id}`, { method: "DELETE" });
	assert.equal((await get(name)).status, 410);
});

test("an execution that is running now can be followed by the protocol's client", async () => {
	const id = await service.execute("answer");
	const x = await upstream.next();
	const res = await stream({ url: `${service.url}/v1/stream/executions/${id}`,
		headers: { Authorization: `Bearer ${ADMIN_KEY}` }, live: "sse" });
	const text = [];
	const ended = within(20_000, "its end", new Promise((done) => {
		res.subscribeJson((batch) => {
			text.push(...batch.items.map((c) => c.content));
			if (batch.items.some((c) => c.metadata.kind === "end"))
				done();
		});
	}));

	for (const piece of ["one ", "two ", "three"])
		await x.send(piece);
	await x.finish();
	await ended;
	assert.equal(text.join(""), "one two three");
});

// --- whose they are ---

test("streams are their owner's alone, by name", async () => {
	const [ada, bob] = [await keyOf("ada"), await keyOf("bob")];

	assert.equal((await put("notes", "text/plain", {}, "ada's", { key: ada })).status, 201);
	assert.equal((await get("notes", "", { key: bob })).status, 404);
	assert.equal((await post("notes", "x", {}, { key: bob })).status, 404);
	assert.equal((await put("notes", "application/json", {}, "", { key: bob })).status, 201);
	assert.equal((await get("notes", "", { key: ada })).text, "ada's");
	assert.equal((await put("f", "text/plain", { "Stream-Forked-From": "/v1/stream/notes" }, "", { key: bob })).status, 409);
	const reader = await keyOf("ada", ["read"]);
	assert.equal((await get("notes", "", { key: reader })).status, 200);
	for (const method of ["PUT", "POST", "DELETE"])
		assert.equal((await service.ask("/v1/stream/notes", { method, key: reader, body: "x",
			headers: { "Content-Type": "text/plain" } })).status, 403, method);
	assert.equal((await get("notes", "", { key: null })).status, 401);
	const list = await service.ask("/v1/streams", { key: ada });
	assert.deepEqual(list.json.streams.map((s) => s.name), ["notes"]);
	const id = await service.execute("x", { key: ada });
	(await upstream.next()).finish();
	assert.equal((await get(`executions/${id}`, "", { key: bob })).status, 404);
});

test("nothing that is told of a stream opens its log as an execution", async () => {
	await put("unnamed", "text/plain", {}, "one");
	const page = await get("unnamed");
	const head = await get("unnamed", "", { method: "HEAD" });
	const list = await service.ask("/v1/streams");

	for (const answer of [page, head, list])
		assert.doesNotMatch(JSON.stringify(answer.headers) + answer.text, /[0-9a-f]{8}-[0-9a-f]{4}-7/);
	assert.equal((await get("unnamed", "", { headers: { "If-None-Match": page.headers.etag } })).status, 304);
	// Another of this name is another.
	await service.ask("/v1/stream/unnamed", { method: "DELETE" });
	await put("unnamed", "text/plain", {}, "two");
	const again = await get("unnamed", "", { headers: { "If-None-Match": page.headers.etag } });
	assert.equal(again.text, "two");
});

test("a stream that is told says nothing more once the key is revoked", async () => {
	const key = (await service.ask("/v1/keys", { body: { label: "eve", owner: "eve", scopes: ["run"] } })).json;

	await put("eve", "text/plain", {}, "before", { key: key.secret });
	const other = await keyOf("eve");
	const answer = await fetch(`${service.url}/v1/stream/eve?offset=-1&live=sse`,
		{ headers: { Authorization: `Bearer ${key.secret}` } });
	const reader = answer.body.getReader();
	let text = "";

	while (!text.includes("before"))
		text += Buffer.from((await within(10_000, "the first message", reader.read())).value).toString();
	assert.equal((await service.ask(`/v1/keys/${key.id}`, { method: "DELETE" })).status, 204);
	assert.equal((await post("eve", "after", {}, { key: other })).status, 204);
	for (let done = false; !done;) {
		const part = await within(10_000, "the end", reader.read());

		done = part.done;
		text += Buffer.from(part.value ?? []).toString();
	}
	assert.doesNotMatch(text, /after/);
});

// --- mistakes ---

test("what is wrong is refused with its name and the rule", async () => {
	await put("wrong", "application/json");
	for (const [what, answer, status, says] of [
		["a blank", await get("a%20b"), 400, /name must be/],
		["an empty part", await get("a//b"), 400, /name must be/],
		["a long name", await get("x".repeat(256)), 400, /255/],
		["a cut escape", await get("a%2"), 400, /name must be/],
		["a reserved name", await put("__ds/x"), 400, /reserved/],
		["an offset", await get("wrong", "?offset=12"), 400, /offset must be/],
		["no offset", await get("wrong", "?live=sse"), 400, /offset/],
		["no stream", await get("nobody"), 404, /./],
		["no JSON", await post("wrong", "{", { "Content-Type": "application/json" }), 400, /JSON/],
		["no UTF-8", await post("wrong", Buffer.from([0x22, 0xff, 0x22]), { "Content-Type": "application/json" }), 400, /JSON/],
		["another type", await post("wrong", "x"), 409, /Content-Type|type/i],
		["too many", await post("wrong", `[${"1,".repeat(10_000)}1]`, { "Content-Type": "application/json" }), 400, /10000|10,000/],
		["a TTL", await put("t", "text/plain", { "Stream-TTL": "99999999999" }), 400, /Stream-TTL/],
		["a long Stream-Seq", await post("wrong", "1", { "Content-Type": "application/json", "Stream-Seq": "x".repeat(300) }), 400, /Stream-Seq/],
		["half a producer", await post("wrong", "1", { "Producer-Id": "p" }), 400, /Producer-Epoch/],
		["a fork of a URL", await put("f", "text/plain", { "Stream-Forked-From": "http://x/y" }), 400, /Stream-Forked-From/],
		["a body that is too long", await post("wrong", "x".repeat(2 << 20)), 413, /./],
	]) {
		assert.equal(answer.status, status, `${what}: ${answer.text}`);
		assert.match(answer.text, says, what);
		assert.match(answer.headers["content-type"], /problem\+json/, what);
	}
	assert.equal((await get("wrong")).text, "[]");
	const wrong = await service.ask("/v1/stream/wrong", { method: "PATCH" });
	assert.equal(wrong.status, 405);
	assert.equal(wrong.headers.allow, "PUT, POST, GET, HEAD, DELETE");
});

test("large streams are read in pages that fit together", async () => {
	const part = "0123456789abcdef".repeat(4096 * 2);
	let at = START, text = "", pages = 0;

	await put("large");
	for (let n = 0; n < 40; n++)
		assert.equal((await post("large", `${n}${part}`)).status, 204);
	for (let done = false; !done; pages++) {
		const page = await get("large", `?offset=${at}`);

		assert.ok(page.bytes.length <= 1.2 * (1 << 20));
		text += page.text;
		at = next(page);
		done = page.headers["stream-up-to-date"] === "true";
	}
	assert.equal(text, [...Array(40).keys()].map((n) => `${n}${part}`).join(""));
	assert.ok(pages >= 5);
});

test("who waits for a stream is answered when the server stops", async () => {
	const own = await Service.start({ demo: true });
	const read = (query) => own.ask(`/v1/stream/waits?${query}`);

	await own.ask("/v1/stream/waits", { method: "PUT", body: "x", headers: { "Content-Type": "text/plain" } });
	const told = new Promise((done, fail) => {
		http.get(`${own.url}/v1/stream/waits?offset=-1&live=sse`,
			{ headers: { Authorization: `Bearer ${ADMIN_KEY}` }, agent: false }, (res) => {
				const whole = new Promise((end, cut) => res.on("end", end).on("error", cut));

				res.once("data", () => done({ whole })).resume();
			}).on("error", fail);
	});
	const { whole } = await told;
	const poll = read("offset=now&live=long-poll");

	while ((await own.ask("/v1/status")).json.memory.waiters < 2)
		;
	const stopped = own.stop();
	const answer = await poll;
	assert.equal(answer.status, 204);
	assert.equal(next(answer), "0000000000000000_0000000000000001");
	await whole;
	assert.equal((await stopped).code, 0);
});

test("large appends to many streams are packed as fast as they come: memory is bounded", async () => {
	const part = "0123456789abcdef".repeat(65536);

	await each(150, 6, async (i) => {
		await put(`many/${i}`);
		assert.equal((await post(`many/${i}`, part)).status, 204);
	});
	const { bytes } = (await service.ask("/v1/status")).json.memory;

	assert.ok(bytes < 60 << 20, `${bytes} bytes in memory`);
	await each(150, 6, (i) => service.ask(`/v1/stream/many/${i}`, { method: "DELETE" }));
});

// --- the life of a stream ---

test("who reads a stream live learns that it was deleted, or has expired", async () => {
	for (const headers of [{}, { "Stream-Expires-At": new Date(Date.now() + 2500).toISOString() }]) {
		await put("short", "text/plain", headers);
		const events = get("short", "?offset=-1&live=sse");
		const poll = get("short", "?offset=-1&live=long-poll&timeout=60");

		if (!headers["Stream-Expires-At"]) {
			await get("short", "?offset=-1&live=long-poll&timeout=0");
			assert.equal((await service.ask("/v1/stream/short", { method: "DELETE" })).status, 204);
		}
		assert.doesNotMatch((await within(20_000, "the events' end", events)).text, /streamClosed/);
		assert.ok([404, 204].includes((await poll).status));
		assert.equal((await get("short")).status, 404);
	}
	const audit = await service.ask("/v1/audit");
	const actions = audit.json.entries.filter((e) => e.action.startsWith("stream."));
	assert.ok(actions.some((e) => e.action === "stream.delete" && e.subject === "short"));
	assert.ok(actions.some((e) => e.action === "stream.expire" && e.actor === "retention"));
});

test("all of it is there after a start, and the store is sound", async () => {
	await put("kept/open", "application/json", { "Stream-TTL": "3600" }, "[1,2,3]");
	await put("kept/closed", "text/plain", { "Stream-Closed": "true" }, "all");
	await put("kept/fork", "application/json", { "Stream-Forked-From": "/v1/stream/kept/open",
		"Stream-Fork-Offset": START, "Stream-Fork-Sub-Offset": "2" }, '"own"');
	await post("kept/open", "4", { "Content-Type": "application/json", "Stream-Seq": "5",
		"Producer-Id": "p", "Producer-Epoch": "1", "Producer-Seq": "0" });
	const list = (await service.ask("/v1/streams")).json;

	await service.restart({ samePort: true });
	assert.deepEqual((await service.ask("/v1/streams")).json.streams.map((s) => [s.name, s.next_offset, s.closed]),
		list.streams.map((s) => [s.name, s.next_offset, s.closed]));
	assert.deepEqual((await get("kept/open")).json, [1, 2, 3, 4]);
	assert.deepEqual((await get("kept/fork")).json, [1, 2, "own"]);
	assert.equal((await get("kept/closed")).text, "all");
	assert.equal((await post("kept/closed", "more")).status, 409);
	const again = await post("kept/open", "4", { "Content-Type": "application/json", "Stream-Seq": "5",
		"Producer-Id": "p", "Producer-Epoch": "1", "Producer-Seq": "0" });
	assert.equal(again.status, 204);
	assert.equal((await post("kept/open", "5", { "Content-Type": "application/json", "Stream-Seq": "5" })).status, 409);
	assert.equal((await get("kept/open", "", { method: "HEAD" })).headers["stream-ttl"], "3600");
	await service.stop();
	const check = await run(["check", "--db", service.db]);
	assert.equal(check.code, 0, check.output);
	await service.launch();
});

// --- the command ---

test("spool streams creates, appends, reads, forks and removes", async () => {
	const env = { SPOOL_URL: service.url, SPOOL_KEY: ADMIN_KEY };
	const spool = (args, input) => command(args, { env, input });
	const many = [...Array(25_000).keys()].map((n) => `{"n":${n}}`).join("\n");

	let { code, out, err } = await spool(["streams", "append", "--create", "--type", "application/json", "cli/log"], `${many}\n\n"last"`);
	assert.equal(code, 0, err);
	assert.equal(out.trim(), "0000000000000000_0000000000025001");
	({ code, out } = await spool(["streams", "read", "cli/log"]));
	assert.equal(out, `${many}\n"last"\n`);
	({ code, out, err } = await spool(["streams", "read", "--offset", "--from", "0000000000000000_0000000000025000", "cli/log"]));
	assert.deepEqual([out, err.trim()], ['"last"\n', "0000000000000000_0000000000025001"]);

	assert.equal((await spool(["streams", "create", "--ttl", "1h", "cli/text"])).code, 0);
	assert.equal((await spool(["streams", "append", "cli/text"], "x".repeat(1_300_000))).code, 0);
	assert.equal((await spool(["streams", "create", "--fork", "cli/text", "cli/fork"])).code, 0);
	const follow = spool(["streams", "read", "--follow", "cli/fork"]);
	assert.equal((await spool(["streams", "append", "--close", "cli/fork"], "end")).code, 0);
	({ code, out } = await follow);
	assert.deepEqual([code, out.length, out.slice(-4)], [0, 1_300_003, "xend"]);

	({ code, err } = await spool(["streams", "append", "cli/fork"], "more"));
	assert.equal(code, 5);
	assert.match(err, /closed/);
	({ code, err } = await spool(["streams", "read", "cli/nobody"]));
	assert.equal(code, 3);
	assert.match(err, /there is no stream "cli\/nobody".*spool streams ls/);
	({ code, err } = await spool(["streams", "create", "--fork", "cli/nobody", "cli/x"]));
	assert.equal(code, 3);
	assert.match(err, /there is no stream "cli\/nobody" to fork/);
	({ code, err } = await spool(["streams", "create", "--at", "now", "cli/x"]));
	assert.equal(code, 2);
	({ out } = await spool(["streams", "ls", "--json"]));
	const names = out.trim().split("\n").map((line) => JSON.parse(line).name).filter((name) => name.startsWith("cli/"));
	assert.deepEqual(names, ["cli/fork", "cli/log", "cli/text"]);
	assert.equal((await spool(["streams", "rm", ...names])).code, 0);
	({ out } = await spool(["streams", "ls"]));
	assert.doesNotMatch(out, /cli\//);
});

// --- kill -9 ---

test("kill -9 loses no append that was acknowledged, and a producer that tries again repeats none", { timeout: 300_000 }, async () => {
	const KILLS = knob("KILLS", 6, 200);
	const WRITERS = 12;
	const dice = new Dice();
	const own = await Service.start({ demo: true });
	const writers = [...Array(WRITERS).keys()].map((n) => ({ n, seq: 0, acknowledged: -1, plain: new Set() }));
	const api = (name, options) => ask(`${own.url}/v1/stream/${name}`, { key: ADMIN_KEY, agent: own.agent, ...options });
	let stopped;

	// Four to a stream: producers cross each other.
	const nameOf = (w) => `log-${w.n % (WRITERS / 4)}`;
	const write = async (w) => {
		while (!stopped) {
			const headers = { "Content-Type": "application/json", "Producer-Id": `w${w.n}`, "Producer-Epoch": "0", "Producer-Seq": `${w.seq}` };
			const plain = `plain-${w.n}-${w.seq}-${dice.roll(1e9)}`;

			try {
				const answer = await api(nameOf(w), { method: "POST", headers, body: JSON.stringify({ w: w.n, seq: w.seq }) });
				assert.ok([200, 204].includes(answer.status), answer.text);
				w.acknowledged = w.seq++;
				const second = await api(nameOf(w), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ plain }) });
				assert.equal(second.status, 204, second.text);
				w.plain.add(plain);
			} catch (error) {
				if (error.code === "ERR_ASSERTION" || !stopped)
					throw error;
			}
		}
	};

	for (let n = 0; n < WRITERS / 4; n++)
		assert.equal((await api(`log-${n}`, { method: "PUT", headers: { "Content-Type": "application/json" } })).status, 201);
	for (let kill = 0; kill < KILLS; kill++) {
		stopped = false;
		const writing = Promise.all(writers.map(write));

		writing.catch(() => {});
		await pause(20 + dice.roll(400));
		stopped = true;
		await own.kill9();
		await writing;
		await own.launch();
		for (let n = 0; n < WRITERS / 4; n++) {
			const log = [];
			const mine = writers.filter((w) => nameOf(w) === `log-${n}`);

			for (let at = START, done = false; !done;) {
				const page = await api(`log-${n}?offset=${at}`, {});

				log.push(...page.json);
				at = next(page);
				done = page.headers["stream-up-to-date"] === "true";
			}
			for (const w of mine) {
				const seqs = log.filter((m) => m.w === w.n).map((m) => m.seq);

				// Dense and once; what was acknowledged is there, and at most one more.
				assert.deepEqual(seqs, [...seqs.keys()], `writer ${w.n} after kill ${kill}`);
				assert.ok(seqs.length > w.acknowledged && seqs.length <= w.acknowledged + 2,
					`writer ${w.n}: ${seqs.length} are there, ${w.acknowledged + 1} were acknowledged`);
				const plain = log.filter((m) => m.plain?.startsWith(`plain-${w.n}-`)).map((m) => m.plain);
				assert.equal(new Set(plain).size, plain.length);
				for (const p of w.plain)
					assert.ok(plain.includes(p), `${p} was acknowledged and is not there`);
			}
		}
	}
	assert.ok(writers.every((w) => w.acknowledged > 0));
	await each(WRITERS / 4, 4, (n) => api(`log-${n}`, { method: "DELETE" }));
	await own.stop();
	const check = await run(["check", "--db", own.db]);
	assert.equal(check.code, 0, check.output);
});
