// kill -9, again and again, under 100 concurrent streams. Readers of every kind
// write down all they were shown; after each restart the store must agree, byte
// for byte. KILLS (50) and SEED (of the moments) come from the environment.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Service, Sim, ask, each, knob, pause, within } from "./service.mjs";
import { Dice, KINDS, Witness, isBroken } from "./witness.mjs";

const KILLS = knob("KILLS", 50, 1000);
const STREAMS = 100;
const READERS = 10;
const dice = new Dice();

let sim, service, witness;

before(async () => {
	sim = await Sim.start(["--rate", "150", "--first-ms", "20"]);
	service = await Service.start({ upstream: sim.url, args: ["--drain", "1s"] });
	witness = new Witness(service);
});
after(async () => {
	await service?.stop();
	await sim?.stop();
});

let stopped = false;

// After a kill the connections break: that is no finding, all else is.
async function underFire(work) {
	try {
		await work();
	} catch (error) {
		if (!isBroken(error) || !stopped)
			throw error;
	}
}

// A round: executions, their readers, the kill. Gives the acknowledged ids.
async function storm(round) {
	const ids = [];
	const firing = [];

	stopped = false;
	const creating = underFire(() => each(STREAMS, 16, async (i) => {
		if (stopped)
			return;
		const answer = await service.ask("/v1/executions", { body: { prompt: `round ${round} stream ${i}` } });

		assert.equal(answer.status, 202, answer.text);
		ids.push(answer.json.execution_id);
		// Readers join as the streams do: each stream has one of its own, and more.
		if (ids.length % READERS === 0) {
			const kind = KINDS[(round + ids.length / READERS) % KINDS.length];

			firing.push(underFire(() => witness.read(kind, ids.slice(-READERS), () => stopped)));
		}
	}));
	firing.push(underFire(async () => {
		while (!stopped) {
			if (ids.length > 0)
				await witness.read("batch", ids.slice(), () => stopped);
			await pause(10);
		}
	}));
	// Some rounds are hit while executions are still being created.
	if (round % 5 !== 0)
		await creating;
	await pause(20 + dice.roll(480));
	stopped = true;
	await service.kill9();
	await creating;
	await Promise.all(firing);
	return ids;
}

test(`${KILLS} kills lose nothing that was shown (SEED=${dice.seed})`, async (t) => {
	const ended = {};
	let readyMs = 0;

	for (let round = 0; round < KILLS; round++) {
		const ids = await storm(round);
		const start = performance.now();

		await service.restart();
		readyMs = Math.max(readyMs, performance.now() - start);
		const stored = await witness.settle(ids);
		witness.compare(stored);
		witness.seal(stored);
		// Some that had ended long ago, in every round; all of them at the end.
		const all = [...witness.final.keys()];

		await witness.recheck([...new Set(Array.from({ length: 20 }, () => all[dice.roll(all.length)]))]);
		for (const s of stored.values())
			ended[s.page.status] = (ended[s.page.status] ?? 0) + 1;
	}
	await witness.recheck();
	await witness.nothingOpen();
	t.diagnostic(`${witness.final.size} executions (${JSON.stringify(ended)}), ${KILLS} kills, ` +
		`${witness.count.chunks} chunks and ${witness.count.texts} texts shown, slowest restart ${Math.round(readyMs)} ms`);
	assert.ok(witness.count.chunks > KILLS * 20, `the readers were shown something: ${JSON.stringify(witness.count)}`);
});

test("what a kill interrupted says so", async () => {
	const id = await service.execute({ prompt: "interrupt me", model: "sim-slow" });

	await within(20_000, "a first chunk", service.reach(id, 1, 20_000));
	await service.kill9();
	await service.restart({ samePort: true });
	const answer = await service.finish(id);
	assert.equal(answer.status, "failed");
	assert.equal(answer.metadata.error.code, "interrupted");
	assert.match(answer.text, /^This/);
	assert.equal((await ask(`${service.url}/readyz`)).status, 200);
});
