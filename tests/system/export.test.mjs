// An export that is read slowly, while what it exports is deleted.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { Service, Sim } from "./service.mjs";

// Far more than sockets hold.
const TOKENS = 300_000;
let sim, service;

before(async () => {
	sim = await Sim.start(["--rate", "0", "--tokens", `${TOKENS}`]);
	service = await Service.start({ upstream: sim.url });
});
after(async () => {
	await service?.stop();
	await sim?.stop();
});

test("a record that is deleted while it is exported says so", async () => {
	const id = await service.execute("long");
	for (let done = false; !done;)
		done = (await service.page(id, { fromIndex: TOKENS, wait_ms: 20_000 })).completed;
	const answer = await new Promise((ready, fail) => http.get(`${service.url}/v1/executions/export`,
		{ headers: { Authorization: `Bearer ${service.key}` } }, ready).on("error", fail));

	// Its beginning is on the way; nothing is read of it yet.
	assert.equal((await service.ask(`/v1/executions/${id}`, { method: "DELETE" })).status, 204);
	let text = "";
	for await (const part of answer.setEncoding("utf8"))
		text += part;
	const line = JSON.parse(text.trimEnd());

	assert.equal(line.execution_id, id);
	assert.ok(line.chunks.length < TOKENS, "it was cut");
	assert.equal(line.deleted, true);
});
