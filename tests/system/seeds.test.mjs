// Clients that were written for other servers, unchanged: Firebase's callables,
// the events of POST /stream, a reader of chat completions by hand.

import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";

import { deleteApp, initializeApp } from "firebase/app";
import { connectFunctionsEmulator, getFunctions, httpsCallable } from "firebase/functions";

import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service } from "./service.mjs";

let upstream, service, app, functions;

before(async () => {
	upstream = await ScriptedUpstream.start();
	service = await Service.start({ upstream: upstream.url, key: null,
		args: ["--retry-attempts", "1", "--auth", "none"] });
	app = initializeApp({ projectId: "demo-spool", apiKey: "none" });
	functions = getFunctions(app, "europe-west1");
	connectFunctionsEmulator(functions, "127.0.0.1", Number(new URL(service.url).port));
});
after(async () => {
	await deleteApp(app);
	await service?.stop();
	await upstream?.stop();
});

const call = (name, data) => httpsCallable(functions, name)(data).then((r) => r.data);

// --- Firebase ---

test("the polling loop of a callable's client gets the whole answer", async () => {
	const started = await call("execute_prompt_streaming", { prompt: "hi", useRag: false });
	const x = await upstream.next();
	let text = "", fromIndex = 0, completed = false, metadata;

	assert.equal(started.status, "streaming");
	for (let polls = 0; !completed; polls++) {
		const page = await call("get_execution_chunks", { executionId: started.execution_id, fromIndex });

		for (const chunk of page.chunks) {
			text += chunk.content;
			fromIndex = chunk.index + 1;
		}
		({ completed, metadata } = page);
		if (polls === 0)
			await x.send("Hel");
		if (polls === 1) {
			await x.send("lo");
			await x.finish();
		}
	}
	assert.equal(text, "Hello");
	assert.equal(metadata.tokens_used, 18);
});

test("a callable's stream has messages, then its data", async () => {
	const { stream, data } = await httpsCallable(functions, "execute_prompt_streaming").stream({ prompt: "hi" });
	const x = await upstream.next();
	const parts = [];

	await x.send("one");
	for await (const chunk of stream) {
		if (chunk.metadata.kind === "text")
			parts.push(chunk.content);
		if (parts.length === 1 && x.sent === "one") {
			await x.send(" two");
			await x.finish();
		}
	}
	assert.deepEqual(parts, ["one", " two"]);
	assert.equal((await data).completed, true);
});

test("callables fail as the client's library says it", async () => {
	await assert.rejects(call("get_execution_chunks", { executionId: "nobody", fromIndex: 0 }),
		(e) => e.code === "functions/not-found");
	await assert.rejects(call("execute_prompt_streaming", {}),
		(e) => e.code === "functions/invalid-argument" && e.details.code === "invalid_argument");

	const whole = assert.rejects(call("execute_prompt", { prompt: "hi" }),
		(e) => e.code === "functions/aborted" && e.details.execution_error === "rate_limit");

	(await upstream.next()).refuse(429);
	await whole;

	const { stream, data } = await httpsCallable(functions, "execute_prompt_streaming").stream({ prompt: "hi" });
	const x = await upstream.next();

	await x.send("half");
	x.cut();
	for await (const chunk of stream)
		assert.equal(typeof chunk.content, "string");
	assert.equal((await data).status, "failed");
});

// --- POST /stream ---

