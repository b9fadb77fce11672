// What is old is removed: by hand, by rules, with the server and without it; and
// what says so afterwards.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";

import { command as spool, onTerminal } from "./command.mjs";
import { ADMIN_KEY, Service, ask, each, pause, tempDir } from "./service.mjs";

const QUICK = "sim?rate=0&tokens=3";
const SLOW = "sim?rate=1&tokens=600";

let service, env;

before(async () => {
	service = await Service.start({ demo: true });
	env = envOf(service);
});
after(() => service.stop());

function envOf(own) {
	return { SPOOL_URL: own.url, SPOOL_KEY: ADMIN_KEY };
}

// `n` ended executions, the oldest first; their ids.
async function ended(n, owner, own = service) {
	const ids = [];

	for (let i = 0; i < n; i++) {
		const id = await own.execute({ prompt: `number ${i}`, model: QUICK, owner });

		await own.finish(id);
		ids.push(id);
	}
	return ids;
}

async function listed(owner, own = service) {
	const { json } = await own.ask(`/v1/executions?limit=1000&owner=${owner}`);

	return json.executions.map((e) => e.execution_id).reverse();
}

const prune = (body, own = service, options = {}) => own.ask("/v1/prune", { body, ...options });
const lines = (text) => text.split("\n").filter((line) => line);

async function audit(own = service) {
	return (await own.ask("/v1/audit?limit=1000")).json.entries;
}

// Ask until `look` gives something.
async function until(what, look) {
	for (const end = performance.now() + 20_000; performance.now() < end; await pause(20)) {
		const found = await look();

		if (found)
			return found;
	}
	assert.fail(`${what}: not within 20 s`);
}

// --- over HTTP ---

test("a prune removes what all its filters choose, and nothing live", async () => {
	const ids = await ended(4, "filters");
	const other = await ended(1, "filters-other");
	const live = await service.execute({ prompt: "x", model: SLOW, owner: "filters" });

	await service.reach(live, 1);
	const dry = await prune({ owner: "filters", dry_run: true });
	assert.equal(dry.status, 200, dry.text);
	assert.equal(dry.json.executions, 4);
	assert.equal(dry.json.chunks, 16);
	assert.ok(dry.json.bytes > 0);
	assert.equal(dry.json.more, false);
	assert.ok(dry.json.oldest_created_at < dry.json.newest_created_at);
	assert.deepEqual(await listed("filters"), [...ids, live], "a dry run removes nothing");
	assert.equal((await prune({ owner: "filters", status: "failed" })).json.executions, 0);
	assert.equal((await prune({ owner: "filters", older_than_ms: 3600_000 })).json.executions, 0);
	const { created_at } = (await service.ask(`/v1/executions/${ids[2]}`)).json;
	const some = await prune({ owner: "filters", status: ["failed", "completed"], until: created_at });
	assert.equal(some.json.executions, 2);
	assert.deepEqual(await listed("filters"), [ids[2], ids[3], live]);
	const rest = await prune({ owner: "filters" });
	assert.equal(rest.json.executions, 2);
	assert.equal(rest.json.live, 0);
	assert.deepEqual(await listed("filters"), [live]);
	assert.deepEqual(await listed("filters-other"), other);
	const page = await service.page(live);
	assert.equal(page.status, "streaming");
	assert.equal((await prune({ ids: [live] })).json.live, 1);
	await service.ask(`/v1/executions/${live}/cancel`, { method: "POST" });
});

