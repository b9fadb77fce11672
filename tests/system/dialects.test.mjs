// One question, asked of upstreams that speak differently: the answers do not.
// Each upstream is defined by the variables that its own users set, but for
// the one that has none.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { command } from "./command.mjs";
import { Service, Sim, ask, checkDense, tempDir } from "./service.mjs";

const DIALECTS = ["openai", "ollama", "gemini", "anthropic", "responses"];
const KEY = "key-of-the-upstream";
const TOOLS = [{ type: "function", function: { name: "weather", parameters: { type: "object",
	properties: { place: { type: "string" }, days: { type: "integer" } } } } }];

const sims = {};
let service, env, dir, config;

before(async () => {
	dir = tempDir();
	fs.writeFileSync(path.join(dir, "key"), KEY, { mode: 0o600 });
	for (const d of DIALECTS)
		sims[d] = await Sim.start(["--dialect", d, "--rate", "300", "--first-ms", "5",
			"--key-file", path.join(dir, "key")]);
	env = {
		OPENAI_API_KEY: KEY, OPENAI_BASE_URL: sims.openai.url,
		OLLAMA_API_KEY: KEY, OLLAMA_HOST: new URL(sims.ollama.origin).host,
		GEMINI_API_KEY: KEY, GEMINI_BASE_URL: sims.gemini.origin,
		ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: sims.anthropic.origin, ANTHROPIC_MODEL: "sim",
	};
	// What goes on in the background is reattach.test.mjs's.
	config = path.join(dir, "spool.ini");
	fs.writeFileSync(config, `[upstream responses]\ndialect = responses\nbase_url = ${sims.responses.url}\nkey_file = ${path.join(dir, "key")}\nbackground = no\n`);
	service = await Service.start({ env, args: ["--config", config, "--first-token-timeout", "1500ms", "--idle-timeout", "1500ms"] });
});
after(async () => {
	await service?.stop();
	for (const d of DIALECTS)
		await sims[d]?.stop();
	fs.rmSync(dir, { recursive: true, force: true });
});

async function answer(dialect, model, body) {
	const id = await service.execute({ prompt: "Why is the sky blue?", model: `${dialect}/${model}`, ...body });
	const all = await service.finish(id, { ms: 40_000 });

	checkDense(assert, all.chunks);
	assert.equal(all.chunks.at(-1).metadata.kind, "end");
	assert.ok(!JSON.stringify(all).includes(KEY), "the key stays here");
	return all;
}

const kinds = (a, kind) => a.chunks.filter((c) => c.metadata.kind === kind);

function checkFailed(a, code) {
	assert.equal(a.status, "failed");
	assert.match(a.metadata.error.code, code);
	assert.ok(a.metadata.error.message.length > 0);
}

test("all of them say the same, as a stream and in one piece", async () => {
	const texts = new Set();

	for (const d of DIALECTS) {
		for (const stream of [true, false]) {
			const a = await answer(d, "sim", { stream });

			assert.equal(a.status, "completed", JSON.stringify(a.metadata));
			assert.equal(a.metadata.finish_reason, "stop");
			assert.equal(a.metadata.model, "sim");
			assert.equal(a.metadata.target, `${d}/sim`);
			assert.equal(a.metadata.simulated, true);
			if (stream)
				assert.ok(kinds(a, "text").length > 3, `${d} streams`);
			texts.add(a.text);
		}
	}
	assert.equal(texts.size, 1, [...texts].join("\n"));
	assert.match([...texts][0], /^This is a/);
});

