// Keys of providers: whose is sent where, and that nobody finds them anywhere else.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { command } from "./command.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { ADMIN_KEY, Service, tempDir } from "./service.mjs";

const CANARY = "canary-4711-of-a-client-0123456789";
const dir = tempDir();
let upstream, second, service;

before(async () => {
	upstream = await ScriptedUpstream.start();
	second = await ScriptedUpstream.start();
	const config = path.join(dir, "spool.ini");
	writeFileSync(config, `
[retry]
base = 1ms
recover = restart
[upstream first]
base_url = ${upstream.url}
key = operators-key-0123456789
model = m
[upstream other]
base_url = ${second.url}
key = operators-other-key-0123456789
[upstream bare]
base_url = ${second.url}
[upstream openai]
base_url = https://api.openai.com/v1
[upstream claude]
dialect = anthropic
base_url = https://api.anthropic.com
[model both]
targets = first/m, other/n
[model clouds]
targets = openai/gpt-5.1, claude/claude-sonnet-4-5
[model partly]
targets = openai/gpt-5.1, bare/n
`);
	service = await Service.start({ args: ["--config", config, "--models-ttl", "0"] });
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
	await second?.stop();
});

const keyed = (key = CANARY) => ({ headers: { "X-Provider-Key": key } });
const sent = (x) => x.headers.authorization;

async function finish(id, x) {
	await x.send("text");
	await x.finish();
	return service.finish(id);
}

// Nothing that is kept or told holds it.
function assertNowhere(secret) {
	for (const name of readdirSync(service.dir).filter((n) => n.startsWith("spool.db")))
		assert.ok(!readFileSync(path.join(service.dir, name)).includes(secret), `${name} has the key in it`);
	assert.ok(!service.log.includes(secret), "the log has the key in it");
}

test("a key that comes with a request is sent for it alone", async () => {
	const id = await service.execute("a", keyed());
	const x = await upstream.nextFor("a");

	assert.equal(sent(x), `Bearer ${CANARY}`);
	await finish(id, x);
	const next = await service.execute("b");
	const y = await upstream.nextFor("b");
	assert.equal(sent(y), "Bearer operators-key-0123456789");
	await finish(next, y);

	const shown = await service.ask(`/v1/executions/${id}`);
	assert.equal(shown.json.request.provider_key, "first", "it says whose key came");
	assert.ok(!shown.text.includes(CANARY));
	assert.ok(!(await service.ask("/v1/executions/export")).text.includes(CANARY));
	assertNowhere(CANARY);
});

test("no connection is used for a client's key and for another", async () => {
	async function port(prompt, options) {
		const id = await service.execute(prompt, options);
		const x = await upstream.nextFor(prompt);
		const from = x.response.socket.remotePort;

		await finish(id, x);
		return from;
	}
	const ours = await port("c1");
	const theirs = await port("c2", keyed());
	const again = await port("c3", keyed(`${CANARY}-2`));
	assert.equal(await port("c4"), ours, "the operator's is kept");
	assert.equal(new Set([ours, theirs, again]).size, 3);
});

test("it may name its upstream, and goes to no other", async () => {
	const id = await service.execute({ prompt: "d", model: "both", retry: { attempts: 1 } }, keyed(`first=${CANARY}`));
	const x = await upstream.nextFor("d");

	assert.equal(sent(x), `Bearer ${CANARY}`);
	x.refuse(500);
	const y = await second.nextFor("d");
	assert.equal(sent(y), "Bearer operators-other-key-0123456789");
	await finish(id, y);

	const later = await service.execute({ prompt: "e", model: "both", retry: { attempts: 1 } }, keyed(`other=${CANARY}`));
	const u = await upstream.nextFor("e");
	assert.equal(sent(u), "Bearer operators-key-0123456789");
	u.refuse(500);
	const v = await second.nextFor("e");
	assert.equal(sent(v), `Bearer ${CANARY}`);
	await finish(later, v);
});

test("one that cannot be used is refused, and not repeated", async () => {
	for (const [key, why] of [[`bare=${CANARY}`, /is for upstream "bare", which this model does not ask/],
		[`frist=${CANARY}`, /before = is the name of no upstream/], [`=${CANARY}`, /before = is the name of no upstream/],
		[`${CANARY} x`, /has blanks in it/], ["first=", /is empty/], ["x".repeat(9000), /too long/]]) {
		const answer = await service.ask("/v1/executions", { body: { prompt: "x" }, ...keyed(key) });

		assert.equal(answer.status, 400, answer.text);
		assert.equal(answer.json.field, "X-Provider-Key");
		assert.match(answer.json.detail, why);
		assert.ok(!answer.text.includes(CANARY));
	}
	assert.equal((await service.ask("/v1/executions", { body: { prompt: "x", provider_key: "first" } })).status, 400);
});

