// The commands that look after what is stored, over a running server.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

import { command as spool, onTerminal } from "./command.mjs";
import { Proxy, cutAfter } from "./proxy.mjs";
import { ADMIN_KEY, Service, binary, checkDense, each, tempDir, textOf, within } from "./service.mjs";

const QUICK = "sim?rate=0&tokens=3";
const SLOW = "sim?rate=1&tokens=600";
const NOBODY = "01900000-0000-7000-8000-000000000000";

let service, env;

before(async () => {
	service = await Service.start({ demo: true });
	env = { SPOOL_URL: service.url, SPOOL_KEY: ADMIN_KEY };
});
after(() => service.stop());

// An ended execution; its id.
async function ended(own = service, body = {}) {
	const id = await own.execute({ prompt: "x", model: QUICK, ...body });

	await own.finish(id);
	return id;
}

function envOf(own) {
	return { SPOOL_URL: own.url, SPOOL_KEY: ADMIN_KEY };
}

const lines = (text) => text.split("\n").filter((line) => line);

// --- ls ---

test("ls lists the newest first, chosen by status, owner and time", async () => {
	const done = await ended(service, { owner: "ls" });
	const live = await service.execute({ prompt: "x", model: SLOW, owner: "ls" });
	const ids = async (...args) => {
		const { code, out, err } = await spool(["ls", "--owner", "ls", ...args], { env });

		assert.equal(code, 0, err);
		return lines(out).map((line) => line.split("\t")[0]);
	};

	await service.reach(live, 1);
	const all = await ids();
	assert.equal(all[0], live);
	assert.equal(all.at(-1), done);
	assert.deepEqual(await ids("--status", "completed"), [done]);
	assert.deepEqual(await ids("--status", "streaming"), [live]);
	assert.deepEqual(await ids("--limit", "1"), [live]);
	assert.deepEqual(await ids("--since", "1h"), all);
	assert.deepEqual(await ids("--until", "1h"), []);
	assert.deepEqual(await ids("--since", "2020-01-02", "--until", "2020-01-03T00:00:00Z"), []);
	const rows = lines((await spool(["ls", "--owner", "ls", "--json"], { env })).out).map((l) => JSON.parse(l));
	assert.deepEqual(rows.map((r) => r.execution_id), all);
	assert.ok(rows[0].total_chunks >= 1, "chunks of a live one are counted");
	assert.equal((await spool(["cancel", live], { env })).code, 0);
});

test("ls goes through all pages, or to the limit", async () => {
	const own = await Service.start({ demo: true });
	const made = [];

	await each(1100, 32, async () => made.push(await own.execute({ prompt: "x", model: QUICK })));
	const count = async (...args) => {
		const { code, out, err } = await spool(["ls", ...args], { env: envOf(own) });

		assert.equal(code, 0, err);
		return lines(out).map((line) => line.split("\t")[0]);
	};
	const all = await count("--limit", "0");
	assert.deepEqual(all, made.sort().reverse());
	assert.deepEqual(await count("--limit", "777"), all.slice(0, 777));
	assert.deepEqual(await count(), all.slice(0, 50));
	await own.stop();
});

test("ls --follow shows what begins, once each", async () => {
	const before = await ended(service, { owner: "follow" });
	const made = [before];
	const news = [];
	let started = false;
	const making = { done: null };
	const { signal, out } = await spool(["ls", "--follow", "--owner", "follow"], { env,
		onOut: (text, child) => {
			if (!started) {
				started = true;
				making.done = each(25, 4, async () => made.push(await ended(service, { owner: "follow" })));
			}
			if (lines(text).length < 26 + news.length)
				return;
			// Two more, one after the other: what was shown twice is shown by then.
			if (news.length === 2)
				child.kill("SIGINT");
			else
				news.push(ended(service, { owner: "follow" }));
		} });

	await making.done;
	assert.equal(signal, "SIGINT");
	made.push(...await Promise.all(news));
	assert.deepEqual(lines(out).map((l) => l.split("\t")[0]).sort(), made.sort());
});