for (const d of DIALECTS) {
	test(`${d}: usage is the provider's`, async () => {
		const a = await answer(d, "sim?rate=0", {});
		const { usage } = a.metadata;

		assert.equal(a.metadata.usage_source, "provider");
		assert.equal(usage.output_tokens, kinds(a, "text").length);
		assert.ok(usage.input_tokens > 0);
		assert.equal(usage.total_tokens, usage.input_tokens + usage.output_tokens);
	});

	test(`${d}: a limit is kept and said`, async () => {
		const a = await answer(d, "sim", { max_output_tokens: 3 });

		assert.equal(a.status, "completed");
		assert.equal(a.metadata.finish_reason, "length");
		assert.equal(kinds(a, "text").length, 3);
		assert.equal(a.metadata.warnings, undefined);
	});

	test(`${d}: a tool is called, and its result ends the loop`, async () => {
		for (const stream of [true, false]) {
			const a = await answer(d, "sim", { prompt: "use a tool", tools: TOOLS, stream });
			const calls = kinds(a, "tool_call").map((c) => c.metadata);
			const [start, end] = [calls[0], calls.at(-1)];

			assert.equal(a.status, "completed", JSON.stringify(a.metadata));
			assert.equal(a.metadata.finish_reason, "tool_calls");
			assert.equal(a.text, "");
			assert.equal(start.phase, "start");
			assert.equal(start.name, "weather");
			assert.equal(end.phase, "end");
			assert.equal(end.valid_json, true);
			assert.deepEqual(JSON.parse(end.arguments), { place: "use a tool", days: 7 });
			assert.equal(calls.slice(1, -1).map((c) => c.arguments).join(""), end.arguments);

			const b = await answer(d, "sim", { prompt: undefined, tools: TOOLS, stream, messages: [
				{ role: "user", content: "use a tool" },
				{ role: "assistant", content: null, tool_calls: [{ id: start.id, type: "function",
					function: { name: "weather", arguments: end.arguments } }] },
				{ role: "tool", tool_call_id: start.id, content: "sunny" },
			] });
			assert.equal(b.status, "completed", JSON.stringify(b.metadata));
			assert.equal(kinds(b, "tool_call").length, 0);
			assert.match(b.text, /^This is a/);
		}
	});

	test(`${d}: reasoning comes before the text and is not a part of it`, async () => {
		for (const stream of [true, false]) {
			const a = await answer(d, "sim", { reasoning_effort: "low", stream });
			const thoughts = kinds(a, "reasoning");

			assert.equal(a.status, "completed", JSON.stringify(a.metadata));
			assert.equal(thoughts.map((c) => c.metadata.text).join(""),
				"The simulation pretends to think. It is done.");
			assert.ok(thoughts.at(-1).index < kinds(a, "text")[0].index);
			assert.match(a.text, /^This is a/);
			if (stream && d !== "ollama")
				assert.equal(a.metadata.usage.reasoning_tokens, 8);
		}
		assert.equal(kinds(await answer(d, "sim", { reasoning_effort: "none" }), "reasoning").length, 0);
	});

	for (const [status, code] of [[400, /^bad_request$/], [401, /^auth$/], [404, /^not_found$/],
		[429, /^rate_limit$/], [500, /^server$/], [502, /^server$/], [503, /^overloaded$/]])
		test(`${d}: a refusal with ${status} is a failure with a name`, async () => {
			const a = await answer(d, `sim-status?status=${status}`, {});

			checkFailed(a, code);
			assert.equal(a.metadata.error.status, status);
			assert.equal(a.text, "");
		});

	test(`${d}: an error in mid-stream keeps the text and says what it was`, async () => {
		const a = await answer(d, "sim-error", {});

		checkFailed(a, /^(server|overloaded)$/);
		assert.match(a.metadata.error.message, /mid-stream/);
		assert.match(a.text, /^This is a/);
	});

	test(`${d}: what is cut is truncated, never completed`, async () => {
		for (const model of ["sim-cut?after=12", "sim-cut?after=0", "sim-no-end?after=12", "sim-no-end?after=1"]) {
			const a = await answer(d, model, {});

			checkFailed(a, /^truncated$/);
			if (model.endsWith("12"))
				assert.ok(a.metadata.usage.output_tokens > 5, "all that came is counted");
		}
	});

	test(`${d}: what is no JSON, silence and signs of life end it, too`, async () => {
		checkFailed(await answer(d, "sim-garbage", {}), /^protocol$/);
		checkFailed(await answer(d, "sim-silent", {}), /^first_token_timeout$/);
		checkFailed(await answer(d, "sim-stall", {}), /^idle_timeout$/);
		checkFailed(await answer(d, "sim-pings", {}), /^idle_timeout$/);
	});

	test(`${d}: cuts between any two bytes change nothing`, async () => {
		const [whole, split] = [await answer(d, "sim", {}), await answer(d, "sim-split", {})];

		assert.equal(split.status, "completed");
		assert.equal(split.text, whole.text);
	});

	test(`${d}: a cancel closes the connection`, async () => {
		const { cut } = await sims[d].stats();
		const id = await service.execute({ prompt: "x", model: `${d}/sim?tokens=5000&rate=50` });

		await service.reach(id, 3);
		assert.equal((await service.ask(`/v1/executions/${id}/cancel`, { method: "POST" })).status, 200);
		for (let i = 0; (await sims[d].stats()).cut === cut; i++)
			assert.ok(i < 200, "the upstream sees it");
		assert.equal((await service.finish(id)).status, "cancelled");
	});
}

