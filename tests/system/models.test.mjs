// Which models can be asked for: what is configured, what upstreams list, as OpenAI
// lists it; and what when an upstream does not.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { command } from "./command.mjs";
import { ADMIN_KEY, Service, tempDir, within } from "./service.mjs";

// A provider whose lists are what `answer(url, headers)` says: { status, body }.
class Lists {
	static async start(answer) {
		const lists = new Lists();

		lists.answer = answer;
		lists.asked = [];
		lists.server = http.createServer((request, response) => {
			lists.asked.push({ method: request.method, url: request.url, headers: request.headers });
			const { status = 200, body = {}, hang } = lists.answer(request.url, request.headers);

			if (hang)
				return;
			response.writeHead(status, { "Content-Type": "application/json" });
			response.end(typeof body === "string" ? body : JSON.stringify(body));
		});
		await new Promise((done) => lists.server.listen(0, "127.0.0.1", done));
		lists.server.unref();
		lists.server.on("connection", (socket) => socket.unref());
		lists.url = `http://127.0.0.1:${lists.server.address().port}`;
		return lists;
	}

	async stop() {
		this.server.closeAllConnections();
		await new Promise((done) => this.server.close(done));
	}
}

const dir = tempDir();
const lists = {};
let service, reader;

const ids = (answer) => answer.json.data.map((m) => m.id);
const models = (query = "", options = {}) => service.ask(`/v1/models${query}`, options);

before(async () => {
	lists.openai = await Lists.start(() => ({ body: { object: "list", data: [
		{ id: "gpt-b", object: "model", created: 1700000000, owned_by: "system" },
		{ id: "gpt-a", object: "model", created: 1700000001, owned_by: "system" }] } }));
	lists.router = await Lists.start(() => ({ body: { data: [{ id: "meta/llama", name: "Meta: Llama",
		created: 1700000002, context_length: 131072, top_provider: { max_completion_tokens: 4096 },
		pricing: { prompt: "0.00000125", completion: "0.00001", request: "0", image: "-1" } }] } }));
	lists.ollama = await Lists.start(() => ({ body: { models: [{ name: "llama3.2:latest", model: "llama3.2:latest",
		modified_at: "2026-01-02T03:04:05.678901234+02:00", details: {} }] } }));
	lists.gemini = await Lists.start((url) => {
		const token = new URL(url, "http://h").searchParams.get("pageToken");
		const model = (name) => ({ name: `models/${name}`, displayName: name, inputTokenLimit: 1048576,
			outputTokenLimit: 65536, supportedGenerationMethods: ["generateContent"] });

		return { body: token === "next/page" ? { models: [model("gemini-2")] }
			: { models: [model("gemini-1")], nextPageToken: "next/page" } };
	});
	lists.anthropic = await Lists.start((url) => (
		{ body: new URL(url, "http://h").searchParams.get("after_id") === "claude-1"
			? { data: [{ type: "model", id: "claude-2", display_name: "Claude 2", created_at: "2026-01-02T00:00:00Z" }], has_more: false }
			: { data: [{ type: "model", id: "claude-1", display_name: "Claude 1", created_at: "2025-01-02T00:00:00Z" }],
				has_more: true, last_id: "claude-1" } }));
	const config = path.join(dir, "spool.ini");
	writeFileSync(config, `
[upstream openai]
base_url = ${lists.openai.url}/v1
key = sk-first-0123456789
model = gpt-own
[upstream router]
base_url = ${lists.router.url}/api/v1
any_model = yes
[upstream local]
dialect = ollama
base_url = ${lists.ollama.url}
[upstream google]
dialect = gemini
base_url = ${lists.gemini.url}
key = AIza-second-0123456789
[upstream claude]
dialect = anthropic
base_url = ${lists.anthropic.url}
key = sk-ant-third-0123456789
[model chat]
targets = openai/gpt-a, local/llama3.2:latest
`);
	service = await Service.start({ args: ["--config", config] });
	reader = (await service.ask("/v1/keys", { body: { label: "r", owner: "ann", scopes: ["read"] } })).json.secret;
});
after(async () => {
	await service?.stop();
	for (const l of Object.values(lists))
		await l.stop();
});