test("ls refuses what is no time and what does not go together", async () => {
	for (const [args, says] of [
		[["--since", "yesterday"], /"yesterday" is not a time/],
		[["--until", ""], /is not a time/],
		[["--since", "2026-13-45"], /since must be a time/],
		[["--status", "complete"], /did you mean "completed"\?/],
		[["--follow", "--status", "failed"], /does not go with --status/],
		[["extra"], /does not take "extra"/],
	]) {
		const { code, out, err } = await spool(["ls", ...args], { env });

		assert.equal(code, 2, args.join(" "));
		assert.equal(out, "");
		assert.match(err, says);
	}
});

test("on a terminal ls has one heading and columns in line", async () => {
	const { code, out } = await onTerminal(["ls", "--limit", "3", "--color", "never"], { env });
	const rows = lines(out);

	assert.equal(code, 0, out);
	assert.match(rows[0], /^execution +status +owner +model +chunks +created +error/);
	const at = rows[0].indexOf("status");
	for (const row of rows.slice(1, 4))
		assert.match(row.slice(at), /^(queued|streaming|completed|failed|cancelled) /);
	assert.match(out, /There are more/);
});

// --- rm ---

test("rm removes for ever, several at once, and says which", async () => {
	const ids = [await ended(), await ended(), await ended()];
	const { code, out, err } = await spool(["rm", "--yes", ...ids], { env });

	assert.equal(code, 0, err);
	assert.equal(out, ids.map((id) => `${id}\tremoved\n`).join(""));
	for (const id of ids)
		assert.equal((await spool(["show", id], { env })).code, 3);
	const again = await spool(["rm", "--yes", ids[0], await ended()], { env });
	assert.equal(again.code, 3);
	assert.equal(lines(again.out).length, 1, "the other is removed all the same");
});

test("rm does not remove without a yes", async () => {
	const id = await ended();
	const unasked = await spool(["rm", id], { env });

	assert.equal(unasked.code, 2);
	assert.match(unasked.err, /--yes/);
	const no = await onTerminal(["rm", id], { env, prompt: /\[y\/N\]/, input: "\n" });
	assert.equal(no.code, 1);
	assert.match(no.out, /nothing was removed/);
	const dry = await spool(["rm", "--dry-run", id], { env });
	assert.equal(dry.code, 0);
	assert.equal(dry.out, `${id}\twould be removed\tcompleted\n`);
	assert.equal((await spool(["show", id], { env })).code, 0);
	const yes = await onTerminal(["rm", id], { env, prompt: /\[y\/N\]/, input: "y\n" });
	assert.equal(yes.code, 0, yes.out);
	assert.equal((await spool(["show", id], { env })).code, 3);
});

test("with --json each execution that was named has a line, the failed ones too", async () => {
	const [gone, live] = [await ended(), await service.execute({ prompt: "x", model: SLOW })];

	await service.reach(live, 1);
	const dry = await spool(["rm", "--dry-run", "--json", NOBODY, live, gone], { env });
	assert.equal(dry.code, 5);
	assert.deepEqual(lines(dry.out).map((l) => JSON.parse(l)).map(({ result, exit_code: e }) => [result, e]),
		[["failed", 3], ["failed", 5], ["would be removed", undefined]]);
	const rm = await spool(["rm", "--yes", "--json", NOBODY, live, gone], { env });
	assert.equal(rm.code, 5);
	const said = lines(rm.out).map((l) => JSON.parse(l));
	assert.deepEqual(said.map((l) => l.execution_id), [NOBODY, live, gone]);
	assert.deepEqual(said.map(({ result, exit_code: e }) => [result, e]),
		[["failed", 3], ["failed", 5], ["removed", undefined]]);
	assert.match(said[0].why, /there is no execution/);
	assert.match(said[1].why, /has not ended: .*--cancel/);
	const try1 = await spool(["cancel", "--dry-run", "--json", NOBODY, live], { env });
	assert.equal(try1.code, 3);
	assert.deepEqual(lines(try1.out).map((l) => JSON.parse(l).result), ["failed", "would be cancelled"]);
	assert.equal((await service.page(live, { fromIndex: 0 })).status, "streaming");
	const cancel = await spool(["cancel", "--json", NOBODY, live], { env });
	assert.equal(cancel.code, 3);
	assert.deepEqual(lines(cancel.out).map((l) => JSON.parse(l)).map((l) => l.result ?? l.status), ["failed", "cancelled"]);
});

