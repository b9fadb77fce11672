// What was exported comes back: whole, once, beside a server's work, after a kill,
// and nothing else does.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { command } from "./command.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { ADMIN_KEY, Service, Sim, checkDense, tempDir } from "./service.mjs";

const dir = tempDir();
const file = (name) => path.join(dir, name);
const at = (service) => ({ SPOOL_URL: service.url, SPOOL_KEY: ADMIN_KEY });

let sim, source, lines, plain;

async function exported(service, args = []) {
	const { code, out, err } = await command(["export", ...args], { env: at(service) });

	assert.equal(code, 0, err);
	return out;
}

// The same execution under another id of the same millisecond.
const copy = (line, n) => line.replace(/-[0-9a-f]{12}","status"/,
	`-${n.toString(16).padStart(12, "0")}","status"`)
	.replace(/"idempotency_key":("[^"]*"|null)/, `"idempotency_key":"copy-${n}"`)
	.replace('"request_hash":null', `"request_hash":"${"0".repeat(64)}"`);

function counts(json) {
	const { done } = JSON.parse(json.trimEnd().split("\n").at(-1));

	return [done.imported, done.existed, done.refused];
}

async function expectSound(db, executions) {
	const { code, err, out } = await command(["check", "--db", db, "--json"]);
	const { done } = JSON.parse(out.trimEnd().split("\n").at(-1));

	assert.equal(code, 0, out + err);
	assert.equal(done.executions, executions);
	assert.equal(done.stray_segments, 0);
}

before(async () => {
	sim = await Sim.start(["--rate", "0", "--tokens", "40"]);
	source = await Service.start({ upstream: sim.url });
	const shop = (await source.ask("/v1/keys",
		{ body: { label: "shop", owner: "shop", scopes: ["run"] } })).json.secret;

	for (let i = 0; i < 3; i++)
		await source.finish(await source.execute(`question ${i} "quoted" \u2028 🌊`));
	await source.finish(await source.execute({ prompt: "once", metadata: { "@type": "x", n: 1.50 } },
		{ headers: { "Idempotency-Key": "a key" } }));
	await source.finish(await source.execute("of the shop", { key: shop }), { key: shop });
	await source.finish(await source.execute({ prompt: "fails", model: "nowhere/none" })
		.catch(() => source.execute({ prompt: "fails", max_output_tokens: 3 })));
	plain = await exported(source);
	lines = plain.trimEnd().split("\n");
	assert.equal(lines.length, 6);
	writeFileSync(file("all.ndjson"), plain);
});
after(async () => {
	await source?.stop();
	await sim?.stop();
});

test("an export that was imported into an empty store is exported again as it was", async () => {
	const db = path.join(tempDir(), "spool.db");
	const { code, err } = await command(["import", file("all.ndjson"), "--db", db]);

	assert.equal(code, 0, err);
	assert.match(err, /6 imported, 0 existed, 0 refused/);
	await expectSound(db, 6);
	const service = await Service.start({ dir: path.dirname(db), upstream: sim.url });
	try {
		assert.equal(await exported(service), plain);
		const { entries: [, row] } = (await service.ask("/v1/audit")).json;
		assert.deepEqual([row.actor, row.action, row.detail],
			["offline", "import", { imported: 6, existed: 0, refused: 0 }]);
		assert.equal(row.executions, 6);
		// A used key is still used, and its answer is read as before.
		const again = await service.ask("/v1/executions", {
			body: { prompt: "once", metadata: { "@type": "x", n: 1.50 } }, headers: { "Idempotency-Key": "a key" } });
		assert.equal(again.status, 200);
		assert.equal(again.headers["idempotency-replayed"], "true");
		const { chunks, text } = await service.finish(again.json.execution_id);
		checkDense(assert, chunks);
		assert.equal(text, JSON.parse(lines[3]).text);
	} finally {
		await service.stop();
	}
});

test("gzip, stdin and a second time are all the same", async () => {
	const db = path.join(tempDir(), "spool.db");

	// Members in a row, as an export that was resumed has them.
	writeFileSync(file("all.gz"), Buffer.concat(lines.map((line) => gzipSync(`${line}\n`))));
	assert.deepEqual(counts((await command(["import", "--json", file("all.gz"), "--db", db])).out), [6, 0, 0]);
	assert.deepEqual(counts((await command(["import", "--json", "-", "--db", db], { input: plain })).out), [0, 6, 0]);
	assert.deepEqual(counts((await command(["import", "--json", "-", "--db", db],
		{ input: gzipSync(plain) })).out), [0, 6, 0]);
	await command(["export", "--gzip", "--output", file("zipped.gz")], { env: at(source) });
	assert.equal(gunzipSync(readFileSync(file("zipped.gz"))).toString(), plain);
	assert.deepEqual(counts((await command(["import", "--json", file("zipped.gz"), file("all.ndjson"),
		"--db", db])).out), [0, 12, 0]);
	await expectSound(db, 6);
});

test("a server imports beside its work, and nobody who reads a stream notices", async () => {
	const slow = await Sim.start(["--rate", "200", "--tokens", "300"]);
	const service = await Service.start({ upstream: slow.url });
	const many = Array.from({ length: 1500 }, (_, i) => copy(lines[i % 3], i + 1)).join("\n");

	try {
		const id = await service.execute("long");
		await service.reach(id, 5);
		const reading = service.finish(id);
		const { code, out, err } = await command(["import", "-", "--json"], { env: at(service), input: many });
		assert.equal(code, 0, err);
		assert.deepEqual(counts(out), [1500, 0, 0]);
		const { chunks, status } = await reading;
		checkDense(assert, chunks);
		assert.equal(status, "completed");
		assert.match(service.log, /"area":"import","event":"done"/);
		const told = JSON.parse(out.split("\n")[700]);
		assert.equal(told.line, 701);
		assert.equal(told.result, "imported");
		assert.equal((await service.finish(told.execution_id)).text, JSON.parse(lines[700 % 3]).text);
	} finally {
		await service.stop();
		await slow.stop();
	}
	await expectSound(service.db, 1501);
});

// A line of about 3 MB, of which 2 are random: many commits.
function hugeLine() {
	const line = JSON.parse(lines[0]);
	const end = line.chunks.at(-1);
	const random = () => Array.from({ length: 1000 }, () => Math.random().toString(36)[3] ?? "x").join("");

	line.chunks = Array.from({ length: 2500 }, (_, index) => ({ index, content: random(),
		timestamp: end.timestamp, metadata: { kind: "text" } }));
	line.chunks.push({ ...end, index: 2500 });
	line.total_chunks = 2501;
	delete line.text;
	return copy(JSON.stringify(line), 0xabcdef);
}

test("a kill -9 in the middle leaves whole executions, and again goes on", async () => {
	const many = Array.from({ length: 1200 }, (_, i) => copy(lines[i % 3], i + 1));
	const all = [...many.slice(0, 600), hugeLine(), ...many.slice(600)].join("\n");

	// The server, from its first answer on.
	const service = await Service.start({ upstream: sim.url });
	let killed;
	const cut = await command(["import", "-", "--json", "--retry", "0s"], { env: at(service), input: all,
		onOut: () => { killed ??= service.kill9(); } });
	assert.notEqual(cut.code, 0);
	await killed;
	await service.restart();
	const [imported, existed, refused] = counts((await command(["import", "-", "--json"],
		{ env: at(service), input: all })).out);
	assert.equal(imported + existed, 1201);
	assert.ok(existed >= cut.out.split("\n").filter((line) => line.includes('"result":"imported"')).length,
		"what was told is there");
	assert.equal(refused, 0);
	await service.stop();
	await expectSound(service.db, 1201);

	// The command itself, alone with the store; twice, further each time.
	const db = path.join(tempDir(), "spool.db");
	for (const least of [100, 601]) {
		const { out, signal } = await command(["import", "-", "--json", "--db", db], { input: all,
			onOut: (so_far, child) => { if (so_far.split("\n").length > least) child.kill("SIGKILL"); } });
		const told = out.split("\n").filter((line) => line.includes('"result":"imported"')).length;

		assert.ok(signal === "SIGKILL" || told > 0);
	}
	const again = counts((await command(["import", "-", "--json", "--db", db], { input: all })).out);
	assert.equal(again[0] + again[1], 1201);
	assert.ok(again[1] >= 600);
	await expectSound(db, 1201);
});

test("bad lines are told with line and byte, and the others are stored", async () => {
	const [a, b, c] = lines;
	const bad = [
		a,
		"{}",
		b.replace('"completed"', '"streaming"'),
		b.replace('"total_chunks":', '"total_chunks":1'),
		b.replace('"index":3,', '"index":4,'),
		b.replace(/}\n?$/, ',"deleted":true}'),
		b.replace(/}\n?$/, ',"unheard_of":1}'),
		a.replace('"attempts":1', '"attempts":2'),
		"no json",
		c,
		b.slice(0, 700),
	];
	const db = path.join(tempDir(), "spool.db");

	writeFileSync(file("bad.ndjson"), bad.join("\n"));
	const { code, err } = await command(["import", file("bad.ndjson"), "--db", db]);
	assert.equal(code, 1);
	assert.match(err, /2 imported, 0 existed, 9 refused/);
	for (const [line, why] of [[2, /"execution_id" must be/], [3, /had not ended \(streaming\)/],
		[4, /"total_chunks" says/], [5, /dense from 0/], [6, /was deleted while/], [7, /"unheard_of" is not one/],
		[8, /conflict: it is there already with another attempts/], [9, /byte 1 of 7: a/],
		[11, /byte \d+ of \d+: it is cut off/]])
		assert.match(err.split("\n").find((l) => l.includes(`bad.ndjson line ${line} (byte`)) ?? "", why);
	const at11 = Buffer.byteLength(bad.slice(0, 10).join("\n")) + 2;
	assert.ok(err.includes(`line 11 (byte ${at11})`));
	await expectSound(db, 2);
	// gzip that was cut: what came before is stored, and where it ends is said.
	writeFileSync(file("cut.gz"), gzipSync(plain).subarray(0, -300));
	const cut = await command(["import", file("cut.gz"), "--db", db]);
	assert.equal(cut.code, 1);
	assert.match(cut.err, /cut\.gz line \d+ \(byte \d+\): its gzip data is cut off/);
	const none = await command(["import", file("nowhere"), "--db", db]);
	assert.equal(none.code, 3);
	assert.match(none.err, /there is no file .*nowhere/);
});