test("all lists are merged, in the shape that OpenAI's clients read", async () => {
	const answer = await models();

	assert.equal(answer.status, 200);
	assert.equal(answer.json.object, "list");
	assert.deepEqual(ids(answer), ["chat", "gpt-own", "gpt-a", "gpt-b", "openai/gpt-own", "openai/gpt-a",
		"openai/gpt-b", "router/meta/llama", "local/llama3.2:latest", "google/gemini-1", "google/gemini-2",
		"claude/claude-1", "claude/claude-2"]);
	for (const m of answer.json.data) {
		assert.equal(m.object, "model");
		assert.equal(typeof m.created, "number");
		assert.equal(typeof m.owned_by, "string");
	}
	const by = Object.fromEntries(answer.json.data.map((m) => [m.id, m]));
	assert.deepEqual(by.chat, { id: "chat", object: "model", created: 0, owned_by: "spool",
		targets: ["openai/gpt-a", "local/llama3.2:latest"] });
	assert.deepEqual(by["router/meta/llama"], { id: "router/meta/llama", object: "model", created: 1700000002,
		owned_by: "router", name: "Meta: Llama", context_length: 131072, max_output_tokens: 4096,
		pricing: { prompt: "0.00000125", completion: "0.00001", request: "0" }, targets: ["router/meta/llama"] });
	assert.equal(by["local/llama3.2:latest"].created, Date.parse("2026-01-02T03:04:05+02:00") / 1000);
	assert.equal(by["claude/claude-2"].created, Date.parse("2026-01-02T00:00:00Z") / 1000);
	assert.deepEqual(answer.json.upstreams.map((u) => [u.name, u.default, u.listed, u.models]),
		[["openai", true, true, 3], ["router", false, true, 1], ["local", false, true, 1],
			["google", false, true, 2], ["claude", false, true, 2]]);
});

test("each upstream was asked once, as its dialect asks, with its own key alone", () => {
	const first = (l) => l.asked.map((a) => `${a.method} ${a.url}`);

	assert.deepEqual(first(lists.openai), ["GET /v1/models"]);
	assert.equal(lists.openai.asked[0].headers.authorization, "Bearer sk-first-0123456789");
	assert.equal(lists.openai.asked[0].headers["content-length"], undefined);
	assert.deepEqual(first(lists.router), ["GET /api/v1/models"]);
	assert.equal(lists.router.asked[0].headers.authorization, undefined);
	assert.deepEqual(first(lists.ollama), ["GET /api/tags"]);
	assert.deepEqual(first(lists.gemini), ["GET /v1beta/models?pageSize=1000",
		"GET /v1beta/models?pageSize=1000&pageToken=next%2Fpage"]);
	assert.equal(lists.gemini.asked[1].headers["x-goog-api-key"], "AIza-second-0123456789");
	assert.deepEqual(first(lists.anthropic), ["GET /v1/models?limit=1000", "GET /v1/models?limit=1000&after_id=claude-1"]);
	assert.equal(lists.anthropic.asked[0].headers["x-api-key"], "sk-ant-third-0123456789");
});

test("one model is found by its name, slashes encoded or not", async () => {
	for (const name of ["router/meta/llama", "router%2Fmeta%2Fllama", "chat", "local/llama3.2%3Alatest"]) {
		const answer = await models(`/${name}`);

		assert.equal(answer.status, 200, name);
		assert.equal(answer.json.id, decodeURIComponent(name));
	}
	const none = await models("/router/meta/lama");
	assert.equal(none.status, 404);
	assert.match(none.json.detail, /did you mean "router\/meta\/llama"/);
	assert.equal((await models("/%zz")).status, 404);
	assert.equal((await models("/")).status, 404);
});

test("it is for those who have a key, and is not sent twice", async () => {
	assert.equal((await models("", { key: null })).status, 401);
	const answer = await models("", { key: reader });
	assert.equal(answer.status, 200);
	const again = await models("", { key: reader, headers: { "If-None-Match": answer.headers.etag } });
	assert.equal(again.status, 304);
	assert.equal(again.text, "");
	assert.equal((await models("", { headers: { "If-None-Match": '"other"' } })).status, 200);
	assert.equal((await models("?nonsense=1")).status, 400);
});

test("a failing upstream keeps its last list and takes nobody else's away", async () => {
	const good = lists.openai.answer, before = ids(await models());

	// Until a refresh goes through: an upstream is not asked twice in two seconds.
	async function refreshed(word) {
		const until = performance.now() + 20_000;
		let answer;

		do
			answer = await models("?refresh=true");
		while (answer.json.upstreams[0].error !== word && performance.now() < until);
		return answer;
	}
	lists.openai.answer = () => ({ status: 401, body: { error: { message: "bad key sk-first-0123456789" } } });
	const answer = await refreshed("auth");
	assert.equal(answer.status, 200);
	assert.deepEqual(ids(answer), before);
	assert.deepEqual(answer.json.upstreams[0],
		{ name: "openai", default: true, models: 3, listed: false, error: "auth" });
	assert.ok(!answer.text.includes("sk-first") && !service.log.includes("sk-first"));
	lists.openai.answer = () => ({ body: "<html>" });
	assert.equal((await refreshed("protocol")).json.upstreams[0].error, "protocol");
	lists.openai.answer = () => ({ body: { data: [{ id: "gpt-new" }] } });
	const well = await refreshed(undefined);
	assert.ok(ids(well).includes("gpt-new"));
	assert.ok(ids(well).includes("openai/gpt-a"), "a configured target is always there");
	assert.ok(!ids(well).includes("gpt-b"));
	lists.openai.answer = good;
});