test("what is gone says 410 by every route, and since when", async () => {
	const [id, other] = await ended(2, "gone");
	const { json: answer } = await prune({ ids: [id] });

	assert.equal(answer.executions, 1);
	for (const [route, method] of [["", "GET"], ["/chunks", "GET"], ["/text", "GET"], ["/events", "GET"], ["", "DELETE"],
		["/cancel", "POST"]]) {
		const { status, json } = await service.ask(`/v1/executions/${id}${route}`, { method });

		assert.equal(status, 410, `${method} ${route}`);
		assert.equal(json.code, "gone");
		assert.equal(json.payload_only, false);
		assert.equal(json.retryable, false);
		assert.ok(Date.now() - Date.parse(json.deleted_at) < 60_000, json.deleted_at);
	}
	const call = await service.call("get_chunks", { execution_id: id });
	assert.equal(call.status, 404);
	assert.equal(call.error.status, "NOT_FOUND");
	assert.equal(call.error.details.code, "gone");
	assert.ok(call.error.details.deleted_at);
	const { json } = await service.ask("/v1/executions/poll", {
		body: { executions: [{ execution_id: other }, { execution_id: id }] } });
	assert.equal(json.executions[0].completed, true);
	assert.equal(json.executions[1].error.code, "gone");
	assert.ok(json.executions[1].error.deleted_at);
	for (const command of ["show", "tail"]) {
		const { code, err } = await spool([command, id], { env });

		assert.equal(code, 3);
		assert.match(err, new RegExp(`execution ${id}: it was deleted at 20`));
	}
	const again = (await prune({ ids: [id] })).json;
	assert.equal(again.executions, 0);
	assert.equal(again.absent, 1);
	assert.equal((await service.ask(`/v1/executions/${other}`, { method: "DELETE" })).status, 204);
	assert.equal((await service.ask(`/v1/executions/${other}`)).status, 410, "DELETE leaves the same");
});

test("another owner's deleted execution was never there", async () => {
	const made = (await service.ask("/v1/keys", { body: { label: "b", owner: "b", scopes: ["run", "read"] } })).json;
	const [id] = await ended(1, "a");

	await prune({ ids: [id] });
	assert.equal((await service.ask(`/v1/executions/${id}`, { key: made.secret })).status, 404);
	for (const [route, body] of [["/v1/prune", { all: true }], ["/v1/audit"]])
		assert.equal((await service.ask(route, { body, key: made.secret })).status, 403, route);
});

test("payload only: the record stays, its chunks say 410", async () => {
	const [id] = await ended(1, "payload");
	const before = (await service.ask(`/v1/executions/${id}`)).json;
	const first = (await prune({ owner: "payload", payload_only: true })).json;

	assert.equal(first.executions, 1);
	assert.equal(first.payload_only, true);
	assert.equal((await prune({ owner: "payload", payload_only: true })).json.executions, 0, "once");
	const { payload_deleted_at, request, ...left } = (await service.ask(`/v1/executions/${id}`)).json;
	const { request: asked, ...had } = before;
	assert.ok(asked.messages);
	assert.equal(request, null);
	assert.ok(payload_deleted_at);
	assert.deepEqual(left, had, "status, usage, metadata and times stay");
	assert.deepEqual(await listed("payload"), [id]);
	for (const route of ["/chunks", "/text"]) {
		const { status, json } = await service.ask(`/v1/executions/${id}${route}`);

		assert.equal(status, 410);
		assert.equal(json.payload_only, true);
		assert.equal(json.deleted_at, payload_deleted_at);
	}
	const tail = await spool(["tail", id], { env });
	assert.equal(tail.code, 3);
	assert.match(tail.err, /its request and chunks were deleted .*; its record is still there/);
	const shown = await spool(["show", id], { env });
	assert.equal(shown.code, 0);
	assert.match(shown.out, /payload_deleted_at/);
	const line = JSON.parse((await service.ask("/v1/executions/export?owner=payload")).text);
	assert.equal(line.payload_deleted, true);
	assert.deepEqual(line.chunks, []);
	assert.equal(line.text, "");
	assert.equal(line.deleted, undefined);
	assert.equal(line.total_chunks, 4);
	// Its chunks are gone: nobody says that they go again.
	for (const chosen of [{ ids: [id] }, { owner: "payload" }])
		assert.equal((await prune({ ...chosen, dry_run: true })).json.chunks, 0);
	const rest = (await prune({ ids: [id] })).json;
	assert.equal(rest.executions, 1, "the rest of it can go, too");
	assert.equal(rest.chunks, 0);
	assert.equal((await service.ask(`/v1/executions/${id}`)).json.payload_only, false);
});

