// Who may do what: every route against every kind of wrong key.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { after, before, test } from "node:test";
import { Service, ask, pause, run, tempDir } from "./service.mjs";

const PUBLIC = ["/healthz", "/readyz", "/openapi.json"];

let service, mine, theirs, reader, revoked, id;

async function makeKey(body) {
	const answer = await service.ask("/v1/keys", { body });

	assert.ok([200, 201].includes(answer.status), answer.text);
	return { ...answer.json, secret: answer.json.secret ?? answer.json.key };
}

const keyId = (key) => key.id ?? key.key_id;

before(async () => {
	service = await Service.start({ demo: true });
	mine = await makeKey({ label: "mine", owner: "alice", scopes: ["run", "read"] });
	theirs = await makeKey({ label: "theirs", owner: "bob", scopes: ["run", "read"] });
	reader = await makeKey({ label: "reader", owner: "alice", scopes: ["read"] });
	revoked = await makeKey({ label: "revoked", owner: "alice", scopes: ["run", "read", "admin"] });
	const gone = await service.ask(`/v1/keys/${keyId(revoked)}`, { method: "DELETE" });
	assert.ok([200, 204].includes(gone.status), gone.text);
	id = await service.execute({ prompt: "alice's secret", model: "sim-fast" }, { key: mine.secret });
	await service.finish(id, { key: mine.secret });
});
after(() => service?.stop());

// Every route that the server says it has.
async function routes() {
	const spec = (await ask(`${service.url}/openapi.json`)).json;
	const list = [];

	for (const [path, methods] of Object.entries(spec.paths))
		for (const method of Object.keys(methods))
			list.push({ method: method.toUpperCase(), path });
	return list;
}

const fill = (path, execution) => path.replace("{id}", execution).replace("{name}", "p1");
const bodyOf = (method, path) => method === "POST" || method === "PUT" ?
	(path.startsWith("/v1/") ? {} : { data: {} }) : undefined;

test("the table of routes is not empty and names the ones that matter", async () => {
	const all = (await routes()).map((r) => `${r.method} ${r.path}`);

	for (const route of ["POST /execute", "POST /get_chunks", "POST /v1/executions", "GET /v1/executions/{id}/chunks",
		"DELETE /v1/executions/{id}", "POST /v1/keys", "POST /v1/executions/poll", "GET /v1/executions/export"])
		assert.ok(all.includes(route), `${route} is in ${all}`);
});

test("every route but the public ones refuses who has no good key", async () => {
	const wrong = {
		none: {},
		empty: { Authorization: "" },
		"an empty bearer": { Authorization: "Bearer " },
		garbage: { Authorization: "Bearer garbage" },
		"another scheme": { Authorization: `Basic ${Buffer.from(`x:${service.key}`).toString("base64")}` },
		"no scheme": { Authorization: service.key },
		"a longer key": { Authorization: `Bearer ${service.key}x` },
		"a shorter key": { Authorization: `Bearer ${service.key.slice(0, -1)}` },
		"two keys": { Authorization: `Bearer ${service.key} ${service.key}` },
		"a revoked key": { Authorization: `Bearer ${revoked.secret}` },
		"a key in the query": null,
	};

	for (const { method, path } of await routes()) {
		for (const [name, headers] of Object.entries(wrong)) {
			const url = service.url + fill(path, id) + (headers ? "" : `?key=${service.key}&api_key=${service.key}`);
			const answer = await ask(url, { method, agent: service.agent, headers: headers ?? {},
				body: bodyOf(method, path) });

			if (PUBLIC.includes(path)) {
				assert.equal(answer.status, 200, `${method} ${path}`);
				continue;
			}
			assert.equal(answer.status, 401, `${method} ${path} with ${name}: ${answer.text}`);
			const said = answer.json.code ?? answer.json.error.status ?? answer.json.error.code;

			assert.ok(["unauthenticated", "UNAUTHENTICATED", "invalid_api_key"].includes(said), answer.text);
			assert.doesNotMatch(answer.text, /alice/);
		}
	}
});