// Everything that came, and how it came: one entry for each piece of the body.
function pieces(body) {
	const payload = JSON.stringify(body);
	const { hostname, port } = new URL(service.url);

	return new Promise((done, fail) => {
		const socket = net.connect(Number(port), hostname, () => {
			socket.setEncoding("latin1");
			socket.write(`POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
				`Accept: text/event-stream\r\nContent-Length: ${Buffer.byteLength(payload)}\r\nConnection: close\r\n\r\n${payload}`);
		});
		let raw = "";

		socket.on("data", (data) => { raw += data; });
		socket.on("end", () => {
			const all = raw.slice(raw.indexOf("\r\n\r\n") + 4);
			const list = [];

			for (let at = 0; ;) {
				const line = all.indexOf("\r\n", at);
				const size = parseInt(all.slice(at, line), 16);

				if (!size)
					break;
				list.push(all.slice(line + 2, line + 2 + size));
				at = line + 2 + size + 2;
			}
			done(list);
		});
		socket.on("error", fail);
	});
}

const events = (list) => list.filter((p) => p.startsWith("data: ")).join("").split("\n\n").filter(Boolean)
	.map((e) => JSON.parse(e.slice(6)));

test("typed events come one by one, small, in ASCII, with calls told once and whole", async () => {
	const asked = pieces({ text: "hi", orgId: "org-1", conversationContext: [
		{ role: "user", content: "before" }, { role: "assistant", content: "yes?" }] });
	const x = await upstream.next();

	assert.deepEqual(x.body.messages.map((m) => [m.role, m.content]),
		[["user", "before"], ["assistant", "yes?"], ["user", "hi"]]);
	await x.send("é🙂");
	await x.send("日".repeat(1000));
	await x.sendRaw(x.chunk({ tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "f", arguments: "" } }] }));
	await x.sendRaw(x.chunk({ tool_calls: [{ index: 1, id: "c2", type: "function", function: { name: "g", arguments: "{\"a\":" } }] }));
	await x.sendRaw(x.chunk({ tool_calls: [{ index: 1, function: { arguments: "\"ü\"}" } }] }));
	await x.finish({ reason: "tool_calls" });

	const list = await asked;
	const told = events(list);

	assert.equal(told.filter((e) => e.type === "delta").map((e) => e.content.content).join(""),
		`é🙂${"日".repeat(1000)}`);
	assert.deepEqual(told.filter((e) => e.type !== "delta"), [
		{ type: "tool_call", toolCall: { id: "c1", function: { name: "f", arguments: "{}" } } },
		{ type: "tool_call", toolCall: { id: "c2", function: { name: "g", arguments: "{\"a\":\"ü\"}" } } },
		{ type: "done" }]);
	for (const piece of list) {
		assert.match(piece, /^[\x00-\x7f]*\n\n$/);
		for (const event of piece.split(/(?<=\n\n)/))
			assert.ok(event.length < 1400, `${event.length}`);
	}
});

test("typed events say what went wrong", async () => {
	const ask = (body) => service.ask("/stream", { body });
	const refused = ask({ text: "hi" });

	(await upstream.next()).refuse(429, { message: "slow down", type: "rate_limit_error", code: null });
	assert.equal((await refused).status, 429);
	assert.equal((await ask({ orgId: "x" })).status, 400);
	assert.equal((await ask({ text: "x", bogus: 1 })).json.error.param, "bogus");

	const half = ask({ text: "hi", conversationContext: "we are friends" });
	const x = await upstream.next();

	assert.deepEqual(x.body.messages[0], { role: "system", content: "we are friends" });
	await x.send("half");
	x.cut();

	const told = events([(await half).text]);

	assert.deepEqual(told[0], { type: "delta", content: { content: "half" } });
	assert.equal(told[1].type, "error");
	assert.equal(typeof told[1].error, "string");
	assert.equal(told.length, 2);
});

// --- chat completions, read by hand ---

test("who reads lines gets the text, the usage with the finish reason, and the end", async () => {
	const asked = fetch(`${service.url}/v1/chat/completions`, { method: "POST",
		headers: { "Content-Type": "application/json", Authorization: "Bearer anything" },
		body: JSON.stringify({ model: "sim", stream: true, messages: [{ role: "user", content: "hi" }] }) });
	const x = await upstream.next();
	const decoder = new TextDecoder();
	let rest = "", text = "", usage, ended = false;

	await x.send("Hel");
	await x.send("lo");
	await x.finish();
	for await (const bytes of (await asked).body) {
		const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");

		rest = lines.pop();
		for (const line of lines.filter((l) => l.startsWith("data: "))) {
			const data = line.slice(6);

			if (data === "[DONE]") {
				ended = true;
				break;
			}

			const chunk = JSON.parse(data);

			text += chunk.choices[0]?.delta?.content ?? "";
			if (chunk.choices[0]?.finish_reason)
				({ usage } = chunk);
		}
	}
	assert.equal(text, "Hello");
	assert.equal(usage.total_tokens, 18);
	assert.ok(ended);
});