test("a live execution is a conflict, unless it is cancelled first", async () => {
	const id = await service.execute({ prompt: "x", model: SLOW });

	await service.reach(id, 1);
	for (const args of [["--yes"], ["--dry-run"]]) {
		const { code, err } = await spool(["rm", ...args, id], { env });

		assert.equal(code, 5);
		assert.match(err, /--cancel/);
	}
	const dry = await spool(["rm", "--dry-run", "--cancel", "--json", id], { env });
	assert.deepEqual(JSON.parse(dry.out), { execution_id: id, result: "would be cancelled and removed", status: "streaming" });
	const { code, out, err } = await spool(["rm", "--yes", "--cancel", "--json", id], { env });
	assert.equal(code, 0, err);
	assert.deepEqual(JSON.parse(out), { execution_id: id, result: "removed" });
	assert.equal((await spool(["show", id], { env })).code, 3);
});

test("rm reaches no other owner's executions", async () => {
	const id = await ended(service, { owner: "ann" });
	const key = (await spool(["keys", "create", "bob", "--owner", "bob"], { env })).out.trim();

	for (const args of [["--yes"], ["--yes", "--cancel"], ["--dry-run"]])
		assert.equal((await spool(["rm", ...args, id], { env: { ...env, SPOOL_KEY: key } })).code, 3);
	assert.equal((await spool(["show", id], { env })).code, 0);
	assert.equal((await spool(["rm", "--yes", NOBODY], { env })).code, 3);
	assert.equal((await spool(["rm", "--yes", "../keys"], { env })).code, 3);
});

// --- export ---

let stored; // a service with much in it, and one execution that does not end

async function much() {
	if (!stored) {
		stored = await Service.start({ demo: true });
		await each(60, 8, () => ended(stored, { model: "sim?rate=0&tokens=1500" }));
		stored.live = await stored.execute({ prompt: "x", model: SLOW });
		await stored.reach(stored.live, 1);
		await each(20, 8, () => ended(stored));
		const { out, err, code } = await spool(["export"], { env: envOf(stored) });
		assert.equal(code, 0, err);
		stored.whole = out;
		stored.said = err;
	}
	return stored;
}
after(() => stored?.stop());

test("export writes what has ended, oldest first, a line each", async () => {
	const { whole, said, live } = await much();
	const all = lines(whole).map((line) => JSON.parse(line));
	const ids = all.map((e) => e.execution_id);

	assert.equal(all.length, 80);
	assert.deepEqual(ids, [...ids].sort());
	assert.ok(!ids.includes(live));
	for (const one of all) {
		checkDense(assert, one.chunks);
		assert.equal(one.chunks.length, one.total_chunks);
		assert.equal(one.text, textOf(one.chunks));
		assert.equal(one.metadata.finish_reason !== undefined, true);
		assert.equal(typeof one.request, "object");
	}
	assert.match(said, /^80 executions, .* MB; 1 left out that had not ended\n/);
	// What comes after what was safe misses nothing, the live one included.
	const safe = /next time: --after ([0-9a-f-]{36})/.exec(said)[1];
	assert.equal(safe, ids.filter((id) => id < live).at(-1));
	const next = await spool(["export", "--after", safe, "--live"], { env: envOf(stored) });
	assert.equal(lines(next.out).length, 21);
	assert.match(next.out, new RegExp(live));
	const chosen = await spool(["export", "--status", "failed"], { env: envOf(stored) });
	assert.equal(chosen.out, "");
});

