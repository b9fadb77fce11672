// More answers at once than this machine can read: what must be quick stays quick.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Service, Sim, checkDense, each } from "./service.mjs";

const STREAMS = 400;
const CANCEL_MS = 1000;
const DRAIN_MS = 500;

let sim, service;

before(async () => {
	sim = await Sim.start(["--rate", "0", "--first-ms", "0", "--tokens", "100000"]);
	service = await Service.start({ upstream: sim.url, args: ["--drain", `${DRAIN_MS}ms`] });
});
after(async () => {
	await service?.stop();
	await sim?.stop();
});

test("a cancel is heard and a stop is kept while all upstreams flood", async (t) => {
	const ids = [];
	let slowest = 0;

	await each(STREAMS, 16, async (i) => { ids.push(await service.execute(`flood ${i}`)); });
	for (let i = 0; i < 10; i++) {
		const before = performance.now();
		const answer = await service.ask(`/v1/executions/${ids[i * 7]}/cancel`, { body: {} });

		slowest = Math.max(slowest, performance.now() - before);
		assert.equal(answer.json.status, "cancelled", answer.text);
	}
	assert.ok(slowest < CANCEL_MS, `a cancel took ${Math.round(slowest)} ms`);
	const end = await service.stop();
	assert.equal(end.code, 0, service.log.slice(-2000));
	assert.ok(end.ms < DRAIN_MS + 5000, `the stop took ${Math.round(end.ms)} ms`);
	t.diagnostic(`slowest cancel ${Math.round(slowest)} ms, stop ${Math.round(end.ms)} ms`);
	await service.restart();
	const cancelled = await service.finish(ids[0]);
	assert.equal(cancelled.status, "cancelled");
	checkDense(assert, cancelled.chunks);
	assert.equal((await service.page(ids[1])).status, "failed");
});