test("keep_last keeps the newest of each owner, keep_bytes the newest that fit", async () => {
	const own = await Service.start({ demo: true });
	const a = await ended(4, "a", own), b = await ended(2, "b", own);
	const { bytes } = (await prune({ owner: "a", dry_run: true }, own)).json;

	assert.equal((await prune({ keep_last: 3, older_than_ms: 0, dry_run: true }, own)).json.executions, 1);
	assert.equal((await prune({ keep_last: 3 }, own)).json.executions, 1);
	assert.deepEqual(await listed("a", own), a.slice(1));
	assert.deepEqual(await listed("b", own), b);
	assert.equal((await prune({ owner: "a", keep_bytes: Math.floor(bytes * 0.6) }, own)).json.executions, 1);
	assert.deepEqual(await listed("a", own), a.slice(2));
	assert.equal((await prune({ keep_last: 0, keep_bytes: 0 }, own)).json.executions, 4);
	assert.equal((await own.ask("/v1/executions")).json.executions.length, 0);
	await own.stop();
});

test("a prune of many calls goes on where it was, and is one row of the audit", async () => {
	const ids = await ended(7, "calls");
	const body = { owner: "calls", keep_last: 1, limit: 2 };
	const sum = { executions: 0, calls: 0, chunks: 0 };
	let next, operation;

	do {
		const { status, json, text } = await prune(next ? { ...body, next } : body);

		assert.equal(status, 200, text);
		assert.ok(json.executions <= 2);
		assert.equal(json.more, json.next !== null);
		operation ??= json.operation;
		assert.equal(json.operation, operation);
		sum.executions += json.executions;
		sum.chunks += json.chunks;
		sum.calls++;
		next = json.next;
		// What comes in between is of no concern to it.
		if (sum.calls === 1)
			ids.push(...await ended(1, "calls"));
	} while (next);
	assert.equal(sum.executions, 6);
	assert.ok(sum.calls >= 3);
	assert.deepEqual(await listed("calls"), ids.slice(6));
	const rows = (await audit()).filter((row) => row.operation === operation);
	assert.equal(rows.length, 1);
	assert.equal(rows[0].action, "prune");
	assert.equal(rows[0].executions, 6);
	assert.equal(rows[0].chunks, sum.chunks);
	assert.deepEqual(rows[0].detail, { owner: "calls", keep_last: 1 });
	assert.match(rows[0].actor, /^[0-9a-f-]{36} \(admin\)$/);
});

test("a dry run can name them, page by page", async () => {
	const ids = await ended(5, "names");
	const found = [];
	let next;

	do {
		const { json } = await prune({ owner: "names", dry_run: true, list: true, limit: 2, ...(next && { next }) });

		assert.ok(json.ids.length <= 2);
		found.push(...json.ids);
		next = json.next;
	} while (next);
	assert.deepEqual(found, ids);
	const text = (await service.ask("/v1/executions/export", { body: { ids: [ids[3], ids[0]] } })).text;
	assert.deepEqual(lines(text).map((l) => JSON.parse(l).execution_id), [ids[3], ids[0]]);
});

test("a prune that makes no sense is refused and removes nothing", async () => {
	const [id] = await ended(1, "refused");
	const { json: { next } } = await prune({ owner: "filters-other", limit: 1, dry_run: true, list: true });

	for (const [body, field, says] of [
		[{}, "all", /nothing was chosen/],
		[{ limit: 10 }, "all", /nothing was chosen/],
		[{ payload_only: true }, "all", /nothing was chosen/],
		[{ owner: "refused", keeplast: 3 }, "keeplast", /did you mean keep_last/],
		[{ status: "streaming" }, "status", /never removed/],
		[{ status: [] }, "status", /empty/],
		[{ owner: "" }, "owner", /1 to 63/],
		[{ owner: "refused", limit: 1001 }, "limit", /from 1 to 1000/],
		[{ owner: "refused", keep_last: -1 }, "keep_last", /from 0/],
		[{ since: "yesterday" }, "since", /must be a time/],
		[{ owner: "refused", dry_run: "yes" }, "dry_run", /true or false/],
		[{ owner: "refused", list: true }, "list", /goes with dry_run/],
		[{ ids: [id], owner: "refused" }, "owner", /does not go with ids/],
		[{ ids: [] }, "ids", /1 to 1000/],
		[{ ids: ["x"] }, "ids", /no execution_id/],
		[{ owner: "refused", next: "00" }, "next", /last answer/],
		[{ owner: "refused", next: next ?? "0".repeat(160) }, "next", /last answer/],
	]) {
		const { status, json, text } = await prune(body);

		assert.equal(status, 400, text);
		assert.equal(json.field, field, text);
		assert.match(json.detail, says);
	}
	assert.equal((await service.ask("/v1/prune?dry_run=true", { body: { owner: "refused" } })).status, 400);
	assert.deepEqual(await listed("refused"), [id]);
});

