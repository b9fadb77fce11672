// Upstreams that break everything they can, all at once, beside fifty that are
// well: each execution ends in a state that says why, with all that came before
// kept, and the healthy ones never wait for the sick.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import dgram from "node:dgram";
import { after, before, test } from "node:test";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import zlib from "node:zlib";
import { DONE, HostileUpstream, deafPort, delta, sse } from "./hostile_upstream.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, checkDense, pause, tempDir, within } from "./service.mjs";

const HEALTHY = 50;
const WORDS = ["uno ", "dos ", "tres"];
const SAID = WORDS.join("");
const root = process.getuid() === 0;

let bad, badTls, well, deaf, canary, service, pulse;

// --- the faults ---

// Three words that the service has shown, in a chunked body, and then `fault`.
const afterWords = (fault) => async (x, shown) => {
	await x.head();
	for (const word of WORDS)
		await x.chunk(delta(word));
	await shown(WORDS.length);
	await fault(x);
};
// A whole chunked body of these bytes.
const body = (...parts) => async (x) => {
	await x.head();
	for (const part of parts)
		await x.chunk(part);
	await x.last();
};
const refusal = (status, more = "", text = "") => (x) =>
	x.write(`HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n${more}\r\n${text}`);
const says = (text) => (answer) => assert.equal(answer.text, text);

