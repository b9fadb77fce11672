// Who is measured: how each is started and filled, and the two questions asked of it:
// the newest 5 of 1,000 chunks of 30 bytes, and all of them.

import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";

const KEY = "spool-bench-0123456789";
export const CHUNKS = 1000, NEWEST = 5, BYTES = 30;

const here = import.meta.dirname;
const root = path.join(here, "../../..");
const spool = process.env.SPOOL_BENCH_BINARY ?? path.join(root, "build/spool");
const started = new Set();

process.on("exit", () => started.forEach((child) => child.kill("SIGKILL")));

export class Process {
	constructor(command, args, env = {}) {
		const pinned = ["-c", env.CORE ?? "0", command, ...args];

		this.child = spawn("taskset", pinned, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
		this.said = "";
		started.add(this.child);
		for (const stream of [this.child.stdout, this.child.stderr])
			stream.on("data", (text) => { this.said += text; });
		this.child.on("exit", () => started.delete(this.child));
	}

	// Until it says where it listens, on stdout or stderr.
	async listening() {
		for (let i = 0; i < 600; i++) {
			const found = /https?:\/\/127\.0\.0\.1:(\d+)/.exec(this.said);

			if (found)
				return Number(found[1]);
			if (this.child.exitCode !== null)
				break;
			await sleep(50);
		}
		throw new Error(`${this.child.spawnargs.join(" ")} does not listen: ${this.said}`);
	}

	get pid() {
		return this.child.pid;
	}

	// User and system time of it and its children so far, in microseconds.
	cpu() {
		return family(this.pid).reduce((sum, pid) => {
			const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");

			return sum + (Number(fields[11]) + Number(fields[12])) * 10000;
		}, 0);
	}

	rss() {
		return family(this.pid).reduce((sum, pid) =>
			sum + Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))[1]), 0);
	}

	async stop() {
		const ended = new Promise((resolve) => this.child.once("exit", resolve));

		if (this.child.exitCode !== null || this.child.signalCode !== null)
			return;
		this.child.kill("SIGTERM");
		const late = setTimeout(() => this.child.kill("SIGKILL"), 3000);

		await ended;
		clearTimeout(late);
	}
}

function family(pid) {
	const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);

	return [pid, ...children.flatMap((child) => family(Number(child)))];
}