test("what an upstream echoes of it is struck out", async () => {
	const id = await service.execute({ prompt: "echo", retry: { attempts: 1 } }, keyed());

	(await upstream.nextFor("echo")).refuse(401, { message: `Incorrect API key provided: ${CANARY}. See example.com`, code: CANARY });
	const { metadata, chunks } = await service.finish(id);
	assert.equal(metadata.error.code, "auth");
	assert.equal(metadata.error.status, 401);
	assert.match(metadata.error.message, /Incorrect API key provided: \*+/);
	assert.ok(!JSON.stringify([metadata, chunks]).includes(CANARY));
	assertNowhere(CANARY);
});

test("a client's refused key does not rest the upstream for others", async () => {
	for (let i = 0; i < 6; i++) {
		const id = await service.execute({ prompt: `limited ${i}`, retry: { attempts: 1 } }, keyed());

		(await upstream.nextFor(`limited ${i}`)).refuse(429, { message: "slow down" });
		await service.finish(id);
	}
	const id = await service.execute({ prompt: "mine", model: "both" });
	await finish(id, await upstream.nextFor("mine"));
});

test("after a crash it is gone, and the execution says so", async () => {
	const running = await service.execute("running", keyed());
	const x = await upstream.nextFor("running");

	await x.send("half");
	await service.reach(running, 1);
	const plain = await service.execute("plain");
	await upstream.nextFor("plain");
	await service.kill9();
	await service.restart();
	const { status, metadata, text } = await service.finish(running);
	assert.equal(status, "failed");
	assert.equal(text, "half");
	assert.equal(metadata.error.code, "provider_key_lost");
	assert.match(metadata.error.message, /send both again/);
	// One without is run on, as --recover says.
	await finish(plain, await upstream.nextFor("plain"));
	assertNowhere(CANARY);
});

test("what it was is exported and imported like any other", async () => {
	const other = await Service.start({ demo: true, args: ["--models-ttl", "0"] });
	const { text } = await service.ask("/v1/executions/export");
	const answer = await other.ask("/v1/executions/import", { body: text, headers: { "Content-Type": "application/x-ndjson" } });

	assert.equal(answer.json.refused, 0, answer.text);
	assert.ok(answer.json.imported > 5);
	await other.stop();
});

test("without any key the refusal says which variable to set", async () => {
	const answer = await service.ask("/v1/executions", { body: { prompt: "x", model: "openai/gpt-5.1" } });

	assert.equal(answer.status, 400);
	assert.equal(answer.json.code, "failed_precondition");
	assert.match(answer.json.detail, /openai wants a key and there is none: .*OPENAI_API_KEY.*X-Provider-Key/);
	const claude = await service.ask("/v1/executions", { body: { prompt: "x", model: "claude/claude-sonnet-4-5" } });
	assert.match(claude.json.detail, /ANTHROPIC_API_KEY/);
	assert.equal((await service.ask("/v1/executions", { body: { prompt: "x", model: "clouds" } })).status, 400);
	const called = await service.call("execute", { prompt: "x", model: "clouds" });
	assert.equal(called.error.status, "FAILED_PRECONDITION");
	// One target that can be asked is enough: the other is passed by, and says why.
	const id = await service.execute({ prompt: "partly", model: "partly" });
	const { metadata } = await finish(id, await second.nextFor("partly"));
	assert.equal(metadata.attempts[0].error_code, "auth");
	assert.match(metadata.attempts[0].message, /openai wants a key/);
	assert.equal(metadata.attempts[1].target, "bare/n");
});

test("an upstream that refuses a request without a key: the error says that none was sent", async () => {
	const id = await service.execute({ prompt: "bare", model: "bare/n", retry: { attempts: 1 } });
	const x = await second.nextFor("bare");

	assert.equal(sent(x), undefined);
	x.refuse(401, { message: "You need a key" });
	const { metadata } = await service.finish(id);
	assert.match(metadata.error.message, /^You need a key \(no key was sent: give \[upstream bare\] key_env/);
});

test("spool exec takes it from its environment, never from the command line", async () => {
	const env = { SPOOL_URL: service.url, SPOOL_KEY: ADMIN_KEY };
	const done = command(["exec", "from the shell"], { env: { ...env, SPOOL_PROVIDER_KEY: CANARY } });
	const x = await upstream.nextFor("from the shell");

	assert.equal(sent(x), `Bearer ${CANARY}`);
	await x.send("said");
	await x.finish();
	assert.equal((await done).out, "said\n");
	const refused = await command(["exec", "--provider-key", CANARY, "x"], { env });
	assert.equal(refused.code, 2);
	assert.match(refused.err, /can be seen by every user/);
});
