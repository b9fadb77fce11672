// An answer even when one upstream fails: repeated, made elsewhere, gone on with.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { command } from "./command.mjs";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, Sim, checkDense, each, pause, tempDir, textOf, within } from "./service.mjs";

// Two upstreams, of which the second goes on from half an answer.
let one, two, service;

async function serve(more = "", args = []) {
	const dir = tempDir();
	const file = path.join(dir, "spool.ini");

	writeFileSync(file, `
[upstream one]
base_url = ${one.url}
key = key-of-upstream-one
model = m1
[upstream two]
base_url = ${two.url}
model = m2
prefill = yes
[model chain]
targets = one/m1, two/m2
[retry]
attempts = 2
base = 20ms
max = 2s
circuit_failures = 0
${more}`);
	return Service.start({ dir, args: ["--config", file, ...args] });
}

before(async () => {
	one = await ScriptedUpstream.start();
	two = await ScriptedUpstream.start();
	service = await serve();
});
after(async () => {
	await service?.stop();
	await one?.stop();
	await two?.stop();
});

async function ended(id, from = service) {
	const answer = await from.finish(id);

	checkDense(assert, answer.chunks);
	assert.equal(answer.chunks.filter((c) => c.metadata.kind === "end").length, 1);
	assert.equal(answer.chunks.at(-1).metadata.kind, "end");
	return answer;
}

const kinds = (answer) => answer.chunks.map((c) => c.metadata.kind).join(" ");
const tried = (answer) => answer.metadata.attempts.map((a) => `${a.target} ${a.error_code ?? a.status}`);

async function answerAll(x, text = "fine") {
	await x.send(text);
	await x.finish();
}

// --- before anything was shown ---

test("what fails is repeated, then asked of the next, and nobody sees it but in the record", async () => {
	const id = await service.execute({ prompt: "chain", model: "chain" });

	(await one.nextFor("chain")).refuse(503);
	(await one.nextFor("chain")).refuse(500);
	const x = await two.nextFor("chain");
	assert.equal(x.body.model, "m2");
	await answerAll(x);
	const answer = await ended(id);

	assert.equal(answer.status, "completed");
	assert.equal(kinds(answer), "text end");
	assert.equal(answer.text, "fine");
	assert.deepEqual(tried(answer), ["one/m1 overloaded", "one/m1 server", "two/m2 completed"]);
	assert.deepEqual(answer.metadata.attempts.map((a) => a.attempt), [1, 2, 3]);
	assert.equal(answer.metadata.attempts[0].http_status, 503);
	for (const a of answer.metadata.attempts)
		assert.ok(Date.parse(a.started_at) > 0 && a.duration_ms >= 0);
	assert.equal(answer.metadata.target, "two/m2");
	assert.equal(answer.metadata.usage.total_tokens, 18, "the refused ones took nothing");
	assert.equal(answer.metadata.usage_source, "provider");
	assert.equal(answer.page.attempt, 3);
	const record = (await service.ask(`/v1/executions/${id}`)).json;
	assert.equal(record.attempts, 3);
	assert.equal(record.target, "two/m2");
});

test("when nobody answers it has failed, with all on record and no key in it", async () => {
	const id = await service.execute({ prompt: "nobody", model: "chain" });

	(await one.nextFor("nobody")).refuse(401, { message: "bad key key-of-upstream-one",
		type: "invalid_request_error", param: null, code: "invalid_api_key" });
	(await two.nextFor("nobody")).refuse(404);
	const answer = await ended(id);

	assert.equal(answer.status, "failed");
	assert.equal(answer.metadata.error.code, "not_found");
	assert.deepEqual(tried(answer), ["one/m1 auth", "two/m2 not_found"]);
	assert.doesNotMatch(JSON.stringify(answer), /key-of-upstream-one/);
	assert.equal(service.log.includes("key-of-upstream-one"), false);
});