// --- the command ---

test("spool prune says what, asks where it can, and does it", async () => {
	const ids = await ended(3, "cli");
	const dry = await spool(["prune", "--owner", "cli", "--keep-last", "1", "--dry-run", "--json"], { env });

	assert.equal(dry.code, 0, dry.err);
	const { executions, chunks, bytes } = JSON.parse(dry.out);
	assert.deepEqual([executions, chunks], [2, 8]);
	assert.ok(bytes > 0);
	const silent = await spool(["prune", "--owner", "cli", "--keep-last", "1"], { env });
	assert.equal(silent.code, 2);
	assert.match(silent.err, /nobody can be asked: give --yes/);
	const no = await onTerminal(["prune", "--owner", "cli", "--keep-last", "1"],
		{ env, prompt: /\[y\/N\]/, input: "n\n" });
	assert.equal(no.code, 1);
	assert.match(no.out, /Remove 2 executions, 8 chunks, .* created 20.* to 20.*, for ever\?/);
	assert.deepEqual(await listed("cli"), ids);
	const yes = await onTerminal(["prune", "--owner", "cli", "--keep-last", "1"],
		{ env, prompt: /\[y\/N\]/, input: "y\n" });
	assert.equal(yes.code, 0, yes.out);
	assert.deepEqual(await listed("cli"), ids.slice(2));
	const last = await spool(["prune", "--owner", "cli", "--yes"], { env });
	assert.equal(last.code, 0, last.err);
	assert.match(last.out, /^executions\t1$/m);
	assert.deepEqual(await listed("cli"), []);
});

test("spool prune refuses what makes no sense before it asks anybody", async () => {
	for (const [args, says] of [
		[[], /nothing was chosen/],
		[["--yes", "--payload-only"], /nothing was chosen/],
		[["--status", "streaming", "--yes"], /not one of completed, failed, cancelled/],
		[["--older-than", "soon", "--yes"], /not a duration/],
		[["--until", "soon", "--yes"], /not a time/],
		[["--until", "2026-13-45", "--yes"], /not a time/],
		[["--keep-last", "-1", "--yes"], /keep-last/],
		[["extra", "--all", "--yes"], /does not take "extra"/],
	]) {
		const { code, out, err } = await spool(["prune", ...args], { env: { ...env, SPOOL_URL: "http://127.0.0.1:1" } });

		assert.equal(code, 2, `${args}: ${err}`);
		assert.equal(out, "");
		assert.match(err, says);
	}
});

