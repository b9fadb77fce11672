// A poll of a live execution is answered from memory: it touches no file. What
// the kernel counts for the process (proc(5), io) says so: syscr has one read a
// request, that of its socket, and syscw has none, as answers leave by sendmsg().

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Service, Sim } from "./service.mjs";

const POLLS = 1000;
const TOKENS = 300;

let sim, service, id;

before(async () => {
	// An upstream that stalls leaves its answer live.
	sim = await Sim.start(["--rate", "0", "--tokens", `${TOKENS}`, "--fault", "stall", "--after", `${TOKENS}`]);
	// Else a process that holds keys hides its counts from all but root.
	service = await Service.start({ upstream: sim.url, args: ["--core-dumps"] });
	id = await service.execute("live");
	await service.reach(id, TOKENS);
});
after(async () => {
	await service?.child.end("SIGKILL");
	await sim?.stop();
});

function counts() {
	const text = readFileSync(`/proc/${service.pid}/io`, "utf8");

	return Object.fromEntries([...text.matchAll(/^(\w+): (\d+)$/gm)].map((m) => [m[1], Number(m[2])]));
}

// What POLLS calls of `poll`, one after the other, cost.
async function cost(poll) {
	await poll();
	const from = counts();

	for (let i = 0; i < POLLS; i++)
		await poll();
	const to = counts();

	return Object.fromEntries(Object.keys(from).map((k) => [k, to[k] - from[k]]));
}

function checkMemoryOnly(io) {
	const said = JSON.stringify(io);

	// The slack is for connections that are made anew and threads that rest.
	assert.ok(io.syscr >= POLLS, `the sockets' reads are counted: ${said}`);
	assert.ok(io.syscr < 1.2 * POLLS, `no more is read than sockets: ${said}`);
	assert.ok(io.syscw < 0.1 * POLLS, `nothing is written: ${said}`);
	assert.equal(io.read_bytes, 0, said);
}

test("a poll for the newest chunks of a live execution touches no file", async () => {
	checkMemoryOnly(await cost(async () => {
		const page = await service.page(id, { fromIndex: TOKENS - 5 });

		assert.equal(page.status, "streaming");
		assert.equal(page.chunks.length, 5);
	}));
});

test("a poll that finds nothing new touches no file", async () => {
	checkMemoryOnly(await cost(async () => {
		assert.equal((await service.page(id, { fromIndex: TOKENS })).chunks.length, 0);
	}));
});

test("a callable's poll touches no file", async () => {
	checkMemoryOnly(await cost(async () => {
		const { result } = await service.call("get_execution_chunks", { executionId: id, fromIndex: TOKENS - 5 });

		assert.equal(result.chunks.length, 5);
	}));
});

test("a poll of many executions touches no file", async () => {
	checkMemoryOnly(await cost(async () => {
		const answer = await service.ask("/v1/executions/poll", {
			body: { executions: [{ execution_id: id, fromIndex: TOKENS - 5 }] } });

		assert.equal(answer.json?.executions?.[0]?.chunks?.length, 5, answer.text);
	}));
});
