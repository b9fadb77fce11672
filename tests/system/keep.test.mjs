// What a person does to look after a store, with the real commands: check,
// doctor, backup, restore.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { ADMIN_KEY, Service, Sim, run, tempDir } from "./service.mjs";

const lines = (output) => output.split("\n").filter((l) => l.startsWith("{")).map((l) => JSON.parse(l));

// Change the store behind spool's back.
// Runs `sql` on the file; spool_sum() is what store/sqlite_sum.c says.
function edit(db, sql) {
	execFileSync("python3", ["-c",
		"import sqlite3, struct, sys, zlib\n" +
		"def one(v):\n" +
		"    if v is None or isinstance(v, int): return struct.pack('<Bq', 5 if v is None else 1, v or 0)\n" +
		"    b = v.encode() if isinstance(v, str) else v\n" +
		"    return struct.pack('<Bq', 3 if isinstance(v, str) else 4, len(b)) + b\n" +
		"db = sqlite3.connect(sys.argv[1])\n" +
		"db.create_function('spool_sum', -1, lambda *v: zlib.crc32(b''.join(map(one, v))))\n" +
		"assert db.execute(sys.argv[2]).rowcount > 0\n" +
		"db.commit()\n", db, sql]);
}

async function some(service, n) {
	const ids = [];

	for (let i = 0; i < n; i++)
		ids.push(await service.execute(`Number ${i}`));
	for (const id of ids)
		await service.finish(id);
	return ids;
}

function check(service, args = [], env = {}) {
	return run(["check", "--json", "--db", service.db, ...args],
		{ SPOOL_URL: service.url, SPOOL_KEY: ADMIN_KEY, ...env });
}

test("check: a sound store is sound, by the server and alone", async () => {
	const service = await Service.start({ demo: true });

	await some(service, 5);
	const there = await check(service);
	assert.equal(there.code, 0, there.output);
	assert.equal(lines(there.output).at(-1).done.executions, 5);
	assert.equal(lines(there.output).at(-1).done.findings, 0);
	await service.stop();
	for (const args of [[], ["--quick"]]) {
		const here = await check(service, args);

		assert.equal(here.code, 0, here.output);
		assert.equal(lines(here.output).at(-1).done.executions, 5);
		assert.equal(lines(here.output).at(-1).done.pages_checked, true);
	}
	// The store is as good as before.
	await service.restart();
	assert.equal((await service.ask("/readyz")).status, 200);
	await service.stop();
});

test("check: while answers stream, nothing is a finding", async () => {
	const service = await Service.start({ demo: true });
	const ids = [];

	for (let i = 0; i < 40; i++)
		ids.push(await service.execute({ model: "sim?rate=200", prompt: `Number ${i}` }));
	for (let i = 0; i < 5; i++) {
		const { code, output } = await check(service);

		assert.equal(code, 0, output);
	}
	for (const id of ids)
		await service.finish(id);
	await service.stop();
});

test("check: each damage is named with its execution and how to mend it", async () => {
	const service = await Service.start({ demo: true });
	const ids = await some(service, 3);

	await service.stop();
	edit(service.db, "DELETE FROM segments WHERE id >> 24 = (SELECT min(id) FROM executions)");
	edit(service.db, "UPDATE executions SET next_index = next_index + 1 WHERE id = (SELECT max(id) FROM executions)");
	const here = await check(service);
	assert.equal(here.code, 1, here.output);
	const found = lines(here.output).filter((l) => l.finding).map((l) => l.finding);
	assert.deepEqual(found.map((f) => [f.execution_id, f.kind]), [[ids[0], "gap"], [ids[2], "total"]]);
	for (const f of found)
		assert.match(f.mend, /restore a backup/);
	const text = await run(["check", "--db", service.db]);
	assert.equal(text.code, 1);
	assert.match(text.output, new RegExp(`gap ${ids[0]}: rows 0 to \\d+ are missing`));
	assert.match(text.output, /2 findings/);
});