test("--export-first has all in the file before it removes exactly that", async () => {
	const ids = await ended(5, "export");
	const file = path.join(tempDir(), "old.ndjson");
	const whole = lines((await service.ask("/v1/executions/export?owner=export")).text);
	const args = ["prune", "--owner", "export", "--keep-last", "2", "--export-first", file, "--yes"];
	const { code, out, err } = await spool(args, { env });

	assert.equal(code, 0, err);
	assert.match(out, /^executions\t3$/m);
	assert.match(err, /3 executions are in/);
	assert.deepEqual(lines(readFileSync(file, "utf8")), whole.slice(0, 3));
	assert.deepEqual(await listed("export"), ids.slice(3));
	const again = await spool(["prune", "--owner", "export", "--export-first", file, "--yes"], { env });
	assert.equal(again.code, 5, again.err);
	assert.doesNotMatch(again.err, /--force/, "prune has no such option");
	assert.deepEqual(await listed("export"), ids.slice(3), "a file that is there is not replaced");
	const other = path.join(tempDir(), "other.db");
	assert.equal((await spool(["import", file, "--db", other], { env })).code, 0);
	const elsewhere = await spool(["prune", "--owner", "export", "--db", other, "--yes",
		"--export-first", `${file}2`], { env });
	assert.equal(elsewhere.code, 0, elsewhere.err);
	assert.deepEqual(lines(readFileSync(`${file}2`, "utf8")), whole.slice(0, 3), "the store that was named, without a server");
	assert.deepEqual(await listed("export"), ids.slice(3), "the store that was named is not the server's");
	const stdout = await spool(["prune", "--owner", "export", "--yes", "--export-first", "-"], { env });
	assert.equal(stdout.code, 2, stdout.err);
	assert.deepEqual(await listed("export"), ids.slice(3), "what a pipe took is not on disk");
	const nowhere = await spool(["prune", "--owner", "export", "--export-first", "/nowhere/x", "--yes"], { env });
	assert.notEqual(nowhere.code, 0);
	assert.deepEqual(await listed("export"), ids.slice(3), "without a file nothing goes");
	assert.ok(!existsSync(`${file}.part`));
});

test("--export-first compresses, makes no empty file, and says when and why", async () => {
	const own = await Service.start({ demo: true });
	const dir = tempDir(), packed = path.join(dir, "old.ndjson.gz");
	const ids = await ended(4, "packed", own);
	const all = (await own.ask("/v1/executions/export")).text;
	const base = ["prune", "--yes", "--json"];
	const auditOf = async (args, options) => JSON.parse(lines((await spool(["audit", "--json", ...args], options)).out)[0]);

	// Nothing is chosen: nothing is made.
	const none = await spool([...base, "--older-than", "1h", "--export-first", path.join(dir, "none")], { env: envOf(own) });
	assert.equal(none.code, 0, none.err);
	assert.equal(JSON.parse(none.out).executions, 0);
	assert.match(none.err, /nothing was chosen/);
	assert.deepEqual(readdirSync(dir), []);

	// By the server.
	const there = await spool([...base, "--keep-last", "2", "--export-first", packed], { env: envOf(own) });
	assert.equal(there.code, 0, there.err);
	assert.equal(gunzipSync(readFileSync(packed)).toString(), lines(all).slice(0, 2).map((l) => `${l}\n`).join(""));
	const sum = JSON.parse(there.out);
	assert.equal(sum.executions, 2);
	assert.ok(sum.oldest_created_at && sum.oldest_created_at <= sum.newest_created_at);
	assert.deepEqual((await auditOf([], { env: envOf(own) })).detail,
		{ ids: 2, note: `--keep-last 2 --export-first ${packed}` });
	await own.stop();

	// Without one, on the store itself.
	const here = await spool([...base, "--owner", "packed", "--status", "completed", "--export-first", path.join(dir, "rest.gz"),
		"--db", own.db]);
	assert.equal(here.code, 0, here.err);
	assert.equal(gunzipSync(readFileSync(path.join(dir, "rest.gz"))).toString(), lines(all).slice(2).map((l) => `${l}\n`).join(""));
	assert.equal(JSON.parse(here.out).executions, 2);
	assert.ok(JSON.parse(here.out).oldest_created_at);
	assert.deepEqual(readdirSync(dir).sort(), ["old.ndjson.gz", "rest.gz"]);
	assert.equal((await spool(["check", "--db", own.db])).code, 0);
	await own.restart();
	const entry = await auditOf([], { env: envOf(own) });
	assert.equal(entry.actor, "offline");
	assert.deepEqual(entry.detail, { status: ["completed"], owner: "packed",
		note: `--status completed --owner packed --export-first ${path.join(dir, "rest.gz")}` });
	assert.deepEqual((await own.ask("/v1/executions")).json.executions, []);
	assert.equal((await own.ask(`/v1/executions/${ids[0]}`)).status, 410);
	await own.stop();
});

