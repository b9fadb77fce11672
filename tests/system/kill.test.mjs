// kill -9, again and again, under 100 concurrent streams. Readers of every kind
// write down all they were shown; after each restart the store must agree, byte
// for byte. KILLS (50) and SEED (of the moments) come from the environment.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Service, Sim, ask, each, pause, within } from "./service.mjs";

const KILLS = Number(process.env.KILLS ?? 50);
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000_007);
const STREAMS = 100;
const SETTLE_MS = 20_000;
const POLL_BATCH = 100;

let sim, service;

before(async () => {
	sim = await Sim.start(["--rate", "150", "--first-ms", "20"]);
	service = await Service.start({ upstream: sim.url, args: ["--drain", "1s"] });
});
after(async () => {
	await service?.stop();
	await sim?.stop();
});

// xorshift32: the moments of the kills can be drawn again.
let state = (SEED | 1) >>> 0;
function random(n) {
	state ^= state << 13;
	state ^= state >>> 17;
	state ^= state << 5;
	state >>>= 0;
	return state % n;
}

// What readers were shown: id → { chunks: [JSON text], ended: status | null }.
const shown = new Map();
const shownCount = { pages: 0, chunks: 0, ends: 0 };
// Creations that were acknowledged.
let alive = [];

function note(page) {
	let log = shown.get(page.execution_id);

	if (!log)
		shown.set(page.execution_id, log = { chunks: [], ended: null });
	shownCount.pages++;
	for (const chunk of page.chunks) {
		const text = JSON.stringify(chunk);

		if (log.chunks[chunk.index] === undefined) {
			log.chunks[chunk.index] = text;
			shownCount.chunks++;
		} else {
			assert.equal(text, log.chunks[chunk.index], `chunk ${chunk.index} of ${page.execution_id}`);
		}
	}
	if (page.completed) {
		if (log.ended === null)
			shownCount.ends++;
		else
			assert.equal(page.status, log.ended, `the end of ${page.execution_id}`);
		log.ended = page.status;
		log.metadata ??= JSON.stringify(page.metadata);
		assert.equal(JSON.stringify(page.metadata), log.metadata, `the metadata of ${page.execution_id}`);
	}
}

const stopped = { now: false };

// One reader until the kill: polls, holds, or asks for many at once.
async function read(kind, ids) {
	const from = new Map(ids.map((id) => [id, 0]));
	const open = new Set(ids);

	while (open.size > 0 && !stopped.now) {
		if (kind === "batch") {
			const some = [...open].slice(0, POLL_BATCH);
			const answer = await service.ask("/v1/executions/poll", { body: { executions:
				some.map((id) => ({ execution_id: id, fromIndex: from.get(id) })) } });

			assert.equal(answer.status, 200, answer.text);
			for (const page of answer.json.executions) {
				note(page);
				from.set(page.execution_id, page.next_index);
				if (page.completed)
					open.delete(page.execution_id);
			}
			await pause(20);
			continue;
		}
		for (const id of open) {
			let page;

			if (stopped.now)
				return;
			if (kind === "callable") {
				const answer = await service.call("get_execution_chunks", { executionId: id, fromIndex: from.get(id) });

				assert.equal(answer.status, 200, answer.text);
				page = answer.result;
			} else {
				page = await service.page(id, { fromIndex: from.get(id), ...(kind === "hold" ? { wait_ms: 40 } : {}) });
			}
			note(page);
			from.set(id, page.next_index);
			if (page.completed)
				open.delete(id);
		}
	}
}

// After a kill the connections break: that is no finding, all else is.
const isBroken = (error) => ["ECONNRESET", "ECONNREFUSED", "EPIPE"].includes(error.code) ||
	/socket hang up|aborted/.test(error.message);

async function underFire(work) {
	try {
		await work();
	} catch (error) {
		if (!isBroken(error) || !stopped.now)
			throw error;
	}
}

