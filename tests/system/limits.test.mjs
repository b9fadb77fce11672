// How much one key may ask for: told in REST, waited out in the callable form.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service } from "./service.mjs";

const RATE = 5; // requests per second; twice as many at once
const OPEN = 2; // executions that have not ended
let upstream, service;

before(async () => {
	upstream = await ScriptedUpstream.start(async (x) => {
		await x.send("so far");
		await x.hang();
	});
	service = await Service.start({ upstream: upstream.url,
		args: ["--rate", String(RATE), "--max-open", String(OPEN)] });
});
after(async () => {
	await service?.stop("SIGKILL");
	await upstream?.stop();
});

async function makeKey(owner) {
	const answer = await service.ask("/v1/keys", { body: { label: owner, owner, scopes: ["run", "read"] } });

	assert.equal(answer.status, 201, answer.text);
	return answer.json.key ?? answer.json.secret;
}

test("a key that asks too often is told when to come back", async () => {
	const key = await makeKey("hasty");
	const answers = await Promise.all(Array.from({ length: 4 * RATE },
		() => service.ask("/v1/executions?limit=1", { key })));
	const refused = answers.filter((a) => a.status === 429);

	assert.ok(answers.some((a) => a.status === 200), "none was let through");
	assert.ok(refused.length > 0, "none was refused");
	for (const a of refused) {
		assert.equal(a.json.code, "rate_limited");
		assert.equal(a.json.retryable, true);
		assert.ok(a.json.retry_after_ms > 0);
		assert.ok(Number(a.headers["retry-after"]) >= 1);
	}
});

test("a callable client, which gives up at the first refusal, is answered later instead", async () => {
	const key = await makeKey("patient");
	const id = await service.execute("x", { key });
	const answers = await Promise.all(Array.from({ length: 3 * RATE },
		() => service.call("get_execution_chunks", { executionId: id, fromIndex: 0 }, { key })));

	for (const a of answers) {
		assert.equal(a.status, 200, a.text);
		assert.equal(a.result.execution_id, id);
	}
});

test("a callable client that leaves while it waits is forgotten", async () => {
	const key = await makeKey("leaver");
	const calls = Array.from({ length: 4 * RATE }, () => {
		const abort = new AbortController();
		const body = { data: { executionId: "00000000-0000-7000-8000-000000000000", fromIndex: 0 } };
		const asked = service.ask("/get_chunks", { key, body, signal: abort.signal }).catch((e) => e);

		return { abort, asked };
	});

	// The first of them are answered; then those that wait leave.
	await Promise.race(calls.map((c) => c.asked));
	for (const c of calls)
		c.abort.abort();
	await Promise.all(calls.map((c) => c.asked));
	assert.equal((await service.ask("/healthz")).status, 200);
});

test("an admin key asks as often as it likes", async () => {
	const answers = await Promise.all(Array.from({ length: 10 * RATE },
		() => service.ask("/v1/executions?limit=1")));

	assert.ok(answers.every((a) => a.status === 200));
});

test("a key has so many executions open and no more", async () => {
	const key = await makeKey("greedy");
	const ids = [];

	for (let i = 0; i < OPEN; i++)
		ids.push(await service.execute("x", { key }));
	const refused = await service.ask("/v1/executions", { key, body: { prompt: "one more" } });

	assert.equal(refused.status, 429, refused.text);
	assert.equal(refused.json.code, "too_many_open");
	// One ends, one may begin.
	await service.ask(`/v1/executions/${ids[0]}/cancel`, { key, method: "POST", body: {} });
	await service.finish(ids[0]);
	await service.execute("x", { key });
});

test("asking again with an Idempotency-Key opens nothing more", async () => {
	const key = await makeKey("careful");
	const again = () => service.ask("/v1/executions", { key, body: { prompt: "once" },
		headers: { "Idempotency-Key": "careful-1" } });
	const first = await again();

	assert.equal(first.status, 202, first.text);
	for (let i = 0; i < 2 * OPEN; i++) {
		const replay = await again();

		assert.equal(replay.status, 200, replay.text);
		assert.equal(replay.json.execution_id, first.json.execution_id);
	}
	// One is open, whatever was replayed: as many more as without.
	for (let i = 1; i < OPEN; i++)
		await service.execute("x", { key });
	const refused = await service.ask("/v1/executions", { key, body: { prompt: "one more" } });
	assert.equal(refused.json.code, "too_many_open", refused.text);
	// At the limit an earlier one is told as ever, and a new key is refused.
	const replay = await again();
	assert.equal(replay.status, 200, replay.text);
	assert.equal(replay.json.execution_id, first.json.execution_id);
	const other = await service.ask("/v1/executions", { key, body: { prompt: "another" },
		headers: { "Idempotency-Key": "careful-1" } });
	assert.equal(other.json.code, "idempotency_mismatch", other.text);
	const fresh = await service.ask("/v1/executions", { key, body: { prompt: "once" },
		headers: { "Idempotency-Key": "careful-2" } });
	assert.equal(fresh.status, 429, fresh.text);
	assert.equal(fresh.json.code, "too_many_open");
});
