// A disk that others fill: what is new is refused early, what runs goes on or
// ends with a reason, what is there is read, and room heals it all by itself.
// On a tmpfs of its own, which needs root.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, pause, tempDir, within } from "./service.mjs";

const DISK = "64m";
const mounts = [];
let upstream;

function disk() {
	const dir = tempDir();
	const done = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", dir]);

	if (done.status === 0)
		mounts.push(dir);
	return done.status === 0 ? dir : null;
}

const unmount = () => mounts.splice(0).forEach((dir) => spawnSync("umount", ["-l", dir]));
const probe = process.getuid() === 0 ? disk() : null;
const options = probe ? {} : { skip: "a tmpfs cannot be mounted here" };

process.on("exit", unmount);
before(async () => { upstream = await ScriptedUpstream.start(); });
after(async () => {
	await upstream?.stop();
	unmount();
});

// A second process takes what is left but `bytes`.
function fill(dir, bytes) {
	const { bavail, bsize } = fs.statfsSync(dir);
	const count = Math.ceil((bavail * bsize - bytes) / 4096) + (bytes === 0 ? 1000 : 0);

	spawnSync("dd", ["if=/dev/zero", `of=${path.join(dir, "others")}`, "bs=4096", `count=${count}`,
		"oflag=append", "conv=notrunc"]);
}

const free = (dir) => fs.rmSync(path.join(dir, "others"));

async function until(service, status) {
	for (;;) {
		const ready = await service.ask("/readyz");

		if (ready.status === status)
			return ready.json;
		await pause(20);
	}
}

async function start(dir, args = []) {
	const service = await Service.start({ upstream: upstream.url, dir, args });

	// Set aside at the first look after the start.
	await within(10_000, "room set aside", (async () => {
		while (!fs.existsSync(`${service.db}-reserve`))
			await pause(20);
	})());
	return service;
}

const lines = (service, what) => service.log.split("\n").filter((line) => line.includes(what)).length;

test("below the reserve nothing new is taken, and what runs goes on", options, async () => {
	const dir = disk();
	const service = await start(dir);
	const exported = await service.execute("exported");
	await (await upstream.nextFor("exported")).finish();
	await service.finish(exported);
	const line = JSON.parse((await service.ask("/v1/executions/export")).text.split("\n")[0]);
	line.execution_id = line.execution_id.replace(/.$/, (c) => (c === "0" ? "1" : "0"));
	const id = await service.execute("low");
	const x = await upstream.nextFor("low");

	await x.send("before ");
	await service.reach(id, 1);
	fill(dir, 8 << 20);
	const { checks, disk: figures } = await within(10_000, "readyz 503", until(service, 503));
	assert.equal(checks.disk, "low");
	assert.equal(checks.store, "ok");
	assert.equal(figures.reserve_bytes, 16 << 20, "a quarter of so small a disk");
	assert.ok(figures.free_bytes < figures.reserve_bytes, JSON.stringify(figures));

	for (const [route, method, body] of [
		["/v1/executions", "POST", { prompt: "new" }],
		["/v1/prompts/new", "PUT", { template: "new" }],
		["/v1/executions/import", "POST", `${JSON.stringify(line)}\n`],
		["/v1/keys", "POST", { label: "new", owner: "new", scopes: ["run"] }],
	]) {
		const headers = typeof body === "string" ? { "Content-Type": "application/x-ndjson" } : {};
		const answer = await service.ask(route, { method, body, headers });

		assert.equal(answer.status, 507, `${route}: ${answer.text}`);
		assert.equal(answer.json.code, "storage_full");
		assert.equal(answer.json.retryable, true);
		assert.ok(Number(answer.headers["retry-after"]) > 0);
	}
	const call = await service.call("execute", { prompt: "new" });
	assert.equal(call.status, 503);
	assert.equal(call.error.status, "UNAVAILABLE");
	const status = await service.ask("/v1/status");
	assert.equal(status.json.disk.low, true);

	await x.send("after");
	await x.finish();
	const answer = await service.finish(id);
	assert.equal(answer.status, "completed");
	assert.equal(answer.text, "before after");

	free(dir);
	await within(10_000, "readyz 200", until(service, 200));
	await service.execute("again");
	await (await upstream.nextFor("again")).finish();
	assert.equal(lines(service, "disk low"), 1, service.log);
	assert.equal(lines(service, "disk has room"), 1, service.log);
	await service.stop();
});