async function storm(round) {
	const fresh = [];

	stopped.now = false;
	alive = [];
	const firing = [];
	const creating = underFire(() => each(STREAMS, 16, async (i) => {
		if (stopped.now)
			return;
		const answer = await service.ask("/v1/executions", { body: { prompt: `round ${round} stream ${i}` } });

		assert.equal(answer.status, 202, answer.text);
		fresh.push(answer.json.execution_id);
		alive.push(answer.json.execution_id);
		// Readers join as the streams do: each stream has one of its own, and more.
		if (fresh.length % 10 === 0) {
			const kind = ["poll", "hold", "callable", "batch"][(fresh.length / 10) % 4];

			firing.push(underFire(() => read(kind, fresh.slice(-10))));
		}
	}));
	firing.push(underFire(async () => {
		while (!stopped.now) {
			if (fresh.length > 0)
				await underFire(() => read("batch", fresh.slice()));
			await pause(10);
		}
	}));
	// Some rounds are hit while executions are still being created.
	if (round % 5 !== 0)
		await creating;
	await pause(20 + random(480));
	stopped.now = true;
	await service.kill9();
	await creating;
	await Promise.all(firing);
}

// All pages of `ids`, many at a time, until they have ended.
async function settle(ids) {
	const stored = new Map(ids.map((id) => [id, { chunks: [], page: null }]));
	const until = performance.now() + SETTLE_MS;
	let open = ids;

	while (open.length > 0) {
		assert.ok(performance.now() < until, `${open.length} executions have not ended ${SETTLE_MS} ms after the restart: ` +
			JSON.stringify({ ...stored.get(open[0]).page, chunks: undefined }));
		for (let i = 0; i < open.length; i += POLL_BATCH) {
			const some = open.slice(i, i + POLL_BATCH);
			const answer = await service.ask("/v1/executions/poll", { body: { executions:
				some.map((id) => ({ execution_id: id, fromIndex: stored.get(id).chunks.length })) } });

			assert.equal(answer.status, 200, answer.text);
			for (const [k, page] of answer.json.executions.entries()) {
				assert.ok(Array.isArray(page.chunks), `${some[k]} was acknowledged and is gone: ${JSON.stringify(page)}`);
				const s = stored.get(some[k]);

				for (const chunk of page.chunks) {
					assert.equal(chunk.index, s.chunks.length, `the indices of ${some[k]} are dense`);
					s.chunks.push(JSON.stringify(chunk));
				}
				s.page = page;
			}
		}
		const still = open.filter((id) => !stored.get(id).page.completed);
		if (still.length === open.length)
			await pause(20);
		open = still;
	}
	return stored;
}

function compare(stored) {
	for (const [id, s] of stored) {
		const log = shown.get(id);

		assert.equal(s.page.total_chunks, s.chunks.length);
		assert.equal(JSON.parse(s.chunks.at(-1)).metadata.kind, "end");
		assert.equal(s.chunks.filter((c) => JSON.parse(c).metadata.kind === "end").length, 1);
		if (!log)
			continue;
		for (const [index, text] of log.chunks.entries())
			assert.equal(s.chunks[index], text, `chunk ${index} of ${id} was shown and is not what is stored`);
		if (log.ended !== null) {
			assert.equal(s.page.status, log.ended, `${id} had ended`);
			assert.equal(s.chunks.length, log.chunks.length);
		}
	}
}

test(`${KILLS} kills lose nothing that was shown (SEED=${SEED})`, async (t) => {
	const all = [];
	let readyMs = 0;

	for (let round = 0; round < KILLS; round++) {
		await storm(round);
		const start = performance.now();
		await service.restart();
		readyMs = Math.max(readyMs, performance.now() - start);
		const stored = await settle(alive);
		compare(stored);
		// From now on these have ended: they must stay as they are for ever.
		for (const s of stored.values())
			note({ ...s.page, chunks: s.chunks.map((c) => JSON.parse(c)) });
		all.push(...alive);
	}
	compare(await settle(all));
	const ended = {};
	for (const log of shown.values())
		ended[log.ended] = (ended[log.ended] ?? 0) + 1;
	t.diagnostic(`${all.length} executions (${JSON.stringify(ended)}), ${KILLS} kills, ${shownCount.chunks} chunks shown, ` +
		`slowest restart ${Math.round(readyMs)} ms`);
	assert.ok(shownCount.chunks > KILLS * 20, `the readers were shown something: ${JSON.stringify(shownCount)}`);

	for (const status of ["queued", "streaming"]) {
		const left = await service.ask(`/v1/executions?status=${status}&limit=100`);

		assert.deepEqual(left.json.executions ?? left.json.data, [], `none is left ${status}`);
	}
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