// Rows: what it does; how the execution ends (a code, or "completed"); which text
// is kept; where else it is asked; what else must be so.
const faults = [
	// TCP, DNS, TLS
	{ name: "nobody listens", at: "refused", code: "network" },
	{ name: "every SYN is dropped", at: "deaf", code: "connect_timeout" },
	{ name: "its name means nothing", at: "unnamed", code: ["network", "connect_timeout"] },
	{ name: "no TLS where TLS should be", at: "plain-tls", code: "network" },
	{ name: "a TLS handshake without an answer", at: "mute-tls", code: "connect_timeout" },
	{ name: "a certificate that nobody signed", at: "unsigned", code: "network" },
	{ name: "it hangs up at once", do: (x) => x.end(), code: "network" },
	{ name: "it resets at once", do: (x) => x.reset(), code: "network" },
	// before the body
	{ name: "it never answers", do: () => {}, code: "first_token_timeout" },
	{ name: "half a status line", do: (x) => x.write("HTTP/1.1 2"), code: "first_token_timeout" },
	{ name: "a header a moment, for ever", code: "first_token_timeout", do: async (x) => {
		await x.write("HTTP/1.1 200 OK\r\n");
		await x.forever("X: y\r\n", 100);
	} },
	{ name: "another protocol", do: (x) => x.write("SSH-2.0-OpenSSH_9.2\r\n"), code: "network" },
	{ name: "HTTP/0.9", code: "network", do: async (x) => {
		await x.write("just text\n");
		x.end();
	} },
	{ name: "100 Continue for ever", do: (x) => x.forever("HTTP/1.1 100 Continue\r\n\r\n".repeat(100)),
		code: ["network", "first_token_timeout"] },
	{ name: "a header of 400 KB", do: (x) => x.write(`HTTP/1.1 200 OK\r\nX: ${"y".repeat(400_000)}\r\n\r\n`), code: "network" },
	{ name: "100,000 headers", do: (x) => x.write(`HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(100_000)}\r\n`), code: "network" },
	{ name: "a NUL in a header", do: (x) => x.write("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"), code: "network" },
	{ name: "a status that is none", do: (x) => x.write("HTTP/1.1 OK 200\r\n\r\n"), code: "network" },
	{ name: "two lengths", code: ["network", "truncated"], do: async (x) => {
		await x.head("Content-Length: 5\r\nContent-Length: 7");
		x.end();
	} },
	// answers that are none
	{ name: "a redirect", do: (x) => refusal("302 Found", `Location: ${canary.url}/chat/completions\r\n`)(x), code: "server",
		check: () => assert.equal(canary.connections, 0, "it was followed") },
	{ name: "101 Switching Protocols", code: ["network", "truncated", "first_token_timeout"], do: async (x) => {
		await x.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
		x.end();
	} },
	{ name: "204 and nothing", do: (x) => x.write("HTTP/1.1 204 No Content\r\n\r\n"), code: "truncated" },
	{ name: "401", do: refusal("401 Unauthorized", "", '{"error":{"message":"no"}}'), code: "auth", status: 401 },
	{ name: "404 of a proxy", do: (x) => x.head("Content-Length: 4", "text/html", "404 Not Found").then(() => x.write("lost")), code: "not_found" },
	{ name: "429 for an hour", do: refusal("429 Too Many Requests", "Retry-After: 3600\r\n"), code: "rate_limit",
		check: (a) => assert.equal(a.metadata.error.retry_after_ms, 3_600_000) },
	{ name: "529", do: refusal("529 Overloaded", "Retry-After: 900\r\n"), code: "overloaded", status: 529 },
	{ name: "500 without a word", do: refusal("500 Internal Server Error"), code: "server", status: 500 },
	{ name: "503 that never ends", code: "overloaded", status: 503, do: async (x) => {
		await x.head("Transfer-Encoding: chunked", "text/plain", "503 Service Unavailable");
		await x.forever(`400\r\n${"x".repeat(1024)}\r\n`);
	} },
	{ name: "503 that stalls", code: "overloaded", status: 503,
		do: (x) => x.head("Content-Length: 100", "application/json", "503 Service Unavailable") },
	{ name: "a web page", do: (x) => x.head("Content-Length: 6", "text/html").then(() => x.write("<html>")), code: "protocol" },
	{ name: "an error in a 200", do: (x) => refusal("200 OK", "", '{"error":{"message":"boom","code":"server_error"}}')(x), code: "server" },
	{ name: "JSON that is cut", code: "truncated", do: async (x) => {
		await x.head("Content-Length: 500", "application/json");
		await x.write('{"choices":[{"message":{"content":"ha');
		x.end();
	} },
	{ name: "an answer without a word", do: body("data: [DONE]\n\n"), code: "empty" },
	{ name: "a gzip bomb that nobody asked for", code: ["truncated", "protocol"], do: async (x) => {
		await x.head("Content-Encoding: gzip\r\nTransfer-Encoding: chunked");
		await x.chunk(zlib.gzipSync(Buffer.alloc(64 << 20, 32)));
		await x.last();
	} },
	// in mid-stream
	{ name: "a reset in a chunk", text: SAID, code: "truncated", do: afterWords(async (x) => {
		await x.write("ff\r\ndata: {\"cho");
		x.reset();
	}) },
	{ name: "an end in a chunk", text: SAID, code: "truncated", do: afterWords(async (x) => {
		await x.write("ff\r\ndata: {\"cho");
		x.end();
	}) },
	{ name: "a chunk size that is none", text: SAID, code: "truncated", do: afterWords((x) => x.write("zz\r\ndata\r\n")) },
	{ name: "a chunk size of 2⁶⁴", text: SAID, code: ["truncated", "idle_timeout"],
		do: afterWords((x) => x.write("10000000000000000\r\ndata\r\n")) },
	{ name: "less than its length said", text: SAID, code: "truncated", do: async (x, shown) => {
		await x.head("Content-Length: 100000");
		await x.write(WORDS.map((w) => delta(w)).join(""));
		await shown(WORDS.length);
		x.end();
	} },
	{ name: "more than its length said", code: "truncated", text: "uno ", do: async (x) => {
		const first = delta("uno ");

		await x.head(`Content-Length: ${first.length}`);
		await x.write(first + delta("dos ") + DONE);
	} },
	{ name: "the end of a body without an end", text: SAID, code: "truncated", do: afterWords((x) => x.last()) },
	{ name: "half a line and then the end", text: SAID, code: "truncated", do: afterWords(async (x) => {
		await x.chunk('data: {"choices":[{"delta":{"content":"ha');
		await x.last();
	}) },
	{ name: "silence", text: SAID, code: "idle_timeout", do: afterWords(() => {}) },
	{ name: "comments for ever", text: SAID, code: "idle_timeout", do: afterWords((x) => x.forever("9\r\n: busy\n\n\n\r\n", 50)) },
	{ name: "comments for ever, and no word", code: "first_token_timeout", do: async (x) => {
		await x.head();
		await x.forever("9\r\n: busy\n\n\n\r\n", 50);
	} },
	{ name: "a byte a moment, of an event without end", text: SAID, code: "idle_timeout",
		do: afterWords((x) => x.chunk("data: ").then(() => x.forever("1\r\nx\r\n", 50))) },
	{ name: "an answer without end", at: "hasty", code: "total_timeout", do: async (x) => {
		await x.head();
		await x.forever(`${delta("x").length.toString(16)}\r\n${delta("x")}\r\n`, 100);
	} },
	{ name: "an answer larger than any", at: "hasty", code: "answer_too_large", do: async (x) => {
		await x.head();
		await x.forever(`1000\r\n${": ".padEnd(4095, "y")}\n\r\n`);
	} },
	{ name: "an error object", text: SAID, code: "overloaded", do: afterWords(async (x) => {
		await x.chunk(sse({ error: { message: "full", type: "overloaded_error" } }));
		await x.last();
	}) },
	{ name: "an error event in plain words", text: SAID, code: "server",
		do: afterWords((x) => x.chunk("event: error\ndata: it broke\n\n")) },
	{ name: "an error, and [DONE] as if nothing had been", text: SAID, code: "server",
		do: afterWords((x) => x.chunk(`${sse({ error: { message: "gone", code: 502 }, choices: [] })}data: [DONE]\n\n`)) },
	{ name: "a finish reason that says error", text: SAID, code: "server",
		do: afterWords((x) => x.chunk(`${delta(undefined, "error")}data: [DONE]\n\n`)) },
	{ name: "an event that is not JSON", text: SAID, code: "protocol", do: afterWords((x) => x.chunk("data: <html>\n\n")) },
	{ name: "100 MB in one line", text: SAID, code: "protocol", do: afterWords(async (x) => {
		await x.chunk("data: ");
		for (let i = 0; i < 100 && !x.socket.destroyed; i++)
			await x.chunk("x".repeat(1 << 20));
	}), check: (a) => assert.equal(a.metadata.error.provider_code, "upstream_line_too_long") },
	{ name: "brackets a hundred thousand deep", text: SAID, code: "protocol",
		do: afterWords((x) => x.chunk(`data: ${"[".repeat(100_000)}\n\n`)) },
	// odd, and yet whole
	{ name: "bytes that are no UTF-8", do: body(Buffer.concat([Buffer.from('data: {"choices":[{"delta":{"content":"a'),
		Buffer.from([0xff, 0xe2, 0x82]), Buffer.from('b"}}]}\n\n')]), DONE), check: says("a\ufffd\ufffdb") },
	{ name: "halves of a surrogate pair", do: body('data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n',
		'data: {"choices":[{"delta":{"content":"\\ude00b"}}]}\n\n', DONE), check: says("a\ufffd\ufffdb") },
	{ name: "a NUL", do: body('data: {"choices":[{"delta":{"content":"a\\u0000b"}}]}\n\n', DONE), check: says("a\0b") },
	{ name: "counts beyond 2⁶³", do: body(delta("a"), `data: {"choices":[],"usage":{"prompt_tokens":9223372036854775808,` +
		`"completion_tokens":1e400}}\n\n`, DONE), code: ["completed", "protocol"],
		check: (a) => assert.ok(a.metadata.usage.total_tokens < 1000, JSON.stringify(a.metadata.usage)) },
	{ name: "members twice", do: body('data: {"choices":[],"choices":[{"delta":{"content":"a","content":"b"}}]}\n\n', DONE),
		check: says("b") },
	{ name: "a byte at a time", do: async (x) => {
		await x.head();
		for (const byte of Buffer.from(delta("grün 😀") + DONE))
			await x.chunk(Buffer.from([byte]));
		await x.last();
	}, check: says("grün 😀") },
	{ name: "lines that end in CR alone", do: body((delta("a") + DONE).replaceAll("\n", "\r")), check: says("a") },
	{ name: "a mark, and silence instead of an end", do: async (x) => {
		await x.head();
		await x.chunk(delta("a") + DONE);
	}, check: says("a") },
	{ name: "noise behind the mark", do: body(delta("a") + DONE + delta("b") + sse({ error: { message: "late" } })), check: says("a") },
	{ name: "a second answer that nobody asked for", do: async (x) => {
		await body(delta("a") + DONE)(x);
		await body(delta("smuggled") + DONE)(x);
	}, check: says("a") },
	{ name: "who was asked beside the second answer", do: body(delta("b") + DONE), check: says("b") },
	{ name: "filtered", do: body(delta("a") + delta(undefined, "content_filter") + "data: [DONE]\n\n"),
		check: (a) => assert.equal(a.metadata.finish_reason, "content_filter") },
];

