// SIGTERM under load: what came is stored, what runs ends, and it is quick.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, Sim, ask, each, knob, pause, textOf } from "./service.mjs";
import { Dice, KINDS, Witness, isBroken } from "./witness.mjs";

// TERMS (5) and SEED come from the environment.
const TERMS = knob("TERMS", 5, 100);
const STREAMS = 100;
const DRAIN_MS = 300;
const SLACK_MS = 5000;

let sim;

before(async () => { sim = await Sim.start(["--rate", "30", "--first-ms", "20"]); });
after(() => sim?.stop());

async function load(service, model) {
	const ids = [];

	await each(STREAMS, 16, async (i) => { ids.push(await service.execute({ prompt: `term ${i}`, ...(model ? { model } : {}) })); });
	await each(ids.length, 16, (i) => service.reach(ids[i], 3));
	return ids;
}

test("answers that end within the drain are completed", async () => {
	const service = await Service.start({ upstream: sim.url, args: ["--drain", "15s"] });
	const ids = await load(service);
	const end = await service.stop();

	assert.equal(end.code, 0, service.log.slice(-2000));
	assert.ok(end.ms < 15_000 + SLACK_MS, `${end.ms} ms`);
	await service.restart();
	await each(ids.length, 16, async (i) => assert.equal((await service.finish(ids[i])).status, "completed"));
	await service.stop();
});

test("answers that do not are interrupted, with all that came", async () => {
	const service = await Service.start({ upstream: sim.url, args: ["--drain", "1s"] });
	const ids = await load(service, "sim?tokens=100000");
	const seen = new Map();
	// Streams that are read to their end, and some that nobody reads.
	const streams = ids.slice(0, 20).map((id) => ask(`${service.url}/v1/executions/${id}/events`, { key: service.key }));
	const deaf = ids.slice(20, 40).map((id) => http.get(`${service.url}/v1/executions/${id}/events`,
		{ headers: { Authorization: `Bearer ${service.key}` }, agent: false }, (answer) => answer.pause())
		.on("error", () => {}));

	await each(ids.length, 16, async (i) => seen.set(ids[i], (await service.page(ids[i])).chunks));
	const end = await service.stop();
	assert.equal(end.code, 0, service.log.slice(-2000));
	assert.ok(end.ms >= 900 && end.ms < 1000 + SLACK_MS, `${end.ms} ms`);
	deaf.forEach((request) => request.destroy());
	for (const [i, stream] of (await Promise.all(streams)).entries())
		assert.match(stream.text, /interrupted/, `the stream of ${ids[i]} says how it ended`);
	await service.restart();
	await each(ids.length, 16, async (i) => {
		const answer = await service.finish(ids[i]);

		assert.equal(answer.status, "failed");
		assert.equal(answer.metadata.error.code, "interrupted");
		assert.deepEqual(answer.chunks.slice(0, seen.get(ids[i]).length), seen.get(ids[i]));
		// It went on for the second of the drain: more was stored than was seen.
		assert.ok(answer.text.length > textOf(seen.get(ids[i])).length);
	});
	await service.stop();
});

test("every word the upstream had sent before the signal is stored", async () => {
	const upstream = await ScriptedUpstream.start();
	const service = await Service.start({ upstream: upstream.url, args: ["--drain", "500ms"] });
	const ids = [];

	for (let i = 0; i < 20; i++) {
		ids.push(await service.execute(`words ${i}`));
		const x = await upstream.nextFor(`words ${i}`);

		for (let k = 0; k < 10; k++)
			await x.send(`w${k} `);
	}
	const end = await service.stop();
	assert.equal(end.code, 0);
	await service.restart();
	for (const id of ids)
		assert.equal((await service.finish(id)).text, "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 ");
	await service.stop();
	await upstream.stop();
});

// An upstream that says word after word to each of its clients until they hang up.
async function talk(x) {
	for (let k = 0; !x.response.destroyed; k++) {
		await x.send(`w${k} `);
		await pause(5 + k % 10);
	}
}

