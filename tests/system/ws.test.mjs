// WebSockets: many executions on one connection, to npm's ws and to clients that
// do wrong.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, ask, checkDense, textOf, within } from "./service.mjs";
import { Bare, Socket, frame } from "./socket.mjs";

let upstream, service;

before(async () => {
	upstream = await ScriptedUpstream.start();
	service = await Service.start({ upstream: upstream.url, args: ["--retry-attempts", "1", "--on-interrupt", "fail"] });
});
after(async () => {
	await service?.stop("SIGKILL");
	await upstream?.stop();
});

// An answer of the pieces, ended.
async function answered(...pieces) {
	const id = await service.execute("answer");
	const x = await upstream.next();

	for (const piece of pieces)
		await x.send(piece);
	await x.finish();
	await service.finish(id);
	return id;
}

// A chunk's message as a page has it.
const chunk = ({ type, execution_id, ...rest }) => (assert.equal(type, "chunk"), rest);
const makeKey = async (body) => (await service.ask("/v1/keys", { body })).json;

test("an execution is started, told as it grows, and ended on one socket", async () => {
	const socket = await Socket.open(service);

	socket.say({ type: "start", id: "a", request: { prompt: "Why?" } });
	const started = await socket.next();
	assert.equal(started.type, "started");
	assert.equal(started.id, "a");
	assert.equal(started.replayed, false);
	const x = await upstream.next();
	assert.equal(x.prompt, "Why?");
	await x.send("one ");
	const first = await socket.next();
	assert.equal(first.execution_id, started.execution_id);
	assert.equal(first.content, "one ");
	assert.equal(first.index, 0);
	await x.send("two");
	await x.finish();
	const rest = await socket.until("end");
	const whole = await service.finish(started.execution_id);
	const end = rest.pop();

	assert.deepEqual([first, ...rest].map(chunk), whole.chunks);
	assert.equal(end.status, "completed");
	assert.equal(end.completed, true);
	assert.equal(end.execution_id, started.execution_id);
	assert.deepEqual(end.metadata, whole.metadata);
	assert.equal(end.next_index, whole.chunks.length);
	assert.deepEqual(await socket.close(1000, "bye"), { code: 1000, reason: "bye" });
});

test("what has ended is told from every index on, inclusive by from and exclusive by after", async () => {
	const id = await answered("a", "b", "c");
	const { chunks } = await service.finish(id);
	const socket = await Socket.open(service);

	for (let n = 0; n <= chunks.length + 1; n++)
		for (const place of [{ from: n }, { after: n - 1 }]) {
			socket.say({ type: "subscribe", id: n, execution_id: id, ...place });
			const [head, ...told] = await socket.until("end");

			assert.equal(head.type, "subscribed");
			assert.equal(head.id, n);
			assert.equal(head.from, n);
			assert.equal(head.status, "completed");
			assert.equal(told.pop().completed, true);
			assert.deepEqual(told.map(chunk), chunks.slice(n), JSON.stringify(place));
		}
	await socket.close();
});

test("many executions on one socket each come dense and whole, however they are mixed", async () => {
	const socket = await Socket.open(service);
	const n = 20, seen = new Map(), exchanges = new Map();

	for (let i = 0; i < n; i++)
		socket.say({ type: "start", id: `s${i}`, request: { prompt: `p${i}` } });
	for (let i = 0; i < n; i++) {
		const x = await upstream.next();

		exchanges.set(x.prompt, x);
	}
	await Promise.all([...exchanges.values()].map(async (x) => {
		for (let k = 0; k < 30; k++)
			await x.send(`${x.prompt}.${k} `);
		await x.finish();
	}));
	const tags = new Map();
	let ends = 0;

	await socket.until((m) => {
		if (m.type === "started")
			tags.set(m.execution_id, m.id);
		else if (m.type === "chunk")
			seen.set(m.execution_id, [...(seen.get(m.execution_id) ?? []), m]);
		return m.type === "end" && ++ends === n;
	});
	assert.equal(tags.size, n);
	for (const [id, tag] of tags) {
		checkDense(assert, seen.get(id));
		assert.equal(textOf(seen.get(id)), Array.from({ length: 30 }, (_, k) => `p${tag.slice(1)}.${k} `).join(""));
	}
	await socket.close();
});

