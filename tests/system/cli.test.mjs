// The commands as a person and a script meet them: words, streams, exit codes.

import assert from "node:assert/strict";
import { chmodSync, chownSync, closeSync, mkdirSync, openSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import { after, before, test } from "node:test";

import { command as spool, onTerminal } from "./command.mjs";
import { ADMIN_KEY, Service, binary, tempDir, within } from "./service.mjs";

let service, env;

before(async () => {
	service = await Service.start({ demo: true });
	env = { SPOOL_URL: service.url, SPOOL_KEY: ADMIN_KEY };
});
after(() => service.stop());

test("help teaches: examples first, environment, config keys, exit codes", async () => {
	const { code, out, err } = await spool(["serve", "--help"]);

	assert.equal(code, 0);
	assert.equal(err, "");
	assert.ok(out.indexOf("Examples:") < out.indexOf("Usage:"));
	assert.match(out, /SPOOL_LISTEN {2}\[server\] listen/);
	assert.match(out, /default 127\.0\.0\.1:8080/);
	assert.match(out, /124 timeout/);
	assert.equal((await spool(["help", "serve"])).out, out);
	for (const line of out.split("\n"))
		assert.ok(line.length <= 80, line);
});

test("every command of the overview has help of its own", async () => {
	const { out } = await spool(["help"]);
	const names = [...out.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map((m) => m[1]).filter((n) => n !== "spool");

	assert.ok(names.length >= 11, names.join());
	for (const name of names) {
		const help = await spool(["help", name]);

		assert.equal(help.code, 0, name);
		assert.match(help.out, new RegExp(`^spool ${name}: `));
		assert.match(help.out, /Examples:/, name);
	}
});

test("a typo is answered with what was meant, and exit code 2", async () => {
	const cases = [
		[["sreve"], /did you mean "serve"\?/],
		[["keys", "craete", "x"], /did you mean "create"\?/],
		[["serve", "--lisen", "127.0.0.1:0"], /did you mean --listen\?/],
		[["serve", "--durability", "ful"], /did you mean "full"\?/],
		[["tail"], /tail wants an ID: spool tail/],
		[["completion"], /completion wants one of bash\|zsh\|fish$/m],
		[["prune", "--status", "queued"], /"queued".*completed, failed, cancelled/],
		[["keys", "create"], /keys create wants a LABEL: spool keys create/],
		[["exec", "why", "is"], /exec does not take "is".*; quote/],
		[["exec", "--key", "secret", "x"], /seen by every user/],
		[["exec", "--input", "a=b", "x"], /--input fills in a stored prompt: .*--prompt-id/],
		[["exec", "--prompt-id", "greet", "x"], /PROMPT or --prompt-id, not both/],
		[["exec"], /exec wants a PROMPT/],
		[["prompts", "set", "greet", "Hello {{name}}"], /no file .*to stdin/],
		[[], /Usage: spool COMMAND/],
	];

	for (const [args, says] of cases) {
		const { code, out, err } = await spool(args);

		assert.equal(code, 2, args.join(" "));
		assert.equal(out, "");
		assert.match(err, says);
		assert.doesNotMatch(err, /secret-/);
	}
});

test("what was named and is not there is exit code 3, whatever it is", async () => {
	const dir = tempDir(), none = `${dir}/none`;

	for (const args of [["import", none], ["import", none, "--db", `${dir}/new.db`], ["restore", none, "--db", `${dir}/x.db`],
		["check", "--db", none], ["prune", "--db", none, "--all", "--yes"], ["backup", `${dir}/b`, "--db", none],
		["prompts", "set", "greet", none]]) {
		const { code, out, err } = await spool(args);

		assert.equal(code, 3, `${args.join(" ")}: ${err}`);
		assert.equal(out, "");
		assert.match(err, new RegExp(`there is no (file|store|backup) "?${none}`), args.join(" "));
	}
	for (const args of [["import", dir, "--db", `${dir}/new.db`], ["restore", dir, "--db", `${dir}/x.db`], ["prompts", "set", "p", dir]])
		assert.equal((await spool(args)).code, 2, args.join(" "));
});

test("the exit codes are told one by one", async () => {
	const { code, out } = await spool(["help", "exit-codes"]);

	assert.equal(code, 0);
	assert.deepEqual([...out.matchAll(/^  (\d+) /gm)].map((m) => Number(m[1])), [0, 1, 2, 3, 4, 5, 6, 7, 8, 124, 130]);
	assert.match(out, /a file to read/);
});

test("a bad config file is told by file, line and word", async () => {
	const file = `${tempDir()}/spool.ini`;

	writeFileSync(file, "[server]\n\n# here\nlisen = 127.0.0.1:0\n");
	for (const args of [["serve", "--config", file], ["config", "check", "-c", file], ["config", "show", "-c", file]]) {
		const { code, err } = await spool(args);

		assert.equal(code, 2);
		assert.equal(err, `spool: ${file}:4: unknown key "lisen" in [server]; did you mean "listen"?\n`);
	}
});

test("a secret may be a credential of the service manager", async () => {
	const dir = tempDir(), file = `${dir}/spool.ini`, out = `${dir}/made`;
	const show = (env) => spool(["config", "show", "--origin", "-c", file], { env: { CREDENTIALS_DIRECTORY: out, ...env } });

	mkdirSync(out);
	writeFileSync(`${out}/spool_admin_key`, "admin-key-in-a-credential-0123456789\n");
	writeFileSync(`${out}/openai_api_key`, "sk-credential\n");
	writeFileSync(`${out}/OTHER_KEY`, "sk-other\n");
	writeFileSync(file, "[upstream other]\nbase_url = http://127.0.0.1:9/v1\nmodel = m\nkey_env = OTHER_KEY\n");
	const all = await show({});
	assert.equal(all.code, 0, all.err);
	assert.match(all.out, /admin_key.*credential spool_admin_key/);
	assert.match(all.out, /upstream.*openai[^]*credential openai_api_key/);
	assert.match(all.out, /upstream.*other/);
	assert.doesNotMatch(all.out + all.err, /sk-|in-a-credential/);
	// What is set in the environment is meant.
	const set = await show({ SPOOL_ADMIN_KEY: "another-admin-key-0123456789abcdef" });
	assert.match(set.out, /admin_key.*environment SPOOL_ADMIN_KEY/);
	writeFileSync(`${out}/openai_api_key`, "");
	const empty = await show({});
	assert.equal(empty.code, 2);
	assert.match(empty.err, /openai_api_key is empty/);
	const none = await spool(["config", "check", "-c", file]);
	assert.equal(none.code, 2);
	assert.match(none.err, /OTHER_KEY is not in the environment, nor a credential/);
});

test("a value in quotes is told, not taken with them", async () => {
	const file = `${tempDir()}/spool.ini`;

	writeFileSync(file, '[upstream local]\nbase_url = "http://127.0.0.1:1/v1"\n');
	const { code, err } = await spool(["config", "check", "-c", file]);

	assert.equal(code, 2);
	assert.match(err, /spool\.ini:2: .*without quotes/);
});

test("the config files that we show are right", async () => {
	const root = new URL("../../", import.meta.url).pathname;
	const readme = readFileSync(`${root}README.md`, "utf8");
	const file = `${tempDir()}/spool.ini`;
	const shown = readme.slice(readme.indexOf("    [server]")).split(/^(?=\S)/m)[0];

	writeFileSync(file, shown);
	for (const path of [file, `${root}scripts/deploy/spool.ini`]) {
		const { code, out, err } = await spool(["config", "check", "-c", path],
			{ env: { OPENAI_API_KEY: "sk-hidden", ANTHROPIC_API_KEY: "sk-hidden" } });

		assert.equal(err, "");
		assert.equal(code, 0);
		assert.match(out, /: ok, \d upstreams$/m);
	}
});

test("config show --set leaves defaults out, in JSON as in text", async () => {
	const { out } = await spool(["config", "show", "--set", "--json", "--loops", "2"]);

	assert.deepEqual(Object.keys(JSON.parse(out).options), ["server.loops"]);
});

test("a variable that is nearly one of ours is told, and no more", async () => {
	const { code, err } = await spool(["config", "check", "--demo"],
		{ env: { SPOOL_LISEN: "127.0.0.1:0", SPOOL_PORT_80_TCP: "x", SPOOL_URL: "http://a" } });

	assert.equal(code, 0);
	assert.equal(err, "spool: SPOOL_LISEN in the environment means nothing; did you mean SPOOL_LISTEN?\n");
});

test("config show says where values come from and hides keys", async () => {
	const file = `${tempDir()}/spool.ini`;

	writeFileSync(file, "[server]\ndrain = 3s\n[upstream local]\nbase_url = http://127.0.0.1:1/v1\nkey = sk-hidden\n");
	const { code, out } = await spool(["config", "show", "--origin", "--config", file, "--db", "x.db"],
		{ env: { SPOOL_LOOPS: "2", SPOOL_ADMIN_KEY: ADMIN_KEY, ANTHROPIC_API_KEY: "sk-hidden" } });

	assert.equal(code, 0);
	assert.match(out, /^drain = 3s {2}; .*spool\.ini:2$/m);
	assert.match(out, /^loops = 2 {2}; environment SPOOL_LOOPS$/m);
	assert.match(out, /^db = x\.db {2}; flag --db$/m);
	assert.match(out, /^workers = 1 {2}; default$/m);
	assert.match(out, /^\[upstream local\]$/m);
	assert.match(out, /^\[upstream anthropic\]/m);
	assert.doesNotMatch(out, /sk-hidden|spool-system-test/);
	const json = JSON.parse((await spool(["config", "show", "--json", "--config", file])).out);
	assert.equal(json.options["server.drain"].value, "3s");
	assert.equal(json.upstreams[0].key, true);
});

test("without anything that could answer, serve says what to set", async () => {
	const { code, err } = await spool(["serve", "--listen", "127.0.0.1:0"], { cwd: tempDir() });

	assert.equal(code, 2);
	assert.match(err, /OPENAI_API_KEY/);
	assert.match(err, /--demo/);
});

test("without a terminal the first admin key is in a file of the owner's", async () => {
	const first = await Service.start({ demo: true, key: null });
	const file = `${first.dir}/admin.key`;
	const key = readFileSync(file, "utf8").trim();

	assert.match(key, /^spool_[A-Za-z0-9_-]{43}$/);
	assert.equal(statSync(file).mode & 0o777, 0o600);
	assert.equal(statSync(first.db).mode & 0o777, 0o600);
	assert.ok(!first.log.includes(key), "the log");
	assert.match(first.log, /admin key made/);
	assert.equal((await first.ask("/v1/keys", { key })).status, 200);
	await first.restart();
	assert.doesNotMatch(first.log, /admin key made/);
	assert.equal((await spool(["keys", "ls", "--key-file", file], { env: { SPOOL_URL: first.url } })).code, 0);
	await first.stop();
});

test("an admin.key that others could have put there is not taken", async () => {
	for (const prepare of [
		(file) => writeFileSync(file, ADMIN_KEY, { mode: 0o644 }),
		(file) => {
			writeFileSync(`${file}.real`, ADMIN_KEY, { mode: 0o600 });
			symlinkSync(`${file}.real`, file);
		},
		(file) => {
			writeFileSync(file, ADMIN_KEY, { mode: 0o600 });
			if (process.getuid() === 0)
				chownSync(file, 12345, 12345);
			else
				chmodSync(file, 0o640);
		},
	]) {
		const dir = tempDir();

		prepare(`${dir}/admin.key`);
		const { code, err } = await spool(["serve", "--demo", "--listen", "127.0.0.1:0", "--db", `${dir}/x.db`]);
		assert.equal(code, 2);
		assert.match(err, /admin\.key .*cannot be the admin key/);
	}
});

test("a preset admin key is stored once, over restarts", async () => {
	const own = await Service.start({ demo: true });

	await own.restart();
	assert.equal((await own.ask("/v1/keys")).json.keys.length, 1);
	const { id } = (await own.ask("/v1/keys")).json.keys[0];
	const other = (await own.ask("/v1/keys", { body: { label: "other", scopes: ["admin"] } })).json;
	assert.equal((await own.ask(`/v1/keys/${id}`, { method: "DELETE", key: other.secret })).status < 300, true);
	await own.restart();
	assert.match(own.log, /admin key revoked/);
	assert.equal((await own.ask("/v1/keys")).status, 401);
	await own.stop();
});

test("exec prints the answer to stdout and its end to stderr", async () => {
	const { code, out, err } = await spool(["exec", "Why is the sky blue?"], { env });

	assert.equal(code, 0);
	assert.match(out, /simulated/);
	assert.match(out, /Why is the sky blue\?/);
	assert.match(err, /^completed, \d+ tokens in, \d+ out, [0-9a-f-]{36}\n$/);
	assert.ok(out.endsWith("\n"));
});

test("an answer that cannot be written is a failure", async () => {
	const full = openSync("/dev/full", "w");
	const ask = ["exec", "--model", "sim?rate=0&tokens=5", "x"];

	for (const args of [ask, [...ask, "--json"], ["help"], ["keys", "ls"], ["config", "show"]]) {
		const { code, err } = await spool(args, { env, stdout: full });

		assert.equal(code, 1, args.join(" "));
		assert.match(err, /cannot write to stdout/);
	}
	closeSync(full);
});

test("exec reads the prompt from stdin", async () => {
	const { code, out } = await spool(["exec", "-"], { env, input: "from a pipe\n" });

	assert.equal(code, 0);
	assert.match(out, /from a pipe/);
});

test("exec --json is a line for each chunk and one for the end", async () => {
	const { code, out } = await spool(["exec", "--json", "--model", "sim?rate=0&tokens=5", "x"], { env });
	const lines = out.trimEnd().split("\n").map((line) => JSON.parse(line));
	const end = lines.pop();

	assert.equal(code, 0);
	lines.forEach((line, i) => assert.equal(line.index, i));
	assert.equal(lines.at(-1).metadata.kind, "end");
	assert.equal(end.status, "completed");
	assert.equal(end.total_chunks, lines.length);
	assert.equal(end.metadata.finish_reason, "stop");
});

test("tail reads any execution again, from any index", async () => {
	const id = (await spool(["exec", "--detach", "--model", "sim?rate=0&tokens=5", "x"], { env })).out.trim();
	const all = (await spool(["tail", id, "--json"], { env })).out.trimEnd().split("\n");

	for (const from of [0, 1, 4, all.length - 1]) {
		const { code, out } = await spool(["tail", id, "--json", "--from", String(from)], { env });
		const lines = out.trimEnd().split("\n");

		assert.equal(code, 0);
		assert.deepEqual(lines.slice(0, -1), all.slice(from, -1));
		assert.deepEqual(JSON.parse(lines.at(-1)), JSON.parse(all.at(-1)));
	}
});

test("Ctrl-C leaves the execution alone and says how to read on", async () => {
	let sent = false;
	const { code, out, err } = await spool(["exec", "--model", "sim?rate=20&tokens=20", "x"], { env,
		onOut: (_, child) => {
			if (!sent)
				child.kill("SIGINT");
			sent = true;
		} });
	const [, id, from] = /^spool: .* spool tail ([0-9a-f-]{36}) --from (\d+)\n$/.exec(err) ?? [];

	assert.equal(code, 130);
	assert.ok(id, err);
	assert.ok(out.length > 0);
	const { code: end, out: rest } = await spool(["tail", id, "--from", from], { env });
	const { out: whole } = await spool(["tail", id], { env });
	assert.equal(end, 0);
	assert.equal(out + rest, whole);
});

test("--wait leaves with 124 and the execution goes on", async () => {
	const { code, err } = await spool(["exec", "--wait", "300ms", "--model", "sim?first_ms=1500&rate=0", "x"], { env });
	const id = /spool tail ([0-9a-f-]{36}) --from 0/.exec(err)?.[1];

	assert.equal(code, 124);
	assert.equal((await spool(["tail", id], { env })).code, 0);
});

test("exit codes say what happened", async () => {
	const nobody = "01900000-0000-7000-8000-000000000000";
	const failed = await spool(["exec", "--model", "sim-cut", "x"], { env });

	assert.equal(failed.code, 7);
	assert.match(failed.err, /failed, .*\(truncated\)/);
	for (const [args, says] of [
		[["show", nobody], `no execution "${nobody}", or it is not yours`],
		[["tail", "nope"], 'no execution "nope", or it is not yours'],
		[["cancel", "-y", nobody], `no execution "${nobody}", or it is not yours`],
		[["keys", "revoke", "ci"], 'no key "ci": "spool keys ls" lists their ids'],
		[["keys", "rotate", nobody], `no key "${nobody}": "spool keys ls" lists their ids`],
		[["prompts", "show", "nope"], 'no prompt "nope", or no such version of it: "spool prompts ls" lists them'],
		[["exec", "--prompt-id", "nope"], 'no prompt "nope" (not_found)'],
		[["exec", "--prompt-id", "nope@3"], 'no prompt "nope", or no version 3 of it (not_found)'],
		[["prompts", "rm", "nope"], 'no prompt "nope", or no such version of it: "spool prompts ls" lists them'],
	]) {
		const { code, err } = await spool(args, { env });

		assert.equal(code, 3, args.join(" "));
		assert.equal(err, `spool: there is ${says}\n`);
	}
	const lost = await spool(["show", nobody], { env: { ...env, SPOOL_URL: `${env.SPOOL_URL}/foo` } });
	assert.match(lost.err, /\/foo does not know \/v1\/executions\/.* is SPOOL_URL right\?/);
	assert.equal((await spool(["show", nobody], { env: { ...env, SPOOL_KEY: "nonsense" } })).code, 4);
	assert.equal((await spool(["show", nobody], { env: { ...env, SPOOL_URL: "http://127.0.0.1:1" } })).code, 6);
	assert.equal((await spool(["show", nobody], { env: { ...env, SPOOL_URL: "file:///etc/passwd" } })).code, 2);
	const bare = await spool(["ls"], { env: { ...env, SPOOL_URL: "localhost:8080" } });
	assert.deepEqual([bare.code, bare.err], [2, "spool: SPOOL_URL or --url must be like http://127.0.0.1:8080, not localhost:8080\n"]);
	assert.doesNotMatch((await spool(["ls"], { env: { ...env, SPOOL_URL: "ada:canary@x" } })).err, /canary/);
	const odd = await spool(["export", "--after", "odd"], { env });
	assert.deepEqual([odd.code, odd.err], [2, "spool: after must be an execution_id, as next says it (invalid_argument)\n"]);

	const id = (await spool(["exec", "--detach", "--model", "sim?rate=1", "x"], { env })).out.trim();
	assert.equal((await spool(["cancel", id], { env })).code, 0);
	assert.equal((await spool(["tail", id], { env })).code, 8);
});

test("ls lists executions, newest first, over pages, by status", async () => {
	const made = [];

	for (let i = 0; i < 3; i++)
		made.push((await spool(["exec", "--detach", "--model", "sim?rate=0&tokens=2", "x"], { env })).out.trim());
	for (const id of made)
		assert.equal((await spool(["tail", id], { env })).code, 0);
	const ids = async (...args) => (await spool(["ls", ...args], { env })).out.trimEnd().split("\n")
		.map((line) => line.split("\t")[0]);

	assert.deepEqual(await ids("--limit", "3"), made.toReversed());
	assert.equal((await ids("--limit", "2")).length, 2);
	const all = (await spool(["ls", "--json", "--limit", "1000"], { env })).out.trimEnd().split("\n")
		.map((line) => JSON.parse(line));
	assert.deepEqual(all.slice(0, 3).map((e) => e.execution_id), made.toReversed());
	assert.equal(new Set(all.map((e) => e.execution_id)).size, all.length);
	const failed = (await spool(["ls", "--status", "failed", "--json"], { env })).out.trim();
	for (const line of failed.split("\n").filter(Boolean))
		assert.equal(JSON.parse(line).status, "failed");
	assert.equal((await spool(["ls", "--status", "fialed"], { env })).code, 2);
});

test("keys are made, listed, renewed and ended; the secret alone is on stdout", async () => {
	const made = await spool(["keys", "create", "ci", "--owner", "ci", "--scopes", "run,read", "--expires", "1h"], { env });
	const secret = made.out.trim();

	assert.equal(made.code, 0, made.err);
	assert.match(secret, /^spool_[A-Za-z0-9_-]{43}$/);
	const keys = (await spool(["keys", "ls", "--json"], { env })).out.trimEnd().split("\n").map((l) => JSON.parse(l));
	const { id } = keys.find((k) => k.label === "ci");
	assert.ok(Date.parse(keys.find((k) => k.label === "ci").expires_at) > Date.now());
	const mine = { ...env, SPOOL_KEY: secret };
	assert.equal((await spool(["exec", "--model", "sim?rate=0", "x"], { env: mine })).code, 0);
	assert.equal((await spool(["keys", "ls"], { env: mine })).code, 4);
	const renewed = (await spool(["keys", "rotate", id], { env })).out.trim();
	assert.match(renewed, /^spool_/);
	assert.equal((await spool(["exec", "x"], { env: mine })).code, 4);
	assert.equal((await spool(["prompts", "ls"], { env: { ...env, SPOOL_KEY: renewed } })).code, 0);
});

test("prompts are stored in versions and filled in", async () => {
	const set = async (text) => {
		const { code, out, err } = await spool(["prompts", "set", "greet"], { env, input: text });

		assert.equal(code, 0, err);
		return out;
	};

	assert.equal(await set("Greet {{name}}.\n"), "greet@1\n");
	assert.equal(await set("Greet {{name}} twice.\n"), "greet@2\n");
	assert.match((await spool(["prompts", "ls"], { env })).out, /^greet\t2\t/m);
	assert.match((await spool(["prompts", "show", "greet@1"], { env })).out, /Greet \{\{name\}\}\./);
	const { code, out } = await spool(["exec", "--prompt-id", "greet", "--input", "name=Ada"], { env });
	assert.equal(code, 0);
	assert.match(out, /Greet Ada twice\./);
	assert.equal((await spool(["exec", "--prompt-id", "greet"], { env })).code, 2);
	const empty = await spool(["prompts", "set", "empty"], { env, input: "\n" });
	assert.equal(empty.code, 2);
	assert.match(empty.err, /empty/);
	assert.equal((await spool(["prompts", "rm", "greet"], { env })).code, 0);
	assert.equal((await spool(["prompts", "show", "greet"], { env })).code, 3);
});

test("a port in use and a store in use are told", async () => {
	const busy = net.createServer().listen(0, "127.0.0.1");

	await new Promise((done) => busy.on("listening", done));
	const taken = await spool(["serve", "--demo", "--listen", `127.0.0.1:${busy.address().port}`, "--db",
		`${tempDir()}/x.db`]);
	busy.close();
	assert.equal(taken.code, 6);
	assert.match(taken.err, /cannot listen on 127\.0\.0\.1:\d+: Address already in use/);
	const locked = await spool(["serve", "--demo", "--listen", "127.0.0.1:0", "--db", service.db]);
	assert.equal(locked.code, 6);
});

test("SIGTERM lets answers end; a second one ends at once", async () => {
	const own = await Service.start({ demo: true });
	const id = await own.execute({ prompt: "x", model: "sim?rate=20&tokens=15" });

	await own.reach(id, 1);
	assert.equal((await own.stop()).code, 0);
	await own.launch();
	assert.equal((await own.finish(id)).status, "completed");

	const long = await own.execute({ prompt: "x", model: "sim?rate=1&tokens=60" });
	await own.reach(long, 1);
	const child = own.child.process;
	const gone = own.child.exited;
	child.kill("SIGTERM");
	await within(5000, "readyz 503", (async () => {
		while ((await own.ask("/readyz")).status !== 503);
	})());
	child.kill("SIGTERM");
	assert.equal((await within(5000, "the end", gone)).code, 143);
	own.agent.destroy();
});

test("reads go on while answers end", async () => {
	const own = await Service.start({ demo: true, args: ["--drain", "10s"] });
	const id = await own.execute({ prompt: "x", model: "sim?rate=20&tokens=20" });

	await own.reach(id, 1);
	const stopped = own.child.end("SIGTERM");
	const { status } = await own.finish(id);
	assert.equal(status, "completed");
	assert.equal((await stopped).code, 0);
	own.agent.destroy();
});

test("a table on a terminal stands in columns whatever its letters", async () => {
	for (const label of ["plain", "größer", "日本"])
		assert.equal((await spool(["keys", "create", label, "--owner", "columns"], { env })).code, 0);
	const { out } = await onTerminal(["keys", "ls", "--color", "never"], { env });
	const rows = out.split(/\r?\n/).filter((l) => l.includes("columns"));
	// 日 and 本 are two columns wide each.
	const shown = (text) => [...text].reduce((n, c) => n + (c >= "\u3000" ? 2 : 1), 0);

	assert.equal(rows.length, 3, out);
	assert.equal(new Set(rows.map((l) => shown(l.slice(0, l.indexOf("columns"))))).size, 1, out);
});
