// OpenAI's responses: its own client library, and the AI SDK's default model.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { ADMIN_KEY, Service, within } from "./service.mjs";

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

const ask = (body) => client.responses.create({ model: "sim", input: "hi", ...body });
const events = (id, query = "") => service.ask(`/v1/responses/${id}?stream=true${query}`);
const execution = (id) => id.slice("resp_".length);

async function all(stream) {
	const list = [];

	for await (const event of stream)
		list.push(event);
	return list;
}

const TOOLS = [{ type: "function", name: "weather", description: "d", strict: false,
	parameters: { type: "object", properties: { city: { type: "string" } } } }];

async function saysCall(x) {
	await x.sendRaw(x.chunk({ tool_calls: [{ index: 0, id: "call_a", type: "function",
		function: { name: "weather", arguments: "" } }] }));
	await x.sendRaw(x.chunk({ tool_calls: [{ index: 0, function: { arguments: "{\"city\":" } }] }));
	await x.sendRaw(x.chunk({ tool_calls: [{ index: 0, function: { arguments: "\"Rome\"}" } }] }));
	await x.finish({ reason: "tool_calls" });
}

async function says(x, ...texts) {
	for (const text of texts)
		await x.send(text);
	await x.finish();
}

// --- create ---

test("a response is whole, says how it was asked for, and is the same read again", async () => {
	const asked = ask({ instructions: "be brief", max_output_tokens: 50, temperature: 0.5,
		metadata: { a: "b" }, user: "ada", reasoning: { effort: "low", summary: "auto" },
		text: { format: { type: "json_schema", name: "n", schema: { type: "object" }, strict: true },
			verbosity: "low" }, tools: TOOLS, tool_choice: { type: "function", name: "weather" },
		include: ["reasoning.encrypted_content"], store: true });
	const x = await upstream.next();

	assert.deepEqual(x.body.messages, [{ role: "system", content: "be brief" }, { role: "user", content: "hi" }]);
	assert.equal(x.body.user, "ada");
	assert.equal(x.body.verbosity, "low");
	assert.equal(x.body.reasoning_effort, "low");
	assert.equal(x.body.response_format.json_schema.name, "n");
	assert.equal(x.body.tools[0].function.name, "weather");
	assert.deepEqual(x.body.tool_choice, { type: "function", function: { name: "weather" } });
	assert.equal(x.body.input, undefined);
	assert.equal(x.body.include, undefined);
	await x.sendRaw(x.chunk({ reasoning_content: "hm" }));
	await says(x, "Hel", "lo ✓");

	const r = await asked;

	assert.match(r.id, /^resp_[0-9a-f-]{36}$/);
	assert.equal(r.status, "completed");
	assert.equal(r.output_text, "Hello ✓");
	assert.deepEqual(r.output.map((o) => o.type), ["reasoning", "message"]);
	assert.equal(r.output[0].summary[0].text, "hm");
	assert.equal(r.usage.total_tokens, 18);
	assert.equal(r.instructions, "be brief");
	assert.equal(r.max_output_tokens, 50);
	assert.deepEqual(r.metadata, { a: "b" });
	assert.deepEqual(r.tools, TOOLS);
	assert.equal(r.text.format.name, "n");
	assert.equal(r.error, null);
	assert.equal(r.incomplete_details, null);
	assert.ok(r.completed_at >= r.created_at);

	const again = await client.responses.retrieve(r.id);

	assert.deepEqual(again, r);
});