test("who unsubscribes is told no more, and goes on where it was", async () => {
	const socket = await Socket.open(service);
	const id = await service.execute("slow");
	const x = await upstream.next();

	socket.say({ type: "subscribe", execution_id: id });
	assert.equal((await socket.next()).type, "subscribed");
	await x.send("one");
	assert.equal((await socket.next()).content, "one");
	socket.say({ type: "unsubscribe", id: "u", execution_id: id });
	const gone = await socket.next();
	assert.deepEqual([gone.type, gone.id, gone.next_index], ["unsubscribed", "u", 1]);
	await x.send("two");
	await service.reach(id, 2);
	socket.say({ type: "ping", id: 7 });
	assert.deepEqual(await socket.next(), { type: "pong", id: 7 });
	socket.say({ type: "unsubscribe", execution_id: id });
	assert.equal((await socket.next()).error.code, "not_found");
	socket.say({ type: "subscribe", execution_id: id, from: gone.next_index });
	const [, two] = await socket.until("chunk");
	assert.equal(two.content, "two");
	// Again is from there.
	socket.say({ type: "subscribe", execution_id: id, from: 0 });
	const again = await socket.until((m) => m.type === "chunk" && m.index === 1);
	assert.deepEqual(again.map((m) => m.type), ["subscribed", "chunk", "chunk"]);
	await x.finish();
	await socket.until("end");
	await socket.close();
});

test("a cancel on the socket ends it and says how", async () => {
	const socket = await Socket.open(service);

	socket.say({ type: "start", request: { prompt: "long" } });
	const { execution_id } = await socket.next();
	const x = await upstream.next();
	await x.send("so far");
	await socket.until("chunk");
	socket.say({ type: "cancel", id: "c", execution_id });
	const seen = await socket.until((() => {
		const wanted = new Set(["cancelled", "end"]);

		return (m) => (wanted.delete(m.type), wanted.size === 0);
	})());
	const told = seen.find((m) => m.type === "cancelled");

	assert.deepEqual([told.id, told.status, told.cancelled], ["c", "cancelled", true]);
	assert.equal(seen.find((m) => m.type === "end").status, "cancelled");
	await x.closed;
	await socket.close();
});

test("who asked for it has its execution cancelled when it leaves, others go on", async () => {
	const socket = await Socket.open(service);

	socket.say({ type: "start", id: 1, request: { prompt: "mine" }, on_disconnect: "cancel" });
	const mine = (await socket.until("started")).at(-1).execution_id;
	const x = await upstream.next();
	socket.say({ type: "start", id: 2, request: { prompt: "everybody's" } });
	const ours = (await socket.until("started")).at(-1).execution_id;
	const y = await upstream.next();

	await x.send("a");
	await socket.until("chunk");
	socket.drop();
	assert.equal((await service.finish(mine)).status, "cancelled");
	await y.send("b");
	await y.finish();
	assert.equal((await service.finish(ours)).status, "completed");
});

test("an execution whose start was asked for and whose client left at once is cancelled, too", async () => {
	const silent = await ScriptedUpstream.start((x) => x.open());
	const own = await Service.start({ upstream: silent.url });

	for (let i = 0; i < 10; i++) {
		const bare = await Bare.upgrade(own);

		await bare.write(frame(1, JSON.stringify({ type: "start", on_disconnect: "cancel",
			request: { prompt: `left ${i}` } })));
		bare.tcp.destroy();
	}
	const all = async () => (await own.ask("/v1/executions?limit=100")).json.executions;
	let seen;

	await within(20_000, "all to be stored and to end", (async () => {
		do
			seen = await all();
		while (seen.length < 10 || seen.some((e) => e.status === "queued" || e.status === "streaming"));
	})());
	assert.ok(seen.every((e) => e.status === "cancelled"));
	await own.stop("SIGKILL");
	await silent.stop();
});

