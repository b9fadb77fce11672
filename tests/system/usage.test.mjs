// What executions used: the exact sums, by everything, for those who may see them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { command } from "./command.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { ADMIN_KEY, Service } from "./service.mjs";

const today = new Date().toISOString().slice(0, 10);
let upstream, service, keys = {}, ids = [];

async function answered(prompt, key, usage) {
	const id = await service.execute(prompt, { key });
	const x = await upstream.nextFor(prompt);

	await x.send("text");
	await x.finish({ usage });
	await service.finish(id, { key });
	ids.push(id);
}

const usage = async (query = {}, options = {}) =>
	(await service.ask(`/v1/usage?${new URLSearchParams(query)}`, options)).json;

before(async () => {
	upstream = await ScriptedUpstream.start();
	service = await Service.start({ upstream: upstream.url, model: "m" });
	for (const owner of ["ada", "bob"])
		keys[owner] = (await service.ask("/v1/keys",
			{ body: { label: owner, owner, scopes: ["run"] } })).json.secret;
	await answered("a", keys.ada, { prompt_tokens: 10, completion_tokens: 20, cost: 0.000123 });
	await answered("b", keys.ada, { prompt_tokens: 1, completion_tokens: 2,
		prompt_tokens_details: { cached_tokens: 1 }, completion_tokens_details: { reasoning_tokens: 2 } });
	await answered("c", keys.bob, { prompt_tokens: 100, completion_tokens: 200 });
	const id = await service.execute("stopped", { key: keys.bob });
	const x = await upstream.nextFor("stopped");
	await x.send("text");
	await service.reach(id, 1);
	await service.ask(`/v1/executions/${id}/cancel`, { method: "POST" });
	await service.finish(id);
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

test("the sums are exact, by owner, by target and by day", async () => {
	const owners = await usage({ by: "owner" });

	assert.equal(owners.by, "owner");
	assert.equal(owners.next, null);
	assert.deepEqual(owners.usage[0], { owner: "ada", executions: 2, completed: 2, failed: 0, cancelled: 0,
		attempts: 2, input_tokens: 11, output_tokens: 22, cached_input_tokens: 1, reasoning_tokens: 2,
		cost_usd: 0.000123, cost_pusd: 123_000_000, priced: 1 });
	const bob = owners.usage[1];
	assert.deepEqual([bob.owner, bob.executions, bob.completed, bob.cancelled], ["bob", 2, 1, 1]);
	// Nobody has said what bob's cost: that is not 0.
	assert.deepEqual([bob.cost_usd, bob.cost_pusd, bob.cached_input_tokens, bob.priced], [null, null, null, 0]);
	assert.equal(owners.total.executions, 4);
	assert.equal(owners.total.cost_pusd, 123_000_000);
	assert.equal(owners.total.input_tokens, 11 + bob.input_tokens);

	const targets = await usage({ by: "target" });
	assert.deepEqual(targets.usage.map((u) => u.target), ["openai/m"]);
	assert.equal(targets.usage[0].executions, 4);
	const days = await usage();
	assert.ok(days.usage.length === 1 || days.usage[0].day === today, "midnight may have passed");
	assert.equal(days.total.executions, 4);
});

test("the parameters narrow it, and nonsense is refused", async () => {
	const ms = Date.parse(`${today}T12:00:00Z`);

	assert.equal((await usage({ since: ms + 3 * 86_400_000 })).total.executions, 0);
	assert.equal((await usage({ until: ms - 2 * 86_400_000 })).usage.length, 0);
	assert.equal((await usage({ since: ms - 2 * 86_400_000, until: ms + 3 * 86_400_000 })).total.executions, 4);
	assert.equal((await usage({ owner: "ada" })).total.executions, 2);
	const first = await usage({ by: "owner", limit: 1 });
	assert.equal(first.usage.length, 1);
	assert.equal(first.total.executions, 4, "of all pages");
	const second = await usage({ by: "owner", limit: 1, after: first.next });
	assert.equal(second.usage[0].owner, "bob");
	assert.deepEqual((await usage({ by: "owner", limit: 1, after: second.next })).usage, []);
	for (const query of [{ by: "model" }, { since: "yesterday" }, { limit: 0 }, { after: "x" }, { buy: "day" }])
		assert.equal((await service.ask(`/v1/usage?${new URLSearchParams(query)}`)).status, 400);
});

test("a key sees its owner's usage and nobody else's", async () => {
	const own = await usage({ by: "owner" }, { key: keys.ada });

	assert.deepEqual(own.usage.map((u) => u.owner), ["ada"]);
	assert.equal(own.total.executions, 2);
	assert.equal((await service.ask("/v1/usage?owner=bob", { key: keys.ada })).status, 403);
	// Nobody is not everybody.
	for (const route of ["/v1/usage?owner=", "/v1/usage?owner", "/v1/executions?owner=", "/v1/executions?status=", "/v1/executions/export?owner="])
		for (const key of [keys.ada, undefined]) {
			const answer = await service.ask(route, key ? { key } : {});

			assert.equal(answer.status, 400, route);
			assert.match(answer.json.detail, /is empty; leave it out/);
		}
	assert.equal((await service.ask("/v1/usage", { key: "none" })).status, 401);
});

test("spool usage shows it, with the total, for people and for scripts", async () => {
	const env = { SPOOL_URL: service.url, SPOOL_KEY: ADMIN_KEY };
	const plain = await command(["usage", "--by", "owner"], { env });
	const rows = plain.out.trimEnd().split("\n").map((line) => line.split("\t"));

	assert.equal(plain.code, 0, plain.err);
	assert.deepEqual(rows[0], ["ada", "2", "2", "0", "0", "2", "11", "1", "22", "2", "0.000123"]);
	assert.equal(rows[1].at(-1), "", "not known is empty");
	assert.deepEqual(rows.at(-1).slice(0, 2), ["total", "4"]);
	const json = (await command(["usage", "--since", "1d", "--owner", "ada", "--json"], { env })).out
		.trimEnd().split("\n").map((line) => JSON.parse(line));
	assert.equal(json.at(-1).total.cost_pusd, 123_000_000);
	assert.equal(json.slice(0, -1).reduce((n, row) => n + row.executions, 0), 2);
	assert.equal((await command(["usage", "--since", "nonsense"], { env })).code, 2);
});

test("what was deleted is counted still, after a restart and by check too; brought back, once", async () => {
	const lines = (await service.ask("/v1/executions/export")).text;
	const sums = (await usage()).total;

	for (const id of ids)
		assert.equal((await service.ask(`/v1/executions/${id}`, { method: "DELETE" })).status, 204);
	await service.restart();
	assert.equal((await usage()).total.executions, 4);
	await service.stop();
	const check = await command(["check", "--db", service.db]);
	assert.equal(check.code, 0, check.out);
	await service.launch();
	const back = await service.ask("/v1/executions/import", { method: "POST", body: lines,
		headers: { "Content-Type": "application/x-ndjson" } });
	assert.equal(back.json.imported, ids.length, back.text);
	assert.deepEqual((await usage()).total, sums);
	const [row] = (await service.ask("/v1/audit?limit=1")).json.entries;
	assert.equal(row.action, "import");
	assert.deepEqual(row.detail, { imported: ids.length, existed: 1, refused: 0 });
});