// How each is spoken to without spool: question, list of models, header, error's message.
const RAW = {
	openai: { chat: "/v1/chat/completions", models: "/v1/models", key: { Authorization: `Bearer ${KEY}` },
		ids: (m) => m.data.map((x) => x.id), message: (e) => e.error.message,
		bad: { model: "sim", messages: [] } },
	ollama: { chat: "/api/chat", models: "/api/tags", key: { Authorization: `Bearer ${KEY}` },
		ids: (m) => m.models.map((x) => x.model), message: (e) => e.error,
		bad: { model: "sim", messages: [{ role: "user", content: ["no text"] }] } },
	gemini: { chat: "/v1beta/models/sim:generateContent", models: "/v1beta/models", key: { "x-goog-api-key": KEY },
		ids: (m) => m.models.map((x) => x.displayName), message: (e) => e.error.message,
		bad: { contents: [{ role: "assistant", parts: [{ text: "no such role" }] }] } },
	anthropic: { chat: "/v1/messages", models: "/v1/models", key: { "x-api-key": KEY },
		ids: (m) => m.data.map((x) => x.id), message: (e) => e.error.message,
		bad: { model: "sim", messages: [{ role: "user", content: "no max_tokens" }] } },
	responses: { chat: "/v1/responses", models: "/v1/models", key: { Authorization: `Bearer ${KEY}` },
		ids: (m) => m.data.map((x) => x.id), message: (e) => e.error.message,
		bad: { model: "sim", input: "x", background: true, store: false } },
};

for (const [d, raw] of Object.entries(RAW))
	test(`the simulation of ${d} lists its models and refuses in that dialect`, async () => {
		const { origin } = sims[d];
		const list = await ask(origin + raw.models, { headers: raw.key });

		assert.equal(list.status, 200);
		assert.ok(raw.ids(list.json).includes("sim-cut"));
		for (const [status, route, options] of [
			[401, raw.models, {}],
			[401, raw.chat, { body: raw.bad }],
			[404, "/nowhere", { headers: raw.key }],
			[405, raw.chat, { headers: raw.key }],
			[400, raw.chat, { headers: raw.key, body: raw.bad }],
			[400, raw.chat, { headers: raw.key, body: "not JSON" }]]) {
			const no = await ask(origin + route, options);

			assert.equal(no.status, status, `${route}: ${no.text}`);
			assert.equal(typeof raw.message(no.json), "string");
			assert.ok(raw.message(no.json).length > 0);
		}
	});

test("what only tunes an answer is left out, and said", async () => {
	const a = await answer("anthropic", "sim", { seed: 7, max_output_tokens: 5 });

	assert.equal(a.status, "completed");
	assert.deepEqual(a.metadata.warnings.map((w) => w.field), ["seed"]);
	assert.equal((await answer("gemini", "sim", { seed: 7 })).metadata.warnings, undefined);
});

test("the command line says what was left out, beside the answer", async () => {
	const { code, out, err } = await command(["exec", "--model", "anthropic/sim", "hi"],
		{ env: { SPOOL_URL: service.url, SPOOL_KEY: service.key } });

	assert.equal(code, 0, err);
	assert.match(out, /^This is a/);
	assert.doesNotMatch(out, /warning/);
	assert.match(err, /^warning: max_output_tokens: .*8192/m);
});

test("what would change it is refused before anything is sent", async () => {
	const { requests } = await sims.ollama.stats();
	const a = await answer("ollama", "sim", { tools: TOOLS, tool_choice: "required" });

	checkFailed(a, /^bad_request$/);
	assert.match(a.metadata.error.message, /^tool_choice: /);
	assert.equal(a.metadata.error.retryable, false);
	assert.equal((await sims.ollama.stats()).requests, requests);
});

test("config show names them all, and no key", async () => {
	const { code, out } = await command(["config", "show", "--config", config], { env });

	assert.equal(code, 0);
	for (const d of DIALECTS) {
		assert.match(out, new RegExp(`\\[upstream ${d}\\]`));
		assert.match(out, new RegExp(`dialect = ${d}`));
	}
	assert.ok(!out.includes(KEY));
});

test("a dialect that is none is told with those that are", async () => {
	const { code, err } = await command(["upstream", "--dialect", "soap"]);

	assert.notEqual(code, 0);
	assert.match(err, /"soap".*openai, ollama, gemini, anthropic, responses/);
});
