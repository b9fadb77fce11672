// service: the real binary under test: started, asked, killed, started again.
//
// A test file starts its services through `Service.start()` or `Sim.start()` and
// forgets about them: every child is ended by its pid and every directory
// removed when the test process ends. Nothing here sleeps: what must be waited
// for is a line, an answer, or the end of a process.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const binary = process.env.SPOOL_BINARY ?? path.join(root, "build/spool");
export const ADMIN_KEY = "spool-system-test-admin-key-0123456789";
const START_MS = 20_000;
const ANSWER_MS = 70_000;

// How much of something a test does: as the environment says, else `long` in
// scripts/soak and `short` elsewhere.
export const knob = (name, short, long) =>
	Number(process.env[name] ?? (process.env.SOAK === "1" ? long : short));

const children = new Set();
const directories = new Set();

process.on("exit", () => {
	for (const child of children)
		child.kill("SIGKILL");
	for (const dir of directories)
		rmSync(dir, { recursive: true, force: true });
});
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"])
	process.once(signal, () => process.exit(1));

export function tempDir() {
	const dir = mkdtempSync(path.join(os.tmpdir(), "spool-test-"));

	directories.add(dir);
	return dir;
}

// A promise that fails with `what` unless it settles within `ms`.
export function within(ms, what, promise) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(
			`${typeof what === "function" ? what() : what}: not within ${ms} ms`)), ms);
	});

	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// A program of ours and what it printed.
class Child {
	constructor(args, env, program = binary) {
		this.output = "";
		this.waiting = [];
		this.process = spawn(program, args, {
			env: { PATH: process.env.PATH, HOME: os.tmpdir(), ...env },
			stdio: ["ignore", "pipe", "pipe"],
		});
		children.add(this.process);
		// A test that failed leaves it running: that must not keep the tests from
		// ending, which then ends it. Whoever waits for it has a deadline.
		this.process.unref();
		this.process.stdout.unref();
		this.process.stderr.unref();
		this.exited = new Promise((done) => {
			this.process.on("error", (error) => {
				this.output += `${error}\n`;
				done({ code: -1, signal: null });
			});
			this.process.on("close", (code, signal) => {
				children.delete(this.process);
				done({ code, signal });
			});
		});
		this.listening = new Promise((done, fail) => {
			const onData = (data) => {
				this.output += data;
				if (this.output.length > 4_000_000)
					this.output = this.output.slice(-1_000_000);
				this.waiting = this.waiting.filter((w) => !w.pattern.test(this.output) || (w.done(), false));
				const m = /listening on (http:\/\/[0-9.:[\]a-f]+)/.exec(this.output);
				if (m)
					done(m[1]);
			};

			this.process.stdout.setEncoding("utf8").on("data", onData);
			this.process.stderr.setEncoding("utf8").on("data", onData);
			this.exited.then(({ code, signal }) => fail(new Error(
				`spool ${args.join(" ")} ended (${signal ?? code}) before it listened:\n${this.output}`)));
		});
		this.listening.catch(() => {});
	}

	// Wait until it has printed `pattern`.
	says(pattern) {
		return within(10_000, () => `${pattern} in its output\n${this.output.slice(-2000)}`, new Promise((done) => {
			if (pattern.test(this.output))
				done();
			else
				this.waiting.push({ pattern, done });
		}));
	}

	end(signal) {
		this.process.kill(signal);
		return within(60_000, () => `the end of spool after ${signal}\n${this.output.slice(-2000)}`,
			this.exited);
	}
}

// Run a command of the binary to its end: { code, output }.
export async function run(args, env = {}) {
	const child = new Child(args, env);
	const { code, signal } = await within(60_000, `spool ${args.join(" ")}`, child.exited);

	return { code, signal, output: child.output };
}

