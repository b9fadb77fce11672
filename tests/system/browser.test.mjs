// Pages in a real browser: events, streamed fetches and WebSockets, from another
// origin that may, from one that may not, and from the server's own.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";

import { Browser } from "./browser.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, textOf } from "./service.mjs";

const none = Browser.find() ? false : "no Chromium here";
let upstream, service, browser, site, stranger;

// An empty page of an origin of its own.
async function serve() {
	const server = http.createServer((request, response) => {
		response.writeHead(200, { "Content-Type": "text/html" });
		response.end("<!doctype html><title>page</title>");
	});

	await new Promise((done) => server.listen(0, "127.0.0.1", done));
	server.unref();
	return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

before(async () => {
	if (none)
		return;
	site = await serve();
	stranger = await serve();
	upstream = await ScriptedUpstream.start();
	service = await Service.start({ upstream: upstream.url,
		args: ["--cors-origin", site.origin, "--retry-attempts", "1", "--on-interrupt", "fail"] });
	browser = await Browser.start();
});
after(async () => {
	await browser?.stop();
	await service?.stop("SIGKILL");
	await upstream?.stop();
	site?.server.close();
	stranger?.server.close();
});

// An answer in two pieces, the second sent once the page has seen the first.
async function twoPieces(x, page) {
	await x.send("one ");
	await page.run(() => new Promise((done) => {
		const look = () => (window.seen?.includes("one ") ? done() : setTimeout(look, 5));

		look();
	}));
	await x.send("two");
	await x.finish();
}

test("an EventSource of another origin gets in by a ticket and is told to the end", { skip: none }, async () => {
	const page = await browser.open(`${site.origin}/`);
	const id = await service.execute("events");
	const x = await upstream.next();
	const told = page.run(async (base, key, execution) => {
		const answer = await fetch(`${base}/v1/executions/${execution}/tickets`,
			{ method: "POST", headers: { Authorization: `Bearer ${key}` } });
		const { url } = await answer.json();
		const events = new EventSource(base + url);
		const chunks = [];

		window.seen = "";
		return new Promise((done, fail) => {
			events.onmessage = ({ data, lastEventId }) => {
				chunks.push({ ...JSON.parse(data), lastEventId });
				window.seen += JSON.parse(data).content;
			};
			events.addEventListener("end", ({ data }) => {
				events.close();
				done({ status: answer.status, chunks, end: JSON.parse(data) });
			});
			events.onerror = () => fail(new Error("the stream broke"));
		});
	}, service.url, service.key, id);

	await twoPieces(x, page);
	const { status, chunks, end } = await told;
	assert.equal(status, 201);
	assert.equal(textOf(chunks), "one two");
	assert.deepEqual(chunks.map((c) => c.lastEventId), chunks.map((c) => String(c.index)));
	assert.equal(end.status, "completed");
});

test("a fetch of another origin reads the answer piece by piece", { skip: none }, async () => {
	const page = await browser.open(`${site.origin}/`);
	const told = page.run(async (base, key) => {
		const answer = await fetch(`${base}/execute_prompt_streaming`, { method: "POST",
			headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", Accept: "text/event-stream" },
			body: JSON.stringify({ data: { prompt: "streamed" } }) });
		let reads = 0;

		window.seen = "";
		for (const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();;) {
			const { done, value } = await reader.read();

			if (done)
				return { status: answer.status, reads, text: window.seen, id: answer.headers.get("X-Request-Id") };
			reads++;
			window.seen += value;
		}
	}, service.url, service.key);
	const x = await upstream.next();

	await twoPieces(x, page);
	const { status, reads, text, id } = await told;
	const events = text.split("\n\n").filter((e) => e.startsWith("data: ")).map((e) => JSON.parse(e.slice(6)));

	assert.equal(status, 200);
	assert.ok(reads >= 2, `${reads} reads`);
	assert.equal(events.filter((e) => e.message).map((e) => e.message.content).join(""), "one two");
	assert.equal(events.at(-1).result.status, "completed");
	assert.ok(id, "a header that CORS exposes");
});

// Start, follow and close, in the page.
const talk = async (url, protocols) => {
	const socket = new WebSocket(url, protocols);
	const messages = [];
	const closed = new Promise((done) => { socket.onclose = ({ code, wasClean }) => done({ code, wasClean }); });

	window.seen = "";
	socket.onopen = () => socket.send(JSON.stringify({ type: "start", id: 1, request: { prompt: "talk" } }));
	socket.onmessage = ({ data }) => {
		const message = JSON.parse(data);

		messages.push(message);
		if (message.type === "chunk")
			window.seen += message.content;
		if (message.type === "end")
			socket.close(1000);
	};
	return { ...await closed, protocol: socket.protocol, messages };
};

async function talked(page, url) {
	const { ticket } = (await service.ask("/v1/ws/tickets", { body: {} })).json;
	const told = page.run(talk, url, ["spool.v1", `spool.ticket.${ticket}`]);
	const x = await upstream.next();

	await twoPieces(x, page);
	const { code, wasClean, protocol, messages } = await told;
	assert.deepEqual({ code, wasClean, protocol }, { code: 1000, wasClean: true, protocol: "spool.v1" });
	assert.equal(messages[0].type, "started");
	assert.equal(textOf(messages.filter((m) => m.type === "chunk")), "one two");
	assert.equal(messages.at(-1).status, "completed");
}

test("a WebSocket of another origin starts an execution and follows it", { skip: none }, async () => {
	await talked(await browser.open(`${site.origin}/`), `${service.url.replace("http", "ws")}/v1/ws`);
});

test("a page of the server's own origin needs no permission", { skip: none }, async () => {
	await talked(await browser.open(`${service.url}/healthz`), "/v1/ws");
});

test("a page of an origin that is not listed gets nothing and does nothing", { skip: none }, async () => {
	const page = await browser.open(`${stranger.origin}/`);
	const id = await service.execute("secret");
	const x = await upstream.next();
	const ticket = async (route) => (await service.ask(route, { body: {} })).json.ticket;

	await x.send("hidden");
	await x.finish();
	await service.finish(id);
	const before = (await service.ask("/v1/executions?limit=1000")).json.executions.length;
	const got = await page.run(async (base, key, execution, one, two) => {
		const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
		const say = (p) => p.then((a) => `answered ${a.status}`, () => "failed");
		const closed = (socket) => new Promise((done) => {
			socket.onopen = () => done("opened");
			socket.onclose = () => done("failed");
		});
		const events = new EventSource(`${base}/v1/executions/${execution}/events?ticket=${one}`);
		const told = new Promise((done) => {
			events.onmessage = () => done("told");
			events.onerror = () => { events.close(); done("failed"); };
		});

		return {
			read: await say(fetch(`${base}/v1/executions/${execution}/chunks`, { headers })),
			start: await say(fetch(`${base}/v1/executions`, { method: "POST", headers, body: '{"prompt":"x"}' })),
			// No preflight comes before this one.
			simple: await say(fetch(`${base}/execute?key=${key}`, { method: "POST", mode: "no-cors",
				headers: { "Content-Type": "text/plain" }, body: '{"data":{"prompt":"x"}}' })),
			socket: await closed(new WebSocket(`${base.replace("http", "ws")}/v1/ws`, ["spool.v1", `spool.ticket.${two}`])),
			events: await told,
		};
	}, service.url, service.key, id, await ticket(`/v1/executions/${id}/tickets`), await ticket("/v1/ws/tickets"));

	// What is opaque to the page was refused, too: nothing was made.
	assert.deepEqual(got, { read: "failed", start: "failed", simple: "answered 0", socket: "failed", events: "failed" });
	assert.equal((await service.ask("/v1/executions?limit=1000")).json.executions.length, before);
});
