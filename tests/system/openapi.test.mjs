// /openapi.json: is it OpenAPI, and is it true?

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv from "ajv/dist/2020.js";
import formats from "ajv-formats";

import { Service, ask, tempDir } from "./service.mjs";

let service, spec, operations;

before(async () => {
	const key = path.join(tempDir(), "vault.key");

	writeFileSync(key, Buffer.alloc(32, 7), { mode: 0o600 });
	service = await Service.start({ demo: true, args: ["--vault-key-file", key] });
	spec = (await ask(`${service.url}/openapi.json`)).json;
	operations = Object.entries(spec.paths).flatMap(([path, item]) => Object.entries(item)
		.map(([method, operation]) => ({ path, method, operation, name: `${method.toUpperCase()} ${path}` })));
});
after(() => service?.stop());

const at = (ref) => ref.slice(2).split("/").reduce((o, word) => o?.[word.replaceAll("~1", "/")], spec);

// Every object in ${o}, with the words that lead there.
function* walk(o, where = []) {
	if (o === null || typeof o !== "object")
		return;
	yield { o, where };
	for (const [key, value] of Object.entries(o))
		yield* walk(value, [...where, key]);
}

test("the document is OpenAPI 3.1", async () => {
	const validator = new Validator();
	const result = await validator.validate(structuredClone(spec));

	assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
	assert.equal(validator.version, "3.1");
});

test("every reference leads somewhere, and nothing is described in vain", () => {
	const used = new Set();

	for (const { o, where } of walk(spec))
		if (typeof o.$ref === "string") {
			assert.ok(at(o.$ref), `${o.$ref} at ${where.join("/")}`);
			used.add(o.$ref);
		}
	for (const name of Object.keys(spec.components.schemas))
		assert.ok(used.has(`#/components/schemas/${name}`), `${name} is not used`);
});

test("every operation has a name of its own, its path's parameters, an answer and a refusal", () => {
	const names = new Set();

	for (const { path, operation, name } of operations) {
		assert.ok(!names.has(operation.operationId), `${name}: ${operation.operationId} is another's`);
		names.add(operation.operationId);
		assert.match(operation.operationId, /^[a-z][A-Za-z0-9_]+$/);

		const said = (operation.parameters ?? []).filter((p) => p.in === "path").map((p) => p.name);
		assert.deepEqual(said, [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]), name);
		for (const p of operation.parameters ?? [])
			assert.ok(p.schema && (p.in !== "path" || p.required), `${name}: ${p.name}`);

		const codes = Object.keys(operation.responses);
		assert.ok(codes.some((c) => /^[123]/.test(c)), name);
		const refusal = at(operation.responses.default.$ref);
		assert.ok(Object.keys(refusal.content).every((type) => /json$/.test(type)), name);
	}
});

test("what is public needs no key, all else does", () => {
	assert.deepEqual(operations.filter((o) => o.operation.security?.length === 0).map((o) => o.path).sort(),
		["/healthz", "/openapi.json", "/readyz"].sort());
	for (const { security } of operations.map((o) => o.operation))
		for (const key of (security ?? spec.security).flatMap(Object.keys))
			assert.ok(spec.components.securitySchemes[key], key);
});

// The answers' schemas, without room for what is not described. A chunk's metadata
// is the kind's own.
function validators() {
	const closed = structuredClone(spec);
	const ajv = formats(new Ajv({ strict: false }));

	for (const [name, schema] of Object.entries(closed.components.schemas))
		if (name !== "ChunkMetadata")
			schema.additionalProperties ??= false;
	ajv.addSchema(closed, "spec");
	return (pattern, method, status, type) => {
		const response = spec.paths[pattern][method].responses[status];
		const where = response?.$ref ? `${response.$ref}/content` :
			`#/paths/${pattern.replaceAll("/", "~1")}/${method}/responses/${status}/content`;

		return ajv.compile({ $ref: `spec${where}/${type.replaceAll("/", "~1")}/schema`
			.replaceAll("{", "%7B").replaceAll("}", "%7D") });
	};
}