// One request; the whole answer: { status, headers, text, json, reused }.
// `body` is sent as JSON unless it is a string or bytes.
export function ask(url, { method, headers = {}, body, agent, key, signal } = {}) {
	const raw = typeof body === "string" || body instanceof Uint8Array;
	const payload = body === undefined || raw ? body : JSON.stringify(body);
	const all = { ...headers };

	if (payload !== undefined && !Object.keys(all).some((h) => h.toLowerCase() === "content-type"))
		all["Content-Type"] = "application/json";
	if (payload !== undefined)
		all["Content-Length"] = Buffer.byteLength(payload);
	if (key)
		all.Authorization = `Bearer ${key}`;
	return within(ANSWER_MS, `${method ?? "GET"} ${url}`, new Promise((done, fail) => {
		const request = http.request(url,
			{ method: method ?? (payload === undefined ? "GET" : "POST"), headers: all, agent, signal },
			(answer) => {
				const parts = [];

				answer.on("data", (part) => parts.push(part));
				answer.on("error", fail);
				answer.on("end", () => {
					const bytes = Buffer.concat(parts);
					const text = bytes.toString("utf8");
					let json;

					try {
						if (text && /\bjson$/.test((answer.headers["content-type"] ?? "").split(";")[0]))
							json = JSON.parse(text);
					} catch (error) {
						fail(error);
						return;
					}
					done({ status: answer.statusCode, headers: answer.headers,
						text, bytes, json, reused: request.reusedSocket });
				});
			});

		request.on("error", fail);
		request.end(payload);
	}));
}

export class Service {
	// options: demo, upstream (its URL), model, args, env, dir, port, agent, program
	static async start(options = {}) {
		const service = new Service(options);

		await service.launch();
		return service;
	}

	constructor(options) {
		this.options = options;
		this.dir = options.dir ?? tempDir();
		this.db = path.join(this.dir, "spool.db");
		this.key = options.key === undefined ? ADMIN_KEY : options.key;
		this.port = options.port ?? 0;
		this.agent = options.agent ?? new http.Agent({ keepAlive: true, maxSockets: 256 });
	}

	async launch() {
		const { demo, upstream, model, args = [], env = {} } = this.options;
		const all = ["serve", "--listen", `127.0.0.1:${this.port}`, "--db", this.db,
			...(demo ? ["--demo"] : []), ...args];

		this.child = new Child(all, {
			...(this.key ? { SPOOL_ADMIN_KEY: this.key } : {}),
			...(upstream ? { OPENAI_API_KEY: "upstream-key", OPENAI_BASE_URL: upstream,
				OPENAI_MODEL: model ?? "sim" } : {}),
			...env,
		}, this.options.program);
		this.url = await within(START_MS, () => `"listening on" from spool serve\n${this.child.output}`,
			this.child.listening);
		const health = await ask(`${this.url}/healthz`, { agent: this.agent });
		if (health.status !== 200)
			throw new Error(`/healthz answers ${health.status}`);
	}

	get pid() {
		return this.child.process.pid;
	}

	get log() {
		return this.child.output;
	}

	async kill9() {
		const end = await this.child.end("SIGKILL");

		this.agent.destroy();
		return end;
	}

	// { code, signal, ms }
	async stop(signal = "SIGTERM") {
		const before = performance.now();
		const end = await this.child.end(signal);

		this.agent.destroy();
		return { ...end, ms: performance.now() - before };
	}

	// On the same data; on the same port if asked.
	async restart({ samePort = false } = {}) {
		if (this.child.process.exitCode === null && this.child.process.signalCode === null)
			await this.stop();
		this.port = samePort ? Number(new URL(this.url).port) : (this.options.port ?? 0);
		await this.launch();
	}

	ask(route, options = {}) {
		return ask(this.url + route, { agent: this.agent, key: this.key, ...options });
	}

	// The callable protocol: { status, result, error }.
	async call(name, data, options = {}) {
		const answer = await this.ask(`/${name}`, { body: { data }, ...options });

		return { ...answer, result: answer.json?.result, error: answer.json?.error };
	}