test("a dry run stores nothing, and owners are mapped", async () => {
	const db = path.join(tempDir(), "spool.db");
	const dry = await command(["import", file("all.ndjson"), "--dry-run", "--json", "--db", db]);

	assert.deepEqual(counts(dry.out), [6, 0, 0]);
	assert.notEqual((await command(["check", "--db", db])).code, 0, "no store was made");
	assert.equal((await command(["import", file("all.ndjson"), "--owner", "shop=store", "--db", db])).code, 0);
	const service = await Service.start({ dir: path.dirname(db), upstream: sim.url });
	try {
		const owners = (await exported(service)).trimEnd().split("\n").map((l) => JSON.parse(l).owner);
		assert.equal(owners.filter((o) => o === "store").length, 1);
		assert.equal(owners.filter((o) => o === "shop").length, 0);
		const mapped = await command(["import", file("all.ndjson"), "--owner", "a=b,shop=store", "--json"],
			{ env: at(service) });
		assert.deepEqual(counts(mapped.out), [0, 6, 0]);
		const other = await command(["import", file("all.ndjson"), "--json"], { env: at(service) });
		assert.deepEqual(counts(other.out), [0, 5, 1]);
		const would = await command(["import", "-", "-n"], { env: at(service), input: copy(lines[0], 77) });
		assert.match(would.err, /would be: 1 imported/);
		assert.equal((await exported(service)).trimEnd().split("\n").length, 6);
	} finally {
		await service.stop();
	}
});