test("an export that is cut off again and again is whole, byte by byte", async () => {
	const { whole, url } = await much();
	const proxy = await Proxy.start(url, cutAfter(700_000));
	const e = { ...envOf(stored), SPOOL_URL: proxy.url };
	const file = `${tempDir()}/all.ndjson`;

	const piped = await spool(["export"], { env: e });
	assert.equal(piped.code, 0, piped.err);
	assert.equal(piped.out === whole, true);
	const filed = await spool(["export", "--output", file], { env: e });
	assert.equal(filed.code, 0, filed.err);
	assert.equal(readFileSync(file, "utf8") === whole, true);
	const zipped = await spool(["export", "--gzip", "--output", `${file}.gz`], { env: e });
	assert.equal(zipped.code, 0, zipped.err);
	assert.equal(gunzipSync(readFileSync(`${file}.gz`)).toString() === whole, true);
	assert.equal((await spool(["export", "--output", `${file}.2.gz`], { env: e })).code, 0);
	assert.equal(gunzipSync(readFileSync(`${file}.2.gz`)).toString() === whole, true, "its name says so");
	await proxy.stop();
});

test("an export that was killed goes on where it stopped", async () => {
	const { whole, url } = await much();

	for (const zip of [[], ["--gzip"]]) {
		const file = `${tempDir()}/all`;
		const marked = () => existsSync(`${file}.part.cursor`) &&
			JSON.parse(readFileSync(`${file}.part.cursor`, "utf8")).bytes > 0;
		// A third comes, then little pieces until a mark is made; then nothing.
		const proxy = await Proxy.start(url, (answer, response) => {
			const piece = Math.ceil(whole.length / 300);
			const rest = [];
			let seen = 0;
			const drip = () => {
				if (marked())
					return;
				if (rest.length > 0)
					response.write(rest.shift());
				setTimeout(drip, 50);
			};

			answer.on("data", (data) => {
				seen += data.length;
				if (seen < whole.length / 3) {
					response.write(data);
					return;
				}
				if (rest.length === 0)
					drip();
				for (let at = 0; at < data.length; at += piece)
					rest.push(data.subarray(at, at + piece));
			});
		});
		const args = ["export", "--since", "1h", "--output", file, ...zip];
		let child;
		const first = spool(args, { env: { ...envOf(stored), SPOOL_URL: proxy.url }, onSpawn: (c) => { child = c; } });
		await within(20_000, "a mark", (async () => {
			for (;;) {
				await new Promise((done) => setTimeout(done, 20));
				if (marked())
					return;
			}
		})());
		const twice = await spool(args, { env: envOf(stored) });
		assert.equal(twice.code, 5);
		assert.match(twice.err, /another export writes/);
		child.kill("SIGKILL");
		assert.equal((await first).signal, "SIGKILL");
		assert.equal(existsSync(file), false, "FILE is there only when it is whole");
		assert.equal(statSync(`${file}.part`).mode & 0o777, 0o600);
		await proxy.stop();

		const other = await spool(["export", "--output", file, ...zip], { env: envOf(stored) });
		assert.equal(other.code, 5);
		assert.match(other.err, /--fresh/);
		const { code, err } = await spool(args, { env: envOf(stored) });
		assert.equal(code, 0, err);
		assert.match(err, /going on after/);
		assert.match(err, /^80 executions/m);
		const bytes = readFileSync(file);
		assert.equal((zip.length ? gunzipSync(bytes) : bytes).toString() === whole, true);
		assert.equal(existsSync(`${file}.part`) || existsSync(`${file}.part.cursor`), false);
	}
});

