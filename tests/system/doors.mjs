// doors: every way to start an execution and to read it, in two tables. A new
// protocol is a line in each.
//
// start(service, prompt, key) asks for an execution and gives its id; ${key}
// makes asking again safe where the door knows such keys.
//
// read(service, id, from, take) reads from place ${from} on. take(at, item, raw)
// is told each item's place, what it says, and (where the bytes must be the same
// each time) its bytes; when it gives false the client breaks off. Gives true at
// the end, false when it broke off; throws when the server did.
//
// Doors of one family count places alike: a reader may go on through another.

import http from "node:http";

import { WebSocket } from "ws";

import { within } from "./service.mjs";

const READ_MS = 60_000;
const broken = (what) => Object.assign(new Error(`${what}: aborted`), { code: "ECONNRESET" });

// What a refusal says, in whatever form.
function refusal(text) {
	try {
		const json = JSON.parse(text);

		return json.error?.details ?? json;
	} catch {
		return undefined;
	}
}

// Server-sent events, block by block; each() says whether to go on. Gives whether
// each() ended it; a stream that ends by itself is broken.
function sse(service, route, { body, headers = {} } = {}, each) {
	return within(READ_MS, route, new Promise((done, fail) => {
		const request = http.request(service.url + route, { agent: false, method: body ? "POST" : "GET", headers: {
			Accept: "text/event-stream", Authorization: `Bearer ${service.key}`,
			...(body ? { "Content-Type": "application/json" } : {}), ...headers } }, (answer) => {
			let rest = "";

			if (answer.statusCode === 204)
				done(answer);
			answer.setEncoding("utf8");
			answer.on("data", (part) => {
				const blocks = (rest + part).split("\n\n");

				rest = blocks.pop();
				for (const block of blocks)
					if (!each(block, answer)) {
						request.destroy();
						done(answer);
						return;
					}
			});
			answer.on("error", fail);
			answer.on("end", () => (answer.statusCode === 200 ? fail(broken(route)) :
				fail(Object.assign(new Error(`${route}: ${answer.statusCode} ${rest}`), { refused: refusal(rest) }))));
		});

		request.on("error", fail);
		request.end(body && JSON.stringify(body));
	}));
}

const field = (block, name) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];

function socket(service, say, each) {
	const ws = new WebSocket(`${service.url.replace("http", "ws")}/v1/ws`,
		{ headers: { Authorization: `Bearer ${service.key}` } });

	return within(READ_MS, "a WebSocket", new Promise((done, fail) => {
		ws.on("error", (error) => fail(/code|socket|hang up|ECONN|Unexpected/.test(error.message) ?
			broken(error.message) : error));
		ws.on("close", () => fail(broken("a WebSocket")));
		ws.on("open", () => ws.send(JSON.stringify(say)));
		ws.on("message", (data) => {
			const message = JSON.parse(data);

			if (message.type === "error")
				fail(Object.assign(new Error(JSON.stringify(message)), { refused: message.error }));
			else if (!each(message, String(data)))
				done(message);
		});
	})).finally(() => ws.terminate());
}

function pages(get) {
	return async (service, id, from, take) => {
		for (;;) {
			const page = await get(service, id, from);

			for (const chunk of page.chunks)
				if (!take(chunk.index, chunk))
					return false;
			from = page.next_index;
			if (page.completed)
				return true;
		}
	};
}

// A stream of events: what one means is [place, item] or "end", or nothing.
function stream(open, meaning) {
	return async (service, id, from, take) => {
		let whole = false;
		const answer = await open(service, id, from, (block) => {
			const what = meaning(block);

			whole = what === "end";
			return !whole && (!what || take(...what, block));
		});

		return whole || answer.statusCode === 204;
	};
}

const call = async (service, name, data, headers) => {
	const answer = await service.call(name, data, { headers });

	if (!answer.result)
		throw Object.assign(new Error(answer.text), { refused: answer.json?.error?.details });
	return answer.result;
};

