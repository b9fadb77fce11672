// An answer streams in and can be read through every door.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, ask, checkDense, each, pause, textOf, within } from "./service.mjs";

const WORDS = ["The ", "café ", "costs ", "5 € ", "日本語 ", "🙂", "👩‍🚀 ", "\"quoted\" ", "a\\b ", "tab\t",
	"line\n", "\u2028", "<script>", "end."];

let upstream, service;

before(async () => {
	upstream = await ScriptedUpstream.start();
	service = await Service.start({ upstream: upstream.url });
});
after(async () => {
	await service?.stop();
	await upstream?.stop();
});

// The upstream says all WORDS and ends.
async function sayAll(x, words = WORDS) {
	for (const word of words)
		await x.send(word);
	await x.finish();
}

// One finished execution: { id, answer }.
async function finished(prompt = "say it all", words = WORDS) {
	const id = await service.execute(prompt);

	await sayAll(await upstream.nextFor(prompt), words);
	return { id, answer: await service.finish(id) };
}

// What the users' clients do, to the letter: an interval of 500 ms, each tick asks
// from the index after the last one it saw when it was answered; polls may overlap.
function pollLikeClients(id, onPage) {
	return new Promise((done, fail) => {
		let fromIndex = 0;
		let stopped = false;
		const chunks = [];
		const timer = setInterval(async () => {
			try {
				const { status, result, text } = await service.call("get_execution_chunks",
					{ executionId: id, promptId: "p1", fromIndex });

				if (status !== 200)
					throw new Error(text);
				if (stopped)
					return;
				result.chunks.forEach((chunk) => {
					chunks.push(chunk);
					fromIndex = chunk.index + 1;
				});
				onPage?.(result, chunks);
				if (result.completed) {
					stopped = true;
					clearInterval(timer);
					done({ chunks, last: result });
				}
			} catch (error) {
				stopped = true;
				clearInterval(timer);
				fail(error);
			}
		}, 500);
	});
}

test("a client that polls every 500 ms sees the answer stream in, whole and once", async () => {
	const started = await service.call("execute_prompt_streaming", { prompt: "stream to me" });

	assert.equal(started.status, 200);
	assert.match(started.result.execution_id, /^[0-9a-f-]{36}$/);
	assert.equal(typeof started.result.message, "string");

	const x = await upstream.nextFor("stream to me");
	const seen = [];
	const reading = pollLikeClients(started.result.execution_id, (page, chunks) => {
		seen.push(chunks.length);
		if (!page.completed)
			assert.notEqual(chunks.at(-1)?.metadata.kind, "end", "the last chunk comes with completed");
	});
	for (const word of WORDS) {
		await x.send(word);
		await pause(100);
	}
	await x.finish();
	const { chunks, last } = await within(15_000, "completed", reading);

	checkDense(assert, chunks);
	assert.equal(textOf(chunks), WORDS.join(""));
	assert.ok(new Set(seen).size >= 3, `it came in parts: ${seen}`);
	assert.equal(last.status, "completed");
	assert.equal(last.total_chunks, chunks.length);
	assert.equal(chunks.at(-1).metadata.kind, "end");
	assert.equal(last.metadata.finish_reason, "stop");
	assert.equal(JSON.stringify(last.metadata.usage).includes("18") ||
		last.metadata.usage.total_tokens === 18 ||
		last.metadata.usage.input_tokens + last.metadata.usage.output_tokens === 18, true,
		`usage is the provider's: ${JSON.stringify(last.metadata)}`);
});

test("both URL shapes and all names of the callables are known", async () => {
	const starts = ["execute_prompt_streaming", "execute", "my-project/us-central1/execute_prompt_streaming",
		"my-project/australia-southeast1/execute"];
	const reads = ["get_execution_chunks", "get_chunks", "my-project/us-central1/get_execution_chunks",
		"p/r/get_chunks"];

	for (const [i, name] of starts.entries()) {
		const started = await service.call(name, { prompt: `shape ${i}` });
		const id = started.result?.execution_id;

		assert.equal(started.status, 200, `${name}: ${started.text}`);
		await sayAll(await upstream.nextFor(`shape ${i}`), ["one ", "two"]);
		await service.finish(id);
		for (const read of reads) {
			const { status, result } = await service.call(read, { executionId: id, fromIndex: 0 });

			assert.equal(status, 200, read);
			assert.equal(textOf(result.chunks), "one two");
			assert.equal(result.completed, true);
		}
	}
});

test("execute_prompt waits for the answer", async () => {
	const asked = service.call("execute_prompt", { prompt: "all at once" });

	await sayAll(await upstream.nextFor("all at once"));
	const { status, result } = await asked;
	assert.equal(status, 200);
	assert.equal(result.output, WORDS.join(""));
});