test("an idempotency key gives the same execution over the socket and again", async () => {
	const socket = await Socket.open(service);
	const request = { prompt: "once" };

	socket.say({ type: "start", id: 1, request, idempotency_key: "ws-1" });
	const first = await socket.next();
	await (await upstream.next()).finish();
	await socket.until("end");
	socket.say({ type: "start", id: 2, request, idempotency_key: "ws-1" });
	const [again] = await socket.until("end");
	assert.equal(again.replayed, true);
	assert.equal(again.execution_id, first.execution_id);
	socket.say({ type: "start", id: 3, request: { prompt: "other" }, idempotency_key: "ws-1" });
	assert.equal((await socket.next()).error.code, "idempotency_mismatch");
	// The same over HTTP.
	const rest = await service.ask("/v1/executions", { body: request, headers: { "Idempotency-Key": "ws-1" } });
	assert.equal(rest.status, 200, rest.text);
	assert.equal(rest.json.execution_id, first.execution_id);
	await socket.close();
});

test("what is wrong is told with its tag, and the socket goes on", async () => {
	const socket = await Socket.open(service);
	const none = "00000000-0000-7000-8000-000000000000";

	for (const [message, code, field] of [
		["{", "bad_json"], ["[]", "bad_json"], ["", "bad_json"],
		[{ type: "begin", id: "x" }, "invalid_argument", "type"],
		[{ id: "x" }, "invalid_argument", "type"],
		[{ type: "start", id: "x" }, "invalid_argument", "request"],
		[{ type: "start", id: "x", request: {} }, "invalid_argument", "prompt"],
		[{ type: "start", id: "x", request: { prompt: "p", modell: "m" } }, "invalid_argument", "modell"],
		[{ type: "start", id: "x", request: { prompt: "p", model: "no/such" } }, "invalid_argument", "model"],
		[{ type: "start", id: "x", request: { prompt: "p" }, subscribe: false, on_disconnect: "cancel" },
			"invalid_argument", "on_disconnect"],
		[{ type: "start", id: "x", request: { prompt: "p" }, on_disconnect: "die" }, "invalid_argument", "on_disconnect"],
		[{ type: "subscribe", id: "x" }, "invalid_argument", "execution_id"],
		[{ type: "subscribe", id: "x", execution_id: none, from: -1 }, "invalid_argument", "from"],
		[{ type: "subscribe", id: "x", execution_id: none, from: 1, after: 1 }, "invalid_argument", "after"],
		[{ type: "subscribe", id: "x", execution_id: none, form: 1 }, "invalid_argument", "form"],
		[{ type: "subscribe", id: "x", execution_id: none }, "not_found"],
		[{ type: "cancel", id: "x", execution_id: none }, "not_found"],
	]) {
		socket.say(message);
		const told = await socket.next();

		assert.equal(told.type, "error", JSON.stringify(told));
		assert.equal(told.error.code, code, JSON.stringify(told));
		assert.equal(told.error.field, field, JSON.stringify(told));
		if (message.id)
			assert.equal(told.id, "x");
	}
	socket.say({ type: "ping", id: [1] });
	assert.equal((await socket.next()).error.field, "id");
	socket.say({ type: "ping", id: "x".repeat(200) });
	assert.equal((await socket.next()).error.field, "id");
	socket.say({ type: "ping" });
	assert.deepEqual(await socket.next(), { type: "pong" });
	await socket.close();
});

