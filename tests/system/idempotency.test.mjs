// One Idempotency-Key makes one execution, however often and however at once.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, each, knob, pause } from "./service.mjs";
import { Dice } from "./witness.mjs";

// How often one key is sent across a kill: KEYS (5) and SEED come from the
// environment.
const KEYS = knob("KEYS", 5, 200);

let upstream, service;

before(async () => {
	upstream = await ScriptedUpstream.start(async (x) => {
		await x.send(`answer to ${x.prompt}`);
		await x.finish();
	});
	service = await Service.start({ upstream: upstream.url });
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

const create = (key, prompt = "once", options = {}) => service.ask("/v1/executions",
	{ body: { prompt }, headers: { "Idempotency-Key": key }, ...options });
const asked = (prompt) => upstream.exchanges.filter((x) => x.prompt === prompt).length;

test("the same key twice is the same execution", async () => {
	const first = await create("k1", "one");
	const second = await create("k1", "one");

	assert.equal(first.status, 202);
	assert.ok([200, 202].includes(second.status), second.text);
	assert.equal(second.json.execution_id, first.json.execution_id);
	await service.finish(first.json.execution_id);
	const third = await create("k1", "one");
	assert.equal(third.json.execution_id, first.json.execution_id);
	assert.equal(third.json.status, "completed");
	assert.equal(asked("one"), 1);
});

test("ten at once are one execution, asked of the upstream once", async () => {
	await each(20, 4, async (i) => {
		const answers = await Promise.all(Array.from({ length: 10 }, () => create(`burst-${i}`, `burst ${i}`)));
		const ids = new Set(answers.map((a) => a.json.execution_id));

		assert.equal(ids.size, 1);
		await service.finish([...ids][0]);
		assert.equal(asked(`burst ${i}`), 1);
	});
});

test("another key, or none, is another execution", async () => {
	const a = (await create("k2")).json.execution_id;
	const b = (await create("k3")).json.execution_id;
	const c = await service.execute("once");
	const d = await service.execute("once");

	assert.equal(new Set([a, b, c, d]).size, 4);
});

test("the same key for another request is refused", async () => {
	await create("k4", "this");
	const other = await create("k4", "that");

	assert.equal(other.status, 422, other.text);
	assert.equal(other.json.code, "idempotency_mismatch");
	assert.equal(asked("that"), 0);
});

test("keys of two owners are two keys", async () => {
	const made = await service.ask("/v1/keys", { body: { label: "other", owner: "other", scopes: ["run"] } });
	const secret = made.json.secret ?? made.json.key;

	assert.ok([200, 201].includes(made.status), made.text);
	const mine = (await create("k5", "shared")).json.execution_id;
	const theirs = await create("k5", "shared", { key: secret });
	assert.equal(theirs.status, 202, theirs.text);
	assert.notEqual(theirs.json.execution_id, mine);
});

test("a key is remembered across a crash", async () => {
	const first = await create("k6", "crash");

	await service.kill9();
	await service.restart();
	const second = await create("k6", "crash");
	assert.equal(second.json.execution_id, first.json.execution_id);
});

test("a creation whose answer was lost in a crash can be sent again", async () => {
	for (let i = 0; i < 10; i++) {
		const lost = Array.from({ length: 10 }, (_, k) =>
			create(`lost-${i}-${k}`, `lost ${i} ${k}`).catch(() => null));

		// The first to be answered starts the crash, so others are under way.
		await Promise.any(lost);
		await service.kill9();
		const answers = await Promise.all(lost);
		await service.restart();
		await each(10, 10, async (k) => {
			const again = await create(`lost-${i}-${k}`, `lost ${i} ${k}`);

			assert.ok([200, 202].includes(again.status), again.text);
			if (answers[k]?.status === 202)
				assert.equal(again.json.execution_id, answers[k].json.execution_id);
			await service.finish(again.json.execution_id);
		});
	}
	const all = await service.ask("/v1/executions?limit=1000");
	const list = all.json.executions ?? all.json.data;
	assert.equal(new Set(list.map((e) => e.execution_id)).size, list.length);
});

test(`one key sent ten times at once across a kill is one execution, ${KEYS} times`, async (t) => {
	const dice = new Dice();
	const made = await service.ask("/v1/keys", { body: { label: "burst", owner: "burst", scopes: ["run"] } });
	const key = made.json.secret ?? made.json.key;
	let answered = 0;

	for (let i = 0; i < KEYS; i++) {
		const burst = () => Array.from({ length: 10 }, () => create(`across-${i}`, `across ${i}`, { key }).catch(() => null));
		const lost = burst();

		await pause(dice.roll(40));
		await service.kill9();
		const before = (await Promise.all(lost)).filter(Boolean);
		await service.restart();
		const after = await Promise.all(burst());
		const ids = new Set([...before, ...after].map((a) => {
			assert.ok([200, 202].includes(a?.status), a?.text);
			return a.json.execution_id;
		}));

		answered += before.length;
		assert.equal(ids.size, 1, `key ${i}: ${[...ids]}`);
		assert.ok(["completed", "failed"].includes((await service.finish([...ids][0], { key })).status));
	}
	// Nobody made another one in silence.
	const all = await service.ask("/v1/executions?limit=1000", { key });
	assert.equal(all.json.executions.length, KEYS);
	t.diagnostic(`${KEYS} executions of ${KEYS} keys, ${answered} answers before the kills (SEED=${dice.seed})`);
});
