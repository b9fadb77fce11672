// Server-sent events: an execution told as it grows, to a real EventSource.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { after, before, test } from "node:test";

import { EventSource } from "eventsource";

import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, ask, checkDense, tempDir, textOf, within } from "./service.mjs";

let upstream, service;

before(async () => {
	upstream = await ScriptedUpstream.start();
	// One attempt, and half an answer is no answer: each test says what comes.
	service = await Service.start({ upstream: upstream.url, args: ["--retry-attempts", "1", "--on-interrupt", "fail"] });
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

// The raw stream: { status, headers, text } at its end.
const events = (id, query = "", options = {}) => service.ask(`/v1/executions/${id}/events${query}`, options);

// "id", "event" and "data" of each event in ${text}; comments apart.
function parse(text) {
	const list = [];

	for (const block of text.split("\n\n")) {
		const fields = Object.fromEntries(block.split("\n").filter((l) => l && !l.startsWith(":"))
			.map((l) => [l.slice(0, l.indexOf(":")), l.slice(l.indexOf(":") + 2)]));

		if (fields.data !== undefined)
			list.push({ ...fields, json: JSON.parse(fields.data) });
	}
	return list;
}

// An answer of the pieces, ended.
async function answered(...pieces) {
	const id = await service.execute("answer");
	const x = await upstream.next();

	for (const piece of pieces)
		await x.send(piece);
	await x.finish();
	await service.finish(id);
	return id;
}

// An EventSource that gathers until its end.
function gather(url, key, onOpen) {
	const chunks = [];
	const source = new EventSource(url, key && { fetch: (u, init) =>
		fetch(u, { ...init, headers: { ...init.headers, Authorization: `Bearer ${key}` } }) });
	const end = new Promise((done, fail) => {
		source.addEventListener("message", (m) => {
			assert.equal(m.lastEventId, String(JSON.parse(m.data).index));
			chunks.push(JSON.parse(m.data));
		});
		source.addEventListener("end", (m) => {
			source.close();
			done({ chunks, end: JSON.parse(m.data) });
		});
		source.addEventListener("error", (e) => {
			if (e.code) {
				source.close();
				fail(new Error(`EventSource: ${e.code} ${e.message}`));
			}
		});
		source.addEventListener("open", () => onOpen?.(source));
	});

	return within(20_000, "the end of an EventSource", end).finally(() => source.close());
}

test("what has ended is told from the first index to the end", async () => {
	const id = await answered("Hel", "lo\nthere");
	const whole = await service.finish(id);
	const answer = await events(id);
	const list = parse(answer.text);

	assert.equal(answer.status, 200);
	assert.equal(answer.headers["content-type"], "text/event-stream");
	assert.match(answer.headers["cache-control"], /no-cache/);
	assert.equal(answer.headers["x-accel-buffering"], "no");
	assert.ok(answer.text.startsWith("retry: "), answer.text);
	assert.deepEqual(list.slice(0, -1).map((e) => e.json), whole.chunks);
	assert.deepEqual(list.slice(0, -1).map((e) => e.id), whole.chunks.map((c) => String(c.index)));
	assert.equal(list.at(-1).event, "end");
	assert.equal(list.at(-1).id, undefined);
	assert.equal(list.at(-1).json.completed, true);
	assert.deepEqual(list.at(-1).json.metadata, whole.metadata);
});

test("every place to go on gives the rest; behind the end there is nothing, said so that nobody asks again", async () => {
	const id = await answered("a", "b", "c");
	const { chunks } = await service.finish(id);
	const last = chunks.at(-1).index;

	for (let after = -1; after < last; after++) {
		const byQuery = parse((await events(id, `?after=${after}`)).text);

		assert.deepEqual(byQuery.slice(0, -1).map((e) => e.json.index),
			chunks.map((c) => c.index).filter((i) => i > after));
		assert.equal(byQuery.at(-1).event, "end");
		if (after >= 0) {
			// The header is newer than the URL.
			const byHeader = await events(id, "?after=0", { headers: { "Last-Event-ID": String(after) } });
			assert.deepEqual(parse(byHeader.text), byQuery);
		}
	}
	for (const after of [last, last + 1, 1e9]) {
		const answer = await events(id, `?after=${after}`);
		assert.equal(answer.status, 204, answer.text);
	}
});

test("wrong places are refused with what was wrong", async () => {
	const id = await answered("a");

	for (const [query, headers, field] of [["?after=-2", {}, "after"], ["?after=x", {}, "after"],
		["?after=1&after=2", {}, "after"], ["", { "Last-Event-ID": "x" }, "Last-Event-ID"],
		["", { "Last-Event-ID": "-1" }, "Last-Event-ID"], ["", { "Last-Event-ID": "1.5" }, "Last-Event-ID"],
		["", { "Last-Event-ID": "99999999999999999999" }, "Last-Event-ID"], ["?wait_ms=-1", {}, "wait_ms"],
		["?from=1", {}, "from"]]) {
		const answer = await events(id, query, { headers: { Accept: "text/event-stream", ...headers } });

		assert.equal(answer.status, 400, `${query} ${JSON.stringify(headers)}: ${answer.text}`);
		assert.equal(answer.json.code, "invalid_argument");
		assert.match(answer.text, new RegExp(field));
	}
	assert.equal((await events("00000000-0000-7000-8000-000000000000")).status, 404);
	assert.equal((await events(id, "", { key: "nobody" })).status, 401);
});

test("a live answer is told as it comes, each chunk once, to a real EventSource", async () => {
	const id = await service.execute("live");
	const x = await upstream.next();
	let opened;
	const open = new Promise((done) => { opened = done; });
	const all = gather(`${service.url}/v1/executions/${id}/events`, service.key, opened);

	await within(5000, "the stream's first bytes before the upstream's", open);
	await x.send("one ");
	await service.reach(id, 1);
	await x.send("two ");
	await service.reach(id, 2);
	await x.finish();
	const { chunks, end } = await all;

	checkDense(assert, chunks);
	assert.equal(textOf(chunks), "one two ");
	assert.equal(end.status, "completed");
});

test("a failed and a cancelled one end too", async () => {
	const failed = await service.execute("to fail");
	const x = await upstream.next();
	const seen = gather(`${service.url}/v1/executions/${failed}/events`, service.key);

	await x.send("half");
	await service.reach(failed, 1);
	await x.cut();
	assert.equal((await seen).end.status, "failed");
	assert.equal(textOf((await seen).chunks), "half");

	const cancelled = await service.execute("to cancel");
	await upstream.next();
	const other = gather(`${service.url}/v1/executions/${cancelled}/events`, service.key);
	await service.ask(`/v1/executions/${cancelled}/cancel`, { method: "POST", body: {} });
	assert.equal((await other).end.status, "cancelled");
});

test("an EventSource whose server is killed goes on at the next chunk after the restart", async () => {
	const dir = tempDir();
	const own = await Service.start({ upstream: upstream.url, dir });
	const id = await own.execute("kill");
	const x = await upstream.next();
	let opened = 0, first;
	const open = new Promise((done) => { first = done; });
	const all = gather(`${own.url}/v1/executions/${id}/events`, own.key, () => {
		opened++;
		first();
	});

	try {
		await within(5000, "the first connection", open);
		await x.send("before");
		await own.reach(id, 1);
		await own.kill9();
		await own.restart({ samePort: true });
		const { chunks, end } = await all;

		assert.equal(end.status, "failed");
		assert.equal(end.metadata.error.code, "interrupted");
		checkDense(assert, chunks);
		assert.equal(textOf(chunks), "before");
		assert.equal(opened, 2);
	} finally {
		await own.stop();
	}
});

test("wait_ms bounds a stream: it ends in order, without an end event", async () => {
	const id = await service.execute("slow");
	const x = await upstream.next();

	await x.send("so far");
	await service.reach(id, 1);
	const answer = await events(id, "?wait_ms=0");
	assert.equal(answer.status, 200);
	assert.deepEqual(parse(answer.text).map((e) => e.json.content), ["so far"]);
	const later = await events(id, "?after=0&wait_ms=50");
	assert.deepEqual(parse(later.text), []);
	await x.finish();
	await service.finish(id);
});

test("a ticket opens one stream of one execution once, without a key in the URL", async () => {
	const id = await answered("for a browser");
	const other = await answered("not for it");
	const make = async () => {
		const answer = await service.ask(`/v1/executions/${id}/tickets`, { method: "POST", body: {} });

		assert.equal(answer.status, 201, answer.text);
		assert.equal(answer.headers["cache-control"], "no-store");
		assert.ok(Date.parse(answer.json.expires_at) > Date.now());
		return answer.json;
	};
	const plain = (url) => ask(service.url + url, { agent: service.agent });
	const { url, ticket } = await make();
	const first = await gather(service.url + url);

	assert.equal(textOf(first.chunks), "for a browser");
	for (const spent of [url, `/v1/executions/${id}/events?ticket=st_${"0".repeat(52)}`,
		`/v1/executions/${id}/events?ticket=`, `/v1/executions/${id}/events?ticket=${"x".repeat(3000)}`]) {
		const answer = await plain(spent);

		assert.equal(answer.status, 401, spent.slice(0, 100));
		assert.match(answer.text, /ticket/);
	}
	// Another execution, another route: no.
	const second = await make();
	assert.equal((await plain(`/v1/executions/${other}/events?ticket=${second.ticket}`)).status, 404);
	const third = await make();
	assert.equal((await plain(`/v1/executions/${id}?ticket=${third.ticket}`)).status, 401);
	assert.equal((await plain(`/v1/executions/${id}/text?ticket=${third.ticket}`)).status, 401);
	// Asked with both, the key counts and the ticket stays.
	assert.equal((await events(id, `?ticket=${third.ticket}`)).status, 200);
	assert.equal((await plain(third.url)).status, 200);
	assert.ok(!service.log.includes(ticket) && !service.log.includes(third.ticket), "a ticket is in the log");
});

test("of one key's many tickets the oldest gives way", async () => {
	const id = await answered("many");
	const urls = [];

	for (let i = 0; i < 257; i++)
		urls.push((await service.ask(`/v1/executions/${id}/tickets`, { method: "POST", body: {} })).json.url);
	const plain = (url) => ask(service.url + url, { agent: service.agent });
	assert.equal((await plain(urls[0])).status, 401);
	assert.equal((await plain(urls[1])).status, 200);
	assert.equal((await plain(urls[256])).status, 200);
});

test("an owner's ticket and stream are for its own executions alone", async () => {
	const key = (await service.ask("/v1/keys", { body: { label: "o", owner: "other", scopes: ["read"] } })).json.secret;
	const id = await answered("mine");

	assert.equal((await events(id, "", { key })).status, 404);
	assert.equal((await service.ask(`/v1/executions/${id}/tickets`, { method: "POST", body: {}, key })).status, 404);
});

test("a stream and a ticket end with the key they were opened with", async () => {
	const key = (await service.ask("/v1/keys", { body: { label: "r", owner: "revoked", scopes: ["run"] } })).json;
	const id = await service.execute("go on", { key: key.secret });
	const x = await upstream.next();
	const made = () => service.ask(`/v1/executions/${id}/tickets`, { method: "POST", body: {}, key: key.secret });

	await x.send("before");
	await service.reach(id, 1);
	const unused = (await made()).json.url;
	const url = (await made()).json.url;
	const streams = await Promise.all([{ url: `/v1/executions/${id}/events`, key: key.secret }, { url, key: null }]
		.map((o) => new Promise((done, fail) => {
			http.get(service.url + o.url, { headers: o.key ? { Authorization: `Bearer ${o.key}` } : {}, agent: false }, (res) => {
				let text = "";

				const ended = new Promise((over) => res.on("end", () => over(text)));
				res.setEncoding("utf8").on("data", (data) => {
					text += data;
					if (text.includes("before"))
						done({ ended });
				});
			}).on("error", fail);
		})));

	assert.equal((await service.ask(`/v1/keys/${key.id}`, { method: "DELETE" })).status, 204);
	assert.equal((await ask(service.url + unused, { agent: service.agent })).status, 401);
	await x.send("after");
	for (const { ended } of streams) {
		const text = await within(10_000, "the end of the stream", ended);

		assert.doesNotMatch(text, /after/);
		assert.equal(parse(text).at(-1).event, "problem");
		assert.equal(parse(text).at(-1).json.code, "unauthenticated");
	}
	await x.finish();
});

test("readers that never read cost a page each, and others go on", async () => {
	const line = "x".repeat(4096);
	const id = await answered(...Array.from({ length: 1500 }, () => line));
	const stuck = [];
	const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.pid}/status`, "utf8"))[1]) << 10;
	const before = rss();

	for (let i = 0; i < 100; i++)
		stuck.push(await new Promise((done, fail) => {
			const req = http.get(`${service.url}/v1/executions/${id}/events`,
				{ headers: { Authorization: `Bearer ${service.key}` }, agent: false }, (res) => {
					res.pause();
					done(req);
				}).on("error", fail);
		}));
	const other = await events(id);

	assert.equal(parse(other.text).at(-1).event, "end");
	// 100 KiB each, and some for the one that read all 6 MB.
	assert.ok(rss() < before + 100 * (100 << 10) + (16 << 20), `${before} bytes, then ${rss()}`);
	for (const req of stuck)
		req.destroy();
});
