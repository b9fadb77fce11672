// Clients that never read, never stop asking, or never come to the point: each
// costs little, is closed in time, and nobody else notices.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, each, knob, within } from "./service.mjs";
import { Bare, frame } from "./socket.mjs";

const DEAD = knob("READERS", 1000, 1000);
const SLOW = knob("SLOW", 2000, 2000);
// What users have by default is longer; the test needs no minute.
const STALL_MS = 2000, HEADER_MS = 2000;
// An answer that no socket's buffers hold.
const LINE = "x".repeat(16384), LINES = 500;

let upstream, service;

// Each measures a server of its own: memory that was used once is not given back.
const serve = async () => {
	service = await Service.start({ upstream: upstream.url, args: ["--stall-timeout", `${STALL_MS}ms`,
		"--header-timeout", `${HEADER_MS}ms`, "--keepalive-timeout", "5m", "--ping", "5s"] });
};

before(async () => {
	upstream = await ScriptedUpstream.start(async (x) => {
		for (let i = 0; i < (x.prompt === "large" ? LINES : 3); i++)
			await x.send(LINE);
		await x.finish();
	});
});
beforeEach(serve);
afterEach(() => service.stop("SIGKILL"));
after(async () => {
	await upstream?.stop();
});

const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.pid}/status`, "utf8"))[1]) << 10;

// The most memory that it had while `work` went on, and what it gave.
async function peak(work) {
	let most = rss();
	const timer = setInterval(() => { most = Math.max(most, rss()); }, 20);

	try {
		const result = await work();

		return { result, most: Math.max(most, rss()) };
	} finally {
		clearInterval(timer);
	}
}

// How many connections the server has.
async function connections() {
	const text = readFileSync("/proc/net/tcp", "utf8");
	const port = Number(new URL(service.url).port).toString(16).toUpperCase().padStart(4, "0");

	// 01: established; 08: closed by the client.
	return text.split("\n").filter((l) => new RegExp(`^ *\\d+: \\S+:${port} \\S+ 01`).test(l)).length;
}

// One large answer, all of it in the store.
async function large() {
	const id = await service.execute("large");

	await service.finish(id, { ms: 60_000 });
	return id;
}

const doors = {
	"server-sent events": async (id) => {
		const bare = await Bare.open(service);

		bare.tcp.pause();
		await bare.write(`GET /v1/executions/${id}/events HTTP/1.1\r\nHost: localhost\r\n` +
			`Authorization: Bearer ${service.key}\r\n\r\n`);
		return bare;
	},
	"a WebSocket": async (id) => {
		const bare = await Bare.upgrade(service, { read: false });

		await bare.write(frame(1, JSON.stringify({ type: "subscribe", execution_id: id })));
		return bare;
	},
};

for (const [name, open] of Object.entries(doors))
	test(`${DEAD} that never read ${name} cost at most 100 kB each, are closed, and others go on`, async (t) => {
		const id = await large();

		// What the server keeps for any answer that is read is not theirs.
		await service.finish(id);
		const start = rss();
		const dead = [];
		const { most } = await peak(async () => {
			await each(DEAD, 50, async () => { dead.push(await open(id)); });
			// Somebody else asks and is answered all the while.
			for (let i = 0; i < 10; i++)
				assert.equal((await service.finish(await service.execute("other"))).status, "completed");
			await within(60_000, "the server to close them", (async () => {
				while (await connections() > DEAD / 20)
					await service.ask("/healthz");
			})());
		});

		t.diagnostic(`${((most - start) / DEAD / 1000).toFixed(1)} kB each, RSS ${most >> 20} MiB`);
		// The other one's answer is in memory, too.
		assert.ok(most - start < DEAD * 100_000 + (40 << 20), `${start} bytes, then ${most}`);
		for (const bare of dead)
			bare.tcp.destroy();
	});

test("300 MB sent while events are told cost nothing: they are not read", async (t) => {
	const TOTAL = 300 << 20, junk = Buffer.alloc(1 << 20, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	const id = await large();
	const reader = http.get(`${service.url}/v1/executions/${id}/events`, { agent: false,
		headers: { Authorization: `Bearer ${service.key}` } });
	const answer = await within(10_000, "an answer", new Promise((done) => reader.on("response", done)));

	// Not read: it lasts longer than the bytes are pushed.
	answer.pause();
	const start = rss();
	const { most, result } = await peak(async () => {
		let taken = 0;

		// What the kernels hold, and not one byte more; then nobody takes any.
		for (let left = TOTAL; left > 0; left -= junk.length) {
			const took = await Promise.race([
				new Promise((done) => reader.socket.write(junk, () => done(true))),
				within(1000, "", new Promise(() => {})).catch(() => false),
			]);

			if (!took)
				break;
			taken += junk.length;
		}
		return taken;
	});

	t.diagnostic(`${result >> 20} MiB were taken by the kernels; RSS + ${(most - start) >> 10} KiB`);
	assert.ok(result < 64 << 20, `${result} bytes were taken`);
	assert.ok(most - start < 8 << 20, `${start} bytes, then ${most}`);
	reader.destroy();
});

test(`${SLOW} that never end their header are closed in time while polls are answered`, async (t) => {
	const id = await large();
	const slow = [];
	let closed = 0, polls = 0, slowest = 0;
	const { hostname, port } = new URL(service.url);

	await each(SLOW, 100, async () => {
		const tcp = net.connect(Number(port), hostname);

		tcp.on("error", () => {});
		tcp.on("close", () => { closed++; });
		tcp.resume();
		await within(10_000, "a connection", new Promise((done) => tcp.once("connect", done)));
		tcp.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
		slow.push(tcp);
	});
	// A byte now and then, as slowloris does; a deadline of the whole does not mind.
	const drip = setInterval(() => slow.forEach((tcp) => tcp.writable && tcp.write("X")), 500);
	const begun = performance.now();

	try {
		await within(60_000, () => `all to be closed; ${closed} are`, (async () => {
			while (closed < SLOW) {
				const before = performance.now();
				const page = await service.page(id, { fromIndex: 0, limit: 2 });

				assert.equal(page.chunks.length, 2);
				slowest = Math.max(slowest, performance.now() - before);
				polls++;
			}
		})());
	} finally {
		clearInterval(drip);
		slow.forEach((tcp) => tcp.destroy());
	}
	t.diagnostic(`all closed ${Math.round(performance.now() - begun)} ms after the last came; ` +
		`${polls} polls meanwhile, the slowest took ${Math.round(slowest)} ms`);
	assert.ok(polls > 0);
});