	// The callable protocol as a stream: onEvent() gets each event's JSON and says
	// whether to go on. Fails when the stream breaks before its end.
	events(name, data, onEvent) {
		const payload = JSON.stringify({ data });

		return new Promise((done, fail) => {
			const request = http.request(`${this.url}/${name}`, { method: "POST", agent: this.agent,
				headers: { Accept: "text/event-stream", "Content-Type": "application/json",
					"Content-Length": Buffer.byteLength(payload),
					...(this.key ? { Authorization: `Bearer ${this.key}` } : {}) } }, (answer) => {
				let rest = "";

				answer.setEncoding("utf8");
				answer.on("data", (part) => {
					const events = (rest + part).split("\n\n");

					rest = events.pop();
					for (const event of events)
						if (event.startsWith("data: ") && !onEvent(JSON.parse(event.slice(6)))) {
							request.destroy();
							done();
							return;
						}
				});
				answer.on("error", fail);
				answer.on("end", done);
			});

			request.on("error", fail);
			request.end(payload);
		});
	}

	// Start an execution; its id.
	async execute(body, options = {}) {
		const answer = await this.ask("/v1/executions", {
			body: typeof body === "string" ? { prompt: body } : body, ...options });

		if (answer.status !== 202)
			throw new Error(`POST /v1/executions: ${answer.status} ${answer.text}`);
		return answer.json.execution_id;
	}

	// One page. `query` e.g. { fromIndex: 3, wait_ms: 1000 }.
	async page(id, query = {}, options = {}) {
		const answer = await this.ask(`/v1/executions/${id}/chunks?${new URLSearchParams(query)}`, options);

		if (answer.status !== 200)
			throw new Error(`GET chunks of ${id}: ${answer.status} ${answer.text}`);
		return answer.json;
	}

	// All chunks from `from` on, and the last page, once the execution has ended.
	async finish(id, { from = 0, ms = 30_000, ...options } = {}) {
		const until = performance.now() + ms;
		const chunks = [];
		let page;

		do {
			if (performance.now() > until)
				throw new Error(`execution ${id} is still ${page?.status} after ${ms} ms`);
			page = await this.page(id, { fromIndex: from, wait_ms: 2000 }, options);
			chunks.push(...page.chunks);
			from = page.next_index;
		} while (!page.completed);
		return { chunks, page, status: page.status, metadata: page.metadata, text: textOf(chunks) };
	}

	// Wait until at least `n` chunks can be read.
	async reach(id, n, ms = 10_000) {
		const until = performance.now() + ms;
		let page;

		do {
			if (performance.now() > until)
				throw new Error(`execution ${id} has ${page.total_chunks} chunks, not ${n}, after ${ms} ms`);
			page = await this.page(id, { fromIndex: n - 1, wait_ms: 2000 });
		} while (page.total_chunks < n && !page.completed);
		return page;
	}
}

// The simulated upstream as a program of its own.
export class Sim {
	static async start(args = []) {
		const sim = new Sim();

		sim.child = new Child(["upstream", "--listen", "127.0.0.1:0", ...args], {});
		sim.origin = await within(START_MS, () => `"listening on" from spool upstream\n${sim.child.output}`,
			sim.child.listening);
		sim.url = `${sim.origin}/v1`;
		return sim;
	}

	async stats() {
		return (await ask(`${this.origin}/stats`)).json;
	}

	stop() {
		return this.child.end("SIGTERM");
	}
}

export function textOf(chunks) {
	return chunks.map((c) => c.content).join("");
}

// What must hold for any list of chunks that begins at `from`.
export function checkDense(assert, chunks, from = 0) {
	chunks.forEach((c, i) => {
		assert.equal(c.index, from + i, "indices are dense");
		assert.equal(typeof c.content, "string");
		assert.equal(typeof c.metadata.kind, "string");
		assert.ok(!Number.isNaN(Date.parse(c.timestamp)), `timestamp ${c.timestamp}`);
	});
}

// Run `task(i)` for i < n, at most `width` at a time.
export async function each(n, width, task) {
	let next = 0;

	await Promise.all(Array.from({ length: Math.min(n, width) }, async () => {
		while (next < n) {
			const i = next++;

			await task(i);
		}
	}));
}