test("Ctrl-C stops between two batches, says how far it came, and again goes on", async () => {
	const ids = await ended(5, "ctrl-c");
	const asked = [];
	let child;
	// In front of the server: batches of two, and a Ctrl-C during the second.
	const front = http.createServer(async (request, answer) => {
		const parts = [];

		for await (const part of request)
			parts.push(part);
		const body = { ...JSON.parse(Buffer.concat(parts).toString()), limit: 2 };
		const got = await ask(service.url + request.url, { body, key: ADMIN_KEY });

		asked.push(body);
		if (asked.length === 2)
			child.kill("SIGINT");
		answer.writeHead(got.status, { "Content-Type": got.headers["content-type"] });
		answer.end(got.text);
	});

	await new Promise((done) => front.listen(0, "127.0.0.1", done));
	const through = { ...env, SPOOL_URL: `http://127.0.0.1:${front.address().port}` };
	const { code, err } = await spool(["prune", "--owner", "ctrl-c", "--yes"],
		{ env: through, onSpawn: (c) => { child = c; } });
	assert.equal(code, 130, err);
	assert.equal(asked.length, 2);
	assert.match(err, /4 executions, 16 chunks, .* removed so far; the same command goes on/);
	assert.deepEqual(await listed("ctrl-c"), ids.slice(4));
	assert.equal((await spool(["prune", "--owner", "ctrl-c", "--yes"], { env: through })).code, 0);
	assert.deepEqual(await listed("ctrl-c"), []);
	front.close();
	front.closeAllConnections();
});

