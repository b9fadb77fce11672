// Input from outside that is wrong in some way: each is refused with the right
// status, code and shape, names what was wrong, stores nothing, and leaves the
// connection good for the next request.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { Service, ask, run, tempDir } from "./service.mjs";

const ABSENT = "01890a5d-ac96-774b-bcce-b302099a8057";

let service, id;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

before(async () => {
	service = await Service.start({ demo: true });
	id = await service.execute({ prompt: "a real one", model: "sim-fast" });
	await service.finish(id);
});
after(async () => {
	agent.destroy();
	await service?.stop();
});

const json = { "Content-Type": "application/json" };
const big = (n) => JSON.stringify({ prompt: "x".repeat(n) });
const deep = (n) => `{"prompt":"x","metadata":{"a":${"[".repeat(n)}${"]".repeat(n)}}}`;

function checkProblem(answer, status, code) {
	assert.equal(answer.status, status, answer.text);
	assert.match(answer.headers["content-type"], /^application\/problem\+json/);
	assert.equal(answer.json.status, status);
	assert.equal(answer.json.code, code, answer.text);
	for (const member of ["type", "title", "detail"])
		assert.ok(typeof answer.json[member] === "string" && answer.json[member].length > 0, member);
}

function checkCallable(answer, http_status, status) {
	assert.equal(answer.status, http_status, answer.text);
	assert.match(answer.headers["content-type"], /^application\/json/);
	assert.equal(answer.json.error.status, status, answer.text);
	assert.ok(answer.json.error.message.length > 0);
	assert.equal("result" in answer.json, false);
}

// What is wrong: [name, method, path, body or undefined, headers, status, code]
const bad = (name, method, path, body, status = 400, code = "invalid_argument", headers = {}) =>
	({ name, method, path, body, headers, status, code });
const create = (name, body, status, code, headers) =>
	bad(`create: ${name}`, "POST", "/v1/executions", body, status, code, headers);

