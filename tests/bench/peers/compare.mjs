// Side by side, in one run: reads (the newest 5 of 1,000 chunks; all 1,000) and ingest of spool and of what people
// would pick instead. Rounds are interleaved, figures are medians; CPU is user and system time of the server's
// processes. Prints a Markdown table; with a directory as argument also writes results.json, results.md and SVGs there.
//
//	node tests/bench/peers/compare.mjs [DIR]	ROUNDS=3 WINDOW=2 STREAMS=100 RATE=50

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import { bars } from "./plot.mjs";
import { CHUNKS, missing, readers, sleep, startNaive, startSpool, upstream } from "./peers.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 3), SECONDS = Number(process.env.WINDOW ?? 2);
const STREAMS = Number(process.env.STREAMS ?? 100), RATE = Number(process.env.RATE ?? 50);
const load = path.join(import.meta.dirname, "../../../build/tests/http_load");
const root = fs.mkdtempSync(path.join(process.env.BENCH_DIR ?? "/var/tmp", "spool-compare-"));
const out = process.argv[2];

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function fresh() {
	return fs.mkdtempSync(path.join(root, "d-"));
}

// One window of ${question}s; what it cost the server.
function window(it, question) {
	const file = path.join(root, "request");

	fs.writeFileSync(file, it[question]);
	const before = it.process.cpu();
	const said = JSON.parse(execFileSync("taskset", ["-c", "1", load, `${it.port}`, "64", `${SECONDS}`, file]));

	return { ...said, cpu_us: (it.process.cpu() - before) / said.answers };
}

// 4 KiB and fdatasync, over and over: what a durable figure stands on.
function syncTime() {
	const file = path.join(root, "sync"), fd = fs.openSync(file, "w"), took = [];

	for (let i = 0; i < 200; i++) {
		const from = process.hrtime.bigint();

		fs.writeSync(fd, Buffer.alloc(4096), 0, 4096, i * 4096);
		fs.fdatasyncSync(fd);
		took.push(Number(process.hrtime.bigint() - from) / 1e3);
	}
	fs.closeSync(fd);
	return { p50_us: median(took), p99_us: took.sort((a, b) => a - b)[Math.floor(took.length * 0.99)] };
}

async function reads() {
	const all = [], sizes = {};

	for (const peer of readers) {
		const it = await peer.start(fresh(), sizes);

		if (!sizes.poll)
			for (const question of ["poll", "all"])
				sizes[question] = window({ ...it }, question).bytes;
		all.push({ peer, it, poll: [], all: [] });
	}
	for (let round = 0; round < ROUNDS; round++)
		for (const question of ["poll", "all"])
			for (const one of all)
				one[question].push(window(one.it, question));
	for (const { it } of all)
		for (const process of [it.process, ...it.also ?? []])
			await process.stop();
	return all.map(({ peer, poll, all: whole }) => ({ name: peer.name, poll: middle(poll), all: middle(whole) }));
}

function middle(windows) {
	return Object.fromEntries(Object.keys(windows[0]).map((key) => [key, median(windows.map((w) => w[key]))]));
}

// ${STREAMS} answers at once, ${RATE} chunks a second each.
async function ingest(name, start) {
	const model = await upstream("--rate", `${RATE}`, "--tokens", `${RATE * (SECONDS + 30)}`);
	const it = await start(fresh(), model.url);
	const ids = [];
	const total = async () => (await Promise.all(ids.map((id) => it.page(id, 1e9)))).reduce((n, p) => n + p.total_chunks, 0);

	for (let i = 0; i < STREAMS; i++)
		ids.push(await it.create());
	while (await total() < STREAMS)
		await sleep(50);
	await sleep(1000);
	const chunks = await total(), cpu = it.process.cpu(), from = Date.now();

	await sleep(2 * SECONDS * 1000);
	const spent = it.process.cpu() - cpu, seconds = (Date.now() - from) / 1000, rss = it.process.rss();
	const got = await total() - chunks, asked = (Date.now() - from) / 1000;

	await it.process.stop();
	await model.process.stop();
	return { name, cpu_us: spent / (got * seconds / asked), per_second: got / asked, of: STREAMS * RATE, rss_kb: rss };
}