test("a streaming callable yields each chunk and then the result", async () => {
	const started = await service.call("execute", { prompt: "events please" });
	const id = started.result.execution_id;
	const asked = ask(`${service.url}/get_chunks`, { key: service.key, headers: { Accept: "text/event-stream" },
		body: { data: { executionId: id, fromIndex: 0 } } });

	await sayAll(await upstream.nextFor("events please"));
	const answer = await asked;
	assert.equal(answer.status, 200);
	assert.match(answer.headers["content-type"], /^text\/event-stream/);
	const events = answer.text.split("\n").filter((l) => l.startsWith("data: ")).map((l) => JSON.parse(l.slice(6)));
	const chunks = events.slice(0, -1).map((e) => e.message);
	checkDense(assert, chunks);
	assert.equal(textOf(chunks), WORDS.join(""));
	assert.equal(events.at(-1).result.completed, true);
	assert.equal(events.at(-1).result.status, "completed");
});

test("REST says the same as the callable", async () => {
	const { id, answer } = await finished("both doors");
	const { result } = await service.call("get_chunks", { executionId: id, fromIndex: 0 });

	assert.equal(answer.text, WORDS.join(""));
	assert.deepEqual(result.chunks, answer.chunks);
	assert.deepEqual(result.metadata, answer.metadata);
	const shown = await service.ask(`/v1/executions/${id}`);
	assert.equal(shown.status, 200);
	assert.equal(shown.json.execution_id, id);
	assert.equal(shown.json.status, "completed");
});

test("the 202 of a creation says where it is", async () => {
	const answer = await service.ask("/v1/executions", { body: { prompt: "where" } });

	assert.equal(answer.status, 202);
	assert.ok(["queued", "streaming"].includes(answer.json.status));
	if (answer.headers.location)
		assert.equal(answer.headers.location, `/v1/executions/${answer.json.execution_id}`);
	await sayAll(await upstream.nextFor("where"), ["here"]);
	await service.finish(answer.json.execution_id);
});

test("every fromIndex gives exactly the rest", async () => {
	const { id, answer } = await finished("from anywhere");

	for (let from = 0; from <= answer.chunks.length; from++) {
		const page = await service.page(id, { fromIndex: from });

		assert.deepEqual(page.chunks, answer.chunks.slice(from));
		assert.equal(page.completed, true);
		assert.equal(page.total_chunks, answer.chunks.length);
		assert.equal(page.next_index, answer.chunks.length);
	}
});

test("a page that is cut by its limit is not completed", async () => {
	const { id, answer } = await finished("page by page");
	const chunks = [];

	for (let from = 0; ;) {
		const page = await service.page(id, { fromIndex: from, limit: 3 });

		assert.ok(page.chunks.length <= 3);
		chunks.push(...page.chunks);
		from = page.next_index;
		assert.equal(page.completed, chunks.length === answer.chunks.length);
		if (page.completed)
			break;
	}
	assert.deepEqual(chunks, answer.chunks);
});

test("a long poll answers when a chunk comes, and at its deadline when none does", async () => {
	const id = await service.execute("hold the line");
	const x = await upstream.nextFor("hold the line");

	await x.send("first");
	const first = await service.reach(id, 1);
	let from = first.total_chunks;
	let settled = false;
	const held = service.page(id, { fromIndex: from, wait_ms: 20_000 }).then((page) => {
		settled = true;
		return page;
	});
	// Another answer, asked later, is there: the first is really held.
	await service.page(id, { fromIndex: 0 });
	assert.equal(settled, false);
	const before = performance.now();
	await x.send("second");
	const page = await held;
	assert.ok(performance.now() - before < 2000);
	assert.equal(textOf(page.chunks), "second");
	from = page.next_index;
	const start = performance.now();
	const none = await service.page(id, { fromIndex: from, wait_ms: 300 });
	assert.deepEqual(none.chunks, []);
	assert.ok(performance.now() - start >= 280);
	await x.finish();
	await service.finish(id);
});

test("a poll without wait_ms is never held", async () => {
	const id = await service.execute("quick");
	const x = await upstream.nextFor("quick");
	const start = performance.now();

	for (let i = 0; i < 20; i++)
		assert.equal((await service.call("get_chunks", { executionId: id, fromIndex: 0 })).status, 200);
	assert.ok(performance.now() - start < 5000);
	await sayAll(x, ["."]);
	await service.finish(id);
});

test("an unchanged page is 304, a changed one is not", async () => {
	const id = await service.execute("etag");
	const x = await upstream.nextFor("etag");
	const route = `/v1/executions/${id}/chunks?fromIndex=0`;

	await x.send("a");
	await service.reach(id, 1);
	const first = await service.ask(route);
	assert.ok(first.headers.etag);
	const same = await service.ask(route, { headers: { "If-None-Match": first.headers.etag } });
	assert.equal(same.status, 304);
	assert.equal(same.text, "");
	assert.equal((await service.ask(route, { headers: { "If-None-Match": "*" } })).status, 304);
	await sayAll(x, ["b"]);
	await service.finish(id);
	const changed = await service.ask(route, { headers: { "If-None-Match": first.headers.etag } });
	assert.equal(changed.status, 200);
	assert.equal(textOf(changed.json.chunks), "ab");
});

