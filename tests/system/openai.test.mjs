// OpenAI's protocol: its own client library, and the AI SDK, with another base URL.

import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, streamText, tool } from "ai";
import OpenAI from "openai";

import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { ADMIN_KEY, Service, each, within } from "./service.mjs";

let upstream, service, client;

before(async () => {
	upstream = await ScriptedUpstream.start();
	service = await Service.start({ upstream: upstream.url, args: ["--retry-attempts", "1"] });
	connect();
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

function connect() {
	client = new OpenAI({ baseURL: `${service.url}/v1`, apiKey: ADMIN_KEY });
}

const hi = (content = "hi") => [{ role: "user", content }];
const chat = (body, options = {}) => service.ask("/v1/chat/completions", {
	body: { model: "sim", messages: hi(), ...body }, ...options });
const replay = (id, query = "") => service.ask(`/v1/chat/completions/${id}?stream=true${query}`);

async function all(stream) {
	const chunks = [];

	for await (const chunk of stream)
		chunks.push(chunk);
	return chunks;
}

const CALLS = [
	{ tool_calls: [{ index: 0, id: "call_a", type: "function", function: { name: "weather", arguments: "" } }] },
	{ tool_calls: [{ index: 0, function: { arguments: "{\"city\":" } }] },
	{ tool_calls: [{ index: 1, id: "call_b", type: "function", function: { name: "weather", arguments: "" } }] },
	{ tool_calls: [{ index: 1, function: { arguments: "{\"city\":\"Rome\"}" } }] },
	{ tool_calls: [{ index: 0, function: { arguments: "\"Paris\"}" } }] },
];
const TOOLS = [{ type: "function", function: { name: "weather", description: "d",
	parameters: { type: "object", properties: { city: { type: "string" } } } } }];

async function saysCalls(x) {
	for (const delta of CALLS)
		await x.sendRaw(x.chunk(delta));
	await x.finish({ reason: "tool_calls" });
}

// --- the openai package ---

test("a completion is whole, with its usage and its request's id", async () => {
	const asked = client.chat.completions.create({ model: "sim", messages: hi(), seed: 5, user: "ada",
		stop: "x", temperature: 0.5, max_tokens: 50, metadata: { a: "b" } }).withResponse();
	const x = await upstream.next();

	assert.equal(x.body.user, "ada");
	assert.equal(x.body.seed, 5);
	assert.deepEqual(x.body.stop, ["x"]);
	assert.equal(x.body.max_tokens, 50);
	assert.equal(x.body.metadata, undefined);
	await x.sendRaw(x.chunk({ reasoning_content: "hm" }));
	await x.send("Hel");
	await x.send("lo ✓");
	await x.finish();

	const { data, response, request_id } = await asked;

	assert.equal(data.object, "chat.completion");
	assert.equal(data.model, "sim");
	assert.equal(data.choices.length, 1);
	assert.equal(data.choices[0].message.content, "Hello ✓");
	assert.equal(data.choices[0].message.reasoning_content, "hm");
	assert.equal(data.choices[0].finish_reason, "stop");
	assert.equal(data.usage.total_tokens, 18);
	assert.ok(Math.abs(data.created - Date.now() / 1000) < 600);
	assert.ok(request_id);
	assert.equal(data.id, `chatcmpl-${response.headers.get("x-execution-id")}`);

	const again = await client.chat.completions.retrieve(data.id);

	assert.deepEqual(again, data);
});

test("a stream is told as it comes: the role, deltas, the end", async () => {
	const asked = client.chat.completions.create({ model: "sim", messages: hi(), stream: true,
		stream_options: { include_usage: true } });
	const x = await upstream.next();

	await x.send("one");

	const stream = (await asked)[Symbol.asyncIterator]();
	const next = async () => (await within(10_000, "a chunk", stream.next())).value;
	const role = await next();

	assert.deepEqual(role.choices[0].delta, { role: "assistant", content: "" });
	assert.equal(role.usage, null);
	assert.equal((await next()).choices[0].delta.content, "one");
	// Only now is there more: nothing waits for the end.
	await x.send(" two");
	assert.equal((await next()).choices[0].delta.content, " two");
	await x.finish({ reason: "length" });

	const finish = await next();
	const usage = await next();

	assert.deepEqual(finish.choices[0].delta, {});
	assert.equal(finish.choices[0].finish_reason, "length");
	assert.deepEqual(usage.choices, []);
	assert.equal(usage.usage.completion_tokens, 11);
	assert.equal((await stream.next()).done, true);
	for (const c of [finish, usage])
		assert.deepEqual([c.id, c.created, c.model], [role.id, role.created, role.model]);
});

test("the library's own accumulator takes parallel calls, and their results come back", async () => {
	const runner = client.chat.completions.stream({ model: "sim", messages: hi(), tools: TOOLS,
		tool_choice: "auto", parallel_tool_calls: true });
	const x = await upstream.next();

	assert.deepEqual(x.body.tools, TOOLS);
	assert.equal(x.body.parallel_tool_calls, true);
	await saysCalls(x);

	const { choices: [{ message, finish_reason }] } = await runner.finalChatCompletion();

	assert.equal(finish_reason, "tool_calls");
	assert.deepEqual(message.tool_calls.map((c) => [c.id, c.function.name, c.function.arguments]),
		[["call_a", "weather", "{\"city\":\"Paris\"}"], ["call_b", "weather", "{\"city\":\"Rome\"}"]]);

	const asked = client.chat.completions.create({ model: "sim", tools: TOOLS, messages: [...hi(), message,
		...message.tool_calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: "sunny" }))] });
	const y = await upstream.next();

	assert.deepEqual(y.body.messages.map((m) => m.role), ["user", "assistant", "tool", "tool"]);
	await saysCalls(y);

	const whole = await asked;

	assert.equal(whole.choices[0].finish_reason, "tool_calls");
	assert.equal(whole.choices[0].message.content, null);
	assert.deepEqual(whole.choices[0].message.tool_calls.map((c) => c.function.arguments),
		["{\"city\":\"Paris\"}", "{\"city\":\"Rome\"}"]);
});