test("an export replaces no file unasked and leaves none behind half", async () => {
	const { whole } = await much();
	const dir = tempDir();
	const file = `${dir}/all`;

	writeFileSync(file, "mine");
	const kept = await spool(["export", "--output", file], { env: envOf(stored) });
	assert.equal(kept.code, 5);
	assert.equal(readFileSync(file, "utf8"), "mine");
	assert.equal((await spool(["export", "--output", file, "--force"], { env: envOf(stored) })).code, 0);
	assert.equal(readFileSync(file, "utf8") === whole, true);
	assert.equal((await spool(["export", "--output", `${dir}/no/where`], { env: envOf(stored) })).code, 2);
	const away = await spool(["export", "--output", `${dir}/away`],
		{ env: { ...env, SPOOL_URL: "http://127.0.0.1:1" } });
	assert.equal(away.code, 6);
	assert.equal(existsSync(`${dir}/away`), false);
	const none = await spool(["export", "--until", "2020-01-01", "--gzip", "-O", `${dir}/none.gz`], { env: envOf(stored) });
	assert.equal(none.code, 0, none.err);
	assert.equal(gunzipSync(readFileSync(`${dir}/none.gz`)).length, 0);
	const full = await spool(["export", "--output", "/dev/full"], { env: envOf(stored) });
	assert.notEqual(full.code, 0);
});

// --- completion ---