const post = async (service, route, body, headers = {}) => {
	const answer = await service.ask(route, { body, headers });

	if (answer.status >= 300)
		throw Object.assign(new Error(`${route}: ${answer.text}`), { refused: answer.json });
	return answer;
};

export const starts = [
	{ name: "rest", start: async (service, prompt, key) =>
		(await post(service, "/v1/executions", { prompt }, { "Idempotency-Key": key })).json.execution_id },
	{ name: "callable", start: async (service, prompt, key) =>
		(await call(service, "execute", { prompt }, { "Idempotency-Key": key })).execution_id },
	{ name: "ws", start: async (service, prompt, key) => (await socket(service,
		{ type: "start", request: { prompt }, idempotency_key: key, subscribe: false }, () => false)).execution_id },
	// The client leaves as soon as it knows the name; the execution goes on.
	// One that has failed by the time it is asked for again is refused by name.
	{ name: "openai", start: (service, prompt, key) => sse(service, "/v1/chat/completions",
		{ headers: { "Idempotency-Key": key }, body: { messages: [{ role: "user", content: prompt }], stream: true } },
		() => false).then((answer) => answer.headers["x-execution-id"],
		(error) => error.refused?.execution_id ?? Promise.reject(error)) },
];

export const reads = [
	{ name: "poll", family: "chunks", read: pages((service, id, from) =>
		service.page(id, { fromIndex: from, limit: 7 })) },
	{ name: "hold", family: "chunks", read: pages((service, id, from) =>
		service.page(id, { fromIndex: from, wait_ms: 2000 })) },
	{ name: "callable", family: "chunks", read: pages((service, executionId, fromIndex) =>
		call(service, "get_execution_chunks", { executionId, fromIndex, limit: 9 })) },
	{ name: "batch", family: "chunks", read: pages(async (service, execution_id, from_index) =>
		(await post(service, "/v1/executions/poll", { executions: [{ execution_id, from_index }], wait_ms: 1000 }))
			.json.executions[0]) },
	{ name: "sse", family: "chunks", read: stream(
		(service, id, from, each) => sse(service, `/v1/executions/${id}/events?after=${from - 1}`, {}, each),
		(block) => {
			if (field(block, "event") === "end")
				return "end";
			return field(block, "id") && [Number(field(block, "id")), JSON.parse(field(block, "data"))];
		}) },
	{ name: "callable events", family: "chunks", read: stream(
		(service, executionId, fromIndex, each) => sse(service, "/get_execution_chunks",
			{ body: { data: { executionId, fromIndex } } }, each),
		(block) => {
			const event = block.startsWith("data: ") && JSON.parse(block.slice(6));

			return event && (event.result ? "end" : event.message && [event.message.index, event.message]);
		}) },
	{ name: "ws", family: "chunks", read: async (service, id, from, take) => (await socket(service,
		{ type: "subscribe", execution_id: id, from }, ({ type, execution_id, ...chunk }, raw) =>
			type !== "end" && (type !== "chunk" || take(chunk.index, chunk, raw)))).type === "end" },
	{ name: "openai", family: "openai", read: stream(
		// What failed before it said anything is refused by a status: that is its end.
		(service, id, from, each) => sse(service,
			`/v1/chat/completions/${id}?stream=true${from > 0 ? `&starting_after=${from - 1}` : ""}`, {}, each)
			.catch((error) => (error.refused?.execution_error ? { statusCode: 204 } : Promise.reject(error))),
		(block) => {
			const data = field(block, "data");

			// What failed ends with an error and no more.
			return data && (data === "[DONE]" || JSON.parse(data).error ? "end" :
				[Number(field(block, "id")), JSON.parse(data)]);
		}) },
];

// What the items of a family say, as text.
export const texts = {
	chunks: (items) => items.slice(items.findLastIndex((c) => c.metadata.kind === "reset") + 1)
		.filter((c) => c.metadata.kind === "text").map((c) => c.content).join(""),
	openai: (items) => items.map((e) => e.choices?.[0]?.delta?.content ?? "").join(""),
};
