// The disk fails at one call, or from one call on: each write, sync and truncation
// that the server makes, with EIO and with ENOSPC. It never crashes or hangs, takes
// back nothing that was shown, tells its clients, and is sound after a restart.
// POINTS (60; all of them under SOAK=1) and SEED come from the environment;
// POINT="running EIO once 17" is one alone.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Service, Sim, each, knob, pause, root, tempDir, within } from "./service.mjs";
import { Dice, Witness, isBroken } from "./witness.mjs";

const POINTS = knob("POINTS", 60, Infinity);
const ERRNO = { EIO: 5, ENOSPC: 28 };
const TIMES = { once: 1, "for good": 0 };
const STREAMS = 6;
const dice = new Dice();

let sim, template;

before(async () => {
	sim = await Sim.start(["--rate", "200", "--first-ms", "1", "--tokens", "20"]);
	template = await makeTemplate();
});
after(() => sim?.stop());

// A store that a killed server left: some have ended, some have not.
async function makeTemplate() {
	const service = await Service.start({ upstream: sim.url });

	for (let i = 0; i < STREAMS; i++)
		await service.finish(await service.execute(`before ${i}`));
	await each(STREAMS, STREAMS, async (i) =>
		service.reach(await service.execute({ prompt: `cut ${i}`, model: "sim-slow?tokens=1000" }), 1));
	await service.kill9();
	return service.dir;
}

function copyTemplate(dir) {
	for (const part of ["", "-wal"])
		fs.copyFileSync(path.join(template, `spool.db${part}`), path.join(dir, `spool.db${part}`));
}

// The disk of a store in `dir` does as it is told (tests/tools/io_fault_preload.c).
const disk = (dir) => ({ LD_PRELOAD: path.join(root, "build/release/tests/io_fault.so"),
	FAULT_PATH: path.join(dir, "spool.db") });

// What may come instead of an answer while the disk fails.
function mayFail(answer) {
	if (answer.status < 300)
		return answer;
	assert.ok([503, 507].includes(answer.status), `${answer.status} ${answer.text}`);
	assert.ok(["storage_error", "storage_full", "draining", "overloaded"].includes(answer.json.code), answer.text);
	return undefined;
}

// A client's work against a server whose disk may fail: what it was told.
class Client {
	constructor(service) {
		this.service = service;
		this.witness = new Witness(service, { stays: true });
		this.ids = [];
		this.removed = [];
		this.doubtful = []; // asked to be removed: a failed commit may be there later
		this.prompts = [];
	}

	async try(work) {
		try {
			await work();
		} catch (error) {
			if (!isBroken(error))
				throw error;
		}
	}

	// Ends when the readers have ended, or have waited long enough: a full disk may
	// hold an end back. They go on until the server leaves them: `readers`.
	async work() {
		const { service } = this;
		const readers = [];

		await each(STREAMS, 3, (i) => this.try(async () => {
			const answer = mayFail(await service.ask("/v1/executions", { body: { prompt: `stream ${i}` } }));

			if (!answer)
				return;
			const id = answer.json.execution_id;

			this.ids.push(id);
			readers.push(this.try(() => this.witness.read(["poll", "hold", "stream"][i % 3], [id], () => this.over)));
		}));
		await this.try(async () => {
			if (mayFail(await service.ask("/v1/prompts/greet", { method: "PUT", body: { template: "Hello {{name}}" } })))
				this.prompts.push("greet");
		});
		this.readers = Promise.all(readers);
		await Promise.race([this.readers, pause(700)]);
		await this.try(async () => {
			const ended = this.ids.find((id) => this.witness.shown.get(id)?.ended);

			if (!ended)
				return;
			this.doubtful.push(ended);
			if (mayFail(await service.ask(`/v1/executions/${ended}`, { method: "DELETE" })))
				this.removed.push(ended);
		});
	}

	// After a restart on a sound disk.
	async verify() {
		const { service, witness } = this;
		for (const id of this.removed)
			assert.equal((await service.ask(`/v1/executions/${id}`)).status, 410, "what was deleted stays so");
		for (const name of this.prompts)
			assert.equal((await service.ask(`/v1/prompts/${name}`)).status, 200, "a prompt that was stored is there");
		const there = [];

		await each(this.ids.length, 4, async (i) => {
			const id = this.ids[i];

			if (!this.doubtful.includes(id) || (await service.ask(`/v1/executions/${id}`)).status === 200)
				there.push(id);
		});
		witness.compare(await witness.settle(there));
		await witness.nothingOpen();
	}
}

