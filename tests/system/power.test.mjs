// The power fails under a running server, again and again: a disk of its own is
// cut off, then the server is killed, then both come back. What a reader saw is
// there; with --durability normal the last moments may be missing, in order, and
// nothing else. CUTS (20) and SEED come from the environment.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LoopDisk } from "./loop_disk.mjs";
import { Service, Sim, each, knob, pause } from "./service.mjs";
import { Dice, KINDS, Witness, isBroken } from "./witness.mjs";

const CUTS = knob("CUTS", 20, 200);
// How long --durability normal writes before the first of its cuts (0): the kernel
// brings to the disk by itself what is older than 30 s, a few seconds late.
const NORMAL_SECONDS = knob("NORMAL_SECONDS", 0, 90);
const OLDEST_LOST_MS = 45_000;
const STREAMS = 30;
const dice = new Dice();
const skip = LoopDisk.unfit();

let sim;

before(async () => { sim = await Sim.start(["--rate", "300", "--first-ms", "5"]); });
after(() => sim?.stop());

// Streams and their readers, until the power fails. Gives the acknowledged ids.
async function storm(disk, service, witness, round, seconds) {
	const ids = [];
	const reading = [];
	let cutAt = 0, over = false;
	const underFire = (work) => work.catch((error) => {
		if (cutAt === 0 || !isBroken(error))
			throw error;
	});

	await each(STREAMS, 8, async (i) => { ids.push(await service.execute({ prompt: `round ${round} stream ${i}`,
		...(seconds > 0 ? { model: "sim?tokens=100000&rate=20" } : {}) })); });
	KINDS.forEach((kind, k) => reading.push(underFire(
		witness.read(kind, ids.filter((_, i) => i % KINDS.length === k), () => over))));
	reading.push(underFire(witness.read("batch", ids, () => over)));
	await pause(seconds * 1000 + 10 + dice.roll(250));
	// A power cut stops the processor too. A server that lived on would take the
	// kernel's word for an fdatasync() that raced with the cut, and ext4 gives it.
	cutAt = Date.now();
	service.child.process.kill("SIGSTOP");
	disk.cut();
	over = true;
	await service.kill9();
	await Promise.all(reading);
	return { ids, cutAt };
}

async function cuts(n, durability, seconds, compare) {
	const disk = new LoopDisk(512);

	disk.mount();
	const service = await Service.start({ upstream: sim.url, dir: disk.dir,
		args: ["--durability", durability, "--drain", "1s"] });
	const witness = new Witness(service, { stays: true });

	for (let round = 0; round < n; round++) {
		const { ids, cutAt } = await storm(disk, service, witness, round,
			round === 0 ? seconds : 0);

		disk.umount();
		disk.mount();
		await service.restart();
		await compare(witness, ids, cutAt);
		await witness.check();
	}
	await witness.recheck();
	await witness.nothingOpen();
	assert.equal((await service.stop()).code, 0);
	await witness.check();
	disk.umount();
	assert.ok(witness.count.chunks > n * 20, `the readers were shown something: ${JSON.stringify(witness.count)}`);
	return witness;
}

test(`${CUTS} power cuts lose nothing that was shown (SEED=${dice.seed})`, { skip }, async (t) => {
	const witness = await cuts(CUTS, "full", 0, async (w, ids) => {
		const stored = await w.settle(ids);

		w.compare(stored);
		w.seal(stored);
	});

	t.diagnostic(`${witness.final.size} executions, ${CUTS} power cuts, ${witness.count.chunks} chunks shown, none lost`);
});

// What was shown and what is stored agree up to a place; behind it only the end
// that recovery wrote may stand.
function missing(log, s) {
	const stored = s.chunks.filter((c) => !["end", "error"].includes(JSON.parse(c).metadata.kind));
	const shown = log.chunks.filter((c) => !["end", "error"].includes(JSON.parse(c).metadata.kind));
	const both = Math.min(stored.length, shown.length);

	for (let i = 0; i < both; i++)
		assert.equal(stored[i], shown[i], "what is there is what was shown");
	return shown.slice(both);
}

test(`with --durability normal, ${Math.ceil(CUTS / 2)} power cuts take the last moments, never the middle (SEED=${dice.seed})`,
	{ skip }, async (t) => {
		let lost = 0, worst = 0, worstMs = 0, gone = 0;
		const witness = await cuts(Math.ceil(CUTS / 2), "normal", NORMAL_SECONDS, async (w, ids, cutAt) => {
			const known = [];
			let now = 0;

			await each(ids.length, 8, async (i) => {
				const answer = await w.service.ask(`/v1/executions/${ids[i]}`);

				assert.ok([200, 404].includes(answer.status), answer.text);
				if (answer.status === 200)
					known.push(ids[i]);
				else
					gone++;
			});
			const stored = await w.settle(known);
			for (const id of ids) {
				const log = w.shown.get(id);
				const s = stored.get(id) ?? { chunks: [], page: {} };
				const tail = log ? missing(log, s) : [];

				now += tail.length;
				if (tail.length > 0)
					worstMs = Math.max(worstMs, cutAt - Date.parse(JSON.parse(tail[0]).timestamp));
				w.shown.delete(id);
			}
			w.compare(stored);
			// The ends that recovery wrote may go with the next cut; what a stop
			// has brought to the disk may not.
			await w.service.restart();
			w.seal(stored);
			lost += now;
			worst = Math.max(worst, now);
		});

		t.diagnostic(`${witness.final.size + gone} executions, ${Math.ceil(CUTS / 2)} power cuts with --durability normal, ` +
			`${witness.count.chunks} chunks shown, ${lost} lost (at most ${worst} in a cut, the oldest ${Math.round(worstMs)} ms old), ` +
			`${gone} executions gone`);
		assert.ok(worstMs < OLDEST_LOST_MS, `${worstMs} ms`);
	});