test("an answer in one piece is repeated alike", async () => {
	const id = await service.execute({ prompt: "whole", model: "chain", stream: false });

	(await one.nextFor("whole")).refuse(503);
	const x = await one.nextFor("whole");
	assert.equal(x.body.stream, false);
	x.response.writeHead(200, { "Content-Type": "application/json" });
	x.response.end(JSON.stringify({ id: "w", model: "m1", usage: { prompt_tokens: 2, completion_tokens: 1 },
		choices: [{ index: 0, message: { role: "assistant", content: "all of it" }, finish_reason: "stop" }] }));
	const answer = await ended(id);

	assert.equal(answer.text, "all of it");
	assert.equal(answer.metadata.usage.total_tokens, 3);
	assert.equal(answer.metadata.attempts.length, 2);
});

for (const [name, value] of [["retry-after-ms", () => "700"], ["retry-after", () => "1"],
	["retry-after", () => new Date(Date.now() + 2000).toUTCString()]])
	test(`${name}: ${value()} is waited for`, async () => {
		const prompt = `hint ${name} ${value().length}`;
		const id = await service.execute({ prompt, model: "one/m1" });
		const least = { 3: 700, 1: 1000 }[value().length] ?? 900;

		const x = await one.nextFor(prompt);
		const refused = performance.now();
		x.refuse(429, undefined, { [name]: value() });
		const again = await one.nextFor(prompt);
		assert.ok(performance.now() - refused >= least - 1, `${performance.now() - refused} ms`);
		await answerAll(again);
		assert.equal((await ended(id)).status, "completed");
	});

test("a request says how often it is tried", async () => {
	const id = await service.execute({ prompt: "once", model: "one/m1", retry: { attempts: 1 } });

	(await one.nextFor("once")).refuse(503);
	const answer = await ended(id);
	assert.equal(answer.metadata.error.code, "overloaded");
	assert.equal(answer.metadata.attempts.length, 1);
	const bad = await service.ask("/v1/executions", { body: { prompt: "x", retry: { attempts: 0 } } });
	assert.equal(bad.status, 400);
	assert.match(bad.json.detail, /attempts/);
});

test("a cancel ends the wait for the next attempt, and nothing more is asked", async () => {
	const id = await service.execute({ prompt: "waits", model: "one/m1" });

	(await one.nextFor("waits")).refuse(429, undefined, { "retry-after": "30" });
	await service.child.says(new RegExp(`attempt failed.*${id}`));
	const before = one.exchanges.length;
	const cancel = await service.ask(`/v1/executions/${id}/cancel`, { method: "POST" });
	assert.equal(cancel.status, 200);
	const answer = await ended(id);
	assert.equal(answer.status, "cancelled");
	assert.equal(kinds(answer), "end");
	assert.deepEqual(tried(answer), ["one/m1 rate_limit"]);
	assert.equal(one.exchanges.length, before);
});

test("a cancel closes the connection of a later attempt", async () => {
	const id = await service.execute({ prompt: "later", model: "chain" });

	(await one.nextFor("later")).refuse(401);
	const x = await two.nextFor("later");
	await x.send("begun");
	await service.reach(id, 1);
	await service.ask(`/v1/executions/${id}/cancel`, { method: "POST" });
	assert.equal(await within(5000, "the hang-up", x.closed), false);
	const answer = await ended(id);
	assert.equal(answer.status, "cancelled");
	assert.equal(answer.text, "begun");
	assert.deepEqual(tried(answer), ["one/m1 auth", "two/m2 cancelled"]);
});

// --- half an answer ---

