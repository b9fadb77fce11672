// witness: writes down all that readers are shown, and compares it later with
// what is stored. It lives in the test's process, so nothing that happens to the
// server can make it forget.
//
//	const witness = new Witness(service);
//	const reading = witness.read("hold", ids, () => over);
//	...                                     // the worst happens; over = true
//	witness.compare(await witness.settle(ids));
//
// A finding is an AssertionError. Broken connections are none: whoever breaks
// them on purpose passes them over with isBroken().

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { each, pause, run } from "./service.mjs";

// As people and programs read: one page, a page that waits for news, the
// callables, many executions at once, a stream of events, the text alone.
export const KINDS = ["poll", "hold", "callable", "batch", "stream", "text"];
const BATCH = 100;

// What a server that was killed, or has stopped, leaves its clients with.
export const isBroken = (error) => ["ECONNRESET", "ECONNREFUSED", "EPIPE"].includes(error.code) ||
	/socket hang up|aborted/.test(error.message);

const digest = (texts) => createHash("sha256").update(texts.join("\n")).digest("base64");
const textIn = (chunks) => chunks.map((c) => JSON.parse(c)).filter((c) => c.metadata.kind === "text")
	.map((c) => c.content).join("");

export class Witness {
	// `stays`: an answer that is no page (503, say) is passed over and asked again.
	constructor(service, { stays = false } = {}) {
		this.service = service;
		this.stays = stays;
		// id → { chunks: [JSON text], ended, metadata, text }
		this.shown = new Map();
		// id → { digest, status, total }: what can never change again.
		this.final = new Map();
		this.count = { pages: 0, chunks: 0, texts: 0, ends: 0 };
	}

	log(id) {
		let log = this.shown.get(id);

		if (!log)
			this.shown.set(id, log = { chunks: [], ended: null, metadata: null, text: "" });
		return log;
	}

	chunk(id, chunk) {
		const log = this.log(id);
		const text = JSON.stringify(chunk);

		if (log.chunks[chunk.index] === undefined) {
			log.chunks[chunk.index] = text;
			this.count.chunks++;
		} else {
			assert.equal(text, log.chunks[chunk.index], `chunk ${chunk.index} of ${id}`);
		}
	}

	page(page) {
		const id = page.execution_id;
		const log = this.log(id);

		this.count.pages++;
		for (const chunk of page.chunks)
			this.chunk(id, chunk);
		if (!page.completed)
			return;
		const metadata = JSON.stringify(page.metadata);

		if (log.ended === null)
			this.count.ends++;
		assert.equal(page.status, log.ended ?? page.status, `the end of ${id}`);
		assert.equal(metadata, log.metadata ?? metadata, `the metadata of ${id}`);
		log.ended = page.status;
		log.metadata = metadata;
	}

	text(id, text) {
		const log = this.log(id);

		this.count.texts++;
		assert.ok(text.startsWith(log.text) || log.text.startsWith(text), `the text of ${id}`);
		if (text.length > log.text.length)
			log.text = text;
	}

	// 200, or undefined when a refusal is to be passed over.
	good(answer) {
		if (this.stays && answer.status !== 200)
			return undefined;
		assert.equal(answer.status, 200, answer.text);
		return answer;
	}

	// One look at one log; the page, or undefined.
	async look(kind, id, from) {
		const { service } = this;

		if (kind === "text") {
			const text = this.good(await service.ask(`/v1/executions/${id}/text`));

			if (text)
				this.text(id, text.text);
		}
		if (kind === "callable")
			return this.good(await service.call("get_execution_chunks", { executionId: id, fromIndex: from }))?.result;
		return this.good(await service.ask(`/v1/executions/${id}/chunks?fromIndex=${from}` +
			(kind === "hold" ? "&wait_ms=40" : "")))?.json;
	}

	// Read all of `ids` until they have ended or `over()`.
	async read(kind, ids, over = () => false) {
		const from = new Map(ids.map((id) => [id, 0]));
		const open = new Set(ids);
		const take = (page) => {
			this.page(page);
			from.set(page.execution_id, page.next_index);
			if (page.completed)
				open.delete(page.execution_id);
		};

		if (kind === "stream") {
			await Promise.all(ids.map((id) => this.follow(id, over)));
			return;
		}
		while (open.size > 0 && !over()) {
			if (kind === "batch") {
				const answer = this.good(await this.service.ask("/v1/executions/poll", { body: { executions:
					[...open].slice(0, BATCH).map((id) => ({ execution_id: id, fromIndex: from.get(id) })) } }));

				answer?.json.executions.filter((page) => page.chunks).forEach(take);
			} else {
				for (const id of open) {
					if (over())
						return;
					const page = await this.look(kind, id, from.get(id));

					if (page)
						take(page);
				}
			}
			if (kind !== "hold")
				await pause(10);
		}
	}

