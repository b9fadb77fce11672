// A client may leave at any byte: of its request, of its answer. What it started
// either was never made or ends.

import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";
import { Service, each, knob, within } from "./service.mjs";

// Of the callables' answers, at most; of REST's all.
const BYTES = knob("BYTES", 150, 10_000);

const WIDTH = 32;
const ENDED_MS = 5000;

let service;

before(async () => { service = await Service.start({ demo: true, args: ["--max-live", "5000"] }); });
after(() => service?.stop());

// The ways to make one: path, body, further fields.
const FORMS = {
	rest: ["/v1/executions", (body) => body, ""],
	callable: ["/execute_prompt_streaming", (body) => ({ data: body }), ""],
	// Waits for the whole answer, as events: the client leaves at any byte of it.
	events: ["/execute_prompt", (body) => ({ data: body }), "Accept: text/event-stream\r\n"],
};

function request(service, n, form = "rest") {
	const [path, wrap, fields] = FORMS[form];
	const body = JSON.stringify(wrap({ prompt: `leaving ${n}`, model: "sim-fast" }));

	return Buffer.from(`POST ${path} HTTP/1.1\r\nHost: ${new URL(service.url).host}\r\n` +
		`Authorization: Bearer ${service.key}\r\nContent-Type: application/json\r\n${fields}` +
		`Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}

// Send `bytes`, read `want` bytes of the answer, leave: by FIN or by RST.
function leave(bytes, want, reset) {
	return within(10_000, "leaving", new Promise((done) => {
		const socket = net.connect(Number(new URL(service.url).port), "127.0.0.1");
		let got = 0;
		const go = () => {
			if (reset)
				socket.resetAndDestroy();
			else
				socket.destroy();
		};

		socket.on("connect", () => socket.write(bytes, () => {
			if (want === 0)
				go();
		}));
		socket.on("data", (data) => {
			got += data.length;
			if (got >= want)
				go();
		});
		socket.on("error", () => {});
		socket.on("close", () => done(got));
	}));
}

async function list() {
	const ids = [];
	let after = "";

	for (;;) {
		const answer = await service.ask(`/v1/executions?limit=1000${after}`);
		const some = answer.json.executions ?? answer.json.data;

		ids.push(...some);
		const cursor = answer.json.next_cursor ?? answer.json.next ?? answer.json.after;
		if (!cursor || some.length === 0)
			return ids;
		after = `&after=${encodeURIComponent(cursor)}`;
	}
}

// All that was made ends in time. Requests may still be on their way in when the
// client has long left, so it is asked until nothing is open.
async function checkAllEnd() {
	const until = performance.now() + ENDED_MS;

	for (;;) {
		const all = await list();
		const open = all.filter((e) => ["queued", "streaming"].includes(e.status));

		for (const e of all)
			assert.ok(["queued", "streaming", "completed"].includes(e.status), `leaving is not cancelling: ${e.status}`);
		if (open.length === 0)
			return;
		await each(open.length, WIDTH, (i) =>
			service.finish(open[i].execution_id, { ms: Math.max(1, until - performance.now()) }));
	}
}

for (const form of Object.keys(FORMS))
	test(`${form}: a client that leaves after k bytes of its request, for every k`, async () => {
		const whole = request(service, 0, form).length;
		const before = (await list()).length;

		for (const reset of [false, true])
			await each(whole, WIDTH, (k) => leave(request(service, 0, form).subarray(0, k), 0, reset));
		assert.equal((await list()).length, before, "half a request makes nothing");
		await checkAllEnd();
	});

test("a client that leaves once its request is out, a hundred times", async () => {
	await each(100, WIDTH, (n) => leave(request(service, n), 0, n % 2 === 0));
	await checkAllEnd();
});

for (const form of Object.keys(FORMS))
	test(`${form}: a client that leaves after k bytes of the answer, for every k`, async () => {
		const answer = await leave(request(service, 0, form), Infinity, false);

		assert.ok(answer > 100, "the answer has come");
		// Streams may differ by some digits.
		const bytes = form === "rest" ? answer : Math.min(answer - 8, BYTES);
		const before = (await list()).length;

		for (const reset of [false, true])
			await each(bytes, WIDTH, (k) => leave(request(service, 1 + k, form), k + 1, reset));
		assert.equal((await list()).length, before + 2 * bytes, "each of them was made");
		await checkAllEnd();
	});

test("readers that leave a long poll are let go", async () => {
	const id = await service.execute({ prompt: "long", model: "sim-slow" });
	const poll = (n) => Buffer.from(`GET /v1/executions/${id}/chunks?fromIndex=100000&wait_ms=60000 HTTP/1.1\r\n` +
		`Host: ${new URL(service.url).host}\r\nX-N: ${n}\r\nAuthorization: Bearer ${service.key}\r\n\r\n`);

	await each(200, WIDTH, (n) => leave(poll(n), 0, n % 2 === 0));
	const answer = await service.ask(`/v1/executions/${id}/cancel`, { method: "POST" });
	assert.ok([200, 202].includes(answer.status));
	assert.equal((await service.finish(id)).status, "cancelled");
});

test("the server is as good as new", async () => {
	const id = await service.execute({ prompt: "after all that", model: "sim-fast" });

	assert.equal((await service.finish(id)).status, "completed");
});