test("a restart is announced by a reset, and what comes after it is the answer", async () => {
	const id = await service.execute({ prompt: "restart", model: "one/m1" });
	const x = await one.nextFor("restart");

	await x.send("old ");
	await x.send("text");
	await service.reach(id, 2);
	x.cut();
	const y = await one.nextFor("restart");
	assert.equal((await service.page(id)).chunks.some((c) => c.metadata.kind === "reset"), false,
		"it stands until there is a better one");
	await answerAll(y, "new text");
	const answer = await ended(id);

	assert.equal(answer.status, "completed");
	assert.equal(kinds(answer), "text text error reset text end");
	assert.deepEqual(answer.chunks.map((c) => c.metadata.attempt ?? 1), [1, 1, 1, 2, 2, 2]);
	assert.equal(answer.chunks[3].content, "");
	assert.equal(answer.chunks[3].metadata.reason, "truncated");
	assert.equal((await service.ask(`/v1/executions/${id}/text`)).text, "new text");
	const line = (await service.ask("/v1/executions/export")).text.split("\n").find((l) => l.includes(id));
	assert.equal(JSON.parse(line).text, "new text");
	assert.equal(answer.metadata.usage_source, "mixed", "the first one was not counted");
	assert.ok(answer.metadata.usage.total_tokens > 18);
});

test("several attempts are exported and imported as they were", async () => {
	const id = await service.execute({ prompt: "travels", model: "one/m1" });
	const x = await one.nextFor("travels");

	await x.send("old");
	await service.reach(id, 1);
	x.cut();
	await answerAll(await one.nextFor("travels"), "new");
	await ended(id);

	const find = (text) => text.split("\n").find((l) => l.includes(id));
	const line = find((await service.ask("/v1/executions/export")).text);
	const other = await serve();
	const file = path.join(tempDir(), "one.ndjson");

	writeFileSync(file, `${line}\n`);
	const { code, err } = await command(["import", file],
		{ env: { SPOOL_URL: other.url, SPOOL_KEY: other.key } });
	assert.equal(code, 0, err);
	assert.equal(find((await other.ask("/v1/executions/export")).text), line);
	assert.deepEqual((await other.page(id)).chunks, (await service.page(id)).chunks);
	await other.stop();
});

test("what was shown stays when no later attempt speaks", async () => {
	const id = await service.execute({ prompt: "stays", model: "one/m1" });
	const x = await one.nextFor("stays");

	await x.send("half");
	await service.reach(id, 1);
	x.cut();
	(await one.nextFor("stays")).refuse(500);
	const answer = await ended(id);

	assert.equal(answer.status, "failed");
	assert.equal(answer.text, "half");
	assert.equal(kinds(answer), "text error end");
});

test("who takes it goes on exactly where the answer broke off", async () => {
	const id = await service.execute({ prompt: "go on", model: "chain" });
	const x = await one.nextFor("go on");

	await x.send("Ein Satz, der \u00fc");
	await x.send("ber ");
	await service.reach(id, 2);
	x.cut();
	// auto: the same target again, which cannot go on, would be a restart
	const y = await one.nextFor("go on");
	y.refuse(401);
	const z = await two.nextFor("go on");
	assert.deepEqual(z.body.messages.at(-1), { role: "assistant", content: "Ein Satz, der \u00fcber " });
	await z.send("zwei");
	await z.finish();
	const answer = await ended(id);

	assert.equal(answer.status, "completed");
	assert.equal(answer.text, "Ein Satz, der \u00fcber zwei");
	assert.equal(kinds(answer), "text text error text end");
	assert.equal((await service.ask(`/v1/executions/${id}/text`)).text, answer.text);
});

test("max_output_tokens is for the whole answer", async () => {
	const id = await service.execute({ prompt: "budget", model: "two/m2", max_output_tokens: 100 });
	const x = await two.nextFor("budget");

	assert.equal(x.body.max_tokens, 100);
	await x.send("four".repeat(10));
	await service.reach(id, 1);
	x.cut();
	const y = await two.nextFor("budget");
	assert.equal(y.body.max_tokens, 90);
	await answerAll(y);
	assert.equal((await ended(id)).status, "completed");
});

test("on_interrupt: fail keeps what came and asks nobody", async () => {
	const id = await service.execute({ prompt: "fail", model: "chain", on_interrupt: "fail" });
	const x = await one.nextFor("fail");

	await x.send("half");
	await service.reach(id, 1);
	x.cut();
	const answer = await ended(id);
	assert.equal(answer.metadata.error.code, "truncated");
	assert.equal(answer.text, "half");
	assert.equal(kinds(answer), "text end");
	assert.equal(answer.metadata.attempts.length, 1);
});