test("a full disk ends what runs, stored, while all is read; room mends it", options, async () => {
	const dir = disk();
	const service = await start(dir);
	const old = await service.execute("old");
	const first = await upstream.nextFor("old");

	await first.send("kept");
	await first.finish();
	await service.finish(old);

	const id = await service.execute("long");
	const x = await upstream.nextFor("long");
	await x.send("w0 ");
	await service.reach(id, 1);
	fill(dir, 0);
	assert.equal(fs.statfsSync(dir).bavail, 0);
	// It writes on until somebody hangs up.
	let words = 1;
	const writing = (async () => {
		while (!(await Promise.race([x.closed.then(() => true), pause(50)])))
			await x.send(`w${words++} `);
	})();
	// Readers are served meanwhile, all of them.
	const reading = { reads: 0, done: false };
	const readers = (async () => {
		while (!reading.done) {
			assert.equal((await service.page(old)).chunks[0].content, "kept");
			assert.equal((await service.page(id)).chunks[0].content, "w0 ");
			reading.reads++;
			await pause(10);
		}
	})();

	const answer = await service.finish(id, { ms: 40_000 });
	reading.done = true;
	await readers;
	assert.ok(reading.reads > 10);
	assert.equal(answer.status, "failed");
	assert.equal(answer.metadata.error.code, "storage_full");
	assert.equal(answer.metadata.error.retryable, true);
	const said = answer.text.trim().split(" ");
	said.forEach((word, i) => assert.equal(word, `w${i}`));
	await within(5000, "the end of the upstream's transfer", writing);
	assert.equal((await service.ask("/v1/executions", { body: { prompt: "no" } })).status, 507);

	free(dir);
	await within(10_000, "readyz 200", until(service, 200));
	const next = await service.execute("next");
	await (await upstream.nextFor("next")).finish();
	assert.equal((await service.finish(next)).status, "completed");
	await service.restart();
	assert.deepEqual((await service.finish(id)).chunks, answer.chunks);
	await service.stop();
});

test("a stop on a full disk is as quick as any, and what came is kept", options, async () => {
	const dir = disk();
	const service = await start(dir, ["--drain", "1s"]);
	const id = await service.execute("stopped");
	const x = await upstream.nextFor("stopped");

	await x.send("one ");
	await service.reach(id, 1);
	fill(dir, 0);
	await x.send("two");
	await within(10_000, "readyz 503", until(service, 503));
	const end = await service.stop();
	assert.equal(end.code, 0, service.log.slice(-2000));
	assert.ok(end.ms < 1000 + 5000, `${end.ms} ms`);
	await service.restart();
	const answer = await service.finish(id);
	assert.equal(answer.status, "failed");
	assert.equal(answer.metadata.error.code, "interrupted");
	assert.equal(answer.text, "one two");
	await service.stop();
});

test("a start on a full disk settles what a crash left", options, async () => {
	const dir = disk();
	const service = await start(dir);
	const id = await service.execute("crashed");
	const x = await upstream.nextFor("crashed");

	await x.send("one ");
	await service.reach(id, 1);
	fill(dir, 0);
	await service.kill9();
	await service.restart();
	const answer = await service.finish(id);
	assert.equal(answer.status, "failed");
	assert.equal(answer.metadata.error.code, "interrupted");
	assert.equal(answer.text, "one ");
	await service.stop();
});

test("a full disk can be cleaned: what is set aside is for that, too", options, async () => {
	const dir = disk();
	const service = await Service.start({ dir, demo: true });
	const ids = [];

	for (let i = 0; i < 100; i++)
		ids.push(await service.execute({ prompt: `${i}`, model: "sim?rate=0&tokens=3" }));
	for (const id of ids)
		await service.finish(id);
	// A short -wal: what a prune writes needs room of its own.
	await service.stop();
	fs.rmSync(`${service.db}-reserve`, { force: true });
	await service.restart();
	await within(10_000, "room set aside", (async () => {
		while (!fs.existsSync(`${service.db}-reserve`))
			await pause(20);
	})());
	fill(dir, 0);
	assert.equal(fs.statfsSync(dir).bavail, 0);
	const removed = await service.ask(`/v1/executions/${ids.pop()}`, { method: "DELETE" });
	assert.equal(removed.status, 204, removed.text);
	const pruned = await service.ask("/v1/prune", { body: { ids } });
	assert.equal(pruned.status, 200, pruned.text);
	assert.equal(pruned.json.executions, 99);
	assert.equal((await service.ask(`/v1/executions/${ids[0]}`)).status, 410);
	free(dir);
	await within(10_000, "readyz 200", until(service, 200));
	await service.stop();
});