test("answers are what the document says", async () => {
	const of = validators();
	const seen = new Set();

	// Ask, and hold the answer against what is said of it.
	async function check(method, pattern, { id = "", query = "", status = 200, ...options } = {}) {
		const answer = await service.ask(pattern.replace(/\{\w+\}/, id) + query, { method: method.toUpperCase(), ...options });
		const { responses } = spec.paths[pattern][method];
		const said = responses[answer.status] ?? responses.default;
		const type = (answer.headers["content-type"] ?? "").split(";")[0];

		assert.equal(answer.status, status, `${method} ${pattern}: ${answer.text}`);
		assert.ok(said, `${method} ${pattern} does not say ${answer.status}`);
		seen.add(`${method} ${pattern}`);
		if (status === 204) {
			assert.equal(said.content, undefined);
			return answer;
		}
		const content = said.$ref ? at(said.$ref).content : said.content;
		assert.ok(content?.[type], `${method} ${pattern} does not say ${type}`);
		const bodies = type.endsWith("ndjson") ? answer.text.trim().split("\n").map((line) => JSON.parse(line)) :
			answer.json ? [answer.json] : [answer.text];
		const validate = of(pattern, method, responses[answer.status] ? String(answer.status) : "default", type);
		for (const body of bodies)
			assert.ok(validate(body), `${method} ${pattern}: ${JSON.stringify(validate.errors)} in ${JSON.stringify(body).slice(0, 2000)}`);
		return answer;
	}

	const made = await check("post", "/v1/executions", { body: { prompt: "hello", model: "sim-fast" }, status: 202,
		headers: { "Idempotency-Key": "k" } });
	const id = made.json.execution_id;
	await service.finish(id);
	await check("post", "/v1/executions", { body: { prompt: "hello", model: "sim-fast" }, headers: { "Idempotency-Key": "k" } });
	const failed = await service.execute({ prompt: "x", model: "sim-error-401" });
	await service.finish(failed);

	await check("get", "/v1/executions");
	await check("get", "/v1/executions/{id}", { id });
	await check("get", "/v1/executions/{id}", { id: failed });
	await check("get", "/v1/executions/{id}", { id: "nonsense", status: 404 });
	await check("get", "/v1/executions/{id}/chunks", { id, query: "?limit=2" });
	await check("get", "/v1/executions/{id}/chunks", { id, query: "?fromIndex=2" });
	await check("get", "/v1/executions/{id}/chunks", { id, query: "?fromIndex=x", status: 400 });
	await check("get", "/v1/executions/{id}/text", { id });
	await check("get", "/v1/executions/{id}/events", { id, query: "?wait_ms=0" });
	await check("post", "/v1/executions/{id}/tickets", { id, status: 201 });
	await check("post", "/v1/executions/{id}/cancel", { id });
	await check("post", "/v1/executions/poll", { body: { executions: [{ execution_id: id }, { execution_id: "x" }] } });
	const line = (await check("get", "/v1/executions/export")).text;
	await check("post", "/v1/executions/export", { body: { ids: [id, failed] } });
	await check("post", "/v1/executions/import", { body: line, headers: { "Content-Type": "application/x-ndjson" } });
	await check("get", "/v1/models");
	await check("get", "/v1/models/{model}", { id: "sim" });
	await check("get", "/v1/usage");
	await check("get", "/v1/usage", { query: "?by=target" });
	const key = (await check("post", "/v1/keys", { body: { label: "l", scopes: ["run"], expires_in_s: 60 }, status: 201 })).json;
	const next = (await check("post", "/v1/keys/{id}/rotate", { id: key.id, status: 201 })).json;
	await check("delete", "/v1/keys/{id}", { id: next.id, status: 204 });
	await check("get", "/v1/keys");
	await check("put", "/v1/provider-keys/{upstream}", { id: "sim", body: { key: "sk-0123456789", owner: "ada" } });
	await check("get", "/v1/provider-keys");
	await check("delete", "/v1/provider-keys/{upstream}", { id: "sim", query: "?owner=ada", status: 204 });
	await check("put", "/v1/prompts/{name}", { id: "p", body: { template: "say {{it}}", temperature: 1 }, status: 201 });
	await check("get", "/v1/prompts");
	await check("get", "/v1/prompts/{name}", { id: "p" });
	await check("delete", "/v1/prompts/{name}", { id: "p", status: 204 });
	await check("get", "/healthz");
	await check("get", "/readyz");
	await check("get", "/v1/status");
	await check("get", "/v1/check");
	await check("get", "/openapi.json");
	for (const name of ["/execute", "/execute_prompt_streaming", "/execute_prompt"])
		await check("post", name, { body: { data: { prompt: "x", model: "sim-fast" } } });
	for (const name of ["/get_chunks", "/get_execution_chunks", "/cancel", "/cancel_execution"])
		await check("post", name, { body: { data: { execution_id: id } } });
	await check("post", "/get_chunks", { body: { data: {} }, status: 400 });
	await check("post", "/v1/prune", { body: { all: true, dry_run: true, list: true } });
	await check("post", "/v1/prune", { body: { ids: [failed], payload_only: true } });
	await check("get", "/v1/executions/{id}/chunks", { id: failed, status: 410 });
	await check("post", "/v1/executions/export", { body: { ids: [failed] } });
	await check("delete", "/v1/executions/{id}", { id, status: 204 });
	await check("get", "/v1/audit");
	await check("post", "/v1/backup", { status: 201 });
});

test("what may be sent is known to the server, what may not is refused", async () => {
	let n = 0;

	for (const { path, method, operation, name } of operations) {
		const schema = at(operation.requestBody?.content["application/json"]?.schema.$ref ?? "#/none");
		const data = schema?.properties.data?.$ref;
		const wanted = data ? at(data) : schema;

		if (!wanted?.properties)
			continue;
		const send = (body) => service.ask(path.replace(/\{\w+\}/, "nobody"),
			{ method: method.toUpperCase(), body: data ? { data: body } : body });
		for (const member of Object.keys(wanted.properties)) {
			// An object in an object is good for none of them.
			const answer = await send({ [member]: { none: { such: 1 } } });

			assert.ok(!answer.text.includes(`"${member} is not known here`), `${name}: ${member}: ${answer.text}`);
			n++;
		}
		if (wanted.additionalProperties === false)
			assert.match((await send({ zzz: 1 })).text, /zzz is not known here/, name);
	}
	assert.ok(n > 80, `${n}`);
});

test("what a query may name is known to the server", async () => {
	for (const { path, method, operation, name } of operations)
		for (const p of (operation.parameters ?? []).filter((q) => q.in === "query")) {
			const answer = await service.ask(`${path.replace(/\{\w+\}/, "nobody")}?${p.name}=`, { method: method.toUpperCase(),
				...(method === "post" ? { body: {} } : {}) });

			assert.doesNotMatch(answer.text, /known are|there are none|did you mean/, `${name}: ${p.name}: ${answer.text}`);
		}
});
