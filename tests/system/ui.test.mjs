// The AI SDK's chat: what useChat is made of, without its React, against the real binary.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { AbstractChat, DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls,
	parseJsonEventStream, uiMessageChunkSchema } from "ai";

import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { ADMIN_KEY, Service, within } from "./service.mjs";

let upstream, service;

before(async () => {
	upstream = await ScriptedUpstream.start();
	service = await Service.start({ upstream: upstream.url,
		args: ["--retry-attempts", "1", "--recover", "restart"] });
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

class State {
	status = "ready";
	error = undefined;
	constructor(messages) { this.messages = messages; }
	pushMessage(m) { this.messages = [...this.messages, m]; }
	popMessage() { this.messages = this.messages.slice(0, -1); }
	replaceMessage(i, m) { this.messages = this.messages.with(i, m); }
	snapshot(v) { return structuredClone(v); }
}

class Chat extends AbstractChat {
	constructor({ messages = [], body, key = ADMIN_KEY, ...init } = {}) {
		super({ ...init, state: new State(messages), transport: new DefaultChatTransport({
			api: `${service.url}/api/chat`, headers: { Authorization: `Bearer ${key}` },
			body: { model: "sim", ...body } }) });
	}

	get answer() {
		return this.messages.at(-1);
	}
}

const kinds = (message) => message.parts.map((p) => p.type);
const said = (message) => message.parts.filter((p) => p.type === "text").map((p) => p.text).join("");

// Wait until the chat's answer says so.
const shows = (chat, text, status) => within(10_000, () => `"${text}", not ${JSON.stringify(chat.messages)}`,
	(async () => {
		while (chat.messages.length < 2 || said(chat.answer) !== text || status && chat.status !== status)
			await new Promise((done) => setImmediate(done));
	})());
const stream = (id, query = "", options = {}) => service.ask(`/api/chat/${id}/stream${query}`, options);
const bare = (text) => text.replaceAll(": ping\n\n", "");
const user = (text) => ({ id: "u", role: "user", parts: [{ type: "text", text }] });

const delta = (index, rest) => ({ tool_calls: [{ index, ...rest }] });
const CALLS = [
	delta(0, { id: "call_a", type: "function", function: { name: "weather", arguments: "" } }),
	delta(1, { id: "call_b", type: "function", function: { name: "weather", arguments: "{\n \"city\": " } }),
	delta(0, { function: { arguments: "{\"city\":\"Paris\"}" } }),
	delta(1, { function: { arguments: "\"Ro\\nme\"\n}" } }),
];

async function saysCalls(x) {
	for (const d of CALLS)
		await x.sendRaw(x.chunk(d));
	await x.finish({ reason: "tool_calls" });
}

test("text and thoughts become parts, in order, and history goes up again", async () => {
	const chat = new Chat();
	const sent = chat.sendMessage({ text: "hi" });
	const x = await upstream.next();

	assert.deepEqual(x.body.messages, [{ role: "user", content: [{ type: "text", text: "hi" }] }]);
	await x.sendRaw(x.chunk({ reasoning_content: "hm" }));
	await x.send("Hel");
	await x.send("lo ✓");
	await x.finish();
	await sent;
	assert.equal(chat.status, "ready");
	assert.deepEqual(kinds(chat.answer), ["step-start", "reasoning", "text"]);
	assert.equal(chat.answer.parts[1].text, "hm");
	assert.equal(chat.answer.parts[2].state, "done");
	assert.equal(said(chat.answer), "Hello ✓");

	const again = chat.sendMessage({ text: "look", files: [
		{ type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA" }] });
	const y = await upstream.next();

	assert.deepEqual(y.body.messages.slice(1), [{ role: "assistant", content: "Hello ✓" },
		{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
			{ type: "text", text: "look" }] }]);
	await y.send("a cat");
	await y.finish();
	await again;
	assert.equal(said(chat.answer), "a cat");
	// Its name is the execution's.
	assert.equal((await service.page(chat.answer.id)).status, "completed");
});

test("parallel calls are answered, and the message goes on", async () => {
	const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
	const chat = new Chat({ body: { tools },
		sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls });
	const sent = chat.sendMessage({ text: "weather?" });
	const x = await upstream.next();

	assert.deepEqual(x.body.tools, tools);
	await saysCalls(x);
	await sent;

	const message = chat.answer.id;

	assert.deepEqual(chat.answer.parts.slice(1).map((p) => [p.type, p.toolCallId, p.state, p.input]), [
		["tool-weather", "call_a", "input-available", { city: "Paris" }],
		["tool-weather", "call_b", "input-available", { city: "Ro\nme" }]]);
	await chat.addToolOutput({ tool: "weather", toolCallId: "call_a", output: { sky: "blue" } });
	await chat.addToolOutput({ tool: "weather", toolCallId: "call_b", state: "output-error", errorText: "no" });

	const y = await upstream.next();

	assert.deepEqual(y.body.messages.slice(1), [
		{ role: "assistant", content: null, tool_calls: [
			{ id: "call_a", type: "function", function: { name: "weather", arguments: "{\"city\":\"Paris\"}" } },
			{ id: "call_b", type: "function", function: { name: "weather", arguments: "{\"city\":\"Ro\\nme\"}" } }] },
		{ role: "tool", tool_call_id: "call_a", content: "{\"sky\":\"blue\"}" },
		{ role: "tool", tool_call_id: "call_b", content: "no" }]);
	await y.send("sunny");
	await y.finish();
	await shows(chat, "sunny", "ready");
	assert.equal(chat.answer.id, message);
	assert.equal(chat.messages.length, 2);
});

test("what fails is an error: by status before a word, in the stream behind it", async () => {
	const refused = new Chat();
	const sent = refused.sendMessage({ text: "hi" });

	(await upstream.next()).refuse(429, { message: "slow down", type: "rate_limit_error", code: null });
	await sent;
	assert.equal(refused.status, "error");
	assert.match(refused.error.message, /slow down/);

	const cut = new Chat();
	const half = cut.sendMessage({ text: "hi" });
	const x = await upstream.next();

	await x.send("half");
	x.cut();
	await half;
	assert.equal(cut.status, "error");
	assert.equal(said(cut.answer), "half");

	const wrong = new Chat({ body: { temprature: 1 } });

	await wrong.sendMessage({ text: "hi" });
	assert.match(wrong.error.message, /did you mean temperature/);

	const stranger = new Chat({ key: "wrong" });

	await stranger.sendMessage({ text: "hi" });
	assert.match(stranger.error.message, /key/);
	assert.equal(upstream.ready.length, 0);
});

test("a page that is loaded again finds its stream, and none once it has ended", async () => {
	const first = new Chat({ id: "chat/of ä" });
	const sent = first.sendMessage({ text: "hi" });
	const x = await upstream.next();

	await x.send("one");
	await shows(first, "one");
	await first.stop();
	await sent;

	const second = new Chat({ id: "chat/of ä", messages: [first.messages[0]] });
	const resumed = second.resumeStream();

	await shows(second, "one");
	await x.send(" two");
	await x.finish();
	await resumed;
	assert.equal(said(second.answer), "one two");
	assert.equal(second.answer.id, first.answer.id);

	const third = new Chat({ id: "chat/of ä", messages: second.messages });

	await third.resumeStream();
	assert.equal(third.status, "ready");
	assert.equal(third.messages.length, 2);
	assert.equal((await stream("unheard-of")).status, 204);

	await service.ask(`/v1/executions/${first.answer.id}`, { method: "DELETE" });
	assert.equal((await stream(encodeURIComponent("chat/of ä"))).status, 204);

	// Another owner's chats have other streams, whatever they are called.
	const { json: { secret } } = await service.ask("/v1/keys",
		{ body: { label: "eve", owner: "eve", scopes: ["run", "read"] } });
	const other = new Chat({ id: "mine" });
	const going = other.sendMessage({ text: "hi" });
	const y = await upstream.next();

	assert.equal((await stream("mine", "", { key: secret })).status, 204);
	await y.finish();
	await going;
});

test("a cancel is an abort, and the stream ends", async () => {
	const chat = new Chat({ id: "cancelled" });
	let aborted;
	const sent = chat.sendMessage({ text: "hi" });
	const x = await upstream.next();

	await x.send("one");
	chat.onFinish = ({ isAbort }) => { aborted = isAbort; };
	await shows(chat, "one");

	const id = chat.answer.id;

	assert.equal((await service.ask(`/v1/executions/${id}/cancel`, { method: "POST" })).status, 200);
	await sent;
	assert.equal(chat.status, "ready");
	assert.match((await stream(id, "?startIndex=0")).text,
		/"type":"abort"}\n\ndata: {"type":"finish-step"}\n\ndata: {"type":"finish","finishReason":"other"}/);
});

test("parts are numbered: from any on, the same bytes, after a restart too", async () => {
	const asked = service.ask("/api/chat", { body: { id: "c", model: "sim", messages: [user("hi")] } });
	const x = await upstream.next();

	await x.sendRaw(x.chunk({ reasoning_content: "hm" }));
	await x.send("é🙂");
	await saysCalls(x);

	const first = await asked;
	const id = first.headers["x-workflow-run-id"];
	const parts = bare(first.text).split(/(?<=\n\n)/);

	assert.equal(first.headers["x-vercel-ai-ui-message-stream"], "v1");
	assert.equal(first.headers["content-type"], "text/event-stream");
	assert.equal(id, first.headers["x-execution-id"]);

	// All of them are what the library knows.
	for await (const part of parseJsonEventStream({ schema: uiMessageChunkSchema,
		stream: new Blob([first.text]).stream() }))
		assert.ok(part.success, part.error);

	const check = async () => {
		for (let i = 0; i <= parts.length + 1; i++)
			assert.equal(bare((await stream(id, `?startIndex=${i}`)).text), parts.slice(i).join(""));
	};

	await check();
	await service.restart();
	await check();
	assert.equal((await stream(id, "?startIndex=-1")).status, 400);
	assert.equal((await stream("00000000-0000-7000-8000-000000000000", "?startIndex=0")).status, 404);
});

test("a chat finds its stream after a crash, too", async () => {
	const chat = new Chat({ id: "crashed" });
	const sent = chat.sendMessage({ text: "hi" });

	await upstream.next();
	await service.kill9();
	await sent;
	assert.equal(chat.status, "error");
	await service.restart();

	const again = new Chat({ id: "crashed", messages: [chat.messages[0]] });
	const resumed = again.resumeStream();
	const y = await upstream.next();

	await y.send("after");
	await shows(again, "after");
	await y.send(" all");
	await y.finish();
	await resumed;
	assert.equal(said(again.answer), "after all");
});
