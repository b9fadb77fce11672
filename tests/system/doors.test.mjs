// Through whatever doors an execution is started and read, cut and gone on with,
// while the server is killed: each reader has the stored answer, whole, dense and
// with its end, and what is told again is told in the same bytes.
//
// SEED says which dice; EXECUTIONS, READERS, KILLS how much.

import assert from "node:assert/strict";
import { test } from "node:test";

import { reads, starts, texts } from "./doors.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, checkDense, each, knob, within } from "./service.mjs";
import { isBroken } from "./witness.mjs";

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const EXECUTIONS = knob("EXECUTIONS", 24, 200);
const READERS = knob("READERS", 3, 4);
const KILLS = knob("KILLS", 3, 20);
const READ_MS = knob("READ_MS", 180_000, 1_800_000);

// mulberry32
function dice(seed) {
	let a = seed >>> 0;

	const next = () => {
		a = a + 0x6d2b79f5 >>> 0;
		let t = Math.imul(a ^ a >>> 15, a | 1);

		t ^= t + Math.imul(t ^ t >>> 7, t | 61);
		return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
	};

	return { below: (n) => Math.floor(next() * n), one: (list) => list[Math.floor(next() * list.length)] };
}

const WORDS = ["a ", "grün ", "😀", "日本", "\n", "data: x\n\n", "\"\\", "\u2028", "[DONE]", "<b>", "long ".repeat(40)];

// What the model says to a prompt is in the prompt.
function answerTo(prompt) {
	const die = dice(Number(prompt));

	return Array.from({ length: 20 + die.below(150) }, () => die.one(WORDS));
}

for (const [recover, args] of [["fail", ["--on-interrupt", "fail"]], ["restart", ["--on-interrupt", "restart"]]])
	test(`readers through any door have the stored answer (recovery: ${recover})`, async (t) => {
		const die = dice(SEED);
		const upstream = await ScriptedUpstream.start(async (x) => {
			for (const word of answerTo(x.prompt)) {
				await x.send(word);
				// The pace of a model, so that readers see it grow.
				await new Promise((done) => setTimeout(done, 1));
			}
			await x.finish();
		});
		const service = await Service.start({ upstream: upstream.url,
			args: ["--recover", recover, "--retry-attempts", "1", ...args] });
		// Resolves when the server answers again.
		let up = Promise.resolve(), kills = 0, items = 0, cuts = 0;
		let watch = () => {}; // whoever waits for items
		const raws = new Map();
		const used = new Set();

		t.diagnostic(`SEED=${SEED}`);

		// Try until it is done; what a kill breaks is tried again.
		async function insist(what, once) {
			for (;;) {
				await up;
				try {
					return await once();
				} catch (error) {
					if (!isBroken(error) && !error.refused?.retryable)
						throw new Error(`${what} (SEED=${SEED}): ${error.message}`, { cause: error });
				}
			}
		}

		// The bytes of a place are the same whenever they are told.
		function sameBytes(door, id, at, raw) {
			const key = `${door.name} ${id} ${at}`;

			if (raw === undefined)
				return;
			if (raws.has(key))
				assert.equal(raw, raws.get(key), `${key} (SEED=${SEED})`);
			raws.set(key, raw);
		}

		// One client's way through the doors of a family: its items, whole.
		async function reader(id, family, die) {
			const mine = reads.filter((d) => d.family === family);
			const got = [];

			for (let over = false; !over;) {
				const door = die.one(mine);
				let left = die.below(3) ? 1 + die.below(60) : Infinity;

				used.add(`read ${door.name}`);
				over = await insist(`${door.name} of ${id} from ${got.length}`, () =>
					door.read(service, id, got.length, (at, item, raw) => {
						assert.equal(at, got.length, `the next place of ${id} by ${door.name} (SEED=${SEED})`);
						got.push(item);
						items++;
						watch();
						sameBytes(door, id, at, raw);
						return --left > 0 || (cuts++, false);
					}));
			}
			return { id, family, got };
		}

		async function execution(i) {
			const own = dice(SEED + 7919 * (i + 1));
			const prompt = String(own.below(2 ** 31));
			const door = own.one(starts);
			const families = [...new Set(reads.map((d) => d.family))];

			used.add(`start ${door.name}`);
			const id = await insist(`start by ${door.name}`, () => door.start(service, prompt, `key-${i}`));
			const list = await Promise.all(Array.from({ length: READERS }, (_, k) =>
				reader(id, k === 0 ? "chunks" : own.one(families), dice(SEED + 104729 * (i * READERS + k + 1)))));

			return { id, prompt, list };
		}

		// A kill for each share of what there is to be told.
		async function killer(over) {
			while (kills < KILLS) {
				const until = items + 50 + die.below(400);

				await new Promise((done) => {
					watch = () => (items >= until || over.now) && done();
					watch();
				});
				if (over.now)
					return;
				kills++;
				up = service.kill9().then(() => service.restart({ samePort: true }));
				await up;
			}
		}

		try {
			const over = { now: false };
			const killing = killer(over);
			const all = [];

			// Some at a time: each kill finds some half-way.
			await within(READ_MS, `all readers (SEED=${SEED})`, each(EXECUTIONS, 8, async (i) => {
				all.push(await execution(i));
			}));

			over.now = true;
			watch();
			await killing;
			assert.ok(kills > 0 && cuts > 0, "nothing went wrong: there is nothing to see");
			// As it was, after an orderly stop, too.
			await service.restart({ samePort: true });
			for (const { id, prompt, list } of all) {
				const stored = await service.finish(id);

				checkDense(assert, stored.chunks);
				for (const { family, got } of list)
					if (family === "chunks")
						assert.deepEqual(got, stored.chunks, `${id} (SEED=${SEED})`);
				if (stored.status === "completed")
					assert.equal(texts.chunks(stored.chunks), answerTo(prompt).join(""));
				const begun = stored.chunks.some((c) => c.metadata.kind === "reset");
				for (const door of reads) {
					const again = [];

					assert.equal(await door.read(service, id, 0, (at, item, raw) => {
						sameBytes(door, id, at, raw);
						again.push(item);
						return true;
					}), true);
					for (const { family, got } of list)
						if (family === door.family)
							assert.deepEqual(again, got, `${door.name} of ${id} (SEED=${SEED})`);
					// What was begun again some protocols cannot tell.
					if (door.family === "chunks" || !begun)
						assert.equal(texts[door.family](again), texts.chunks(stored.chunks), door.name);
				}
			}
			t.diagnostic(`${EXECUTIONS} executions, ${items} items, ${cuts} cuts, ${kills} kills; ${[...used].sort().join(", ")}`);
		} finally {
			await service.stop("SIGKILL");
			await upstream.stop();
		}
	});