test("check: what SQLite says in several lines is a finding of one", async () => {
	const service = await Service.start({ demo: true });

	await some(service, 1);
	await service.stop();
	execFileSync("python3", ["-c",
		"import sqlite3, sys\n" +
		"db = sqlite3.connect(sys.argv[1])\n" +
		"root = db.execute(\"SELECT rootpage FROM sqlite_master WHERE name = 'audit'\").fetchone()[0]\n" +
		"size = db.execute('PRAGMA page_size').fetchone()[0]\n" +
		"db.close()\n" +
		"with open(sys.argv[1], 'r+b') as f:\n" +
		"    f.seek((root - 1) * size)\n" +
		"    f.write(b'\\xff' * size)\n", service.db]);
	const { code, output } = await check(service);
	const found = lines(output).filter((l) => l.finding).map((l) => l.finding.what);

	assert.equal(code, 1, output);
	assert.match(found[0], /in database main .+ page/i);
	for (const what of found)
		assert.doesNotMatch(what, /\n/);
});

test("check: damage is found while a server has the store", async () => {
	const service = await Service.start({ demo: true });
	const ids = await some(service, 2);

	await service.stop();
	edit(service.db, "UPDATE executions SET metadata = NULL WHERE id = (SELECT min(id) FROM executions)");
	await service.restart();
	const { code, output } = await check(service);
	assert.equal(code, 1, output);
	assert.equal(lines(output)[0].finding.execution_id, ids[0]);
	await service.stop();
});

test("check: what is not there, not ours or not allowed is said with its exit code", async () => {
	const dir = tempDir();
	const none = await run(["check", "--db", path.join(dir, "none.db")]);

	assert.equal(none.code, 3);
	assert.ok(!existsSync(path.join(dir, "none.db")));
	assert.ok(!existsSync(path.join(dir, "none.db.lock")));
	const service = await Service.start({ demo: true });
	assert.equal((await check(service, [], { SPOOL_KEY: "wrong-key-wrong-key-wrong" })).code, 4);
	assert.equal((await check(service, [], { SPOOL_URL: "http://127.0.0.1:1" })).code, 6);
	assert.equal((await service.ask("/v1/check", { key: "none" })).status, 401);
	assert.equal((await service.ask("/v1/check?quick=maybe")).json.field, "quick");
	assert.equal((await service.ask("/v1/check?quik=true")).status, 400);
	await service.stop();
});

function doctor(service, args = [], env = {}) {
	return run(["doctor", "--json", "--db", service.db, ...args], { SPOOL_ADMIN_KEY: ADMIN_KEY, ...env });
}

const stateOf = (output, check) => lines(output).find((l) => l.check === check)?.state;

test("doctor: a healthy place is all ok, alone and while a server runs", async () => {
	const sim = await Sim.start();
	const service = await Service.start({ demo: true });
	const env = { OPENAI_API_KEY: "upstream-key", OPENAI_BASE_URL: sim.url, OPENAI_MODEL: "sim" };

	await some(service, 1);
	for (const want of [/held by pid/, /nobody has/]) {
		const { code, output } = await doctor(service, [], env);

		assert.equal(code, 0, output);
		assert.match(lines(output).find((l) => l.check === "lock").detail, want);
		for (const check of ["configuration", "file modes", "database library", "upstream openai"])
			assert.equal(stateOf(output, check), "ok", output);
		const disk = (l) => lines(l).find((line) => line.check === "disk").detail;
		const own = await doctor(service, ["--disk-reserve", "5MiB"], env);

		assert.match(disk(own.output), / 5 MiB are the reserve$/);
		if (service.child.process.exitCode === null) {
			const { reserve_bytes } = (await service.ask("/v1/status")).json.disk;

			assert.ok(disk((await doctor(service, [], env)).output)
				.endsWith(` ${Math.floor(reserve_bytes / 2 ** 20)} MiB are the reserve`), "as the server's");
		}
		if (service.child.process.exitCode === null)
			await service.stop();
	}
	await sim.stop();
});