const rest = [
	bad("list: a parameter misspelt", "GET", "/v1/executions?limt=3"),
	bad("export: a parameter it does not have", "GET", "/v1/executions/export?limit=3"),
	bad("chunks: a parameter misspelt", "GET", `/v1/executions/${ABSENT}/chunks?from=3`),
	bad("prompts: an empty template", "PUT", "/v1/prompts/empty", { template: "" }),
	create("an empty body", "", 400, "bad_json"),
	create("not JSON", "{prompt:1}", 400, "bad_json"),
	create("half a JSON text", '{"prompt":"x"', 400, "bad_json"),
	create("two JSON texts", '{"prompt":"x"}{}', 400, "bad_json"),
	create("a member twice", '{"prompt":"x","prompt":"y"}', 400, "bad_json"),
	create("not UTF-8", Buffer.from([0x7b, 0x22, 0x70, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), 400, "bad_json"),
	create("a lone surrogate", '{"prompt":"\\ud800"}', 400, "bad_json"),
	create("an array", "[]", 400, ["bad_json", "invalid_argument"]),
	create("a number", "5", 400, ["bad_json", "invalid_argument"]),
	create("null", "null", 400, ["bad_json", "invalid_argument"]),
	create("nesting without end", deep(5000), 400, ["bad_json", "invalid_argument"]),
	create("an empty object", {}),
	create("an empty prompt", { prompt: "" }),
	create("a prompt that is a number", { prompt: 7 }),
	create("a prompt that is null", { prompt: null }),
	create("an unknown member", { prompt: "x", promt: "y" }),
	create("a prompt and messages", { prompt: "x", messages: [{ role: "user", content: "x" }] }),
	create("messages that are no array", { messages: "x" }),
	create("no messages", { messages: [] }),
	create("a message that is a string", { messages: ["x"] }),
	create("a message without a role", { messages: [{ content: "x" }] }),
	create("an unknown role", { messages: [{ role: "boss", content: "x" }] }),
	create("a message without content", { messages: [{ role: "user" }] }),
	create("an unknown member of a message", { messages: [{ role: "user", content: "x", mood: 1 }] }),
	create("an unknown kind of part", { messages: [{ role: "user", content: [{ type: "smell" }] }] }),
	create("a temperature that is a string", { prompt: "x", temperature: "hot" }),
	create("a temperature above 2", { prompt: "x", temperature: 3 }),
	create("a negative temperature", { prompt: "x", temperature: -1 }),
	create("max_output_tokens of 0", { prompt: "x", max_output_tokens: 0 }),
	create("max_output_tokens of 1.5", { prompt: "x", max_output_tokens: 1.5 }),
	create("one thing by two names", { prompt: "x", max_output_tokens: 1, max_tokens: 1 }),
	create("a stop that is empty", { prompt: "x", stop: [] }),
	create("nine stops", { prompt: "x", stop: "123456789".split("") }),
	create("tools that are no array", { prompt: "x", tools: {} }),
	create("a tool without a function", { prompt: "x", tools: [{ type: "function" }] }),
	create("an unknown tool_choice", { prompt: "x", tool_choice: "maybe" }),
	create("an unknown effort", { prompt: "x", reasoning_effort: "extreme" }),
	create("an unknown format", { prompt: "x", response_format: { type: "xml" } }),
	create("metadata that is no object", { prompt: "x", metadata: [] }),
	create("a model that is a number", { prompt: "x", model: 5 }),
	create("a model that is too long", { prompt: "x", model: "m".repeat(300) }),
	create("a model with a line break in its name", { prompt: "x", model: "sim\nHost: elsewhere" }),
	create("a model with a NUL in its name", { prompt: "x", model: "sim\0" }),
	create("a stored prompt that is not there", { promptId: "nobody" }, [400, 404], ["not_found", "invalid_argument",
		"failed_precondition"]),
	create("a body larger than the limit", big((1 << 20) + 1000), 413, "body_too_large"),
	create("a type that is not JSON", "prompt=x", 415, "unsupported_media_type",
		{ "Content-Type": "application/x-www-form-urlencoded" }),
	create("text/plain, as a form of another site would", '{"prompt":"x"}', 415, "unsupported_media_type",
		{ "Content-Type": "text/plain" }),
	create("an idempotency key that is too long", { prompt: "x" }, 400, "invalid_argument",
		{ "Idempotency-Key": "k".repeat(2000) }),

	bad("an unknown path", "GET", "/v1/nothing", undefined, 404, "no_route"),
	bad("an unknown path below an execution", "GET", `/v1/executions/${ABSENT}/nothing`, undefined, 404, "no_route"),
	bad("a method that a path does not know", "PUT", "/v1/executions", {}, 405, "method_not_allowed"),
	bad("PATCH of an execution", "PATCH", `/v1/executions/${ABSENT}`, {}, 405, "method_not_allowed"),
	...["", "/chunks", "/text"].map((what) =>
		bad(`GET ${what || "an execution"} that is not there`, "GET", `/v1/executions/${ABSENT}${what}`, undefined, 404,
			"not_found")),
	bad("cancel what is not there", "POST", `/v1/executions/${ABSENT}/cancel`, undefined, 404, "not_found"),
	bad("delete what is not there", "DELETE", `/v1/executions/${ABSENT}`, undefined, 404, "not_found"),
	...["nonsense", "1", `${ABSENT}x`, ABSENT.slice(1), "%00", "..", "%2e%2e%2f", "'; DROP TABLE executions; --"]
		.map((word) => bad(`the id ${word}`, "GET", `/v1/executions/${encodeURI(word).replaceAll("'", "%27")}/text`,
			undefined, 404, ["not_found", "no_route"])),
	...["x", "-1", "1.5", "1e3", "0x10", "", "99999999999999999999", "%00", "1%20", "+1"].map((word) =>
		bad(`fromIndex=${word}`, "GET", `/v1/executions/ID/chunks?fromIndex=${word}`)),
	bad("fromIndex twice", "GET", "/v1/executions/ID/chunks?fromIndex=1&fromIndex=2"),
	...["0", "-1", "x", "100000000"].map((word) =>
		bad(`limit=${word} of chunks`, "GET", `/v1/executions/ID/chunks?limit=${word}`)),
	...["-1", "x", "1.5"].map((word) =>
		bad(`wait_ms=${word}`, "GET", `/v1/executions/ID/chunks?wait_ms=${word}`)),
	...["0", "-1", "x", "1001"].map((word) => bad(`limit=${word} of a list`, "GET", `/v1/executions?limit=${word}`)),
	bad("an unknown status in a list", "GET", "/v1/executions?status=happy"),
	bad("a cursor that is none", "GET", "/v1/executions?after=nonsense"),
	bad("a since that is no time", "GET", "/v1/executions?since=yesterday"),
	bad("a since with an exponent", "GET", "/v1/executions?since=2026-01-02T03:04:05.1e3Z"),
	bad("a bad escape", "GET", "/v1/executions?status=%zz"),

	bad("poll: not JSON", "POST", "/v1/executions/poll", "nope", 400, "bad_json"),
	bad("poll: an empty object", "POST", "/v1/executions/poll", {}),
	bad("poll: no array", "POST", "/v1/executions/poll", { executions: 7 }),
	bad("poll: 101 executions", "POST", "/v1/executions/poll",
		{ executions: Array.from({ length: 101 }, () => ({ execution_id: ABSENT, fromIndex: 0 })) }),
	bad("poll: an entry that is a number", "POST", "/v1/executions/poll", { executions: [1] }),
	bad("poll: a negative index", "POST", "/v1/executions/poll",
		{ executions: [{ execution_id: ABSENT, fromIndex: -1 }] }),

	bad("key: an empty object", "POST", "/v1/keys", {}),
	bad("key: an unknown scope", "POST", "/v1/keys", { label: "x", scopes: ["fly"] }),
	bad("key: a label that is a number", "POST", "/v1/keys", { label: 1, scopes: ["run"] }),
	bad("key: a label that is too long", "POST", "/v1/keys", { label: "x".repeat(100), scopes: ["run"] }),
	bad("key: revoke what is not there", "DELETE", `/v1/keys/${ABSENT}`, undefined, 404, "not_found"),
	bad("key: rotate what is not there", "POST", `/v1/keys/${ABSENT}/rotate`, undefined, 404, "not_found"),
	bad("key: revoke what is no id", "DELETE", "/v1/keys/x", undefined, 404, "not_found"),

	bad("prompt: not JSON", "PUT", "/v1/prompts/p1", "nope", 400, "bad_json"),
	bad("prompt: an empty object", "PUT", "/v1/prompts/p1", {}),
	bad("prompt: an open variable", "PUT", "/v1/prompts/p1", { template: "{{x" }),
	bad("prompt: show what is not there", "GET", "/v1/prompts/nobody", undefined, 404, "not_found"),
	bad("prompt: a version that is none", "GET", "/v1/prompts/nobody?version=x"),
	bad("prompt: delete what is not there", "DELETE", "/v1/prompts/nobody", undefined, 404, "not_found"),
];

const one = (v, want) => want === undefined || (Array.isArray(want) ? want.includes(v) : v === want);

for (const c of rest)
	test(`REST: ${c.name}`, async () => {
		const answer = await ask(service.url + c.path.replace("/ID/", `/${id}/`), { method: c.method, key: service.key,
			agent, headers: { ...(c.body !== undefined ? json : {}), ...c.headers }, body: c.body });

		assert.ok(one(answer.status, c.status), `${answer.status} ${answer.text}`);
		assert.match(answer.headers["content-type"], /^application\/problem\+json/);
		assert.ok(one(answer.json.code, c.code), answer.text);
		checkProblem(answer, answer.status, answer.json.code);
		assert.doesNotMatch(answer.text, /spool-system-test-admin-key/);

		const next = await ask(`${service.url}/healthz`, { agent });
		assert.equal(next.status, 200);
		if (answer.headers.connection !== "close")
			assert.equal(next.reused, true, "the connection is good for the next request");
		else
			assert.ok([413, 414, 431].includes(answer.status) || answer.status === 400);
	});

const raw = (name, path, body, status, http_status, headers = json) => ({ name, path, body, status, http_status, headers });

const callables = [
	raw("not JSON", "/execute", "nope", "INVALID_ARGUMENT", 400),
	raw("an empty body", "/execute", "", "INVALID_ARGUMENT", 400),
	raw("no data", "/execute", "{}", "INVALID_ARGUMENT", 400),
	raw("data that is null", "/execute", '{"data":null}', "INVALID_ARGUMENT", 400),
	raw("data that is a string", "/execute", '{"data":"x"}', "INVALID_ARGUMENT", 400),
	raw("a second key beside data", "/execute", '{"data":{"prompt":"x"},"more":1}', "INVALID_ARGUMENT", 400),
	raw("an unknown member", "/execute", '{"data":{"prompt":"x","promt":"y"}}', "INVALID_ARGUMENT", 400),
	raw("a prompt of the wrong type", "/execute", '{"data":{"prompt":["x"]}}', "INVALID_ARGUMENT", 400),
	raw("a stored prompt that is not there", "/execute", '{"data":{"promptId":"nobody","inputs":{}}}', undefined, undefined),
	raw("inputs that are no object", "/execute", '{"data":{"promptId":"p","inputs":[]}}', "INVALID_ARGUMENT", 400),
	raw("chunks of nothing", "/get_chunks", '{"data":{}}', "INVALID_ARGUMENT", 400),
	raw("chunks of an id that is none", "/get_chunks", '{"data":{"executionId":"x","fromIndex":0}}', "NOT_FOUND", 404),
	raw("chunks of an id that is a number", "/get_chunks", '{"data":{"executionId":5,"fromIndex":0}}',
		"INVALID_ARGUMENT", 400),
	raw("chunks of an execution that is not there", "/get_execution_chunks",
		`{"data":{"executionId":"${ABSENT}","fromIndex":0}}`, "NOT_FOUND", 404),
	raw("chunks from a negative index", "/get_chunks", `{"data":{"executionId":"${ABSENT}","fromIndex":-1}}`,
		"INVALID_ARGUMENT", 400),
	raw("chunks from a text", "/get_chunks", `{"data":{"executionId":"${ABSENT}","fromIndex":"x"}}`,
		"INVALID_ARGUMENT", 400),
	raw("chunks from half an index", "/get_chunks", `{"data":{"executionId":"${ABSENT}","fromIndex":0.5}}`,
		"INVALID_ARGUMENT", 400),
	raw("cancel what is not there", "/cancel", `{"data":{"executionId":"${ABSENT}"}}`, "NOT_FOUND", 404),
	raw("an unknown name", "/nothing", '{"data":{}}', "NOT_FOUND", 404),
	raw("an unknown name below a project", "/p/r/nothing", '{"data":{}}', "NOT_FOUND", 404),
];

for (const c of callables)
	test(`callable: ${c.name}`, async () => {
		const answer = await ask(service.url + c.path, { method: "POST", key: service.key, agent,
			headers: c.headers, body: c.body });

		checkCallable(answer, c.http_status ?? answer.status, c.status ?? answer.json.error.status);
		assert.ok(answer.status >= 400 && answer.status < 500, answer.text);
		assert.equal((await ask(`${service.url}/healthz`, { agent })).reused, true);
	});

test("callable: a GET is refused", async () => {
	const answer = await ask(`${service.url}/execute`, { method: "GET", key: service.key, agent });

	assert.ok([400, 405].includes(answer.status), answer.text);
});

test("callable: a body without a type is taken, as the users' curl sends it", async () => {
	const answer = await ask(`${service.url}/execute`, { method: "POST", key: service.key, agent,
		headers: { "Content-Type": "application/x-www-form-urlencoded" },
		body: '{"data":{"prompt":"curl","model":"sim-fast"}}' });

	assert.equal(answer.status, 200, answer.text);
	await service.finish(answer.json.result.execution_id);
	await service.ask(`/v1/executions/${answer.json.result.execution_id}`, { method: "DELETE" });
});

test("callable: a stream's refusal is an event, with status 200", async () => {
	const answer = await ask(`${service.url}/get_chunks`, { method: "POST", key: service.key, agent,
		headers: { ...json, Accept: "text/event-stream" }, body: '{"data":{"executionId":"x"}}' });

	assert.equal(answer.status, 200);
	assert.match(answer.headers["content-type"], /^text\/event-stream/);
	const event = JSON.parse(/^data: (.*)$/m.exec(answer.text)[1]);
	assert.equal(event.error.status, "NOT_FOUND");
});

test("nothing of all that was stored", async () => {
	const answer = await service.ask("/v1/executions?limit=100");
	const list = answer.json.executions ?? answer.json.data;

	assert.deepEqual(list.map((e) => e.execution_id), [id]);
	const prompts = await service.ask("/v1/prompts");
	assert.equal((prompts.json.prompts ?? prompts.json.data).length, 0);
});

test("the server still answers", async () => {
	const next = await service.execute({ prompt: "still there", model: "sim-fast" });

	assert.equal((await service.finish(next)).status, "completed");
});

test("a Host that is not ours is refused before anything happens", async () => {
	const answer = await ask(`${service.url}/v1/executions`, { key: service.key,
		headers: { Host: "evil.example" }, body: { prompt: "rebind" } });

	assert.ok(answer.status >= 400 && answer.status < 500, answer.text);
});

test("flags that are wrong are refused with exit code 2 and a word about them", async () => {
	for (const args of [["serve", "--nonsense"], ["serve", "--listen", "nowhere"], ["serve", "--loops", "x"],
		["serve", "--durability", "maybe"], ["nonsense"], ["serve", "--demo", "surplus"]]) {
		const { code, output } = await run([...args, ...(args[0] === "serve" ? ["--db", `${tempDir()}/x.db`] : [])]);

		assert.ok(code !== 0 && code !== null, `${args}: ${output}`);
		assert.ok(output.length > 0);
		assert.doesNotMatch(output, /listening on/);
	}
});

test("a member that belongs elsewhere is not suggested to itself", async () => {
	const answer = await service.ask("/v1/prompts/p1", { method: "PUT", body: { prompt: "Hi" } });

	assert.equal(answer.status, 400);
	assert.match(answer.json.detail, /prompt is not known here$/);
});