test("a callable's answer is never glued: it goes on or it fails", async () => {
	const { result } = await service.call("execute", { prompt: "blind fails", model: "one/m1" });
	const x = await one.nextFor("blind fails");

	await x.send("half");
	await service.reach(result.execution_id, 1);
	x.cut();
	const failed = await ended(result.execution_id);
	assert.equal(failed.status, "failed");
	assert.equal(failed.text, "half");
	assert.equal(kinds(failed), "text end");

	const other = await service.call("execute", { prompt: "blind goes on", model: "chain" });
	const y = await one.nextFor("blind goes on");
	await y.send("half ");
	await service.reach(other.result.execution_id, 1);
	y.cut();
	const z = await two.nextFor("blind goes on");
	assert.equal(z.body.messages.at(-1).content, "half ");
	await answerAll(z, "an answer");
	const answer = await ended(other.result.execution_id);
	assert.equal(answer.status, "completed");
	assert.equal(answer.text, "half an answer");
	assert.equal(kinds(answer).includes("reset"), false);
});

test("a callable that asks for a restart gets one", async () => {
	const { result } = await service.call("execute",
		{ prompt: "sees resets", model: "one/m1", on_interrupt: "restart" });
	const x = await one.nextFor("sees resets");

	await x.send("old");
	await service.reach(result.execution_id, 1);
	x.cut();
	await answerAll(await one.nextFor("sees resets"), "new");
	assert.equal(kinds(await ended(result.execution_id)), "text error reset text end");
});

test("an error in mid-stream is never completed, whatever is tried", async () => {
	const id = await service.execute({ prompt: "errors", model: "chain", on_interrupt: "restart" });

	for (const upstream of [one, one, two, two]) {
		const x = await upstream.nextFor("errors");

		await x.send(`part ${one.exchanges.length}`);
		await x.sendRaw('data: {"error":{"message":"boom","type":"server_error","code":"boom"}}\n\n');
		x.end();
	}
	const answer = await ended(id);
	assert.equal(answer.status, "failed");
	assert.equal(answer.metadata.attempts.length, 4);
	assert.equal(kinds(answer), "text error reset text error reset text error reset text end");
});

test("spool exec into a pipe is never glued, unless it is told to be", async () => {
	const env = { SPOOL_URL: service.url, SPOOL_KEY: service.key };
	const run = command(["exec", "--model", "one/m1", "piped"], { env });
	const x = await one.nextFor("piped");

	await x.send("half");
	x.cut();
	const piped = await run;
	assert.equal(piped.out.trimEnd(), "half");
	assert.equal(piped.code, 7, piped.err);

	const told = command(["exec", "--model", "one/m1", "--on-interrupt", "restart", "told"], { env });
	const y = await one.nextFor("told");
	await y.send("half ");
	y.cut();
	await answerAll(await one.nextFor("told"), "whole");
	const done = await told;
	assert.equal(done.code, 0);
	assert.match(done.out, /whole/);
	assert.match(done.err, /withdrawn/);
});