test("input has items: messages, images, calls and their results", async () => {
	const asked = ask({ input: [
		{ role: "developer", content: "d" },
		{ type: "message", role: "user", content: [{ type: "input_text", text: "see" },
			{ type: "input_image", image_url: "data:image/png;base64,AA==", detail: "low" }] },
		{ type: "reasoning", id: "rs_1", summary: [] },
		{ type: "message", role: "assistant", id: "msg_1", status: "completed",
			content: [{ type: "output_text", text: "so", annotations: [] }] },
		{ type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
		{ type: "function_call", call_id: "c2", name: "g", arguments: "{}" },
		{ type: "function_call_output", call_id: "c1", output: "1" },
		{ type: "function_call_output", call_id: "c2", output: [{ type: "input_text", text: "2" }] },
	] });
	const x = await upstream.next();
	const f = (id, name) => ({ id, type: "function", function: { name, arguments: "{}" } });

	assert.deepEqual(x.body.messages, [
		{ role: "system", content: "d" },
		{ role: "user", content: [{ type: "text", text: "see" },
			{ type: "image_url", image_url: { url: "data:image/png;base64,AA==", detail: "low" } }] },
		{ role: "assistant", content: "so", tool_calls: [f("c1", "f"), f("c2", "g")] },
		{ role: "tool", tool_call_id: "c1", content: "1" },
		{ role: "tool", tool_call_id: "c2", content: "2" },
	]);
	await says(x, "ok");

	const r = await asked;
	const page = await client.responses.inputItems.list(r.id, { order: "asc", limit: 4 });

	assert.deepEqual(page.data.map((i) => i.type),
		["message", "message", "message", "function_call"]);
	assert.equal(page.has_more, true);
	assert.equal(page.data[1].content[1].detail, "low");

	const listed = await all(client.responses.inputItems.list(r.id, { limit: 3 }));

	assert.deepEqual(listed.map((i) => i.type), ["function_call_output", "function_call_output",
		"function_call", "function_call", "message", "message", "message"]);
	assert.equal(new Set(listed.map((i) => i.id)).size, 7);
});

test("what cannot be given is refused by name", async () => {
	const refused = [
		[{ input: undefined }, "input"],
		[{ conversation: "conv_1" }, "conversation"],
		[{ truncation: "auto" }, "truncation"],
		[{ tools: [{ type: "web_search" }] }, "tools[0]"],
		[{ background: true, store: false }, "store"],
		[{ input: [{ type: "input_file" }] }, "input[0]"],
		[{ previous_response_id: "resp_x" }, "previous_response_id"],
		[{ on_interrupt: "restart" }, "on_interrupt"],
		[{ stream: "yes" }, "stream"],
	];

	for (const [body, param] of refused)
		await assert.rejects(ask(body), (e) => e.status === 400 && e.param === param, param);
	await assert.rejects(ask({ previous_response_id: "resp_01890000-0000-7000-8000-000000000000" }),
		(e) => e.status === 404);
	await assert.rejects(client.responses.retrieve("resp_none"), (e) => e.status === 404);
});

// --- events ---

test("events are numbered, come at once, and are the same bytes after a restart", async () => {
	const stream = await ask({ stream: true });
	const it = stream[Symbol.asyncIterator]();
	const next = async () => (await within(10_000, "an event", it.next())).value;
	const first = await next();
	const x = await upstream.next();

	// The upstream has said nothing yet.
	assert.equal(first.type, "response.created");
	assert.equal(first.response.status, "in_progress");
	assert.equal((await next()).type, "response.in_progress");
	await x.send("one");
	assert.equal((await next()).type, "response.output_item.added");
	assert.equal((await next()).type, "response.content_part.added");
	assert.equal((await next()).delta, "one");
	await x.send(" two");
	assert.equal((await next()).delta, " two");
	await x.finish();

	const rest = [];

	for (let e = await next(); e; e = await next())
		rest.push(e);
	assert.deepEqual(rest.map((e) => e.type), ["response.output_text.done", "response.content_part.done",
		"response.output_item.done", "response.completed"]);
	assert.deepEqual(rest.map((e) => e.sequence_number), [6, 7, 8, 9]);
	assert.equal(rest[3].response.output[0].content[0].text, "one two");
	assert.equal(rest[3].response.usage.output_tokens, 11);

	const { id } = first.response;
	const whole = await events(id);
	const tail = await events(id, "&starting_after=5");

	assert.match(whole.text, /^id: 0\nevent: response\.created\ndata: /);
	assert.ok(whole.text.endsWith(tail.text));
	assert.match(tail.text, /^id: 6\nevent: response\.output_text\.done\n/);
	await service.restart();
	connect();
	assert.equal((await events(id)).text, whole.text);
	assert.deepEqual((await all(await client.responses.retrieve(id, { stream: true, starting_after: 7 })))
		.map((e) => e.sequence_number), [8, 9]);
	assert.equal((await events(id, "&starting_after=9")).text.includes("data:"), false);
});

test("the library's accumulator takes calls, thoughts and a resumed stream", async () => {
	const runner = client.responses.stream({ model: "sim", input: "hi", tools: TOOLS });
	const x = await upstream.next();

	await x.sendRaw(x.chunk({ reasoning_content: "hm" }));
	await x.send("let me see");
	await saysCall(x);

	const r = await runner.finalResponse();

	assert.deepEqual(r.output.map((o) => o.type), ["reasoning", "message", "function_call"]);
	assert.deepEqual([r.output[2].call_id, r.output[2].name, r.output[2].arguments, r.output[2].status],
		["call_a", "weather", "{\"city\":\"Rome\"}", "completed"]);

	const resumed = client.responses.stream({ response_id: r.id, starting_after: 4 });
	const seen = [];

	resumed.on("event", (e) => seen.push(e.sequence_number));
	assert.deepEqual((await resumed.finalResponse()).output, r.output);
	assert.equal(seen[0], 5);
});

test("an end at the token limit is incomplete, a failure is failed, in the stream", async () => {
	const cut = ask({ stream: true });
	let x = await upstream.next();

	await x.send("a");
	await x.finish({ reason: "length" });

	const short = (await all(await cut)).at(-1);

	assert.equal(short.type, "response.incomplete");
	assert.equal(short.response.status, "incomplete");
	assert.equal(short.response.incomplete_details.reason, "max_output_tokens");
	assert.equal(short.response.output[0].status, "incomplete");

	const fails = ask({ stream: true, on_interrupt: "fail" });

	x = await upstream.next();
	await x.send("a");
	x.cut();

	const list = await all(await fails);
	const failed = list.at(-1);

	assert.equal(failed.type, "response.failed");
	assert.equal(failed.response.status, "failed");
	assert.equal(failed.response.error.code, "server_error");
	assert.equal(list.at(-2).item.status, "incomplete");
	assert.equal((await client.responses.retrieve(failed.response.id)).status, "failed");

	const waited = ask({});

	x = await upstream.next();
	x.refuse(400);
	await assert.rejects(waited, (e) => e.status === 400 && e.error.details.execution_id.length === 36);
});

test("what was begun again cannot be told: the stream ends with an error", async () => {
	const made = await service.ask("/v1/executions", { body: { prompt: "p", model: "sim",
		on_interrupt: "restart", retry: { attempts: 2, base_ms: 1 } } });
	const id = made.json.execution_id;
	let x = await upstream.next();

	await x.send("lost");
	x.cut();
	x = await upstream.next();
	await says(x, "kept");
	assert.equal((await service.ask(`/v1/responses/${id}?wait_ms=60000`)).json.output[0].content[0].text, "kept");
	await assert.rejects(async () => all(await client.responses.retrieve(`resp_${id}`, { stream: true })),
		/begun again/);
});

// --- later ---

test("a background response is there at once, followed, and cancelled", async () => {
	const made = await ask({ background: true });

	assert.equal(made.background, true);
	assert.ok(["queued", "in_progress"].includes(made.status));
	assert.equal(made.usage, null);

	const x = await upstream.next();

	await x.send("half");

	const stream = await client.responses.retrieve(made.id, { stream: true });
	const seen = [];

	for await (const event of stream) {
		seen.push(event);
		if (event.type === "response.output_text.delta")
			break;
	}
	await assert.rejects(client.responses.delete(made.id), (e) => e.status === 409);
	assert.equal((await client.responses.retrieve(made.id)).output[0].status, "in_progress");

	const cancelled = await client.responses.cancel(made.id);

	assert.equal(cancelled.status, "cancelled");
	assert.equal(cancelled.output[0].content[0].text, "half");
	assert.equal((await client.responses.cancel(made.id)).status, "cancelled");
	await within(30_000, "the hang-up", x.closed);

	const last = (await all(await client.responses.retrieve(made.id,
		{ stream: true, starting_after: seen.at(-1).sequence_number }))).at(-1);

	assert.equal(last.type, "response.incomplete");
	assert.equal(last.response.status, "cancelled");
	await client.responses.delete(made.id);
	await assert.rejects(client.responses.retrieve(made.id), (e) => e.status === 410 || e.status === 404);
});

test("a client that leaves stops nothing, unless it said so", async () => {
	for (const [on_disconnect, status] of [["cancel", "cancelled"], ["continue", "completed"]]) {
		const stream = await ask({ stream: true, on_disconnect });
		const x = await upstream.next();
		let id;

		await x.send("a");
		for await (const event of stream) {
			id ??= event.response.id;
			if (event.type === "response.output_text.delta")
				break;
		}
		if (status === "completed")
			await x.finish();
		else
			await within(30_000, "the hang-up", x.closed);
		assert.equal((await service.ask(`/v1/responses/${id}?wait_ms=60000`)).json.status, status);
	}
});

test("a conversation goes on from what is stored, without its instructions", async () => {
	let asked = ask({ instructions: "old", input: "weather?", tools: TOOLS });

	await saysCall(await upstream.next());

	const first = await asked;

	asked = ask({ instructions: "new", previous_response_id: first.id,
		input: [{ type: "function_call_output", call_id: "call_a", output: "sunny" }] });

	const x = await upstream.next();
	const call = { id: "call_a", type: "function", function: { name: "weather", arguments: "{\"city\":\"Rome\"}" } };
	const so_far = [{ role: "user", content: "weather?" }, { role: "assistant", content: null, tool_calls: [call] },
		{ role: "tool", tool_call_id: "call_a", content: "sunny" }];

	assert.deepEqual(x.body.messages.map((m) => ({ ...m, content: m.content ?? null })),
		[{ role: "system", content: "new" }, ...so_far]);
	await says(x, "It is sunny.");

	const second = await asked;

	assert.equal(second.previous_response_id, first.id);
	// Also when nothing of it is in memory.
	await service.restart();
	connect();
	asked = ask({ previous_response_id: second.id, input: "thanks" });

	const y = await upstream.next();

	assert.deepEqual(y.body.messages.map((m) => ({ ...m, content: m.content ?? null })),
		[...so_far, { role: "assistant", content: "It is sunny." }, { role: "user", content: "thanks" }]);
	await says(y, "welcome");
	await asked;
});

test("items that were answered may be referred to; another owner's may not be", async () => {
	let asked = ask({ input: "weather?", tools: TOOLS });

	await saysCall(await upstream.next());

	const first = await asked;
	const input = [{ role: "user", content: "weather?" }, { type: "item_reference", id: first.output[0].id },
		{ type: "function_call_output", call_id: "call_a", output: "sunny" }];

	asked = ask({ input });

	const x = await upstream.next();

	assert.equal(x.body.messages[1].tool_calls[0].function.arguments, "{\"city\":\"Rome\"}");
	await says(x, "ok");
	await asked;
	await assert.rejects(ask({ input: [{ type: "item_reference", id: `${first.output[0].id}9` }] }),
		(e) => e.status === 400 && e.param === "input[0]");

	const { json: { secret } } = await service.ask("/v1/keys",
		{ body: { label: "other", owner: "other", scopes: ["run"] } });
	const other = new OpenAI({ baseURL: `${service.url}/v1`, apiKey: secret });

	for (const go of [() => other.responses.create({ model: "sim", input }),
		() => other.responses.create({ model: "sim", input: "a", previous_response_id: first.id }),
		() => other.responses.retrieve(first.id), () => other.responses.cancel(first.id),
		() => other.responses.delete(first.id), () => other.responses.inputItems.list(first.id)])
		await assert.rejects(async () => go(), (e) => e.status === 404);
});

test("the same Idempotency-Key is the same response", async () => {
	const options = { headers: { "Idempotency-Key": "responses-1" } };
	const asked = client.responses.create({ model: "sim", input: "once" }, options);

	await says(await upstream.next(), "only");
	assert.deepEqual(await client.responses.create({ model: "sim", input: "once" }, options), await asked);
});

// --- the AI SDK ---

test("the AI SDK's default model streams text and thoughts", async () => {
	const openai = createOpenAI({ baseURL: `${service.url}/v1`, apiKey: ADMIN_KEY });
	const result = streamText({ model: openai("sim"), prompt: "hi", maxRetries: 0 });
	const text = result.text;
	const x = await upstream.next();

	await x.sendRaw(x.chunk({ reasoning_content: "hm" }));
	await says(x, "Hel", "lo");
	assert.equal(await text, "Hello");
	assert.equal(await result.reasoningText, "hm");
	assert.equal((await result.usage).outputTokens, 11);
	assert.equal(await result.finishReason, "stop");
});

test("the AI SDK runs a tool and refers to what was said by its items' ids", async () => {
	const openai = createOpenAI({ baseURL: `${service.url}/v1`, apiKey: ADMIN_KEY });
	const asked = generateText({ model: openai("sim"), prompt: "weather?", maxRetries: 0,
		stopWhen: stepCountIs(2),
		tools: { weather: tool({ inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }),
			execute: async ({ city }) => `sunny in ${city}` }) } });

	await saysCall(await upstream.next());

	const x = await upstream.next();

	assert.deepEqual(x.body.messages.map((m) => m.role), ["user", "assistant", "tool"]);
	assert.equal(x.body.messages[1].tool_calls[0].id, "call_a");
	await says(x, "Sunny.");
	assert.equal((await asked).text, "Sunny.");
});
