// What answers cost: as providers tell it, or as prices say, exact; for ended,
// failed and cancelled ones; and never 0 where nobody knows.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { command } from "./command.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, run, tempDir } from "./service.mjs";

const dir = tempDir();
const file = path.join(dir, "prices.json");
let upstream, second, service;

before(async () => {
	upstream = await ScriptedUpstream.start();
	second = await ScriptedUpstream.start();
	writeFileSync(file, JSON.stringify({ usd_per_million_tokens: {
		"cloud/m": { prompt: 1.25, completion: 10, input_cache_read: 0.125 },
		"vendor/n": { prompt: 0.1, completion: 0.3, request: 0.001 },
	} }));
	const config = path.join(dir, "spool.ini");
	writeFileSync(config, `
[worker]
prices = ${file}
[retry]
base = 1ms
[upstream cloud]
base_url = ${upstream.url}
model = m
[upstream other]
base_url = ${second.url}
prices = vendor
[upstream local]
base_url = ${second.url}
[model both]
targets = cloud/m, local/free
`);
	service = await Service.start({ args: ["--config", config] });
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
	await second?.stop();
});

async function answered(body, from, usage) {
	const id = await service.execute(body);
	const x = await from.nextFor(body.prompt);

	await x.send("text");
	await x.finish({ usage });
	return (await service.finish(id)).metadata;
}

test("counted tokens times the price, to the last digit", async () => {
	const metadata = await answered({ prompt: "a" }, upstream, { prompt_tokens: 1003, completion_tokens: 7,
		prompt_tokens_details: { cached_tokens: 1000 } });

	assert.equal(metadata.cost_source, "prices");
	assert.equal(metadata.usage_source, "provider");
	// 3 * 1.25 + 1000 * 0.125 + 7 * 10 millionths of a dollar
	assert.equal(metadata.cost_usd, 0.00019875);
});

test("what the provider tells comes first", async () => {
	const metadata = await answered({ prompt: "b" }, upstream, { prompt_tokens: 10, completion_tokens: 10, cost: 0.000000123 });

	assert.equal(metadata.cost_source, "provider");
	assert.equal(metadata.cost_usd, 0.000000123);
});

test("an upstream has another's prices only where the configuration says so", async () => {
	const mapped = await answered({ prompt: "c", model: "other/n" }, second, { prompt_tokens: 10, completion_tokens: 10 });

	assert.equal(mapped.cost_source, "prices");
	assert.equal(mapped.cost_usd, 0.001004);
	const free = await answered({ prompt: "d", model: "local/n" }, second, { prompt_tokens: 10, completion_tokens: 10 });
	assert.equal(free.cost_source, "none");
	assert.equal(free.cost_usd, undefined, "not known is not 0");
});

test("a cancelled one costs what was sent and received", async () => {
	const id = await service.execute("cancelled");
	const x = await upstream.nextFor("cancelled");

	await x.send("some words that were received");
	await service.reach(id, 1);
	await service.ask(`/v1/executions/${id}/cancel`, { method: "POST" });
	const { metadata, status } = await service.finish(id);
	assert.equal(status, "cancelled");
	assert.equal(metadata.usage_source, "estimated");
	assert.equal(metadata.cost_source, "prices");
	const { input_tokens, output_tokens } = metadata.usage;
	assert.ok(input_tokens > 0 && output_tokens > 0);
	assert.equal(Math.round(metadata.cost_usd * 1e12), input_tokens * 1_250_000 + output_tokens * 10_000_000);
});

test("a failed one, too; and what was refused costs nothing that is told", async () => {
	const id = await service.execute({ prompt: "broken", retry: { attempts: 1 }, on_interrupt: "fail" });
	const x = await upstream.nextFor("broken");

	await x.send("half an");
	await service.reach(id, 1);
	x.cut();
	const { metadata, status } = await service.finish(id);
	assert.equal(status, "failed");
	assert.equal(metadata.cost_source, "prices");
	assert.ok(metadata.cost_usd > 0);

	const refused = await service.execute({ prompt: "refused", retry: { attempts: 1 } });
	(await upstream.nextFor("refused")).refuse(401, { message: "no" });
	const end = await service.finish(refused);
	assert.equal(end.metadata.cost_source, "none");
	assert.equal(end.metadata.cost_usd, undefined);
});

test("attempts at a priced and at a local upstream are mixed", async () => {
	const id = await service.execute({ prompt: "mixed", model: "both", retry: { attempts: 1 }, on_interrupt: "restart" });
	const x = await upstream.nextFor("mixed");

	await x.send("half an");
	await service.reach(id, 1);
	x.cut();
	const y = await second.nextFor("mixed");
	await y.send("whole");
	await y.finish({ usage: { prompt_tokens: 5, completion_tokens: 5 } });
	const { metadata } = await service.finish(id);
	assert.equal(metadata.attempts.length, 2);
	assert.equal(metadata.cost_source, "mixed");
	assert.ok(metadata.cost_usd > 0);
});

test("a crash does not make it free", async () => {
	const id = await service.execute("killed");
	const x = await upstream.nextFor("killed");

	await x.send("some words");
	await service.reach(id, 1);
	await service.kill9();
	await service.restart();
	const { metadata } = await service.finish(id);
	assert.equal(metadata.error.code, "interrupted");
	assert.equal(metadata.cost_source, "prices");
	assert.ok(metadata.cost_usd > 0);
});

test("the sums have it, and spool usage shows it", async () => {
	const { json } = await service.ask("/v1/usage?by=target");
	const cloud = json.usage.find((u) => u.target === "cloud/m");

	assert.equal(json.usage.find((u) => u.target === "local/n").cost_pusd, null);
	assert.equal(json.usage.find((u) => u.target === "other/n").cost_pusd, 1_004_000_000);
	assert.ok(cloud.priced >= 4 && cloud.cost_pusd > 198_750_000);
	const shown = await command(["usage", "--by", "target"], { env: { SPOOL_URL: service.url, SPOOL_KEY: service.key } });
	assert.match(shown.out, /other\/n\t.*\t0\.001004\n/);
});

test("the prices are listed with the models", async () => {
	const { json } = await service.ask("/v1/models/cloud/m");

	assert.deepEqual(json.pricing, { prompt: "0.00000125", completion: "0.00001", input_cache_read: "0.000000125" });
	const shown = await command(["models", "--upstream", "cloud"], { env: { SPOOL_URL: service.url, SPOOL_KEY: service.key } });
	assert.match(shown.out, /^cloud\/m\t\t\t\t1\.25\t10$/m);
});

test("a file of prices that is wrong ends the start with the place", async () => {
	const bad = path.join(dir, "bad.json");
	const start = (args) => run(["serve", "--demo", "--listen", "127.0.0.1:0", "--db", path.join(dir, "x.db"), ...args]);

	writeFileSync(bad, '{"usd_per_million_tokens":{"a/b":{"prompt":1}}}');
	const answer = await start(["--prices", bad]);
	assert.equal(answer.code, 2, answer.output);
	assert.match(answer.output, /bad\.json: "a\/b" needs prompt and completion/);
	const missing = await start(["--prices", path.join(dir, "missing.json")]);
	assert.equal(missing.code, 2);
	assert.match(missing.output, /cannot read the prices in .*missing\.json: No such file/);
});