test("images, a format and an answer that was kept go up as they are", async () => {
	const asked = client.chat.completions.create({ model: "sim", response_format: { type: "json_schema",
		json_schema: { name: "s", schema: { type: "object" }, strict: true } },
	reasoning_effort: "low", messages: [
		{ role: "developer", content: "d" },
		{ role: "user", content: [{ type: "text", text: "what is it?" },
			{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } }] },
		{ role: "assistant", content: "a cat", refusal: null, annotations: [] },
		{ role: "user", content: "sure?" }] });
	const x = await upstream.next();

	assert.deepEqual(x.body.messages[1].content[1],
		{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } });
	assert.deepEqual(x.body.messages[2], { role: "assistant", content: "a cat" });
	assert.equal(x.body.response_format.json_schema.name, "s");
	assert.equal(x.body.reasoning_effort, "low");
	await x.send("{}");
	await x.finish();
	assert.equal((await asked).choices[0].message.content, "{}");
});

test("what fails before a word is refused by its status, and asked only once", async () => {
	for (const stream of [false, true])
		for (const [status, error, want, code] of [
			[429, { message: "slow down", type: "rate_limit_error", code: "rate_limit_exceeded" },
				429, "rate_limit_exceeded"],
			[400, { message: "too long", type: "invalid_request_error", code: "context_length_exceeded" },
				400, "context_length_exceeded"],
			[404, { message: "no such model", type: "invalid_request_error", code: "model_not_found" },
				404, "model_not_found"],
			[500, { message: "boom", type: "server_error", code: null }, 502, "server"],
		]) {
			const asked = assert.rejects(client.chat.completions.create(
				{ model: "sim", messages: hi(), stream }), (e) => {
				assert.ok(e instanceof OpenAI.APIError);
				assert.equal(e.status, want, e.message);
				assert.equal(e.code, code);
				assert.match(e.message, new RegExp(error.message));
				assert.ok(e.error.details.execution_id);
				assert.ok(e.requestID);
				return true;
			});

			(await upstream.next()).refuse(status, error);
			await asked;
		}
	assert.equal(upstream.ready.length, 0);
});