test("without a server spool prune works on the store itself", async () => {
	const own = await Service.start({ demo: true });
	const ids = await ended(3, "offline", own);
	const live = await own.execute({ prompt: "x", model: SLOW, owner: "offline" });

	await own.reach(live, 1);
	const busy = await spool(["prune", "--all", "--dry-run", "--json", "--db", own.db], { env: envOf(own) });
	assert.equal(busy.code, 0, busy.err);
	assert.equal(JSON.parse(busy.out).executions, 3, "the server has it: the server is asked");
	for (const args of [["prune", "--all", "--yes"], ["import", "-"], ["check"], ["backup", "b.db"]]) {
		const wrong = await spool([...args, "--db", own.db], { env, input: "" });
		assert.equal(wrong.code, 5, wrong.err);
		assert.match(wrong.err, /has another store: pid \d+ has .*; give that server's --url/);
	}
	// In containers both may have the same pid: the lock's name tells them apart.
	const { pid, lock } = (await own.ask("/v1/status")).json;
	assert.match(lock, new RegExp(`^pid ${pid} since \\d{4}-`));
	const other = http.createServer((request, response) => {
		response.setHeader("Content-Type", "application/json");
		response.end(JSON.stringify({ pid, lock: lock.replace(/\d{4}-/, "2001-") }));
	});
	other.listen(0, "127.0.0.1");
	await once(other, "listening");
	const twin = await spool(["prune", "--all", "--yes", "--db", own.db,
		"--url", `http://127.0.0.1:${other.address().port}`], { env: envOf(own) });
	other.close();
	other.closeAllConnections();
	assert.equal(twin.code, 5, twin.err);
	assert.match(twin.err, /has another store/);
	await own.kill9();
	const dry = await spool(["prune", "--keep-last", "1", "--dry-run", "--json", "--db", own.db]);
	assert.equal(dry.code, 0, dry.err);
	assert.equal(JSON.parse(dry.out).executions, 2);
	const { code, out, err } = await spool(["prune", "--keep-last", "1", "--yes", "--json", "--db", own.db]);
	assert.equal(code, 0, err);
	assert.equal(JSON.parse(out).executions, 2);
	const payload = await spool(["prune", "--all", "--payload-only", "--yes", "--db", own.db]);
	assert.equal(payload.code, 0, payload.err);
	const none = await spool(["prune", "--all", "--yes", "--db", `${own.db}.none`]);
	assert.equal(none.code, 3);
	assert.ok(!existsSync(`${own.db}.none`), "none is made");
	const check = await spool(["check", "--json", "--db", own.db]);
	assert.equal(check.code, 0, check.out + check.err);
	const { done } = JSON.parse(check.out.trim().split("\n").at(-1));
	assert.deepEqual([done.trash, done.tombstones, done.stray_segments], [0, 2, 0], "nothing is left to the next start");
	await own.restart();
	assert.deepEqual(await listed("offline", own), [ids[2], live]);
	assert.equal((await own.ask(`/v1/executions/${ids[0]}`)).status, 410);
	assert.equal((await own.ask(`/v1/executions/${ids[2]}/chunks`)).json.payload_only, true);
	assert.deepEqual((await audit(own)).map((r) => [r.actor, r.action, r.executions]),
		[["offline", "prune.payload", 1], ["offline", "prune", 2], ["serve", "key.create", 0]]);
	const before = (await own.ask("/v1/status")).json.store;
	await own.ask(`/v1/executions/${(await ended(1, "counted", own))[0]}`, { method: "DELETE" });
	const after = (await own.ask("/v1/status")).json.store;
	assert.equal(after.deleted - before.deleted, 1);
	assert.equal(typeof after.cleaning, "boolean");
	await own.stop();
});

// --- retention ---

test("retention keeps what the flags say, and never touches what is live", async () => {
	const own = await Service.start({ demo: true, args: ["--retain-count", "3", "--retain-every", "100ms"] });
	const live = await own.execute({ prompt: "x", model: SLOW, owner: "r" });

	await own.reach(live, 1);
	const ids = await ended(8, "r", own);
	await until("only the newest", async () => (await listed("r", own)).length === 4);
	assert.deepEqual(await listed("r", own), [live, ...ids.slice(5)]);
	const { retention } = (await own.ask("/v1/status")).json;
	assert.equal(retention.rules, 1);
	assert.equal(retention.executions, 5);
	assert.ok(retention.passes > 0 && retention.last_at);
	const rows = (await audit(own)).filter((r) => r.actor === "retention");
	assert.equal(rows.reduce((n, r) => n + r.executions, 0), 5);
	assert.ok(rows.every((r) => r.action === "prune" && r.detail.rules === 1));
	assert.match(own.log, /retain.*pass/);
	const { ms } = await own.stop();
	assert.ok(ms < 30_000);
});

test("sections of the config retain by owner and status, whole or the record alone", async () => {
	const dir = tempDir();
	const config = path.join(dir, "spool.ini");

	writeFileSync(config, `[store]
retain_every = 100ms
[retain ada]
owner = ada
count = 1
[retain texts]
owner = bob
age = 1ms
payload_only = true
[retain failures]
status = failed, cancelled
age = 1ms
`);
	const shown = await spool(["config", "show", "--config", config, "--origin"]);
	assert.match(shown.out, /\[retain ada\]\nowner = ada .*\ncount = 1\n/);
	assert.match(shown.out, /\[retain failures\]\nstatus = failed, cancelled .*\nage = 1ms\n/);
	const parsed = JSON.parse((await spool(["config", "show", "--config", config, "--json"])).out);
	assert.deepEqual(parsed.retains.map((r) => r.name), ["ada", "texts", "failures"]);
	const own = await Service.start({ demo: true, dir, args: ["--config", config] });
	const ada = await ended(3, "ada", own), bob = await ended(2, "bob", own);
	const eve = await own.execute({ prompt: "x", model: SLOW, owner: "eve" });
	await own.reach(eve, 1);
	await own.ask(`/v1/executions/${eve}/cancel`, { method: "POST" });
	await until("ada's newest", async () => (await listed("ada", own)).length === 1);
	await until("bob's texts gone", async () =>
		(await own.ask(`/v1/executions/${bob[1]}`)).json.payload_deleted_at);
	await until("the cancelled one gone", async () => (await listed("eve", own)).length === 0);
	assert.deepEqual(await listed("ada", own), [ada[2]]);
	assert.deepEqual(await listed("bob", own), bob);
	const gone = (action) => audit(own).then((rows) => rows.filter((r) => r.action === action)
		.reduce((n, r) => n + r.executions, 0));
	assert.equal(await gone("prune.payload"), 2, "not the same as a prune");
	assert.equal(await gone("prune"), 3);
	assert.equal((await own.ask(`/v1/executions/${ada[2]}/chunks`)).status, 200);
	await own.stop();
});

test("removals are forgotten after a while: 410, then 404", async () => {
	const own = await Service.start({ demo: true,
		args: ["--retain-tombstones", "1500ms", "--retain-every", "100ms"] });
	const [id] = await ended(1, "t", own);

	await prune({ ids: [id] }, own);
	assert.equal((await own.ask(`/v1/executions/${id}`)).status, 410);
	await until("404", async () => (await own.ask(`/v1/executions/${id}`)).status === 404);
	assert.equal((await own.ask("/v1/status")).json.retention.tombstones, 1);
	await own.stop();
});

test("retention of a store that is full of old ones begins at the start", async () => {
	const own = await Service.start({ demo: true });

	await each(600, 32, async () => own.finish(await own.execute({ prompt: "x", model: QUICK, owner: "many" })));
	const newest = (await listed("many", own)).slice(-10);
	own.options.args = ["--retain-count", "10"];
	await own.restart();
	await until("only ten", async () => (await listed("many", own)).length === 10);
	assert.deepEqual(await listed("many", own), newest);
	const check = await spool(["check"], { env: envOf(own) });
	assert.equal(check.code, 0, check.out);
	await own.stop();
});

// --- the audit ---

test("the audit says who made, replaced, revoked and removed what", async () => {
	const own = await Service.start({ demo: true });
	const [id] = await ended(1, "audited", own);
	const key = (await own.ask("/v1/keys", { body: { label: "ops", owner: "audited", scopes: "admin" } })).json;
	const next = (await own.ask(`/v1/keys/${key.id}/rotate`, { method: "POST" })).json;

	assert.equal((await own.ask(`/v1/executions/${id}`, { method: "DELETE", key: next.secret })).status, 204);
	assert.equal((await own.ask(`/v1/keys/${next.id}`, { method: "DELETE" })).status, 204);
	const backup = await own.ask("/v1/backup", { body: { name: "b.db" } });
	assert.equal(backup.status, 201, backup.text);
	const rows = (await audit(own)).reverse();
	assert.deepEqual([rows[0].actor, rows[0].action], ["serve", "key.create"], "the first admin key");
	rows.shift();
	assert.deepEqual(rows.map((r) => [r.action, r.subject]), [
		["key.create", key.id],
		["key.create", next.id],
		["key.rotate", key.id],
		["execution.delete", id],
		["key.revoke", next.id],
		["backup", "b.db"],
	]);
	assert.equal(rows[3].actor, `${next.id} (ops)`);
	assert.equal(rows[3].executions, 1);
	assert.equal(rows[3].chunks, 4);
	assert.match(rows[0].actor, /\(admin\)$/);
	assert.deepEqual(rows[0].detail, { label: "ops", owner: "audited", scopes: "admin" });
	assert.equal(rows[2].detail.by, next.id);
	assert.ok(rows[5].detail.bytes > 0);
	assert.ok(!JSON.stringify(rows).includes("spool_"), "no secret in it");
	const page = (await own.ask("/v1/audit?limit=2")).json;
	assert.equal(page.entries.length, 2);
	const older = (await own.ask(`/v1/audit?limit=2&before=${page.next}`)).json;
	rows.reverse();
	assert.deepEqual([...page.entries, ...older.entries], rows.slice(0, 4));
	assert.equal((await own.ask("/v1/audit?after=3")).status, 400);
	const { code, out } = await spool(["audit", "--limit", "2"], { env: envOf(own) });
	assert.equal(code, 0);
	assert.deepEqual(lines(out).map((l) => l.split("\t")[3]), ["backup", "key.revoke"]);
	const all = await spool(["audit", "--limit", "0", "--json"], { env: envOf(own) });
	assert.deepEqual(lines(all.out).map((l) => JSON.parse(l)).slice(0, -1), rows);
	await own.stop();
});

test("without keys the audit says local", async () => {
	const own = await Service.start({ demo: true, key: null, args: ["--auth", "none"] });
	const [id] = await ended(1, "x", own);

	await own.ask(`/v1/executions/${id}`, { method: "DELETE" });
	assert.deepEqual((await audit(own)).map((r) => [r.actor, r.action]), [["local", "execution.delete"]]);
	await own.stop();
});
