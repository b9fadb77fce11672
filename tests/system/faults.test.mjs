// Whatever an upstream does, the execution ends, says why, and keeps the text.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, Sim, checkDense } from "./service.mjs";

const DEADLINES = ["--first-token-timeout", "1500ms", "--idle-timeout", "1500ms", "--total-timeout", "20s"];

let sim, simulated, upstream, scripted;

before(async () => {
	sim = await Sim.start(["--rate", "200", "--first-ms", "5"]);
	upstream = await ScriptedUpstream.start();
	simulated = await Service.start({ upstream: sim.url, args: DEADLINES });
	scripted = await Service.start({ upstream: upstream.url, args: DEADLINES });
});
after(async () => {
	await simulated?.stop();
	await scripted?.stop();
	await upstream?.stop();
	await sim?.stop();
});

async function ended(service, id) {
	const answer = await service.finish(id, { ms: 40_000 });

	checkDense(assert, answer.chunks);
	assert.equal(answer.chunks.filter((c) => c.metadata.kind === "end").length, 1);
	assert.equal(answer.chunks.at(-1).metadata.kind, "end");
	return answer;
}

function checkFailed(answer) {
	assert.equal(answer.status, "failed");
	assert.match(answer.metadata.error.code, /^[a-z][a-z0-9_]*$/, "a code for programs");
	assert.ok(answer.metadata.error.message.length > 0, "a message for people");
}

// model → does text come before the end?
const faults = { "sim-status?status=500": false, "sim-status?status=400": false, "sim-status?status=401": false,
	"sim-status?status=404": false, "sim-status?status=429": false, "sim-status?status=502": false,
	"sim-status?status=503": false, "sim-cut": true, "sim-cut?after=0": false, "sim-stall": true,
	"sim-no-end": true, "sim-error": true, "sim-silent": false, "sim-pings": true };

for (const [model, text] of Object.entries(faults))
	test(`${model} ends as failed, with a reason${text ? ", and keeps its text" : ""}`, async () => {
		const id = await simulated.execute({ prompt: `please ${model}`, model });
		const answer = await ended(simulated, id);

		checkFailed(answer);
		if (text)
			assert.match(answer.text, /^This is a/);
		else
			assert.equal(answer.text, "");
	});

test("an event that is not JSON never makes half an answer look whole", async () => {
	const id = await simulated.execute({ prompt: "garbage", model: "sim-garbage" });
	const answer = await ended(simulated, id);

	if (answer.status === "completed")
		assert.match(answer.text, /“garbage”\./);
	else
		checkFailed(answer);
});

test("bytes that are cut anywhere make the same answer", async () => {
	const texts = [];

	for (const model of ["sim", "sim-split", "sim-split?seed=1&rate=0"]) {
		const answer = await ended(simulated, await simulated.execute({ prompt: "cut me", model }));

		assert.equal(answer.status, "completed", model);
		assert.doesNotMatch(answer.text, /\ufffd/);
		texts.push(answer.text);
	}
	assert.equal(new Set(texts).size, 1);
});

test("an answer cut by max_tokens is completed and says length", async () => {
	const id = await simulated.execute({ prompt: "short", max_output_tokens: 5 });
	const answer = await ended(simulated, id);

	assert.equal(answer.status, "completed");
	assert.equal(answer.metadata.finish_reason, "length");
	assert.equal(answer.text, "This is a simulated answer:");
});

test("an upstream that cannot be reached is a failure", async () => {
	const nowhere = await Service.start({ upstream: "http://127.0.0.1:1/v1" });
	const id = await nowhere.execute("anyone?");

	checkFailed(await ended(nowhere, id));
	await nowhere.stop();
});

// What the scripted upstream does after three words.
const breaks = {
	"a body that ends without finish_reason": (x) => x.end(),
	"a connection that breaks": (x) => x.cut(),
	"half a line and then the end": async (x) => { await x.sendRaw('data: {"choices":[{"delta":{"content":"ha'); x.end(); },
	"an error object in mid-stream": async (x) => {
		await x.sendRaw('data: {"error":{"message":"boom","type":"server_error","param":null,"code":"boom"}}\n\n');
		x.end();
	},
	"silence": (x) => x.hang(),
};

for (const [name, fault] of Object.entries(breaks))
	test(`${name} is a failure that keeps what came`, async () => {
		const id = await scripted.execute(name);
		const x = await upstream.nextFor(name);

		await x.send("uno ");
		await x.send("dos ");
		await x.send("tres");
		await scripted.reach(id, 3);
		await fault(x);
		const answer = await ended(scripted, id);
		checkFailed(answer);
		assert.equal(answer.text, "uno dos tres");
	});

test("[DONE] without a finish_reason never makes an empty answer completed", async () => {
	const id = await scripted.execute("empty done");
	const x = await upstream.nextFor("empty done");

	await x.sendRaw("data: [DONE]\n\n");
	x.end();
	checkFailed(await ended(scripted, id));
});

test("the key in an upstream's error message is not handed on", async () => {
	const id = await scripted.execute("leak");
	const x = await upstream.nextFor("leak");

	x.refuse(401, { message: "Incorrect API key provided: upstream-key", type: "invalid_request_error",
		param: null, code: "invalid_api_key" });
	checkFailed(await ended(scripted, id));
	assert.equal(scripted.log.includes("upstream-key"), false, "nor logged");
});

test("healthy streams go on beside broken ones", async () => {
	const models = Object.keys(faults).filter((m) => !m.includes("silent"));
	const bad = await Promise.all(models.map((model) => simulated.execute({ prompt: "bad", model })));
	const good = await Promise.all(Array.from({ length: 20 }, (_, i) => simulated.execute(`good ${i}`)));

	for (const [i, id] of good.entries()) {
		const answer = await ended(simulated, id);

		assert.equal(answer.status, "completed");
		assert.match(answer.text, new RegExp(`“good ${i}”\\.`));
	}
	for (const id of bad)
		checkFailed(await ended(simulated, id));
});
