// Owners' own keys for providers: sealed, used for their executions, shown to nobody.

import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { command } from "./command.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { ADMIN_KEY, Service, run, tempDir } from "./service.mjs";

const ADA = "sk-canary-of-ada-0123456789-wxyz";
const BOB = "sk-canary-of-bob-0123456789-abcd";
const dir = tempDir();
const config = path.join(dir, "spool.ini");
const file = (name, fill) => {
	const to = path.join(dir, name);

	writeFileSync(to, Buffer.alloc(32, fill), { mode: 0o600 });
	return to;
};
const first = file("first.key", 1), second = file("second.key", 2);
const keys = {};
let upstream, service;

const args = (...more) => ["--config", config, "--models-ttl", "0", ...more];

before(async () => {
	upstream = await ScriptedUpstream.start();
	writeFileSync(config, `
[upstream cloud]
base_url = ${upstream.url}
key = operators-key-0123456789
model = m
[upstream openai]
base_url = https://api.openai.com:1/v1
model = gpt-5.1
`);
	service = await Service.start({ args: args("--vault-key-file", first) });
	for (const owner of ["ada", "bob"])
		keys[owner] = (await service.ask("/v1/keys", { body: { label: owner, owner, scopes: ["run"] } })).json.secret;
	keys.reader = (await service.ask("/v1/keys", { body: { label: "r", owner: "ada", scopes: ["read"] } })).json.secret;
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

const set = (key, secret, name = "cloud", more = {}) => service.ask(`/v1/provider-keys/${name}`,
	{ method: "PUT", key, body: { key: secret, ...more } });

// The key that the upstream sees of an execution of ${key}'s.
async function sees(key, prompt) {
	const id = await service.execute(prompt, { key });
	const x = await upstream.nextFor(prompt);

	await x.send("text");
	await x.finish();
	assert.equal((await service.finish(id, { key })).status, "completed");
	return x.headers.authorization;
}

function assertNowhere() {
	const files = readdirSync(service.dir).filter((n) => n.startsWith("spool.db")).map((n) => path.join(service.dir, n));
	const backups = path.join(service.dir, "backups");

	if (existsSync(backups))
		files.push(...readdirSync(backups).map((n) => path.join(backups, n)));
	for (const secret of [ADA, BOB]) {
		for (const name of files)
			assert.ok(!readFileSync(name).includes(secret), `${name} has a key in it`);
		assert.ok(!service.log.includes(secret), "the log has a key in it");
	}
}

test("each owner's executions use the owner's key, others the operator's", async () => {
	const made = await set(keys.ada, ADA);

	assert.equal(made.status, 200, made.text);
	assert.deepEqual({ ...made.json, created_at: "" }, { upstream: "cloud", owner: "ada", hint: "wxyz", created_at: "" });
	assert.equal(await sees(keys.ada, "a"), `Bearer ${ADA}`);
	assert.equal(await sees(keys.bob, "b"), "Bearer operators-key-0123456789");
	assert.equal((await set(ADMIN_KEY, BOB, "cloud", { owner: "bob" })).status, 200);
	assert.equal(await sees(keys.bob, "c"), `Bearer ${BOB}`);
	assert.equal(await sees(keys.ada, "d"), `Bearer ${ADA}`);
});

test("it is listed to its owner and to admins, never shown", async () => {
	const mine = await service.ask("/v1/provider-keys", { key: keys.reader });
	assert.deepEqual(mine.json.provider_keys.map((k) => [k.owner, k.upstream, k.hint]), [["ada", "cloud", "wxyz"]]);
	const all = await service.ask("/v1/provider-keys");
	assert.deepEqual(all.json.provider_keys.map((k) => k.owner), ["ada", "bob"]);
	assert.equal((await service.ask("/v1/provider-keys?owner=bob", { key: keys.ada })).status, 403);
	assert.equal((await service.ask("/v1/provider-keys?owner=bob")).json.provider_keys.length, 1);
	for (const answer of [mine, all])
		assert.ok(!answer.text.includes("canary"));
	const backup = await service.ask("/v1/backup", { method: "POST", body: { name: "copy.db" } });
	assert.equal(backup.status, 201, backup.text);
	assert.ok(!(await service.ask("/v1/executions/export")).text.includes("canary"));
	assertNowhere();
});

test("who may not is refused, and so is what is no key", async () => {
	assert.equal((await set(keys.reader, ADA)).status, 403);
	assert.equal((await set(keys.ada, ADA, "cloud", { owner: "bob" })).status, 403);
	assert.equal((await set(keys.ada, ADA, "nowhere")).status, 404);
	for (const key of ["", "with blank", "ä", "x".repeat(1025), 7, null]) {
		const answer = await set(keys.ada, key);

		assert.equal(answer.status, 400, `${key}: ${answer.text}`);
	}
	assert.equal((await set(keys.ada, ADA, "cloud", { more: 1 })).status, 400);
	assert.equal(await sees(keys.ada, "still"), `Bearer ${ADA}`);
});

test("an owner's key is enough for an upstream that has none", async () => {
	const create = (key) => service.ask("/v1/executions", { key, body: { prompt: "x", model: "openai/gpt-5.1" } });

	assert.equal((await create(keys.ada)).json.code, "failed_precondition");
	assert.equal((await set(keys.ada, ADA, "openai")).status, 200);
	assert.equal((await create(keys.bob)).json.code, "failed_precondition");
	// Nobody listens there: it is taken, that is all.
	const taken = await create(keys.ada);
	assert.equal(taken.status, 202, taken.text);
	await service.ask(`/v1/executions/${taken.json.execution_id}/cancel`, { method: "POST", key: keys.ada });
	assert.equal((await service.ask("/v1/provider-keys/openai", { method: "DELETE", key: keys.ada })).status, 204);
	assert.equal((await service.ask("/v1/provider-keys/openai", { method: "DELETE", key: keys.ada })).status, 404);
});

test("what an upstream echoes of it is struck out", async () => {
	const id = await service.execute({ prompt: "echo", retry: { attempts: 1 } }, { key: keys.ada });
	const x = await upstream.nextFor("echo");

	x.refuse(401, { message: `Incorrect API key provided: ${ADA}.` });
	const { metadata } = await service.finish(id, { key: keys.ada });
	assert.match(metadata.error.message, /provided: (\*+|sk-\[redacted\])/);
	assert.ok(!JSON.stringify(metadata).includes(ADA));
	assertNowhere();
});

test("who set and removed it is on record, the key is not", async () => {
	const { json, text } = await service.ask("/v1/audit?limit=50");
	const mine = json.entries.filter((e) => e.action.startsWith("provider_key."));

	assert.deepEqual(mine.map((e) => [e.action, e.subject]).slice(-2),
		[["provider_key.set", "bob/cloud"], ["provider_key.set", "ada/cloud"]]);
	assert.ok(mine.some((e) => e.action === "provider_key.remove" && e.subject === "ada/openai"));
	assert.ok(!text.includes("canary"));
});

test("a start with a new key file seals them anew, and needs the old one no more", async () => {
	service.options.args = args("--vault-key-file", second, "--vault-old-key-file", first);
	await service.restart();
	assert.match(service.log, /keys sealed anew.*n=2/);
	assert.equal(await sees(keys.ada, "rotated"), `Bearer ${ADA}`);
	service.options.args = args("--vault-key-file", second);
	await service.restart();
	assert.doesNotMatch(service.log, /sealed anew|does not open/);
	assert.equal(await sees(keys.bob, "after"), `Bearer ${BOB}`);
	assertNowhere();
});

test("with another key file they stay closed, and the execution says so", async () => {
	service.options.args = args("--vault-key-file", first);
	await service.restart();
	assert.match(service.log, /this key file does not open.*n=2/);
	const id = await service.execute("closed", { key: keys.ada });
	const { status, metadata } = await service.finish(id, { key: keys.ada });
	assert.equal(status, "failed");
	assert.equal(metadata.error.code, "auth");
	assert.match(metadata.error.message, /owner's key for cloud cannot be opened .*set it again/);
	// It can be set again.
	assert.equal((await set(keys.ada, ADA)).status, 200);
	assert.equal(await sees(keys.ada, "again"), `Bearer ${ADA}`);
});

test("without a key file none are kept, and the refusal says how", async () => {
	service.options.args = args();
	await service.restart();
	const answer = await set(keys.ada, ADA);
	assert.equal(answer.status, 400);
	assert.equal(answer.json.code, "failed_precondition");
	assert.match(answer.json.detail, /--vault-key-file FILE, 32 random bytes with mode 0600/);
	assert.equal(await sees(keys.ada, "without"), "Bearer operators-key-0123456789");
	assert.equal((await service.ask("/v1/provider-keys")).json.provider_keys.length, 2, "they can be listed and removed");
	assert.equal((await service.ask("/v1/provider-keys/cloud?owner=bob", { method: "DELETE" })).status, 204);
});

test("a key file that others may read, or of another size, ends the start", async () => {
	const start = (name, ...more) => run(["serve", "--demo", "--listen", "127.0.0.1:0", "--db", path.join(dir, "x.db"),
		"--vault-key-file", name, ...more]);
	const open = file("open.key", 3), short = path.join(dir, "short.key");

	chmodSync(open, 0o644);
	writeFileSync(short, "short", { mode: 0o600 });
	for (const [name, why] of [[open, /others may read the key file .*open\.key: chmod 600/],
		[short, /short\.key must hold exactly 32 bytes/], [path.join(dir, "none"), /cannot read the key file/]]) {
		const { code, output } = await start(name);

		assert.equal(code, 2, output);
		assert.match(output, why);
	}
});

test("spool vault sets, lists and removes", async () => {
	service.options.args = args("--vault-key-file", first);
	await service.restart();
	const env = { SPOOL_URL: service.url, SPOOL_KEY: keys.bob };
	const made = await command(["vault", "set", "cloud"], { env, input: `${BOB}\n` });
	assert.equal(made.code, 0, made.err);
	assert.match(made.err, /bob's executions use it for cloud from now on \(…abcd\)/);
	assert.equal(await sees(keys.bob, "from the command"), `Bearer ${BOB}`);
	const listed = await command(["vault", "ls"], { env });
	assert.match(listed.out, /^bob\tcloud\tabcd\t/);
	const other = await command(["vault", "set", "cloud", "--owner", "eve"],
		{ env: { ...env, SPOOL_KEY: ADMIN_KEY, SPOOL_PROVIDER_KEY: ADA } });
	assert.equal(other.code, 0, other.err);
	assert.equal((await command(["vault", "rm", "cloud", "--owner", "eve"], { env })).code, 4);
	assert.equal((await command(["vault", "rm", "cloud"], { env })).code, 0);
	const again = await command(["vault", "rm", "cloud"], { env });
	assert.equal(again.code, 3);
	assert.match(again.err, /there is no key for "cloud"/);
	assert.equal((await command(["vault", "set", "cloud"], { env, input: "" })).code, 2);
	for (const { out, err } of [made, listed, other])
		assert.ok(!(out + err).includes("canary"));
});