test("a handshake that is not one is refused with what is wrong", async () => {
	const plain = await service.ask("/v1/ws");

	assert.equal(plain.status, 426);
	assert.equal(plain.json.code, "upgrade_required");
	assert.equal(plain.headers.upgrade, "websocket");
	assert.equal(plain.headers["sec-websocket-version"], "13");
	for (const [headers, status] of [[{ "Sec-WebSocket-Version": "8" }, 426], [{ "Sec-WebSocket-Version": undefined }, 426],
		[{ Upgrade: "h2c" }, 426], [{ Connection: "keep-alive" }, 426], [{ "Sec-WebSocket-Key": undefined }, 400],
		[{ "Sec-WebSocket-Key": "short" }, 400], [{ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=!" }, 400],
		[{ Host: "evil.example" }, 421], [{ Origin: "http://evil.example" }, 403], [{ Origin: "null" }, 403],
		[{ "Sec-Fetch-Site": "cross-site" }, 403], [{ Authorization: "Bearer nobody" }, 401], [{ Authorization: undefined }, 401]])
		assert.equal((await Bare.upgrade(service, { headers })).status, status, JSON.stringify(headers));
	const good = await Bare.upgrade(service, { headers: { Connection: "keep-alive, Upgrade", Upgrade: "WebSocket" } });
	assert.equal(good.status, 101);
	// RFC 6455 section 1.3.
	assert.match(good.head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
	assert.doesNotMatch(good.head, /Sec-WebSocket-Extensions|Sec-WebSocket-Protocol/i);
	good.tcp.destroy();
	for (const text of ["HEAD /v1/ws HTTP/1.1", "GET /v1/ws HTTP/1.0", "POST /v1/ws HTTP/1.1"]) {
		const bare = await Bare.upgrade(service, { text: `${text}\r\nHost: localhost\r\nUpgrade: websocket\r\n` +
			`Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
			`Authorization: Bearer ${service.key}\r\n\r\n` });

		assert.equal(bare.status, text.startsWith("POST") ? 405 : 426, text);
		bare.tcp.destroy();
	}
});

test("who breaks the protocol is closed with the code that says how", async () => {
	const long = Buffer.alloc(70_000, 97);

	for (const [what, bytes, code] of [
		["an unmasked frame", frame(1, "{}", { mask: false }), 1002],
		["a reserved bit", frame(1, "{}", { rsv: 4 }), 1002],
		["a reserved opcode", frame(3, "{}"), 1002],
		["a continuation of nothing", frame(0, "{}"), 1002],
		["a new message inside another", Buffer.concat([frame(1, "{", { fin: false }), frame(1, "}")]), 1002],
		["a long ping", frame(9, Buffer.alloc(126)), 1002],
		["a ping in pieces", frame(9, "x", { fin: false }), 1002],
		["a close of one byte", frame(8, "x"), 1005],
		["a close with a code that is none", frame(8, Buffer.from([0x03, 0xec])), 1002],
		["a close whose reason is no UTF-8", frame(8, Buffer.from([0x03, 0xe8, 0xff])), 1007],
		["a binary message", frame(2, "{}"), 1003],
		["text that is no UTF-8", frame(1, Buffer.from([0x22, 0xff, 0x22])), 1007],
		["text that ends in a character's middle", frame(1, Buffer.from([0x22, 0xc3])), 1007],
		["a frame that is too long", frame(1, "[", { length: 0x7fffffff }), 1009],
		["a message that is too long", Buffer.concat([frame(1, long, { fin: false }),
			...Array.from({ length: 20 }, () => frame(0, long, { fin: false }))]), 1009],
	]) {
		const bare = await Bare.upgrade(service);

		await bare.write(bytes);
		const got = await bare.closeCode();

		assert.equal(got, code, what);
	}
	// In pieces of any size it is the same message.
	const bare = await Bare.upgrade(service);
	for (const byte of Buffer.concat([frame(1, '{"type":', { fin: false }), frame(9, "here"), frame(0, '"ping"}')]))
		await bare.write(Buffer.from([byte]));
	await bare.write(frame(8, Buffer.from([0x03, 0xe8])));
	assert.equal(await bare.closeCode(), 1000);
	const frames = bare.frames();
	assert.deepEqual(frames.map((f) => f.opcode), [10, 1, 8]);
	assert.equal(String(frames[0].payload), "here");
	assert.equal(String(frames[1].payload), '{"type":"pong"}');
	assert.ok(frames.every((f) => f.fin && !f.masked));
});

test("a ticket opens one socket once, by the query or as a subprotocol", async () => {
	const made = async (key = service.key) => {
		const answer = await service.ask("/v1/ws/tickets", { body: {}, key });

		assert.equal(answer.status, 201, answer.text);
		assert.equal(answer.headers["cache-control"], "no-store");
		return answer.json;
	};
	const refused = (options) => assert.rejects(Socket.open(service, { key: null, ...options }), { status: 401 });
	const { ticket, url } = await made();
	const first = await Socket.open(service, { key: null, query: new URL(url, service.url).search });

	first.say({ type: "ping" });
	assert.equal((await first.next()).type, "pong");
	await refused({ query: `?ticket=${ticket}` });
	const second = await made();
	const other = await Socket.open(service, { key: null, protocols: ["spool.v1", `spool.ticket.${second.ticket}`] });
	assert.equal(other.ws.protocol, "spool.v1");
	await refused({ protocols: ["spool.v1", `spool.ticket.${second.ticket}`] });
	await refused({ protocols: ["spool.v1", `spool.ticket.${"x".repeat(500)}`] });
	await refused({});
	// One for events opens no socket, one for a socket no events.
	const id = await answered("x");
	const third = (await service.ask(`/v1/executions/${id}/tickets`, { body: {} })).json;
	await refused({ query: `?ticket=${third.ticket}` });
	const fourth = await made();
	assert.equal((await ask(`${service.url}/v1/executions/${id}/events?ticket=${fourth.ticket}`)).status, 401);
	assert.ok(!service.log.includes(ticket) && !service.log.includes(second.ticket), "a ticket is in the log");
	await first.close();
	await other.close();
});

test("a key sees and does on a socket what it may, and no more", async () => {
	const reader = await makeKey({ label: "r", owner: "reader", scopes: ["read"] });
	const id = await answered("not theirs");
	const socket = await Socket.open(service, { key: reader.secret });

	for (const [message, code] of [
		[{ type: "subscribe", execution_id: id }, "not_found"],
		[{ type: "start", request: { prompt: "p" } }, "forbidden"],
		[{ type: "cancel", execution_id: id }, "forbidden"],
		[{ type: "subscribe", execution_id: id, on_disconnect: "cancel" }, "forbidden"]]) {
		socket.say(message);
		assert.equal((await socket.next()).error.code, code, JSON.stringify(message));
	}
	await socket.close();
	// Another's is not cancelled by who may run but not see it.
	const runner = await makeKey({ label: "x", owner: "runner", scopes: ["run"] });
	const live = await service.execute("live");
	const x = await upstream.next();
	const theirs = await Socket.open(service, { key: runner.secret });
	theirs.say({ type: "subscribe", execution_id: live, on_disconnect: "cancel" });
	assert.equal((await theirs.next()).error.code, "not_found");
	theirs.say({ type: "cancel", execution_id: live });
	assert.equal((await theirs.next()).error.code, "not_found");
	theirs.drop();
	await x.send("goes on");
	await x.finish();
	assert.equal((await service.finish(live)).status, "completed");
});

test("a socket whose key is revoked says no more", async () => {
	const key = await makeKey({ label: "k", owner: "soon", scopes: ["run"] });
	const { ticket } = (await service.ask("/v1/ws/tickets", { body: {}, key: key.secret })).json;
	const sockets = [await Socket.open(service, { key: key.secret }),
		await Socket.open(service, { key: null, query: `?ticket=${ticket}` })];

	assert.equal((await service.ask(`/v1/keys/${key.id ?? key.key_id}`, { method: "DELETE" })).status, 204);
	for (const socket of sockets) {
		socket.say({ type: "start", request: { prompt: "too late" } });
		assert.equal((await within(10_000, "the close", socket.closed)).code, 1008);
		assert.deepEqual(socket.messages, []);
	}
});

test("a socket that follows is told nothing once its key is revoked", async () => {
	const key = await makeKey({ label: "f", owner: "follower", scopes: ["run"] });
	const socket = await Socket.open(service, { key: key.secret });

	socket.say({ type: "start", request: { prompt: "go on" } });
	const x = await upstream.next();
	await x.send("before");
	await socket.until("chunk");
	assert.equal((await service.ask(`/v1/keys/${key.id ?? key.key_id}`, { method: "DELETE" })).status, 204);
	await x.send("after");
	assert.equal((await within(10_000, "the close", socket.closed)).code, 1008);
	assert.deepEqual(socket.messages, []);
	await x.finish();
});

test("what is no message costs what a message costs", async () => {
	const own = await Service.start({ demo: true, args: ["--rate", "5"] });
	const { secret } = (await own.ask("/v1/keys", { body: { label: "n", owner: "noise", scopes: ["read"] } })).json;
	const socket = await Socket.open(own, { key: secret });
	const codes = new Set();

	for (let i = 0; i < 500; i++)
		socket.say("{");
	for (let i = 0; i < 500; i++)
		codes.add((await socket.next()).error.code);
	assert.deepEqual([...codes].sort(), ["bad_json", "rate_limited"]);
	await socket.close();
	await own.stop();
});

test("at most a hundred things at once on one socket", async () => {
	const socket = await Socket.open(service);
	const ids = [];

	for (let i = 0; i < 101; i++) {
		ids.push(await service.execute(`many ${i}`));
		await upstream.next();
	}
	for (const id of ids)
		socket.say({ type: "subscribe", id, execution_id: id });
	const seen = await socket.until("error");
	assert.equal(seen.at(-1).error.code, "failed_precondition");
	assert.equal(seen.at(-1).id, ids[100]);
	for (const id of ids)
		await service.ask(`/v1/executions/${id}/cancel`, { body: {} });
	await socket.until((() => {
		let ends = 0;

		return (m) => m.type === "end" && ++ends === 100;
	})());
	await socket.close();
});

test("the older shape: a query is answered by chunks of data and an end", async () => {
	const socket = await Socket.open(service);

	socket.say({ type: "stream_start", query: "Say \"grün\"", session_id: "s-1" });
	assert.deepEqual(await socket.next(), { type: "stream_start", query: "Say \"grün\"", session_id: "s-1" });
	const x = await upstream.next();
	assert.equal(x.prompt, "Say \"grün\"");
	await x.send("grün ");
	await x.send("😀");
	await x.finish();
	const seen = await socket.until("stream_end");
	const end = seen.pop();

	assert.ok(seen.every((m) => m.type === "stream_chunk" && m.session_id === "s-1"));
	assert.equal(seen.map((m) => m.data).join(""), "grün 😀");
	assert.deepEqual([end.complete, end.total_length, end.session_id], [true, 6, "s-1"]);
	assert.equal((await service.finish(end.execution_id)).text, "grün 😀");
	// What goes wrong is text that says so.
	socket.say({ query: "fails", session_id: "s-2" });
	await socket.until("stream_start");
	const y = await upstream.next();
	y.refuse(400);
	const failed = await socket.until("stream_end");
	assert.match(failed[0].data, /^Error: /);
	assert.equal(failed.at(-1).complete, false);
	socket.say({ type: "stream_start", query: "", session_id: "s-3" });
	const refused = await socket.until("stream_end");
	assert.match(refused[0].data, /^Error: query/);
	assert.equal(refused[0].session_id, "s-3");
	await socket.close();
});

test("a stop tells logs to their end, then closes with 1001", async () => {
	const own = await Service.start({ upstream: upstream.url, args: ["--drain", "100ms"] });
	const idle = await Socket.open(own), busy = await Socket.open(own);

	busy.say({ type: "start", request: { prompt: "long" } });
	await busy.next();
	const x = await upstream.next();
	await x.send("so far");
	await busy.until("chunk");
	const stopped = own.stop();
	const seen = await busy.until("end");

	assert.equal(seen.at(-1).status, "failed");
	assert.equal(seen.at(-1).metadata.error.code, "interrupted");
	assert.equal((await within(10_000, "a close", busy.closed)).code, 1001);
	assert.equal((await within(10_000, "a close", idle.closed)).code, 1001);
	assert.equal((await stopped).code, 0);
});

test("pings are sent in silence; a client that answers none is closed, one that does stays", async () => {
	const own = await Service.start({ upstream: upstream.url, args: ["--ping", "100ms"] });
	const dead = await Bare.upgrade(own), alive = await Socket.open(own);
	let pings = 0;

	const enough = new Promise((done) => alive.ws.on("ping", () => { if (++pings === 8) done(); }));
	assert.equal(await dead.closeCode(), 1008);
	assert.ok(dead.frames().filter((f) => f.opcode === 9).length >= 2);
	await within(20_000, "eight pings", enough);
	alive.say({ type: "ping" });
	assert.equal((await alive.next()).type, "pong");
	await alive.close();
	await own.stop();
});

test("a message that takes too long closes its socket", async () => {
	const own = await Service.start({ upstream: upstream.url, args: ["--ping", "50ms", "--body-timeout", "200ms"] });
	const bare = await Bare.upgrade(own);

	await bare.write(frame(1, '{"type":', { fin: false }));
	// It answers pings all the time.
	const answers = setInterval(() => bare.tcp.write(frame(10, "")), 20);
	assert.equal(await bare.closeCode(), 1008);
	clearInterval(answers);
	await own.stop();
});