test("two hundred answers from upstreams of which half break off are whole, every one", async () => {
	const N = 200;
	const sims = await Promise.all(["cut", "error", "status"].map((fault, i) => Sim.start(["--rate", "0",
		"--first-ms", "0", "--fault", fault, "--fault-share", "0.5", "--seed", `${i + 1}`, "--after", "4"])));
	const dir = tempDir();
	const file = path.join(dir, "spool.ini");

	writeFileSync(file, sims.map((s, i) => `[upstream s${i}]\nbase_url = ${s.url}\nmodel = sim\n`).join("") +
		"[model any]\ntargets = s0, s1, s2\n" +
		"[retry]\nattempts = 8\nbase = 1ms\ncircuit_failures = 3\ncircuit_cooldown = 20ms\n");
	const other = await Service.start({ dir, args: ["--config", file] });
	const seen = { once: 0, again: 0, reset: 0 };

	await each(N, 20, async (i) => {
		const answer = await ended(await other.execute({ prompt: `number ${i}`, model: "any" }), other);
		const last = answer.chunks.findLastIndex((c) => c.metadata.kind === "reset");

		assert.equal(answer.status, "completed");
		assert.match(textOf(answer.chunks.slice(last + 1)), new RegExp(`^This is a simulated answer:.*“number ${i}”\\.`, "s"));
		assert.equal(textOf(answer.chunks.slice(last + 1)).match(/This is a/g).length, 1, "never glued");
		assert.equal(answer.metadata.attempts.length, answer.page.attempt);
		seen[answer.page.attempt === 1 ? "once" : "again"]++;
		seen.reset += last >= 0;
	});
	assert.ok(seen.once > 0 && seen.again > 0 && seen.reset > 0, JSON.stringify(seen));
	await other.stop();
	await Promise.all(sims.map((s) => s.stop()));
});

// --- names ---

test("a model that means nothing is refused with what there is", async () => {
	for (const model of ["nobody/m1", "chain/m1"]) {
		const answer = await service.ask("/v1/executions", { body: { prompt: "x", model } });

		assert.equal(answer.status, 400);
		assert.equal(answer.json.field, "model");
		assert.match(answer.json.detail, /chain, one\/m1 \(default\), two\/m2/);
	}
});

test("a default model may be a chain", async () => {
	const other = await serve("[worker]\ndefault_model = chain\n");
	const id = await other.execute("by default");

	(await one.nextFor("by default")).refuse(404);
	await answerAll(await two.nextFor("by default"));
	assert.equal((await ended(id, other)).metadata.target, "two/m2");
	await other.stop();
});

// --- the circuit ---

test("an upstream that keeps failing rests, then one attempt looks, then it is asked again", async () => {
	const other = await serve("", ["--circuit-failures", "2", "--circuit-cooldown", "3s"]);
	const ask = async (prompt) => ({ prompt, id: await other.execute({ prompt, model: "chain", retry: { attempts: 1 } }) });
	const finish = async (upstream, a) => {
		await answerAll(await upstream.nextFor(a.prompt));
		return ended(a.id, other);
	};

	for (const prompt of ["ill 1", "ill 2"]) {
		const a = await ask(prompt);

		(await one.nextFor(prompt)).refuse(500);
		await finish(two, a);
	}
	await other.child.says(/upstream rests.*upstream.*one/);
	const states = (await other.ask("/v1/status")).json.upstreams;
	assert.deepEqual(states.map((u) => u.name), ["one", "two"]);
	assert.notEqual(states[0].state, "well");
	assert.equal(states[0].failures, 2);
	assert.deepEqual(states[1], { name: "two", state: "well", failures: 0, rests_ms: 0 });
	const passed = await finish(two, await ask("ill 3"));
	assert.deepEqual(tried(passed), ["two/m2 completed"], "passed by");

	// Half open: somebody looks once the cooldown is over.
	let probe, n = 0;
	while (!probe) {
		const a = await ask(`look ${n++}`);
		const x = await Promise.race([one.nextFor(a.prompt, 30_000).catch(() => {}), two.nextFor(a.prompt)]);

		if (one.exchanges.includes(x))
			probe = { a, x };
		else
			await answerAll(x).then(() => pause(50));
		assert.ok(n < 200, "nobody looks");
	}
	const meanwhile = await finish(two, await ask("meanwhile"));
	assert.deepEqual(tried(meanwhile), ["two/m2 completed"], "one looks, no more");
	await answerAll(probe.x);
	await ended(probe.a.id, other);
	await other.child.says(/upstream is well again/);
	assert.deepEqual(tried(await finish(one, await ask("well"))), ["one/m1 completed"]);
	await other.stop();
});

// --- after a crash ---