test("what is wrong with the request is refused in the client's words", async () => {
	const refuses = (body, Kind, param, options = {}) => assert.rejects(
		new OpenAI({ baseURL: `${service.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0, ...options })
			.chat.completions.create({ model: "sim", messages: hi(), ...body }), (e) => {
			assert.ok(e instanceof Kind, `${e}`);
			assert.equal(e.param, param);
			return true;
		});

	await refuses({ n: 2 }, OpenAI.BadRequestError, "n");
	await refuses({ logprobs: true }, OpenAI.BadRequestError, "logprobs");
	await refuses({ messages: [] }, OpenAI.BadRequestError, "messages");
	await refuses({ temperature: 9 }, OpenAI.BadRequestError, "temperature");
	await refuses({ model: "nowhere/x" }, OpenAI.NotFoundError, "model");
	await refuses({}, OpenAI.AuthenticationError, null, { apiKey: "wrong" });
	await assert.rejects(client.chat.completions.retrieve("chatcmpl-none"), OpenAI.NotFoundError);
	assert.equal(upstream.ready.length, 0);
});

test("an answer that breaks off is an error in the stream, and never done", async () => {
	const asked = client.chat.completions.create({ model: "sim", messages: hi(), stream: true });
	const x = await upstream.next();

	await x.send("half");

	const { stream, id } = await asked.withResponse().then(({ data, response }) =>
		({ stream: data, id: response.headers.get("x-execution-id") }));
	const parts = [];

	x.cut();
	await assert.rejects(async () => {
		for await (const chunk of stream)
			parts.push(chunk.choices[0]?.delta.content ?? "");
	}, (e) => e instanceof OpenAI.APIError && e.error.details.execution_id === id);
	assert.equal(parts.join(""), "half");

	const { text } = await replay(id);

	assert.match(text, /"error":\{/);
	assert.doesNotMatch(text, /\[DONE\]/);
	assert.doesNotMatch(text, /"finish_reason":"/);
});

test("a client that leaves stops nothing, and goes on where it was", async () => {
	const leave = new AbortController();
	const asked = client.chat.completions.create({ model: "sim", messages: hi(), stream: true },
		{ signal: leave.signal }).withResponse();
	const x = await upstream.next();

	await x.send("one");

	const { data, response } = await asked;
	const id = response.headers.get("x-execution-id");
	const seen = [];

	// Its last words: the abort is an end for the library.
	for await (const chunk of data) {
		seen.push(chunk);
		if (seen.length === 2)
			leave.abort();
	}
	await assert.rejects(client.chat.completions.retrieve(id), (e) => e.code === "not_ended");
	await x.send(" two");

	// The same protocol, by hand: what came behind the second event.
	const rest = replay(id, `&starting_after=${seen.length - 1}`);

	await x.send(" three");
	await x.finish();
	assert.deepEqual([...(await rest).text.matchAll(/"content":"([^"]*)"/g)].map((m) => m[1]),
		[" two", " three"]);
	assert.equal((await client.chat.completions.retrieve(id)).choices[0].message.content, "one two three");
	assert.equal((await client.chat.completions.retrieve(`chatcmpl-${id}`)).choices[0].message.content,
		"one two three");
});

test("a client that said so cancels by leaving", async () => {
	for (const stream of [true, false]) {
		const leave = new AbortController();
		const asked = client.chat.completions.create({ model: "sim", messages: hi(), stream,
			on_disconnect: "cancel" }, { signal: leave.signal });
		const x = await upstream.next();

		await x.send("one");
		if (stream)
			await asked;
		leave.abort();
		await asked.catch(() => {});
		assert.equal(await within(10_000, "the upstream is left", x.closed), false);
	}
	const { json } = await service.ask("/v1/executions?limit=2");

	for (const { execution_id } of json.executions)
		assert.equal((await service.finish(execution_id)).status, "cancelled");
});

test("who leaves at once, and said so, leaves nothing running either", async () => {
	// Of its own: what it is asked comes when it comes.
	const silent = await ScriptedUpstream.start((x) => x.hang());
	const other = await Service.start({ upstream: silent.url, args: ["--retry-attempts", "1"] });
	const { hostname, port } = new URL(other.url);
	const body = JSON.stringify({ model: "sim", messages: hi(), stream: true, on_disconnect: "cancel" });

	// Gone before, while or after it is stored, as it happens.
	await each(30, 10, () => new Promise((done, fail) => {
		const socket = net.connect(Number(port), hostname, () => socket.write(
			`POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
			`Authorization: Bearer ${ADMIN_KEY}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
			() => { socket.resetAndDestroy(); done(); }));

		socket.on("error", fail);
	}));
	for (const { execution_id } of (await other.ask("/v1/executions?limit=100")).json.executions)
		assert.equal((await other.finish(execution_id)).status, "cancelled");
	await other.stop();
	await silent.stop();
});

test("the same idempotency key is the same execution", async () => {
	const ask = (options) => client.chat.completions.create({ model: "sim", messages: hi("idem") },
		{ headers: { "Idempotency-Key": "chat-1" }, ...options });
	const first = ask();
	const x = await upstream.next();

	await x.send("once");
	await x.finish();
	assert.equal((await ask()).id, (await first).id);
	assert.equal(upstream.ready.length, 0);
});

test("bytes are the same told again, from anywhere, and after a restart", async () => {
	const asked = chat({ stream: true, tools: TOOLS });
	const x = await upstream.next();

	await x.sendRaw(x.chunk({ reasoning_content: "think" }));
	await x.send("é🙂");
	await saysCalls(x);

	const first = await asked;
	const id = first.headers["x-execution-id"];
	const bare = (text) => text.replaceAll(": ping\n\n", "");

	assert.equal(first.headers["content-type"], "text/event-stream");
	assert.match(first.text, /data: \[DONE\]\n\n$/);

	const whole = await client.chat.completions.retrieve(id);
	const check = async () => {
		const events = bare(first.text).split(/(?<=\n\n)/);

		assert.deepEqual(await client.chat.completions.retrieve(id), whole);
		assert.equal(bare((await replay(id)).text), bare(first.text));
		assert.equal(bare((await replay(`chatcmpl-${id}`)).text), bare(first.text));
		for (let i = 0; i <= events.length; i++) {
			assert.equal(bare((await replay(id, `&starting_after=${i}`)).text),
				events.slice(i + 1).join(""));
			assert.equal(bare((await service.ask(`/v1/chat/completions/${id}?stream=true`,
				{ headers: { "Last-Event-ID": String(i) } })).text), events.slice(i + 1).join(""));
		}
	};

	await check();
	await service.restart();
	connect();
	await check();
});

// --- the AI SDK ---

const sdks = {
	"@ai-sdk/openai-compatible": () => createOpenAICompatible({ name: "spool", baseURL: `${service.url}/v1`,
		apiKey: ADMIN_KEY, includeUsage: true })("sim"),
	"@ai-sdk/openai": () => createOpenAI({ baseURL: `${service.url}/v1`, apiKey: ADMIN_KEY }).chat("sim"),
};
const weather = tool({ description: "d", inputSchema: jsonSchema({ type: "object",
	properties: { city: { type: "string" } }, additionalProperties: false }) });

for (const [name, model] of Object.entries(sdks)) {
	test(`${name}: text, whole and streamed`, async () => {
		const whole = generateText({ model: model(), prompt: "hi", maxRetries: 0 });
		const x = await upstream.next();

		await x.send("whole");
		await x.finish();
		assert.equal((await whole).text, "whole");
		assert.equal((await whole).usage.totalTokens, 18);

		const result = streamText({ model: model(), prompt: "hi", maxRetries: 0 });
		const parts = all(result.textStream);
		const y = await upstream.next();

		await y.send("str");
		await y.send("eamed");
		await y.finish();
		assert.deepEqual(await parts, ["str", "eamed"]);
		assert.equal(await result.finishReason, "stop");
		assert.equal((await result.usage).outputTokens, 11);
	});

	test(`${name}: parallel tool calls`, async () => {
		const result = streamText({ model: model(), prompt: "hi", tools: { weather }, maxRetries: 0 });
		const done = result.consumeStream();

		await saysCalls(await upstream.next());
		await done;
		assert.deepEqual((await result.toolCalls).map((c) => [c.toolCallId, c.toolName, c.input]),
			[["call_a", "weather", { city: "Paris" }], ["call_b", "weather", { city: "Rome" }]]);
		assert.equal(await result.finishReason, "tool-calls");
	});

	test(`${name}: errors before and in mid-stream, and an abort`, async () => {
		const before = assert.rejects(generateText({ model: model(), prompt: "hi", maxRetries: 0 }),
			(e) => e.statusCode === 429 && /slow down/.test(e.message));

		(await upstream.next()).refuse(429, { message: "slow down", type: "rate_limit_error", code: null });
		await before;

		const result = streamText({ model: model(), prompt: "hi", maxRetries: 0, onError() {} });
		const parts = all(result.fullStream);
		const x = await upstream.next();

		await x.send("half");
		x.cut();
		assert.ok((await parts).some((p) => p.type === "error"));
		assert.ok(!(await parts).some((p) => p.type === "finish" && p.finishReason === "stop"));

		const leave = new AbortController();
		const left = streamText({ model: model(), prompt: "hi", maxRetries: 0, abortSignal: leave.signal });
		const seen = [];
		const y = await upstream.next();

		await y.send("one");
		for await (const part of left.fullStream) {
			seen.push(part.type);
			if (part.type === "text-delta")
				leave.abort();
		}
		assert.ok(seen.includes("abort"));
		await y.finish();
	});
}
