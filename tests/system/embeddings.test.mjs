// Embeddings: asked in OpenAI's protocol, made by upstreams of three dialects.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany } from "ai";
import OpenAI from "openai";

import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { ADMIN_KEY, Service } from "./service.mjs";

let upstream, service, client;

before(async () => {
	upstream = await ScriptedUpstream.start();

	const origin = new URL(upstream.url).origin;

	service = await Service.start({ upstream: upstream.url, args: ["--retry-attempts", "1"],
		env: { OLLAMA_HOST: origin, OLLAMA_MODEL: "nomic", GEMINI_API_KEY: "k", GEMINI_BASE_URL: origin,
			GEMINI_MODEL: "gemini-embedding-001", ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: origin,
			ANTHROPIC_MODEL: "claude" } });
	client = new OpenAI({ baseURL: `${service.url}/v1`, apiKey: ADMIN_KEY });
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

// Values that float32 has exactly, and some that it has not.
const A = [0.5, -1, 0, 1.5e-5];
const B = [0.1, 3, 1e10, -0.0625];
const list = (...rows) => ({ object: "list", model: "made-by", usage: { prompt_tokens: 9, total_tokens: 9 },
	data: rows.map((embedding, index) => ({ object: "embedding", index, embedding })) });
const f32 = (row) => [...Float32Array.from(row)];
const close = (a, b) => assert.deepEqual(f32(a), f32(b));

test("a batch comes back in order, as numbers or in base64", async () => {
	const asked = client.embeddings.create({ model: "openai/embed", input: ["one", "two ✓"], dimensions: 4,
		user: "ada" });
	const x = await upstream.next();

	assert.match(x.url, /\/v1\/embeddings$/);
	assert.deepEqual(x.body, { model: "embed", input: ["one", "two ✓"], dimensions: 4,
		encoding_format: "float", user: "ada" });
	// Upstreams may tell them in any order.
	x.whole({ ...list(A, B), data: list(A, B).data.reverse() });

	const answer = await asked;

	assert.equal(answer.model, "made-by");
	assert.deepEqual(answer.usage, { prompt_tokens: 9, total_tokens: 9 });
	assert.deepEqual(answer.data.map((d) => d.index), [0, 1]);
	close(answer.data[0].embedding, A);
	close(answer.data[1].embedding, B);

	const floats = service.ask("/v1/embeddings", { body: { model: "openai/embed", input: "one" } });

	(await upstream.next()).whole(list(B));
	close((await floats).json.data[0].embedding, B);

	const id = (await floats).headers["x-execution-id"];
	const { metadata, text } = await service.finish(id);

	assert.equal(Buffer.from(text, "base64").readFloatLE(4), 3);
	assert.equal(metadata.usage.input_tokens, 9);
	assert.equal(metadata.usage.output_tokens, 0);
	assert.equal(metadata.usage_source, "provider");
});

test("the AI SDK's embedMany gets them", async () => {
	const { textEmbeddingModel, embeddingModel = textEmbeddingModel } = createOpenAICompatible({ name: "spool",
		baseURL: `${service.url}/v1`, apiKey: ADMIN_KEY });
	const asked = embedMany({ model: embeddingModel("openai/embed"), values: ["one", "two"] });

	(await upstream.next()).whole(list(A, B));

	const { embeddings, usage } = await asked;

	close(embeddings[0], A);
	close(embeddings[1], B);
	assert.equal(usage.tokens, 9);
});

test("upstreams of other dialects make them, too, and one says that it cannot", async () => {
	const ollama = client.embeddings.create({ model: "ollama/nomic", input: ["one", "two"] });
	const x = await upstream.next();

	assert.match(x.url, /\/api\/embed$/);
	assert.deepEqual(x.body, { model: "nomic", input: ["one", "two"], truncate: false });
	x.whole({ model: "nomic", embeddings: [A, B], prompt_eval_count: 5 });
	close((await ollama).data[1].embedding, B);
	assert.equal((await ollama).usage.prompt_tokens, 5);

	const gemini = client.embeddings.create({ model: "gemini/gemini-embedding-001", input: ["one", "two"],
		dimensions: 4 });
	const y = await upstream.next();

	assert.match(y.url, /\/v1beta\/models\/gemini-embedding-001:batchEmbedContents$/);
	assert.deepEqual(y.body.requests[1], { model: "models/gemini-embedding-001",
		content: { parts: [{ text: "two" }] }, outputDimensionality: 4 });
	y.whole({ embeddings: [{ values: A }, { values: B }] });
	close((await gemini).data[0].embedding, A);
	assert.ok((await gemini).usage.prompt_tokens > 0, "estimated");

	await assert.rejects(client.embeddings.create({ model: "anthropic/claude", input: "one" }),
		(e) => e instanceof OpenAI.BadRequestError && /no embeddings/.test(e.message));
});

test("thousands of values are told, all of them", async () => {
	const rows = Array.from({ length: 300 }, (_, i) => Array.from({ length: 700 }, (_, k) => (i + 1) / (k + 1)));
	const asked = (encoding_format) => service.ask("/v1/embeddings", { body: { model: "openai/embed",
		input: rows.map((_, i) => `text ${i}`), encoding_format },
	headers: { "Idempotency-Key": `many-${encoding_format}` } });

	for (const format of ["float", "base64"]) {
		const answer = asked(format);

		(await upstream.next()).whole(list(...rows));

		const { json } = await answer;

		assert.equal(json.data.length, rows.length);
		json.data.forEach((d, i) => {
			const bytes = format === "base64" && Buffer.from(d.embedding, "base64");

			assert.equal(d.index, i);
			close(bytes ? new Float32Array(new Uint8Array(bytes).buffer) : d.embedding, rows[i]);
		});
		assert.equal((await asked(format)).text, (await answer).text, "again, it is the same");
	}
	assert.equal(upstream.ready.length, 0);
});

test("what is wrong is refused, what fails is said", async () => {
	const refuses = async (body, param) => {
		const { status, json } = await service.ask("/v1/embeddings", { body: { model: "openai/embed", ...body } });

		assert.equal(status, 400, JSON.stringify(json));
		assert.equal(json.error.param, param);
	};

	await refuses({}, "input");
	await refuses({ input: [] }, "input");
	await refuses({ input: "" }, "input[0]");
	await refuses({ input: ["a", 5] }, "input[1]");
	await refuses({ input: "a", encoding_format: "int8" }, "encoding_format");
	await refuses({ input: "a", dimensions: 0 }, "dimensions");

	const fails = async (does, status, code) => {
		const asked = assert.rejects(client.embeddings.create({ model: "openai/embed", input: ["a", "b"] }),
			(e) => e.status === status && e.code === code || assert.fail(`${e.status} ${e.code} ${e.message}`));

		does(await upstream.next());
		await asked;
	};

	await fails((x) => x.refuse(429, { message: "slow", type: "rate_limit_error", code: null }), 429, "rate_limit_exceeded");
	await fails((x) => x.whole(list(A)), 502, "protocol");
	await fails((x) => x.whole({ object: "list" }), 502, "protocol");
	await fails((x) => x.whole("{\"data\":[{\"embedding\":[0.1,"), 502, "truncated");
	await fails((x) => x.whole({ error: { message: "no such model", code: "model_not_found" } }), 404, "model_not_found");
	assert.equal(upstream.ready.length, 0);
});
