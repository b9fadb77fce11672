// A cancel stops the upstream and ends the execution, whenever it comes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, checkDense, each, within } from "./service.mjs";

const SOCKET_MS = 1000;

let upstream, service;

before(async () => {
	upstream = await ScriptedUpstream.start();
	service = await Service.start({ upstream: upstream.url });
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

const cancel = (id, options) => service.ask(`/v1/executions/${id}/cancel`, { method: "POST", ...options });

async function checkCancelled(id, text) {
	const answer = await service.finish(id);

	assert.equal(answer.status, "cancelled");
	checkDense(assert, answer.chunks);
	assert.equal(answer.text, text);
	assert.equal(answer.chunks.at(-1).metadata.kind, "end");
	assert.equal(answer.chunks.filter((c) => c.metadata.kind === "end").length, 1);
	return answer;
}

test("a cancel in mid-stream closes the upstream's socket within a second", async () => {
	const id = await service.execute("stop me");
	const x = await upstream.nextFor("stop me");

	await x.send("one ");
	await x.send("two ");
	await service.reach(id, 2);
	const answer = await cancel(id);
	assert.ok([200, 202].includes(answer.status), answer.text);
	await within(SOCKET_MS, "the upstream's socket closed", x.closed);
	await checkCancelled(id, "one two ");
});

test("a cancel before the first token closes the upstream's socket too", async () => {
	const id = await service.execute("not even begun");
	const x = await upstream.nextFor("not even begun");

	await cancel(id);
	await within(SOCKET_MS, "the upstream's socket closed", x.closed);
	await checkCancelled(id, "");
});

test("a cancel after the head and before the first token does as well", async () => {
	const id = await service.execute("head only");
	const x = await upstream.nextFor("head only");

	x.open();
	await cancel(id);
	await within(SOCKET_MS, "the upstream's socket closed", x.closed);
	await checkCancelled(id, "");
});

test("a cancel sent on the heels of its creation is kept", async () => {
	await each(50, 10, async (i) => {
		const id = await service.execute(`heels ${i}`);

		await cancel(id);
		const answer = await service.finish(id, { ms: 5000 });
		assert.equal(answer.status, "cancelled");
	});
});

test("the callable cancels too", async () => {
	for (const name of ["cancel", "cancel_execution", "proj/us-central1/cancel"]) {
		const id = await service.execute(`callable ${name}`);
		const x = await upstream.nextFor(`callable ${name}`);
		const answer = await service.call(name, { executionId: id });

		assert.equal(answer.status, 200, answer.text);
		await within(SOCKET_MS, "the upstream's socket closed", x.closed);
		await checkCancelled(id, "");
	}
});

test("a cancelled execution stays as it is, whatever comes after", async () => {
	const id = await service.execute("twice");
	const x = await upstream.nextFor("twice");

	await x.send("a");
	await service.reach(id, 1);
	await cancel(id);
	const first = await service.finish(id);
	assert.ok([200, 202, 409].includes((await cancel(id)).status));
	await x.send("late");
	const second = await service.finish(id);
	assert.deepEqual(second.chunks, first.chunks);
	assert.deepEqual(second.metadata, first.metadata);
});

test("a cancel of a completed execution changes nothing", async () => {
	const id = await service.execute("too late");
	const x = await upstream.nextFor("too late");

	await x.send("done");
	await x.finish();
	const first = await service.finish(id);
	await cancel(id);
	const second = await service.finish(id);
	assert.equal(second.status, "completed");
	assert.deepEqual(second.chunks, first.chunks);
});

test("a cancel is seen by a reader that waits", async () => {
	const id = await service.execute("waiting reader");
	const x = await upstream.nextFor("waiting reader");

	await x.send("a");
	const { total_chunks: from } = await service.reach(id, 1);
	const held = service.page(id, { fromIndex: from, wait_ms: 20_000 });
	await cancel(id);
	const page = await within(5000, "the long poll", held);
	assert.equal(page.status, "cancelled");
});

test("a cancel leaves the neighbours alone", async () => {
	const [a, b] = [await service.execute("neighbour a"), await service.execute("neighbour b")];
	const xa = await upstream.nextFor("neighbour a");
	const xb = await upstream.nextFor("neighbour b");

	await xa.send("a");
	await xb.send("b");
	await cancel(a);
	await within(SOCKET_MS, "the upstream's socket closed", xa.closed);
	await xb.send("b");
	await xb.finish();
	assert.equal((await service.finish(b)).text, "bb");
	assert.equal((await service.finish(b)).status, "completed");
});