const has = (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

// What the shell offers for a line that ends where the cursor is.
async function offered(shell, line, e = env) {
	const file = `${tempDir()}/completion`;
	const quote = (s) => `'${s.replaceAll("'", "'\\''")}'`;

	writeFileSync(file, (await spool(["completion", shell])).out);
	const words = line.split(" ");
	const script = shell === "fish"
		? `source ${file}; complete -C ${quote(line)} | cut -f1`
		: `source ${file}; COMP_WORDS=(${words.map(quote).join(" ")}); COMP_CWORD=${words.length - 1}; _spool; printf '%s\\n' "\${COMPREPLY[@]}"`;
	const bin = `${tempDir()}`;
	symlinkSync(binary, `${bin}/spool`);
	const { code, out, err } = await spool(shell === "bash" ? ["--norc", "-c", script] : ["-N", "-c", script],
		{ program: shell, env: { ...e, PATH: `${bin}:${process.env.PATH}` } });

	assert.equal(err, "");
	assert.equal(code, 0);
	return lines(out);
}

for (const shell of ["bash", "fish"])
	test(`${shell} completes commands, options, words and ids`, { skip: !has(shell) }, async () => {
		const id = await ended();

		for (const command of ["serve", "ls", "export", "keys", "help"])
			assert.ok((await offered(shell, "spool ")).includes(command), command);
		assert.deepEqual(await offered(shell, "spool exp"), ["export"]);
		assert.deepEqual((await offered(shell, "spool keys ")).sort(), ["create", "ls", "revoke", "rotate"]);
		assert.deepEqual(await offered(shell, "spool ls --st"), ["--status"]);
		assert.deepEqual(await offered(shell, "spool list --st"), ["--status"], "by an alias too");
		assert.deepEqual((await offered(shell, "spool ls --status c")).sort(), ["cancelled", "completed"]);
		assert.deepEqual(await offered(shell, "spool keys create --exp"), ["--expires"]);
		assert.deepEqual((await offered(shell, "spool completion ")).sort(), ["bash", "fish", "zsh"]);
		assert.deepEqual(await offered(shell, "spool help expo"), ["export"]);
		assert.ok((await offered(shell, "spool show ")).includes(id));
		assert.deepEqual(await offered(shell, "spool ls --limit "), []);
	});

test("every shell's completion parses, and another shell is refused", async () => {
	for (const shell of ["bash", "zsh", "fish"]) {
		const { code, out } = await spool(["completion", shell]);

		assert.equal(code, 0);
		assert.match(out, /--?l? ?status/);
		if (has(shell)) {
			const file = `${tempDir()}/completion`;

			writeFileSync(file, out);
			const parsed = await spool([...(shell === "zsh" ? ["-f"] : []), "-n", file], { program: shell });
			assert.deepEqual([parsed.code, parsed.err], [0, ""], shell);
		}
	}
	assert.equal((await spool(["completion", "tcsh"])).code, 2);
});

// --- scripts ---

for (const [script, wants] of [["fetch_completed.py", ["python3"]], ["fetch_completed.sh", ["curl", "jq"]]])
	test(`${script} fetches what has completed, once, and goes on later`, { skip: !wants.every(has) }, async () => {
		const own = await Service.start({ demo: true });
		const dir = `${tempDir()}/out`;
		const program = fileURLToPath(new URL(`../../scripts/${script}`, import.meta.url));
		const fetch = async (e = {}) => {
			const { code, err } = await spool([dir], { program, env: { ...envOf(own), ...e } });

			assert.equal(code, 0, err);
			return err;
		};
		const files = () => readdirSync(dir).filter((f) => f.endsWith(".json")).map((f) => f.slice(0, -5)).sort();
		const ids = [];

		for (let i = 0; i < 3; i++)
			ids.push(await ended(own));
		const late = await own.execute({ prompt: "x", model: "sim?rate=1&first_ms=0&tokens=600" });
		ids.push(await ended(own, { model: "sim?rate=0&tokens=2500" }));
		assert.match(await fetch(), /^4 fetched, 1 have not ended/);
		assert.deepEqual(files(), ids);
		const exported = lines((await spool(["export"], { env: envOf(own) })).out).map((l) => JSON.parse(l));
		for (const one of exported) {
			// What is for an import alone.
			for (const member of ["idempotency_key", "request_hash", "chunk_attempts"])
				delete one[member];
			assert.deepEqual(JSON.parse(readFileSync(`${dir}/${one.execution_id}.json`, "utf8")), one);
		}

		assert.match(await fetch(), /^0 fetched/);
		// A file that is lost behind the cursor's reach is fetched again, others are not.
		rmSync(`${dir}/${ids[3]}.json`);
		const both = await Promise.all([fetch(), fetch()]);
		assert.ok(both.some((said) => /^1 fetched/.test(said)));
		assert.deepEqual(files(), ids);
		await spool(["cancel", late], { env: envOf(own) });
		ids.push(await ended(own));
		assert.match(await fetch(), /^1 fetched, 0 have not ended/);
		assert.deepEqual(files(), ids.sort());
		assert.deepEqual(readdirSync(dir).filter((f) => !/\.json$|^\.cursor$/.test(f)), [], "nothing else is left");
		const denied = await spool([dir], { program, env: { ...envOf(own), SPOOL_KEY: "nonsense" } });
		assert.notEqual(denied.code, 0);
		assert.match(denied.err, /401/);
		assert.doesNotMatch(denied.err, /nonsense/);
		await own.stop();
	});

// --- manual pages ---

test("every command has a manual page that roff takes without a word", async () => {
	const overview = await spool(["help", "--man"]);
	const names = [...overview.out.matchAll(/^\.BR spool\\-([a-z]+) \(1\)$/gm)].map((m) => m[1]);

	assert.ok(names.length >= 15, names.join());
	for (const name of ["", ...names]) {
		const { code, out, err } = await spool(["help", "--man", ...(name ? [name] : [])]);

		assert.deepEqual([code, err], [0, ""], name);
		assert.match(out, /^\.TH spool/);
		for (const exit of ["0", "1", "2", "3", "4", "5", "6", "7", "8", "124", "130"])
			assert.match(out, new RegExp(`^\\.B ${exit}$`, "m"));
		if (has("groff")) {
			const page = await spool(["-man", "-Tutf8", "-K", "utf8", "-ww", "-P-c"], { program: "groff", input: out });

			assert.deepEqual([page.code, page.err], [0, ""], name);
		}
	}
	const { out } = await spool(["help", "--man", "export"]);
	assert.match(out, /\\fB\\-O\\fR, \\fB\\-\\-output\\fR \\fIFILE\\fR/);
	assert.match((await spool(["help", "--man", "keys"])).out, /^\.SH keys create$/m);
	assert.match((await spool(["help", "--man", "serve"])).out, /Environment: \\fBSPOOL_LISTEN\\fR/);
	assert.equal((await spool(["help", "--man", "keys", "ls"])).code, 2);
	assert.equal((await spool(["help", "--man", "nonsense"])).code, 2);
});