test("a key of another owner sees nothing but what a missing one shows", async () => {
	const absent = "01890a5d-ac96-774b-bcce-b302099a8057";
	const strip = (text) => text.replaceAll(id, "ID").replaceAll(absent, "ID");

	for (const { method, path } of await routes()) {
		if (!path.includes("/executions/{id}"))
			continue;
		const options = { method, agent: service.agent, key: theirs.secret, body: bodyOf(method, path) };
		const other = await ask(service.url + fill(path, id), options);
		const missing = await ask(service.url + fill(path, absent), options);

		assert.equal(other.status, 404, `${method} ${path}: ${other.text}`);
		assert.equal(missing.status, 404);
		assert.equal(strip(other.text).replace(/"instance":"[^"]*"/, ""),
			strip(missing.text).replace(/"instance":"[^"]*"/, ""));
	}
	for (const name of ["get_chunks", "get_execution_chunks", "cancel", "cancel_execution"]) {
		const answer = await service.call(name, { executionId: id, ...(name.startsWith("get") ? { fromIndex: 0 } : {}) },
			{ key: theirs.secret });

		assert.equal(answer.error?.status, "NOT_FOUND", `${name}: ${answer.text}`);
	}
	const poll = await service.ask("/v1/executions/poll", { key: theirs.secret,
		body: { executions: [{ execution_id: id, fromIndex: 0 }] } });
	assert.match(poll.text, /not_found/);
	assert.doesNotMatch(poll.text, /simulated/);
	for (const route of ["/v1/executions?limit=100", "/v1/executions/export"]) {
		const answer = await service.ask(route, { key: theirs.secret });

		assert.equal(answer.status, 200);
		assert.doesNotMatch(answer.text, new RegExp(id));
	}
	assert.equal((await service.finish(id, { key: mine.secret })).status, "completed", "nobody touched it");
});

test("an admin sees everybody's", async () => {
	assert.match((await service.finish(id)).text, /alice's secret/);
});

test("a key that may only read can only read", async () => {
	const options = { key: reader.secret };

	assert.equal((await service.finish(id, options)).status, "completed");
	for (const [method, path, body] of [["POST", "/v1/executions", { prompt: "x" }],
		["POST", `/v1/executions/${id}/cancel`], ["DELETE", `/v1/executions/${id}`],
		["PUT", "/v1/prompts/p1", { template: "x" }], ["GET", "/v1/keys"], ["POST", "/v1/keys", { label: "x", scopes: ["admin"] }],
		["DELETE", `/v1/keys/${keyId(mine)}`], ["GET", "/v1/status"], ["GET", "/v1/check"], ["POST", "/v1/backup", {}]]) {
		const answer = await service.ask(path, { method, body, ...options });

		assert.equal(answer.status, 403, `${method} ${path}: ${answer.text}`);
		assert.equal(answer.json.code, "forbidden");
		assert.match(answer.json.detail, /^this wants a key with (the scope|one of the scopes) [a-z,]+; this one has [a-z,]+$/);
	}
	const answer = await service.call("execute", { prompt: "x" }, options);
	assert.equal(answer.error.status, "PERMISSION_DENIED");
});

test("no key but an admin's reaches the keys", async () => {
	for (const [method, path] of [["GET", "/v1/keys"], ["POST", "/v1/keys"], ["DELETE", `/v1/keys/${keyId(theirs)}`],
		["POST", `/v1/keys/${keyId(theirs)}/rotate`]])
		assert.equal((await service.ask(path, { method, key: mine.secret,
			body: method === "POST" && path === "/v1/keys" ? { label: "x", scopes: ["admin"] } : undefined })).status, 403);
});

test("a key works until it is revoked, and its secret is shown once", async () => {
	const key = await makeKey({ label: "short life", owner: "carol", scopes: ["run", "read"] });

	assert.match(key.secret, /^spool_[A-Za-z0-9_-]{43}$/);
	assert.equal((await service.ask("/v1/executions", { key: key.secret })).status, 200);
	const list = await service.ask("/v1/keys");
	assert.equal(list.status, 200);
	assert.match(list.text, /short life/);
	assert.equal(list.text.includes(key.secret), false);
	await service.ask(`/v1/keys/${keyId(key)}`, { method: "DELETE" });
	assert.equal((await service.ask("/v1/executions", { key: key.secret })).status, 401);
	await service.restart();
	assert.equal((await service.ask("/v1/executions", { key: key.secret })).status, 401);
});

test("a rotated key's new secret works and its old one does not", async () => {
	const key = await makeKey({ label: "turning", owner: "dave", scopes: ["read"] });
	const answer = await service.ask(`/v1/keys/${keyId(key)}/rotate`, { method: "POST" });
	const fresh = answer.json.secret ?? answer.json.key;

	assert.ok([200, 201].includes(answer.status), answer.text);
	assert.notEqual(fresh, key.secret);
	assert.equal((await service.ask("/v1/executions", { key: fresh })).status, 200);
	assert.equal((await service.ask("/v1/executions", { key: key.secret })).status, 401);
});

test("a key that has expired is refused", async () => {
	const key = await makeKey({ label: "mayfly", owner: "eve", scopes: ["read"], expires_in_s: 1 });

	assert.equal((await service.ask("/v1/executions", { key: key.secret })).status, 200);
	const until = performance.now() + 5000;
	let status = 200;
	while (status === 200 && performance.now() < until) {
		await pause(50);
		({ status } = await service.ask("/v1/executions", { key: key.secret }));
	}
	assert.equal(status, 401);
});

test("the secrets are in no log and no file", async () => {
	for (const secret of [service.key, mine.secret, theirs.secret, revoked.secret]) {
		assert.equal(service.log.includes(secret), false, "the log");
		for (const name of readdirSync(service.dir))
			assert.equal(readFileSync(`${service.dir}/${name}`).includes(secret), false, name);
	}
});

test("without keys it listens on loopback alone", async () => {
	const { code, output } = await run(["serve", "--demo", "--auth", "none", "--listen", "0.0.0.0:0",
		"--db", `${tempDir()}/x.db`]);

	assert.notEqual(code, 0);
	assert.doesNotMatch(output, /listening on http/);
	const open = await Service.start({ demo: true, key: null, args: ["--auth", "none"] });
	assert.equal((await open.ask("/v1/executions")).status, 200);
	await open.stop();
});

test("the first start makes an admin key, keeps it out of the log, and it works", async () => {
	const first = await Service.start({ demo: true, key: null });
	const file = `${first.dir}/admin.key`;
	const secret = readFileSync(file, "utf8").trim();

	assert.match(secret, /^spool_[A-Za-z0-9_-]{43}$/);
	assert.equal(statSync(file).mode & 0o777, 0o600);
	assert.equal(first.log.includes(secret), false);
	assert.equal((await first.ask("/v1/executions")).status, 401);
	assert.equal((await first.ask("/v1/keys", { key: secret })).status, 200);
	await first.restart();
	assert.equal(readFileSync(file, "utf8").trim(), secret, "it makes no second one");
	assert.equal((await first.ask("/v1/keys", { key: secret })).status, 200);
	await first.stop();
});

test("a preset admin key that is short is refused", async () => {
	const { code } = await run(["serve", "--demo", "--listen", "127.0.0.1:0", "--db", `${tempDir()}/x.db`],
		{ SPOOL_ADMIN_KEY: "short" });

	assert.notEqual(code, 0);
});