export function sleep(ms) {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

async function freePort() {
	const server = net.createServer().listen(0, "127.0.0.1");

	await new Promise((resolve) => server.once("listening", resolve));
	const { port } = server.address();

	await new Promise((resolve) => server.close(resolve));
	return port;
}

async function until(what, test) {
	for (let i = 0; i < 1200; i++) {
		if (await test().catch(() => false))
			return;
		await sleep(50);
	}
	throw new Error(`${what} did not come about`);
}

function get(port, target, headers = {}) {
	const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");

	return `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines}\r\n`;
}

// The simulated model, on the other core: ${args} say how it speaks.
export async function upstream(...args) {
	const process = new Process(spool, ["upstream", "--listen", "127.0.0.1:0", "--first-ms", "0", "--size", `${BYTES}B`,
		...args], { CORE: "1" });

	return { process, url: `http://127.0.0.1:${await process.listening()}/v1` };
}

export async function startSpool(dir, url, durability = "full") {
	const process = new Process(spool, ["serve", "--listen", "127.0.0.1:0", "--db", path.join(dir, "spool.db"),
		"--durability", durability, "--max-open", "100000", "--log-level", "error"],
	{ SPOOL_ADMIN_KEY: KEY, OPENAI_API_KEY: "none", OPENAI_MODEL: "sim", OPENAI_BASE_URL: url });
	const port = await process.listening();
	const headers = { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" };
	const base = `http://127.0.0.1:${port}/v1/executions`;
	const create = async () => (await (await fetch(base, { method: "POST", headers,
		body: JSON.stringify({ prompt: "go on" }) })).json()).execution_id;
	const page = async (id, from) => (await fetch(`${base}/${id}/chunks?fromIndex=${from}`, { headers })).json();

	return { process, port, headers, base, create, page };
}

export async function startNaive(dir, url, sync) {
	const process = new Process("node", [path.join(here, "naive.mjs")],
		{ DB: path.join(dir, "naive.db"), UPSTREAM: url, SYNC: sync });
	const port = await process.listening();
	let n = 0;

	return { process, port,
		create: async () => {
			const id = `execution-${n++}`;

			await (await fetch(`http://127.0.0.1:${port}/executions/${id}`, { method: "POST" })).text();
			return id;
		},
		page: async (id, from) => (await fetch(`http://127.0.0.1:${port}/executions/${id}/chunks?fromIndex=${from}`)).json() };
}

async function fillDurable(port) {
	const url = `http://127.0.0.1:${port}/bench`;
	const headers = { "Content-Type": "application/json" };
	const some = (n) => JSON.stringify(Array.from({ length: n }, () => ({ content: "x".repeat(BYTES) })));
	let at;

	await fetch(url, { method: "PUT", headers });
	for (const n of [CHUNKS - NEWEST, NEWEST]) {
		const answer = await fetch(url, { method: "POST", headers, body: some(n) });

		at = n === NEWEST ? at : answer.headers.get("stream-next-offset");
	}
	return { poll: get(port, `/bench?offset=${at}`), all: get(port, "/bench?offset=-1") };
}

function durable(name, inFiles) {
	return { name, async start(dir) {
		const data = path.join(dir, "durable");

		if (inFiles)
			fs.mkdirSync(data);
		const process = new Process("node", [path.join(here, "durable.mjs")], { DATA: inFiles ? data : "" });
		const port = await process.listening();

		return { process, port, ...await fillDurable(port) };
	} };
}

// Both: 1,000 chunks of an answer that is not over yet.
async function filled(dir, start) {
	const model = await upstream("--tokens", `${CHUNKS}`, "--rate", "0", "--fault", "stall", "--after", `${CHUNKS}`);
	const it = await start(dir, model.url);
	const id = await it.create();

	await until("1,000 chunks", async () => (await it.page(id, 0)).total_chunks >= CHUNKS);
	return { ...it, id, also: [model.process] };
}

const spoolPeer = { name: "spool", async start(dir) {
	const it = await filled(dir, startSpool);
	const ask = (from) => get(it.port, `/v1/executions/${it.id}/chunks?fromIndex=${from}`,
		{ Authorization: it.headers.Authorization });

	return { ...it, poll: ask(CHUNKS - NEWEST), all: ask(0) };
} };

const naivePeer = { name: "Node + SQLite, naive", async start(dir) {
	const it = await filled(dir, (where, url) => startNaive(where, url, "NORMAL"));
	const ask = (from) => get(it.port, `/executions/${it.id}/chunks?fromIndex=${from}`);

	return { ...it, poll: ask(CHUNKS - NEWEST), all: ask(0) };
} };

// The same bytes as spool answers, from files.
const nginxPeer = { name: "nginx, static files", async start(dir, sizes) {
	const port = await freePort();
	const conf = path.join(dir, "nginx.conf");

	fs.mkdirSync(path.join(dir, "www"));
	for (const [name, bytes] of Object.entries(sizes))
		fs.writeFileSync(path.join(dir, "www", name), "x".repeat(bytes));
	fs.chmodSync(dir, 0o755);
	fs.writeFileSync(conf, `daemon off; master_process off; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
		worker_rlimit_nofile 4096; events { worker_connections 2048; }
		http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=100;
			server { listen 127.0.0.1:${port}; root ${dir}/www; default_type application/json; } }`);
	const process = new Process("nginx", ["-c", conf, "-e", `${dir}/error.log`]);

	await until("nginx", async () => (await fetch(`http://127.0.0.1:${port}/poll`)).ok);
	return { process, port, poll: get(port, "/poll"), all: get(port, "/all") };
} };

export const readers = [spoolPeer, nginxPeer, naivePeer, durable("Durable Streams reference, memory", false),
	durable("Durable Streams reference, files", true)];

export function missing() {
	return ["nginx", "taskset"].filter((name) => spawnSync("which", [name]).status !== 0);
}