test("doctor: a server that runs says which upstreams it lets rest", async () => {
	const dir = tempDir();
	const config = path.join(dir, "spool.ini");
	const sim = await Sim.start(["--fault", "status", "--status", "500"]);

	writeFileSync(config, `[upstream ill]\nbase_url = ${sim.url}\nmodel = sim
[upstream other]\nbase_url = ${sim.url}\nmodel = sim
[retry]\nattempts = 1\ncircuit_failures = 2\ncircuit_cooldown = 1h\n`);
	const service = await Service.start({ args: ["--config", config] });
	const env = { SPOOL_URL: service.url, SPOOL_KEY: service.key };

	const circuit = (output, name) => lines(output).find((l) => l.check === `circuit ${name}`);
	assert.equal(circuit((await doctor(service, ["--config", config], env)).output, "ill").state, "ok");
	for (let i = 0; i < 2; i++)
		await service.finish(await service.execute("x"));
	const { code, output } = await doctor(service, ["--config", config], env);
	assert.equal(code, 0, output);
	assert.equal(circuit(output, "ill").state, "warn");
	assert.match(circuit(output, "ill").detail, /^2 failures in a row, rests for \d+ ms/);
	assert.equal(circuit(output, "other").state, "ok");
	const denied = await doctor(service, ["--config", config], { ...env, SPOOL_KEY: "not-a-key-of-this-server" });
	assert.equal(circuit(denied.output, "ill"), undefined);
	await service.stop();
	assert.equal(circuit((await doctor(service, ["--config", config], env)).output, "ill"), undefined);
	await sim.stop();
});

test("doctor: what is wrong is named with how to mend it", async () => {
	const service = await Service.start({ demo: true });

	await some(service, 1);
	await service.stop();
	chmodSync(service.db, 0o644);
	edit(service.db, "UPDATE executions SET created_ms = created_ms + 86400000, sum = spool_sum(id, public_id, " +
		"owner, status, model, target, prompt, created_ms + 86400000, started_ms, first_chunk_ms, finished_ms, " +
		"next_index, attempts, error_code, idempotency_key, request_hash, input_tokens, output_tokens, " +
		"cached_tokens, reasoning_tokens, cost_pusd, payload_deleted_ms, note, metadata)");
	edit(service.db, "UPDATE keys SET revoked_ms = 1, " +
		"sum = spool_sum(public_id, label, owner, hint, scopes, hash, created_ms, expires_ms, 1)");
	const { code, output } = await doctor(service, [], {
		OPENAI_API_KEY: "upstream-key-nobody-sees", OPENAI_BASE_URL: "http://127.0.0.1:1/v1" });

	assert.equal(code, 1, output);
	for (const check of ["file modes", "clock", "upstream openai"])
		assert.equal(stateOf(output, check), "fail", output);
	assert.equal(stateOf(output, "admin key"), "warn", output);
	for (const line of lines(output).filter((l) => l.state !== "ok"))
		assert.ok(line.mend, JSON.stringify(line));
	assert.ok(!output.includes("upstream-key-nobody-sees"));
	assert.match(lines(output).find((l) => l.check === "file modes").mend, /^chmod 600 /);
});

test("doctor: a file that is no store, a config with a mistake, a store that is not there yet", async () => {
	const dir = tempDir();
	const db = path.join(dir, "x.db");

	assert.equal((await run(["doctor", "--db", db], {})).code, 0);
	assert.ok(!existsSync(db));
	writeFileSync(db, "not a store ".repeat(1000), { mode: 0o600 });
	const text = await run(["doctor", "--db", db], {});
	assert.equal(text.code, 1);
	assert.match(text.output, /fail  store: .*is not a spool store/);
	writeFileSync(path.join(dir, "spool.ini"), "[server]\nlisten_to = x\n");
	const config = await run(["doctor", "--db", path.join(dir, "y.db"), "--config", path.join(dir, "spool.ini")], {});
	assert.equal(config.code, 1);
	assert.match(config.output, /fail  configuration: .*spool\.ini:2/);
});

test("doctor --quick: the server answers or it does not", async () => {
	const service = await Service.start({ demo: true });
	const env = { SPOOL_URL: service.url };

	assert.equal((await run(["doctor", "--quick"], env)).code, 0);
	await service.stop();
	assert.equal((await run(["doctor", "--quick", "--retry", "0"], env)).code, 1);
});

const backup = (service, args, env = {}) => run(["backup", "--db", service.db, ...args],
	{ SPOOL_URL: service.url, SPOOL_KEY: ADMIN_KEY, ...env });

