// The log of changes (WAL) stays small whatever readers do. COMMITS (2000) says how
// many commits are made beside those that stall.

import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import { after, before, test } from "node:test";
import { Service, Sim, each, pause, within } from "./service.mjs";

const COMMITS = Number(process.env.COMMITS ?? 2000);
const MOST = 64 << 20;
const REST = 4 << 20;
const REST_MS = 10_000;
const STREAMS = 100;

let sim;

before(async () => { sim = await Sim.start(["--rate", "50", "--first-ms", "0"]); });
after(() => sim?.stop());

// Ask, and read nothing of the answer.
function stall(service, route) {
	const { hostname, port } = new URL(service.url);

	return new Promise((done, fail) => {
		const socket = net.connect({ host: hostname, port: Number(port), onread: { buffer: Buffer.alloc(1), callback: () => false } });

		socket.on("error", fail);
		socket.on("connect", () => {
			socket.removeAllListeners("error");
			socket.on("error", () => {});
			socket.pause();
			socket.write(`GET ${route} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${service.key}\r\n\r\n`,
				() => done(socket));
		});
	});
}

test(`beside 20 stalled readers the WAL is bounded over ${COMMITS} commits, and small at rest`, async (t) => {
	const service = await Service.start({ upstream: sim.url });
	const commits = async () => (await service.ask("/v1/status")).json.store.commits;
	const size = () => fs.statSync(`${service.db}-wal`).size;
	const stored = [];
	const live = [];

	await each(10, 5, async (i) => {
		const id = await service.execute({ prompt: `long ${i}`, model: "sim?tokens=20000&rate=0" });

		await service.finish(id, { ms: 60_000 });
		stored.push(id);
	});
	await each(STREAMS, 16, async (i) => {
		live.push(await service.execute({ prompt: `live ${i}`, model: "sim?tokens=10000000" }));
	});
	const stalled = [];
	for (let i = 0; i < 20; i++)
		stalled.push(await stall(service, [
			"/v1/executions/export",
			`/v1/executions/${stored[i % stored.length]}/chunks?limit=1000`,
			`/v1/executions/${live[i]}/chunks?fromIndex=1000000000&wait_ms=60000`,
			`/v1/executions/${live[i]}/events`,
		][i % 4]));

	const begun = await commits();
	let most = 0, done = 0;
	while (done < COMMITS) {
		for (let i = 0; i < 20; i++) {
			most = Math.max(most, size());
			await pause(10);
		}
		done = await commits() - begun;
	}
	await each(live.length, 16, (i) => service.ask(`/v1/executions/${live[i]}/cancel`, { method: "POST" }));
	await each(live.length, 16, (i) => service.finish(live[i]));
	assert.ok(most <= MOST, `the WAL had ${most} bytes`);
	assert.ok(most > REST, `it was filled at all: ${most} bytes`);
	await within(REST_MS, () => `a WAL of at most ${REST} bytes, it has ${size()}`, (async () => {
		while (size() > REST)
			await pause(20);
	})());
	t.diagnostic(`${done} commits, WAL at most ${(most / 1e6).toFixed(1)} MB, ${(size() / 1e6).toFixed(1)} MB at rest`);
	stalled.forEach((socket) => socket.destroy());
	await service.stop();
});