	// A stream of events, until its end, or until the server breaks it.
	async follow(id, over = () => false) {
		let head;

		await this.service.events("get_chunks", { executionId: id, fromIndex: 0 }, (event) => {
			if (event.message)
				this.chunk(id, event.message);
			head = event.result ?? head;
			return !over();
		});
		if (head?.completed)
			this.page({ ...head, execution_id: id, chunks: head.chunks ?? [] });
	}

	// Read `ids` to their ends: id → { chunks, page }. Each was acknowledged, so each
	// is there, dense, and ends within `ms`.
	async settle(ids, ms = 20_000) {
		const stored = new Map(ids.map((id) => [id, { chunks: [], page: null }]));
		const until = performance.now() + ms;
		let open = ids;

		while (open.length > 0) {
			assert.ok(performance.now() < until, `${open.length} executions have not ended after ${ms} ms: ` +
				JSON.stringify({ ...stored.get(open[0]).page, chunks: undefined }));
			for (let i = 0; i < open.length; i += BATCH) {
				const some = open.slice(i, i + BATCH);
				const answer = await this.service.ask("/v1/executions/poll", { body: { executions:
					some.map((id) => ({ execution_id: id, fromIndex: stored.get(id).chunks.length })) } });

				assert.equal(answer.status, 200, answer.text);
				answer.json.executions.forEach((page, k) => {
					assert.ok(Array.isArray(page.chunks),
						`${some[k]} was acknowledged and is gone: ${JSON.stringify(page)}`);
					const s = stored.get(some[k]);

					for (const chunk of page.chunks) {
						assert.equal(chunk.index, s.chunks.length, `the indices of ${some[k]} are dense`);
						s.chunks.push(JSON.stringify(chunk));
					}
					s.page = page;
				});
			}
			const still = open.filter((id) => !stored.get(id).page.completed);
			if (still.length === open.length)
				await pause(20);
			open = still;
		}
		return stored;
	}

	// All that was shown is among what is stored; one end, in the last place.
	compare(stored) {
		for (const [id, s] of stored) {
			const log = this.shown.get(id);

			assert.equal(s.page.total_chunks, s.chunks.length);
			assert.deepEqual(s.chunks.map((c) => JSON.parse(c).metadata.kind === "end").indexOf(true),
				s.chunks.length - 1, `${id} has one end, in the last place`);
			if (!log)
				continue;
			log.chunks.forEach((text, index) => assert.equal(s.chunks[index], text,
				`chunk ${index} of ${id} was shown and is not what is stored`));
			assert.ok(textIn(s.chunks).startsWith(log.text), `the text of ${id} was shown and is not what is stored`);
			if (log.ended !== null) {
				assert.equal(s.page.status, log.ended, `${id} had ended`);
				assert.equal(JSON.stringify(s.page.metadata), log.metadata, `${id} had ended`);
				assert.equal(s.chunks.length, log.chunks.length, `${id} had ended`);
			}
		}
	}

	// These have ended: from now on they must stay as they are. Remembers digests,
	// so that a day of tests fits.
	seal(stored) {
		for (const [id, s] of stored) {
			this.shown.delete(id);
			this.final.set(id, { digest: digest([...s.chunks, JSON.stringify(s.page.metadata)]),
				status: s.page.status, total: s.chunks.length });
		}
	}

	// Are the sealed ones (`ids`) as they were?
	async recheck(ids = [...this.final.keys()]) {
		const width = 20 * BATCH;

		for (let i = 0; i < ids.length; i += width)
			for (const [id, s] of await this.settle(ids.slice(i, i + width), 60_000))
				assert.deepEqual({ digest: digest([...s.chunks, JSON.stringify(s.page.metadata)]),
					status: s.page.status, total: s.chunks.length }, this.final.get(id), `${id} had ended and has changed`);
	}

	// spool check, of the server's store while it runs, of the file else.
	async check() {
		const { db, url, key } = this.service;
		const { code, output } = await run(["check", "--db", db], { SPOOL_URL: url, SPOOL_KEY: key });

		assert.equal(code, 0, `spool check: ${output}`);
	}

	// Nothing is left open that nobody runs: all ends within `ms`, also what was
	// stored and not acknowledged.
	async nothingOpen(ms = 5000) {
		const until = performance.now() + ms;

		for (const status of ["queued", "streaming"])
			for (;;) {
				const left = (await this.service.ask(`/v1/executions?status=${status}&limit=100`)).json.executions;

				if (left.length === 0)
					break;
				assert.ok(performance.now() < until, `left ${status} after ${ms} ms: ${JSON.stringify(left[0])}`);
				await pause(20);
			}
	}
}

// xorshift32: what chance decided can be decided again.
export class Dice {
	constructor(seed = Number(process.env.SEED ?? Date.now() % 1_000_000_007)) {
		this.seed = seed;
		this.state = (seed * 2 + 1) >>> 0;
	}

	// 0 … n - 1
	roll(n) {
		this.state ^= this.state << 13;
		this.state ^= this.state >>> 17;
		this.state ^= this.state << 5;
		this.state >>>= 0;
		return this.state % n;
	}
}