test("an upstream that does not answer holds a question for a bounded time, then none", async () => {
	const silent = await Lists.start(() => ({ hang: true }));
	const other = await Service.start({ env: { OPENAI_API_KEY: "sk-x-0123456789", OPENAI_MODEL: "own",
		OPENAI_BASE_URL: `${silent.url}/v1` } });
	const answer = await within(30_000, "a list", other.ask("/v1/models"));

	assert.deepEqual(ids(answer), ["own", "openai/own"]);
	assert.equal(answer.json.upstreams[0].listed, false);
	assert.equal((await other.stop()).code, 0);
	await silent.stop();
});

test("a long list comes in pieces, and whole", async () => {
	const data = Array.from({ length: 4000 }, (_, i) => ({ id: `vendor/model-${String(i).padStart(5, "0")}`,
		name: "x".repeat(100), created: i }));
	const long = await Lists.start(() => ({ body: { data } }));
	const other = await Service.start({ env: { OPENROUTER_API_KEY: "sk-or-0123456789", OPENROUTER_BASE_URL: `${long.url}/v1` } });
	const answer = await other.ask("/v1/models");

	assert.equal(answer.json.data.length, 4000);
	assert.ok(answer.bytes.length > 500_000);
	assert.equal(answer.json.data[3999].id, "openrouter/vendor/model-03999");
	assert.equal((await other.ask("/v1/models/openrouter/vendor/model-03999")).json.created, 3999);
	await other.stop();
	await long.stop();
});

test("with --models-ttl 0 upstreams are not asked", async () => {
	const count = lists.openai.asked.length;
	const other = await Service.start({ args: ["--models-ttl", "0"], env: { OPENAI_API_KEY: "sk-x-0123456789",
		OPENAI_MODEL: "own", OPENAI_BASE_URL: `${lists.openai.url}/v1` } });

	assert.deepEqual(ids(await other.ask("/v1/models?refresh=true")), ["own", "openai/own"]);
	assert.equal(lists.openai.asked.length, count);
	await other.stop();
});

test("a list that is too old is served while the next one comes", async () => {
	let n = 0;
	const growing = await Lists.start(() => ({ body: { data: [{ id: `m${n++}` }] } }));
	const other = await Service.start({ args: ["--models-ttl", "1ms"], env: { OPENAI_API_KEY: "sk-x-0123456789",
		OPENAI_BASE_URL: `${growing.url}/v1` } });
	const until = performance.now() + 20_000;
	const seen = new Set();

	while (seen.size < 3 && performance.now() < until)
		seen.add(ids(await other.ask("/v1/models"))[0]);
	assert.deepEqual([...seen].slice(0, 1), ["m0"], "the first list was waited for");
	assert.equal(seen.size, 3);
	await other.stop();
	await growing.stop();
});

test("a model that nobody has is refused, and the refusal says what there is", async () => {
	const answer = await service.ask("/v1/executions", { body: { prompt: "x", model: "rooter/meta/llama" } });

	assert.equal(answer.status, 400);
	assert.equal(answer.json.field, "model");
	assert.match(answer.json.detail, /configured: chat, openai\/gpt-own \(default\), router\/MODEL/);
	assert.match(answer.json.detail, /did you mean "router\/meta\/llama"\?$/);
});

test("spool models shows it to people and to scripts", async () => {
	const env = { SPOOL_URL: service.url, SPOOL_KEY: ADMIN_KEY };
	const plain = await command(["models"], { env });

	assert.equal(plain.code, 0, plain.err);
	const rows = plain.out.trimEnd().split("\n").map((l) => l.split("\t"));
	assert.deepEqual(rows[0], ["chat", "openai/gpt-a, local/llama3.2:latest", "", "", "", ""]);
	assert.deepEqual(rows.find((r) => r[0] === "router/meta/llama"),
		["router/meta/llama", "", "131072", "4096", "1.25", "10"]);
	const json = await command(["models", "--json", "--upstream", "claude"], { env });
	assert.deepEqual(json.out.trimEnd().split("\n").map((l) => JSON.parse(l).id), ["claude/claude-1", "claude/claude-2"]);
	const typo = await command(["models", "--upstream", "cluade"], { env });
	assert.deepEqual([typo.code, typo.out], [3, ""]);
	assert.match(typo.err, /there is no upstream "cluade"; there are: .*claude/);
	lists.gemini.answer = () => ({ status: 503, body: {} });
	const until = performance.now() + 20_000;
	let said;
	do
		said = await command(["models", "--refresh"], { env });
	while (!said.err && performance.now() < until);
	assert.match(said.err, /the list of google cannot be had now \((server|overloaded)\)/);
	assert.equal(said.code, 0);
	assert.match((await command(["models", "--nonsense"], { env })).err, /unknown option/);
});
