// Bit rot and cut files: a store whose file or log was damaged. `check` and `serve`
// (under AddressSanitizer where that was built) never crash or hang: they serve, or
// refuse with one clear line. No reader ever gets a chunk that was never stored, and
// what cannot be read any more is among what `check` finds. Nor does anybody get a
// record that was never stored: what ended before the damage says what it said.
// DAMAGES (40 truncations and 40 flipped bits; 1,000 each under SOAK=1) and SEED
// come from the environment; what a finding was found in is left in build/damage/.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { command } from "./command.mjs";
import { ADMIN_KEY, Service, Sim, binary, each, knob, root, tempDir, within } from "./service.mjs";
import { Dice, isBroken } from "./witness.mjs";

const DAMAGES = knob("DAMAGES", 40, 1000);
const ASAN = path.join(root, "build/asan/spool");
const program = process.env.SPOOL_BINARY ?? (fs.existsSync(ASAN) ? ASAN : binary);
const FILES = ["spool.db", "spool.db-wal"];
const ENV = { SPOOL_ADMIN_KEY: ADMIN_KEY, OPENAI_API_KEY: "k", OPENAI_BASE_URL: "http://127.0.0.1:1/v1" };
const dice = new Dice();

let sim, templates;

before(async () => {
	sim = await Sim.start(["--rate", "0", "--first-ms", "0"]);
	templates = [await makeTemplate(false), await makeTemplate(true)];
});
after(() => sim?.stop());

// All chunks and the last page of all executions that `service` lets be read:
// id → { status, chunks: [JSON text], metadata }; null where it says it cannot.
async function readAll(service, ids) {
	const read = new Map();

	await each(ids.length, 4, async (i) => {
		const chunks = [];

		for (;;) {
			const answer = await service.ask(`/v1/executions/${ids[i]}/chunks?fromIndex=${chunks.length}&limit=500`);

			if (answer.status !== 200) {
				assert.ok([404, 503].includes(answer.status), `${answer.status} ${answer.text}`);
				read.set(ids[i], { status: answer.json.code, chunks, metadata: null });
				return;
			}
			chunks.push(...answer.json.chunks.map((c) => JSON.stringify(c)));
			if (answer.json.completed || answer.json.chunks.length === 0) {
				read.set(ids[i], { status: answer.json.status, chunks, metadata: JSON.stringify(answer.json.metadata) });
				return;
			}
		}
	});
	return read;
}

// A store with all that a store holds: long and short answers, packed and live;
// `killed`: much of it still in the log. { dir, ids, truth }
async function makeTemplate(killed) {
	const service = await Service.start({ upstream: sim.url, args: ["--drain", "100ms"] });
	const ids = [];

	for (const model of ["sim?tokens=3000", "sim?tokens=300", "sim", "sim", "sim?tokens=1"])
		ids.push(await service.execute({ prompt: `all of ${model}`, model }));
	await each(ids.length, 5, (i) => service.finish(ids[i]));
	for (let i = 0; i < 4; i++) {
		ids.push(await service.execute({ prompt: "cut", model: "sim?tokens=100000&rate=300" }));
		await service.reach(ids.at(-1), 50);
	}
	assert.equal((await service.ask("/v1/prompts/greet", { body: { template: "Hi {{name}}" }, method: "PUT" })).status < 300, true);
	if (killed)
		await service.kill9();
	else
		await service.stop();
	const copy = tempDir();

	FILES.forEach((file) => fs.existsSync(path.join(service.dir, file)) &&
		fs.copyFileSync(path.join(service.dir, file), path.join(copy, file)));
	// What it holds is what a sound start says of it.
	service.options.upstream = "http://127.0.0.1:1/v1";
	await service.restart();
	const truth = await readAll(service, ids);
	await service.stop();
	return { dir: copy, ids, truth, ended: new Set(killed ? ids.slice(0, 5) : ids) };
}

// A copy of the template in `dir`, damaged: { how, file, at, bit }.
function damage(template, dir, { how, file, at, bit }) {
	const name = path.join(dir, file);

	for (const f of FILES)
		if (fs.existsSync(path.join(template.dir, f)))
			fs.copyFileSync(path.join(template.dir, f), path.join(dir, f));
	if (how === "cut") {
		fs.truncateSync(name, at);
		return;
	}
	const fd = fs.openSync(name, "r+");
	const byte = Buffer.alloc(1);

	fs.readSync(fd, byte, 0, 1, at);
	byte[0] ^= 1 << bit;
	fs.writeSync(fd, byte, 0, 1, at);
	fs.closeSync(fd);
}