// --- the healthy ones ---

// Streams of which each says a word a round; a round is over once all have shown it.
class Pulse {
	constructor(owner, upstream) {
		this.service = owner;
		this.upstream = upstream;
		this.rounds = 0;
		this.longest = 0;
		this.watchers = [];
	}

	async start() {
		const names = Array.from({ length: HEALTHY }, (_, i) => `healthy ${i}`);

		this.ids = await Promise.all(names.map((prompt) => this.service.execute({ prompt, model: "well/m" })));
		this.exchanges = await Promise.all(names.map((prompt) => this.upstream.nextFor(prompt)));
		this.over = this.beat();
		this.over.catch((error) => this.watchers.forEach((w) => w.fail(error)));
	}

	async beat() {
		while (!this.stopping) {
			const began = performance.now();

			await Promise.all(this.exchanges.map((x) => x.send(`w${this.rounds} `)));
			await Promise.all(this.ids.map((id) => this.service.reach(id, this.rounds + 1, 20_000)));
			this.longest = Math.max(this.longest, performance.now() - began);
			this.rounds++;
			this.watchers = this.watchers.filter((w) => w.round > this.rounds || (w.done(), false));
			await pause(10);
		}
	}

	// Resolves after a round that begins from now on.
	again() {
		return new Promise((done, fail) => this.watchers.push({ round: this.rounds + 2, done, fail }));
	}