const writers = [
	["spool, FULL", (dir, url) => startSpool(dir, url)],
	["Node + SQLite, naive, FULL", (dir, url) => startNaive(dir, url, "FULL")],
	["Node + SQLite, naive, NORMAL", (dir, url) => startNaive(dir, url, "NORMAL")],
];

async function ingests() {
	const all = writers.map(([name]) => ({ name, rounds: [] }));

	for (let round = 0; round < ROUNDS; round++)
		for (const [i, [name, start]] of writers.entries())
			all[i].rounds.push(await ingest(name, start));
	return all.map(({ name, rounds }) => {
		const { name: _, ...one } = middle(rounds);

		return { name, ...one };
	});
}

const f = (x) => x < 10 ? x.toFixed(1) : Math.round(x).toLocaleString("en");

function markdown(r) {
	const own = r.reads[0], first = r.ingest[0];

	return `fdatasync of 4 KiB: p50 ${f(r.sync.p50_us)} µs, p99 ${f(r.sync.p99_us)} µs. ${r.rounds} rounds, medians.

| Reads, 64 connections | newest 5 of 1,000: CPU µs | × spool | p99 ms | all 1,000: CPU µs | × spool | p99 ms |
|---|---|---|---|---|---|---|
${r.reads.map((x) => `| ${x.name} | ${f(x.poll.cpu_us)} | ${f(x.poll.cpu_us / own.poll.cpu_us)} | ${
		f(x.poll.p99_us / 1000)} | ${f(x.all.cpu_us)} | ${f(x.all.cpu_us / own.all.cpu_us)} | ${f(x.all.p99_us / 1000)} |`).join("\n")}

| Ingest, ${r.streams} answers × ${r.rate}/s | CPU µs a chunk | × spool | chunks/s of ${first.of} | memory MB |
|---|---|---|---|---|
${r.ingest.map((x) => `| ${x.name} | ${f(x.cpu_us)} | ${f(x.cpu_us / first.cpu_us)} | ${f(x.per_second)} | ${
		f(x.rss_kb / 1024)} |`).join("\n")}
`;
}

async function main() {
	const lacks = missing();

	if (lacks.length) {
		console.error(`compare: not here: ${lacks.join(", ")} (apt-get install nginx-light util-linux)`);
		return 1;
	}
	const results = { when: new Date().toISOString(), cpu: os.cpus()[0].model, chunks: CHUNKS, rounds: ROUNDS,
		streams: STREAMS, rate: RATE, sync: syncTime(), reads: await reads(), ingest: await ingests() };
	const text = markdown(results);

	process.stdout.write(text);
	if (out) {
		fs.mkdirSync(out, { recursive: true });
		fs.writeFileSync(path.join(out, "results.json"), `${JSON.stringify(results, null, "\t")}\n`);
		fs.writeFileSync(path.join(out, "results.md"), text);
		fs.writeFileSync(path.join(out, "poll.svg"), bars("Newest 5 of 1,000 chunks: CPU µs a request",
			results.reads.map((x) => [x.name, x.poll.cpu_us])));
		fs.writeFileSync(path.join(out, "all.svg"), bars("All 1,000 chunks: CPU µs a request",
			results.reads.map((x) => [x.name, x.all.cpu_us])));
		fs.writeFileSync(path.join(out, "ingest.svg"), bars("Ingest: CPU µs a chunk",
			results.ingest.map((x) => [x.name, x.cpu_us])));
	}
	return 0;
}

try {
	process.exitCode = await main();
} finally {
	fs.rmSync(root, { recursive: true, force: true });
}
process.exit();