test(`${TERMS} stops under ${STREAMS} streams lose no word that was sent, and leave no reader alone`, async (t) => {
	const dice = new Dice();
	const upstream = await ScriptedUpstream.start(talk);
	const service = await Service.start({ upstream: upstream.url, args: ["--drain", `${DRAIN_MS}ms`] });
	const witness = new Witness(service, { stays: true });
	let words = 0, slowest = 0;

	for (let round = 0; round < TERMS; round++) {
		const ids = [];
		let stopped = false;
		const underFire = (work) => work.catch((error) => {
			if (!stopped || !isBroken(error))
				throw error;
		});

		upstream.exchanges.length = 0;
		await each(STREAMS, 16, async (i) => { ids[i] = await service.execute(`${round}-${i}`); });
		const reading = KINDS.map((kind, k) =>
			underFire(witness.read(kind, ids.filter((_, i) => i % KINDS.length === k), () => stopped)));
		await pause(50 + dice.roll(300));
		// All that was sent by now is on its way, or here.
		const sent = new Map(upstream.exchanges.map((x) => [x.prompt, x.sent]));
		stopped = true;
		const end = await service.stop();
		assert.equal(end.code, 0, service.log.slice(-2000));
		slowest = Math.max(slowest, end.ms);
		assert.ok(end.ms < DRAIN_MS + SLACK_MS, `${end.ms} ms`);
		await Promise.all(reading);
		await service.restart();
		const stored = await witness.settle(ids);
		witness.compare(stored);
		ids.forEach((id, i) => {
			const s = stored.get(id);
			const text = textOf(s.chunks.map((c) => JSON.parse(c)));
			const had = sent.get(`${round}-${i}`) ?? "";

			words += had.split(" ").length - 1;
			assert.ok(text.startsWith(had), `sent: ${had}\nstored: ${text}`);
		});
		witness.seal(stored);
	}
	await witness.recheck();
	t.diagnostic(`${witness.final.size} executions, ${TERMS} stops, ${words} words sent before them, none lost, ` +
		`slowest stop ${Math.round(slowest)} ms with a drain of ${DRAIN_MS} (SEED=${dice.seed})`);
	await service.stop();
	await upstream.stop();
});

test("while it drains it says so and takes no new work", async () => {
	const upstream = await ScriptedUpstream.start();
	const service = await Service.start({ upstream: upstream.url, args: ["--drain", "20s"] });
	const id = await service.execute("drain me");
	const x = await upstream.nextFor("drain me");

	await x.send("before ");
	await service.reach(id, 1);
	const ending = service.stop();
	let refused, taken = -1;
	do {
		taken++;
		refused = await ask(`${service.url}/v1/executions`, { key: service.key, body: { prompt: "too late" } })
			.catch((error) => ({ status: error.code }));
	} while (refused.status === 202);
	assert.ok(refused.status === 503 || refused.status === "ECONNREFUSED" || refused.status === "ECONNRESET",
		`${refused.status}`);
	await x.send("after");
	await x.finish();
	// What began before the signal was heard goes on, too; what did not begin stays queued.
	const others = (async () => {
		for (; taken > 0; taken--)
			await (await upstream.nextFor("too late")).finish();
	})().catch(() => {});
	const end = await ending;
	assert.equal(end.code, 0);
	assert.ok(end.ms < 15_000, "it does not wait for the end of the drain");
	await service.restart();
	const answer = await service.finish(id);
	assert.equal(answer.text, "before after");
	assert.equal(answer.status, "completed");
	await others;
	await service.stop();
	await upstream.stop();
});

test("a second signal ends it at once, and nothing shown is lost", async () => {
	const service = await Service.start({ upstream: sim.url, args: ["--drain", "60s"] });
	const ids = await load(service, "sim?tokens=100000");
	const start = performance.now();

	service.child.process.kill("SIGTERM");
	// Two of a kind that wait are one: the first must have been taken.
	await service.child.says(/stopping/);
	const end = await service.stop();
	assert.ok(performance.now() - start < SLACK_MS);
	assert.equal(end.signal, null);
	await service.restart();
	await each(ids.length, 16, async (i) => assert.equal((await service.finish(ids[i])).status, "failed"));
	await service.stop();
});

test("an idle server stops at once", async () => {
	const service = await Service.start({ demo: true });
	const end = await service.stop();

	assert.equal(end.code, 0);
	assert.ok(end.ms < 3000, `${end.ms} ms`);
});