test("the route takes lines of admins, as many as it says, and a long one", async () => {
	const service = await Service.start({ upstream: sim.url });
	const route = "/v1/executions/import";
	const headers = { "Content-Type": "application/x-ndjson" };

	try {
		const one = await service.ask(route, { body: `${lines[0]}\n\nnonsense\n`, headers });
		assert.equal(one.status, 200);
		assert.deepEqual([one.json.imported, one.json.existed, one.json.refused], [1, 0, 1]);
		assert.equal(one.json.lines[0].execution_id, JSON.parse(lines[0]).execution_id);
		assert.deepEqual(one.json.lines.map((l) => [l.line, l.result]), [[1, "imported"], [3, "refused"]]);
		assert.equal((await service.ask(`${route}?dry=1`, { body: lines[0], headers })).status, 400);
		assert.equal((await service.ask(`${route}?dry_run=yes`, { body: lines[2], headers })).json.field, "dry_run");
		assert.equal((await service.ask(`${route}?dry_run=true`, { body: lines[2], headers })).json.imported, 1);
		assert.equal((await service.ask(`${route}?owner=a=`, { body: lines[0], headers })).json.field, "owner");
		assert.equal((await service.ask(route, { body: "{}\n".repeat(1001), headers })).status, 400);
		assert.equal((await service.ask(route, { body: lines[0],
			headers: { "Content-Type": "text/plain" } })).status, 415);
		const huge = hugeLine();
		assert.ok(huge.length > 2 << 20);
		assert.equal((await service.ask(route, { body: huge, headers })).json.imported, 1);
		const { json: { secret } } = await service.ask("/v1/keys",
			{ body: { label: "r", owner: "r", scopes: ["run", "read"] } });
		assert.equal((await service.ask(route, { body: lines[1], headers, key: secret })).status, 403);
		const answer = await service.ask(route, { body: huge, headers, key: secret }).catch(() => ({ status: 413 }));
		assert.equal(answer.status, 413);
	} finally {
		await service.stop();
	}
	await expectSound(service.db, 2);
});

