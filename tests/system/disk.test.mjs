// What happens to the store's files under a running server, and beside it.

import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { Service, Sim, pause, within } from "./service.mjs";

let sim;

before(async () => { sim = await Sim.start(["--rate", "0", "--first-ms", "0", "--tokens", "5"]); });
after(() => sim?.stop());

// Ask until the store says that it has stopped, or the process has.
async function untilStopped(service) {
	for (;;) {
		let answer;

		try {
			answer = await service.ask("/v1/executions", { body: { prompt: "is anybody there?" } });
		} catch {
			return;
		}
		if (answer.status === 503)
			return;
		assert.equal(answer.status, 202, answer.text);
		await pause(20);
	}
}

test("of two servers whose lock was removed the newer one has the store", async () => {
	const service = await Service.start({ upstream: sim.url });
	const id = await service.execute("before");

	await service.finish(id);
	fs.rmSync(`${service.db}.lock`);
	const newer = await Service.start({ upstream: sim.url, dir: service.dir });
	const end = await within(10_000, "the exit", service.child.exited);
	assert.equal(end.code, 1, JSON.stringify(end));
	assert.match(service.log, /its lock was removed or replaced|another process has taken over the store/);
	assert.equal((await newer.finish(id)).status, "completed");
	assert.equal((await newer.finish(await newer.execute("after"))).status, "completed");
	await newer.stop();
});

const hands = {
	"removed": (db) => ["", "-wal", "-shm"].forEach((part) => fs.rmSync(db + part)),
	"replaced": (db) => { fs.copyFileSync(db, `${db}.new`); fs.renameSync(`${db}.new`, db); },
};

for (const [name, hand] of Object.entries(hands))
	test(`a database that was ${name} stops the server, and it says why`, async () => {
		const service = await Service.start({ upstream: sim.url });

		await service.finish(await service.execute("before"));
		hand(service.db);
		await within(10_000, "the stop", untilStopped(service));
		const end = await within(10_000, "the exit", service.child.exited);
		assert.equal(end.code, 1, JSON.stringify(end));
		assert.match(service.log, /was removed or replaced while it was in use/);
	});