// An answer of which `words` were shown when the process was killed.
async function crash(policy, request, words, { signal = "SIGKILL", front } = {}) {
	const other = await serve("", ["--recover", policy, "--drain", "0s"]);
	const id = front ? (await other.call("execute", request)).result.execution_id : await other.execute(request);
	const upstream = request.model.startsWith("two") ? two : one;
	const x = await upstream.nextFor(request.prompt);

	for (const word of words)
		await x.send(word);
	if (words.length)
		await other.reach(id, words.length);
	await other.child.end(signal);
	other.agent.destroy();
	await other.launch();
	return { other, id, upstream };
}

test("after a crash, recover fail: what was shown stays, and nobody is asked", async () => {
	const { other, id } = await crash("fail", { prompt: "crash fail", model: "one/m1" }, ["half"]);
	const answer = await ended(id, other);

	assert.equal(answer.metadata.error.code, "interrupted");
	assert.deepEqual(tried(answer), ["one/m1 interrupted"]);
	assert.equal(answer.text, "half");
	await other.stop();
});

for (const signal of ["SIGKILL", "SIGTERM"])
	test(`after a ${signal}, recover restart: a reset, and a new attempt`, async () => {
		const prompt = `crash restart ${signal}`;
		const { other, id } = await crash("restart", { prompt, model: "one/m1" }, ["old ", "text"], { signal });
		const y = await one.nextFor(prompt);

		assert.equal((await other.page(id)).status, "streaming");
		await answerAll(y, "new");
		const answer = await ended(id, other);
		assert.equal(answer.status, "completed");
		assert.equal(kinds(answer), "text text error reset text end");
		assert.deepEqual(answer.chunks.map((c) => c.metadata.attempt ?? 1), [1, 1, 1, 2, 2, 2]);
		assert.deepEqual(tried(answer), ["one/m1 interrupted", "one/m1 completed"]);
		assert.equal(answer.metadata.usage_source, "mixed");
		assert.equal((await other.ask(`/v1/executions/${id}/text`)).text, "new");
		await other.stop();
	});

test("after a crash, recover continue: it goes on exactly where it was", async () => {
	const { other, id } = await crash("continue", { prompt: "crash continue", model: "two/m2" },
		["one ", "z\u00e4hle ", "\u{1f600}"]);
	const y = await two.nextFor("crash continue");

	assert.deepEqual(y.body.messages.at(-1), { role: "assistant", content: "one z\u00e4hle \u{1f600}" });
	await answerAll(y, " four");
	const answer = await ended(id, other);
	assert.equal(answer.status, "completed");
	assert.equal(answer.text, "one z\u00e4hle \u{1f600} four");
	assert.equal(kinds(answer), "text text text error text end");
	await other.stop();
});

test("after a crash before the first word any policy but fail asks again", async () => {
	const { other, id } = await crash("restart",
		{ prompt: "crash early", model: "one/m1", on_interrupt: "fail" }, []);

	await answerAll(await one.nextFor("crash early"));
	const answer = await ended(id, other);
	assert.equal(kinds(answer), "text end");
	await other.stop();
});

test("recovery withdraws nothing from who appends blindly", async () => {
	const { other, id } = await crash("restart", { prompt: "crash blind", model: "one/m1" }, ["half"],
		{ front: "callable" });
	const answer = await ended(id, other);

	assert.equal(answer.metadata.error.code, "interrupted");
	assert.equal(kinds(answer), "text end");
	await other.stop();
});

test("a cancel beats recovery", async () => {
	const { other, id } = await crash("restart", { prompt: "crash cancel", model: "one/m1" }, ["half"]);
	const y = await one.nextFor("crash cancel");

	await other.ask(`/v1/executions/${id}/cancel`, { method: "POST" });
	assert.equal(await within(5000, "the hang-up", y.closed), false);
	const answer = await ended(id, other);
	assert.equal(answer.status, "cancelled");
	assert.equal(answer.text, "half");
	assert.ok(answer.metadata.usage.output_tokens > 0, "what was kept is counted");
	await other.stop();
});