test("an answer of several attempts comes back with each chunk's", async () => {
	const upstream = await ScriptedUpstream.start();
	const service = await Service.start({ upstream: upstream.url, model: "m", args: ["--on-interrupt", "restart"] });
	const db = path.join(tempDir(), "spool.db");

	try {
		const id = await service.execute("breaks");
		const first = await upstream.next();
		await first.send("half");
		await service.reach(id, 1);
		first.cut();
		const second = await upstream.next();
		await second.send("whole");
		await second.finish();
		const { page } = await service.finish(id);
		assert.equal(page.attempt, 2);
		const line = await exported(service);
		assert.match(line, /"chunk_attempts":\[\[0,1\],\[\d+,2\]\]/);
		assert.equal((await command(["import", "-", "--db", db], { input: line })).code, 0);
		const other = await Service.start({ dir: path.dirname(db), upstream: upstream.url, model: "m" });
		try {
			assert.equal(await exported(other), line);
		} finally {
			await other.stop();
		}
	} finally {
		await service.stop();
		await upstream.stop();
	}
});

test("what was deleted comes back, but nothing to a record whose payload alone was", async () => {
	const service = await Service.start({ upstream: sim.url });
	const bring = () => command(["import", file("all.ndjson"), "--json"], { env: at(service) });
	const prune = (body) => service.ask("/v1/prune", { body: { all: true, ...body } });

	try {
		assert.deepEqual(counts((await bring()).out), [6, 0, 0]);
		const before = await exported(service);
		assert.equal((await prune({})).json.executions, 6);
		assert.deepEqual(counts((await bring()).out), [6, 0, 0]);
		assert.equal(await exported(service), before);
		assert.equal((await prune({ payload_only: true })).json.executions, 6);
		const again = await bring();
		assert.deepEqual(counts(again.out), [0, 0, 6]);
		assert.match(again.out + again.err, /request and chunks were deleted here/);
	} finally {
		await service.stop();
	}
});

test("a record whose payload was deleted moves to another store as it is", async () => {
	const service = await Service.start({ upstream: sim.url });
	const db = path.join(tempDir(), "spool.db");
	const bring = (text, ...args) => command(["import", "-", "--json", ...args], { env: at(service), input: text });

	try {
		assert.deepEqual(counts((await command(["import", file("all.ndjson"), "--json"], { env: at(service) })).out), [6, 0, 0]);
		const whole = await exported(service);
		assert.equal((await service.ask("/v1/prune", { body: { all: true, payload_only: true } })).json.executions, 6);
		const gone = await exported(service);
		assert.match(gone, /"payload_deleted":true/);
		// There already, whether it came from here or there.
		assert.deepEqual(counts((await bring(gone)).out), [0, 6, 0]);
		const fresh = await command(["import", "-", "--json", "--db", db], { input: gone });
		assert.deepEqual(counts(fresh.out), [6, 0, 0], fresh.err);
		await expectSound(db, 6);
		const other = await Service.start({ dir: path.dirname(db), upstream: sim.url });
		try {
			assert.equal(await exported(other), gone);
			const id = JSON.parse(gone.split("\n")[0]).execution_id;
			assert.equal((await other.ask(`/v1/executions/${id}/chunks`)).json.payload_only, true);
			assert.equal((await other.ask("/v1/usage")).json.total.executions, 6);
			assert.deepEqual(counts((await command(["import", "-", "--json"], { env: at(other), input: gone })).out), [0, 6, 0]);
		} finally {
			await other.stop();
		}
		// What is whole is not made less by an import.
		assert.equal((await service.ask("/v1/prune", { body: { all: true } })).json.executions, 6);
		assert.deepEqual(counts((await bring(whole)).out), [6, 0, 0]);
		const less = await bring(gone);
		assert.deepEqual(counts(less.out), [0, 0, 6]);
		assert.match(less.out, /still there; spool prune --payload-only/);
		assert.equal(await exported(service), whole);
	} finally {
		await service.stop();
	}
});