function count(log) {
	const bytes = fs.readFileSync(log);

	return { calls: Number(bytes.readBigUInt64LE(0)), failures: Number(bytes.readBigUInt64LE(8)) };
}

// Run a point; true when the disk was made to fail.
async function run({ scene, call, times, k }) {
	const dir = tempDir();
	const log = path.join(dir, "faults");

	fs.writeFileSync(log, Buffer.alloc(16));
	if (scene === "running")
		copyTemplate(dir);
	const service = new Service({ upstream: sim.url, dir, args: ["--drain", "300ms"], env: { ...disk(dir),
		FAULT_AT: `${k}`, FAULT_TIMES: `${TIMES[times]}`, FAULT_ERRNO: `${ERRNO[call]}`, FAULT_LOG: log } });
	const client = new Client(service);
	let started = true;

	try {
		await service.launch();
	} catch (error) {
		if (!isBroken(error) && !/before it listened/.test(error.message))
			throw error;
		started = false;
	}
	if (started && scene === "running")
		await client.work();
	// What fails when all is stored and the file is closed loses nothing.
	const before = count(log).failures;

	service.child.process.kill("SIGTERM");
	client.over = true;
	const end = await within(10_000, () => `an end\n${service.log}`, service.child.exited);
	const { calls, failures } = count(log);

	await within(10_000, "readers that are told", client.readers);

	service.agent.destroy();
	assert.equal(end.signal, null, `it died of ${end.signal}\n${service.log}`);
	if (before > 0 && call === "EIO")
		assert.notEqual(end.code, 0, `it says that all is well\n${service.log}`);
	if (failures > 0 && end.code !== 0)
		assert.match(service.log, /store failed|no room|"level":"error"|spool:/, `it does not say why: ${service.log}`);
	if (failures === 0)
		assert.equal(end.code, 0, service.log);
	service.options.env = {};
	await service.restart();
	await client.verify();
	assert.equal((await service.stop()).code, 0, service.log);
	await client.witness.check();
	fs.rmSync(dir, { recursive: true });
	return { calls, hit: failures > 0 };
}

async function points() {
	const all = [];

	if (process.env.POINT) {
		const m = /^(\w+) (\w+) (.*) (\d+)$/.exec(process.env.POINT);

		return [{ scene: m[1], call: m[2], times: m[3], k: Number(m[4]) }];
	}
	for (const scene of ["starting", "running"]) {
		const { calls } = await run({ scene, call: "EIO", times: "once", k: 0 });

		assert.ok(calls > 50, `${scene}: ${calls} calls`);
		for (const call of Object.keys(ERRNO))
			for (const times of Object.keys(TIMES))
				for (let k = 1; k <= calls; k++)
					all.push({ scene, call, times, k });
	}
	while (all.length > POINTS)
		all.splice(dice.roll(all.length), 1);
	return all;
}

test("what a crash left is settled before the first request, on a slow disk too", async () => {
	const dir = tempDir();

	copyTemplate(dir);
	const service = new Service({ upstream: sim.url, dir, env: { ...disk(dir), FAULT_CALL: "sync", FAULT_AT: "1",
		FAULT_TIMES: "0", FAULT_ERRNO: "0", FAULT_MS: "60" } });

	await service.launch();
	await new Witness(service).nothingOpen(0);
	await service.stop();
});

test("a store on a network file system is refused, and nothing is made there", async () => {
	const dir = tempDir();
	const service = new Service({ upstream: sim.url, dir, env: { ...disk(dir), FAULT_FSTYPE: `${0x6969}` } });

	await assert.rejects(service.launch());
	assert.match(service.log, /is on NFS, where file locks cannot be trusted/);
	assert.deepEqual(fs.readdirSync(dir), []);
});

test(`a disk that fails at any call takes nothing back (SEED=${dice.seed})`, async (t) => {
	const all = await points();
	const found = [];
	let hit = 0;

	await each(all.length, 2, async (i) => {
		try {
			const { hit: reached } = await run(all[i]);

			hit += reached;
		} catch (error) {
			found.push(`POINT="${all[i].scene} ${all[i].call} ${all[i].times} ${all[i].k}": ${error.message}`);
		}
	});
	t.diagnostic(`${all.length} points of failure, ${hit} reached, 0 executions lost`);
	assert.equal(found.length, 0, `${found.length} findings\n${found.slice(0, 12).join("\n\n")}`);
	assert.ok(hit > all.length / 2, `${hit} of ${all.length} points were reached`);
});