for (const policy of ["fail", "restart"])
	test(`attempts before a crash stay on record (recover ${policy})`, async () => {
		const prompt = `crash ${policy} later`;
		const other = await serve("", ["--recover", policy]);
		const id = await other.execute({ prompt, model: "one/m1", on_interrupt: "restart", retry: { attempts: 4 } });
		const x = await one.nextFor(prompt);

		await x.send("half of it");
		await other.reach(id, 1);
		x.cut();
		(await one.nextFor(prompt)).refuse(503);
		await other.child.says(/attempt failed.*overloaded/);
		const z = await one.nextFor(prompt);
		await z.send("again");
		await other.reach(id, 4); // text error reset text
		await other.kill9();
		await other.launch();
		if (policy === "restart")
			await answerAll(await one.nextFor(prompt));
		const answer = await ended(id, other);
		const list = answer.metadata.attempts;

		assert.deepEqual(tried(answer), ["one/m1 truncated", "one/m1 overloaded", "one/m1 interrupted",
			...(policy === "restart" ? ["one/m1 completed"] : [])]);
		assert.ok(list.every((a, i) => i === 0 || a.started_at >= list[i - 1].started_at), JSON.stringify(list));
		assert.equal(answer.metadata.usage_source, policy === "restart" ? "mixed" : "estimated");
		await other.stop();
	});

test("a crash between two attempts is no attempt", async () => {
	const other = await serve("", ["--recover", "restart"]);
	const id = await other.execute({ prompt: "crash in a wait", model: "one/m1" });

	(await one.nextFor("crash in a wait")).refuse(429, undefined, { "retry-after": "30" });
	await other.child.says(new RegExp(`attempt failed.*${id}`));
	// What is said of it is stored before the next thing is.
	await other.execute({ prompt: "meanwhile", model: "nobody-asks" });
	await one.nextFor("meanwhile");
	await other.kill9();
	await other.launch();
	await answerAll(await one.nextFor("crash in a wait"));
	const answer = await ended(id, other);

	assert.deepEqual(tried(answer), ["one/m1 rate_limit", "one/m1 completed"]);
	assert.equal(answer.metadata.usage.total_tokens, 18, "the refused one took nothing");
	assert.equal(answer.metadata.usage_source, "provider");
	await other.stop();
});

test("who goes on from half an answer and adds nothing is believed, with a warning", async () => {
	const id = await service.execute({ prompt: "adds nothing", model: "two/m2" });
	const x = await two.nextFor("adds nothing");

	await x.send("half");
	await service.reach(id, 1);
	x.cut();
	await (await two.nextFor("adds nothing")).finish();
	const answer = await ended(id);

	assert.equal(answer.status, "completed");
	assert.equal(answer.text, "half");
	assert.deepEqual(answer.metadata.warnings.map((w) => w.field), ["on_interrupt"]);
});

test("an answer whose end nobody explained says so", async () => {
	const id = await service.execute({ prompt: "no reason", model: "one/m1", stream: false });
	const x = await one.nextFor("no reason");

	x.response.writeHead(200, { "Content-Type": "application/json" });
	x.response.end(JSON.stringify({ id: "w", model: "m1",
		choices: [{ index: 0, message: { role: "assistant", content: "all of it" } }] }));
	const answer = await ended(id);

	assert.equal(answer.status, "completed");
	assert.equal(answer.metadata.finish_reason, "unknown");
	assert.deepEqual(answer.metadata.warnings.map((w) => w.field), ["finish_reason"]);
});

test("a second crash is survived like the first", async () => {
	const { other, id } = await crash("continue", { prompt: "crash twice", model: "two/m2" }, ["one "]);
	const y = await two.nextFor("crash twice");

	await y.send("two ");
	await other.reach(id, 3);
	await other.kill9();
	await other.launch();
	const z = await two.nextFor("crash twice");
	assert.equal(z.body.messages.at(-1).content, "one two ");
	await answerAll(z, "three");
	const answer = await ended(id, other);
	assert.equal(answer.text, "one two three");
	assert.equal(answer.page.attempt, 3);
	await other.stop();
});