// Is what was read a beginning of the truth? Behind it may stand an end of its own.
function beginning(read, truth) {
	const own = read.findIndex((text, i) => text !== truth[i]);

	return own < 0 || (own === read.length - 1 && JSON.parse(read[own]).metadata.kind === "end");
}

async function run(template, d) {
	const dir = tempDir();

	damage(template, dir, d);

	const check = await command(["check", "--db", path.join(dir, "spool.db")], { program, env: ENV });
	assert.equal(check.signal, null, check.err);
	assert.doesNotMatch(check.err, /Sanitizer|panic/, check.err);
	if (check.code !== 0)
		assert.ok(check.out.length + check.err.length > 0, "it says what is wrong");

	const service = new Service({ dir, program, upstream: "http://127.0.0.1:1/v1", args: ["--drain", "100ms"] });
	let read, up = true;
	try {
		await service.launch();
		read = await readAll(service, template.ids);
	} catch (error) {
		// The store may stop a server at any time.
		if (!isBroken(error) && !/before it listened/.test(error.message))
			throw error;
		up = false;
	}
	service.child.process.kill("SIGTERM");
	const end = await within(20_000, "an end", service.child.exited);
	service.agent.destroy();
	assert.equal(end.signal, null, service.log);
	assert.doesNotMatch(service.log, /Sanitizer|panic/, service.log);
	if (!up) {
		assert.notEqual(end.code, 0, service.log);
		assert.match(service.log, /^spool: .+|store failed/m, "one clear line");
	}
	let whole = up;
	for (const [id, r] of read ?? []) {
		const truth = template.truth.get(id);

		assert.ok(beginning(r.chunks, truth.chunks), `a reader got what was never stored: ${
			r.chunks.find((text, i) => text !== truth.chunks[i])}`);
		if (template.ended.has(id) && r.status === truth.status && r.chunks.length === truth.chunks.length)
			assert.equal(r.metadata, truth.metadata, "metadata that was never stored");
		if (r.chunks.length < truth.chunks.length || r.status !== truth.status)
			whole = false;
	}
	// A log that is cut ends there for SQLite, as after a crash: nobody can tell.
	if (!whole && d.file === "spool.db")
		assert.notEqual(check.code, 0, "what cannot be read is among the findings");
	fs.rmSync(dir, { recursive: true });
	return { up, whole };
}

async function damages(t, how) {
	const all = [];
	const found = [];
	const n = { served: 0, whole: 0 };

	for (let i = 0; i < DAMAGES; i++) {
		const template = templates[dice.roll(templates.length)];
		const sizes = FILES.map((f) => fs.statSync(path.join(template.dir, f), { throwIfNoEntry: false })?.size ?? 0);
		// Each file as often as it is large, and the log not less than a third.
		const file = sizes[1] > 0 && dice.roll(3) === 0 ? 1 : dice.roll(sizes[0] + sizes[1]) < sizes[0] ? 0 : 1;

		all.push({ template, d: { how, file: FILES[file], at: dice.roll(sizes[file]), bit: dice.roll(8) } });
	}
	await each(all.length, 2, async (i) => {
		const { template, d } = all[i];

		try {
			const r = await run(template, d);

			n.served += r.up;
			n.whole += r.whole;
		} catch (error) {
			const name = `${d.how} ${d.file} ${d.at} ${d.bit}`;
			const dir = path.join(root, "build/damage", name.replaceAll(" ", "-"));

			fs.mkdirSync(dir, { recursive: true });
			damage(template, dir, d);
			found.push(`${name}: ${error.message}`);
		}
	});
	t.diagnostic(`${all.length} times ${how}: ${n.served} served, ${n.whole} whole, ` +
		`${all.length - n.served} refused`);
	assert.equal(found.length, 0, `${found.length} findings\n${found.slice(0, 12).join("\n\n")}`);
}

test(`a file that was cut is served or refused (SEED=${dice.seed})`, (t) => damages(t, "cut"));

test(`a flipped bit never becomes a chunk (SEED=${dice.seed})`, (t) => damages(t, "flip"));