	async finish() {
		this.stopping = true;
		await this.over;
		await Promise.all(this.exchanges.map((x) => x.finish()));
		return Promise.all(this.ids.map((id) => this.service.finish(id)));
	}
}

// --- */

function certificate() {
	const dir = tempDir();

	execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
		"-keyout", path.join(dir, "key"), "-out", path.join(dir, "cert"), "-subj", "/CN=127.0.0.1", "-days", "2"],
	{ stdio: "ignore" });
	return { key: readFileSync(path.join(dir, "key")), cert: readFileSync(path.join(dir, "cert")) };
}

const upstream = (name, url) => `[upstream ${name}]\nbase_url = ${url}\nmodel = m\n`;

async function serve(more, args = [], options = {}) {
	const dir = tempDir();

	writeFileSync(path.join(dir, "spool.ini"), more);
	return Service.start({ dir, args: ["--config", path.join(dir, "spool.ini"), "--circuit-failures", "0",
		"--retry-attempts", "1", ...args], ...options });
}

let hasty, mute, plain;

before(async () => {
	bad = await HostileUpstream.start();
	badTls = await HostileUpstream.start({ tls: certificate() });
	canary = await HostileUpstream.start();
	mute = await HostileUpstream.start();
	well = await ScriptedUpstream.start();
	deaf = await deafPort();
	plain = await HostileUpstream.start();
	service = await serve([["bad", bad.url], ["well", well.url], ["refused", "http://127.0.0.1:1/v1"],
		["deaf", `http://127.0.0.1:${deaf.port}/v1`], ["unnamed", "http://nowhere.invalid/v1"],
		["plain-tls", `https://127.0.0.1:${plain.port}/v1`], ["mute-tls", `https://127.0.0.1:${mute.port}/v1`],
		["unsigned", badTls.url]].map(([name, url]) => upstream(name, url)).join(""),
	["--connect-timeout", "3s", "--first-token-timeout", "5s", "--idle-timeout", "5s", "--total-timeout", "10m"]);
	hasty = await serve(upstream("hasty", bad.url), ["--total-timeout", "5s", "--max-answer", "8MiB"]);
	// A TLS client's hello is no request: nobody answers it.
	plain.server.on("connection", (s) => s.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
	mute.server.removeAllListeners("connection").on("connection", (s) => s.on("error", () => {}).unref());
	pulse = new Pulse(service, well);
	await pulse.start();
});
after(async () => {
	await service?.stop();
	await hasty?.stop();
	await well?.stop();
	for (const x of [bad, badTls, canary, mute, plain, deaf])
		x?.stop();
});

async function checkRow(row) {
	const at = row.at ?? "bad";
	const asked = at === "hasty" ? hasty : service;
	const id = row.id = await asked.execute({ prompt: row.name, model: `${at}/${row.name}` });

	row.known(id);
	const answer = await asked.finish(id, { ms: 120_000 });
	const codes = [row.code ?? "completed"].flat();
	const code = answer.status === "completed" ? "completed" : answer.metadata.error.code;

	checkDense(assert, answer.chunks);
	assert.equal(answer.chunks.filter((c) => c.metadata.kind === "end").length, 1);
	assert.equal(answer.chunks.at(-1).metadata.kind, "end");
	assert.ok(codes.includes(code), `${code}, not ${codes}: ${answer.metadata.error?.message}`);
	assert.equal(answer.status, code === "completed" ? "completed" : "failed");
	if (code !== "completed")
		assert.ok(answer.metadata.error.message.length > 0, "a message for people");
	if (row.text !== undefined)
		assert.equal(answer.text, row.text);
	else if (code !== "completed" && at !== "hasty")
		assert.equal(answer.text, "");
	if (row.status)
		assert.equal(answer.metadata.error.status, row.status);
	row.check?.(answer);
	assert.equal(answer.metadata.attempts.length, 1);
	if (asked === service)
		await pulse.again();
}

test(`${faults.length} faults at once, beside ${HEALTHY} streams that go on`, { concurrency: true }, async (t) => {
	for (const row of faults) {
		const known = new Promise((done) => { row.known = done; });
		const asked = row.at === "hasty" ? hasty : service;

		if (row.do)
			bad.faults[row.name] = (x) => row.do(x, (n) => known.then((id) => asked.reach(id, n)));
	}
	await Promise.all(faults.map((row) => t.test(`${row.name}: ${[row.code ?? "completed"].flat().join(" or ")}`, () => checkRow(row))));
	const whole = await pulse.finish();

	for (const answer of whole) {
		assert.equal(answer.status, "completed");
		assert.equal(answer.text, Array.from({ length: pulse.rounds }, (_, i) => `w${i} `).join(""));
	}
	t.diagnostic(`${pulse.rounds} rounds of ${HEALTHY}, the longest ${pulse.longest.toFixed(0)} ms`);
	assert.equal((await service.ask("/healthz")).status, 200);
});

// A resolver that never answers, for one service alone.
test("a resolver that never answers holds up nobody else", { skip: !root && "needs root: a mount of its own" }, async () => {
	const socket = dgram.createSocket("udp4");
	const dir = tempDir();
	let asked = 0;

	socket.on("message", () => asked++);
	await new Promise((done, fail) => socket.once("error", fail).bind(53, "127.0.0.73", done));
	socket.unref();
	writeFileSync(path.join(dir, "resolv.conf"), "nameserver 127.0.0.73\noptions timeout:5 attempts:3\n");
	writeFileSync(path.join(dir, "serve"), `#!/bin/sh
exec unshare -m sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' ${dir}/resolv.conf ${process.env.SPOOL_BINARY ??
		path.resolve("build/spool")} "$@"\n`, { mode: 0o755 });
	const other = await serve(upstream("lost", "http://slow.example/v1") + upstream("well", well.url),
		["--connect-timeout", "1s"], { program: path.join(dir, "serve") });
	const beside = new Pulse(other, well);

	await beside.start();
	const lost = await Promise.all(Array.from({ length: 4 }, (_, i) => other.execute({ prompt: `lost ${i}`, model: "lost/m" })));
	for (const id of lost) {
		const answer = await other.finish(id);

		assert.equal(answer.metadata.error.code, "connect_timeout");
	}
	await beside.again();
	assert.ok(asked > 0, "it was asked");
	for (const answer of await beside.finish())
		assert.equal(answer.status, "completed");
	// Resolvers that still wait do not hold up the end.
	assert.equal((await within(30_000, "the end", other.stop())).code, 0);
	socket.close();
});