test("one request polls many executions", async () => {
	const some = [];

	for (let i = 0; i < 3; i++)
		some.push((await finished(`many ${i}`, [`answer ${i}`])).id);
	const unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
	const answer = await service.ask("/v1/executions/poll", { body: { executions:
		[...some, unknown].map((execution_id) => ({ execution_id, fromIndex: 0 })) } });
	assert.equal(answer.status, 200, answer.text);
	const list = answer.json.executions ?? answer.json.results;
	assert.equal(list.length, 4);
	for (let i = 0; i < 3; i++) {
		assert.equal(list[i].execution_id, some[i]);
		assert.equal(list[i].completed, true);
		assert.equal(textOf(list[i].chunks), `answer ${i}`);
	}
	assert.match(JSON.stringify(list[3]), /not_found/);
});

test("text is the answer's text alone", async () => {
	const { id } = await finished("plain");
	const answer = await service.ask(`/v1/executions/${id}/text`);

	assert.equal(answer.status, 200);
	assert.match(answer.headers["content-type"], /^text\/plain/);
	assert.equal(answer.text, WORDS.join(""));
});

test("an export has every execution with all its chunks", async () => {
	const ids = [];

	for (let i = 0; i < 5; i++)
		ids.push((await finished(`export ${i}`, [`exported ${i}`])).id);
	const answer = await service.ask("/v1/executions/export");
	assert.equal(answer.status, 200);
	assert.match(answer.headers["content-type"], /ndjson/);
	const lines = answer.text.trimEnd().split("\n").map((l) => JSON.parse(l));
	for (const [i, id] of ids.entries())
		assert.ok(lines.some((l) => JSON.stringify(l).includes(id)) &&
			answer.text.includes(`exported ${i}`), `execution ${i} is there`);
});

test("a list walks all executions once with its cursor", async () => {
	const seen = [];
	let query = "?limit=4";

	await each(6, 3, async (i) => { await finished(`listed ${i}`, ["x"]); });
	for (let pages = 0; query && pages < 100; pages++) {
		const answer = await service.ask(`/v1/executions${query}`);

		assert.equal(answer.status, 200, answer.text);
		const list = answer.json.executions ?? answer.json.data;
		assert.ok(list.length <= 4);
		seen.push(...list.map((e) => e.execution_id));
		const cursor = answer.json.next_cursor ?? answer.json.next ?? answer.json.after;
		query = cursor ? `?limit=4&after=${encodeURIComponent(cursor)}` : "";
	}
	assert.ok(seen.length >= 6);
	assert.equal(new Set(seen).size, seen.length, "no execution twice");
	assert.deepEqual(seen, [...seen].sort().reverse(), "newest first");
});

test("a list can be filtered by status", async () => {
	await finished("filter me", ["x"]);
	const answer = await service.ask("/v1/executions?status=completed&limit=100");
	const list = answer.json.executions ?? answer.json.data;

	assert.ok(list.length > 0);
	assert.ok(list.every((e) => e.status === "completed"));
	const none = await service.ask("/v1/executions?status=queued");
	assert.deepEqual(none.json.executions ?? none.json.data, []);
});

test("the upstream gets the messages, its key and a stream", async () => {
	const id = await service.execute({ messages: [{ role: "system", content: "be brief" },
		{ role: "user", content: "messages" }], temperature: 0.5 });
	const x = await upstream.nextFor("messages");

	assert.equal(x.headers.authorization, "Bearer upstream-key");
	assert.equal(x.body.stream, true);
	assert.equal(x.body.temperature, 0.5);
	assert.equal(x.body.messages[0].content, "be brief");
	await sayAll(x, ["."]);
	await service.finish(id);
});

test("answers can be read again after a restart, byte for byte", async () => {
	const { id } = await finished("remember me");
	const before = (await service.ask(`/v1/executions/${id}/chunks?fromIndex=0`)).text;
	const port = new URL(service.url).port;

	await service.restart({ samePort: true });
	assert.equal(new URL(service.url).port, port);
	assert.equal((await service.ask(`/v1/executions/${id}/chunks?fromIndex=0`)).text, before);
});

test("one connection serves one poll after another", async () => {
	const { id, answer } = await finished("keep alive");
	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

	for (let i = 0; i < 3; i++) {
		const { json, reused } = await ask(`${service.url}/v1/executions/${id}/chunks`,
			{ key: service.key, agent });

		assert.deepEqual(json.chunks, answer.chunks);
		assert.equal(reused, i > 0);
	}
	agent.destroy();
});