// Every page of every execution, as bytes.
async function pages(service, ids) {
	const all = [];

	for (const id of ids) {
		all.push((await service.ask(`/v1/executions/${id}`)).text);
		all.push((await service.ask(`/v1/executions/${id}/chunks?fromIndex=0`)).text);
		all.push((await service.ask(`/v1/executions/${id}/text`)).text);
	}
	return all;
}

test("backup: made while answers stream, restored, it serves the same bytes", async () => {
	const service = await Service.start({ demo: true });
	const ids = await some(service, 10);
	const before = await pages(service, ids);
	const streaming = [];

	for (let i = 0; i < 30; i++)
		streaming.push(await service.execute({ model: "sim?rate=300", prompt: `Number ${i}` }));
	const made = await backup(service, ["monday.db"]);
	assert.equal(made.code, 0, made.output);
	const file = path.join(service.dir, "backups", "monday.db");
	assert.ok(made.output.includes(file));
	assert.equal(statSync(file).mode & 0o777, 0o600);
	assert.deepEqual(readdirSync(path.dirname(file)), ["monday.db"]);
	for (const id of streaming)
		assert.equal((await service.finish(id)).status, "completed");
	// What streamed meanwhile is a dense prefix there, too.
	const dir = tempDir();
	const restored = new Service({ demo: true, dir });
	const done = await run(["restore", file, "--db", restored.db]);
	assert.equal(done.code, 0, done.output);
	assert.equal((await run(["check", "--db", restored.db])).code, 0);
	await restored.launch();
	assert.deepEqual(await pages(restored, ids), before);
	for (const id of streaming) {
		const there = await restored.ask(`/v1/executions/${id}`);

		assert.ok(there.status === 200 || there.status === 404, there.text);
		if (there.status === 200)
			await restored.finish(id);
	}
	await restored.stop();
	assert.equal((await check(restored)).code, 0);
	await service.stop();
});

test("backup: nothing is replaced, and names stay in their directory", async () => {
	const service = await Service.start({ demo: true });

	await some(service, 1);
	assert.equal((await backup(service, ["a.db"])).code, 0);
	assert.equal((await backup(service, ["a.db"])).code, 5);
	for (const name of ["../a.db", "/tmp/a.db", "x/y"])
		assert.equal((await backup(service, [name])).code, 2);
	for (const name of ["../a.db", "/tmp/a.db", ".hidden", "", "a\u0000b", 7, "x".repeat(101)])
		assert.equal((await service.ask("/v1/backup", { body: { name } })).status, 400);
	assert.equal((await service.ask("/v1/backup", { body: {}, key: "nobody" })).status, 401);
	const several = await Promise.all([1, 2, 3].map((i) => service.ask("/v1/backup", { body: { name: `s${i}` } })));
	assert.ok(several.some((a) => a.status === 201));
	for (const answer of several)
		assert.ok([201, 409].includes(answer.status), answer.text);
	await service.stop();
	// Alone, anywhere.
	const target = path.join(tempDir(), "alone.db");
	assert.equal((await backup(service, [target])).code, 0);
	assert.equal((await backup(service, [target])).code, 5);
	const over = await run(["restore", target, "--db", service.db]);
	assert.equal(over.code, 5);
	assert.match(over.output, /is there already; nothing was replaced: take another name, or move it away$/m);
	assert.equal((await run(["restore", `${target}.none`, "--db", `${target}.new`])).code, 3);
	writeFileSync(`${target}.bad`, "not a store ".repeat(1000));
	assert.equal((await run(["restore", `${target}.bad`, "--db", `${target}.new`])).code, 1);
	assert.ok(!existsSync(`${target}.new`));
});

test("backup: a stop ends it and leaves nothing half made", async () => {
	const service = await Service.start({ demo: true });

	await some(service, 3);
	const asked = service.ask("/v1/backup", { body: { name: "late.db" } }).catch((error) => error);
	const end = await service.stop();

	assert.equal(end.code, 0, service.log);
	await asked;
	const dir = path.join(service.dir, "backups");
	for (const name of existsSync(dir) ? readdirSync(dir) : [])
		assert.equal(name, "late.db");
});
