// What the operator wants to be sent to an upstream besides: there, each time,
// nowhere else, and nowhere to be read.

import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { command } from "./command.mjs";
import { Service, tempDir } from "./service.mjs";

function configFile(url, lines) {
	const file = path.join(tempDir(), "spool.ini");

	writeFileSync(file, `[upstream a]\nbase_url = ${url}\nmodel = m\nkey = key-of-a\n${lines}\n`);
	return file;
}

test("headers are sent with each request to that upstream, and shown to nobody", async () => {
	const asked = [];
	const server = http.createServer((request, response) => {
		request.resume().on("end", () => {
			asked.push({ route: request.url, headers: request.headers, raw: request.rawHeaders });
			if (request.method === "GET") {
				response.writeHead(200, { "Content-Type": "application/json" }).end('{"object":"list","data":[{"id":"m"}]}');
				return;
			}
			response.writeHead(200, { "Content-Type": "text/event-stream" }).end(
				'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
		});
	});

	await new Promise((done) => server.listen(0, "127.0.0.1", done));
	const url = `http://127.0.0.1:${server.address().port}`;
	const file = configFile(`${url}/v1`, `header = X-Title: s3cret shop: one\nheader=X-Team:  blue\n
[upstream b]\nbase_url = ${url}/b\nmodel = m`);
	const service = await Service.start({ args: ["--config", file, "--log-level", "debug"] });

	const got = await service.finish(await service.execute("x"));
	assert.equal(got.text, "hi");
	assert.equal((await service.finish(await service.execute({ prompt: "x", model: "b/m" }))).text, "hi");
	assert.equal((await service.ask("/v1/models")).status, 200);
	const ofA = asked.filter((a) => a.route.startsWith("/v1/"));
	assert.ok(ofA.some((a) => a.route === "/v1/models") && ofA.some((a) => a.route === "/v1/chat/completions"));
	for (const { headers, raw } of ofA) {
		assert.equal(headers["x-title"], "s3cret shop: one");
		assert.equal(headers["x-team"], "blue");
		assert.equal(headers.authorization, "Bearer key-of-a");
		assert.equal(raw.filter((r) => /^x-title$/i.test(r)).length, 1);
	}
	for (const { headers } of asked.filter((a) => a.route.startsWith("/b/")))
		assert.equal(headers["x-title"], undefined);
	assert.equal(asked.some((a) => a.route.startsWith("/b/")), true);
	assert.doesNotMatch(JSON.stringify(got) + service.log, /s3cret/);

	const shown = await command(["config", "show", "--config", file]);
	assert.match(shown.out, /header = X-Title: \(set\)/);
	assert.match(shown.out, /header = X-Team: \(set\)/);
	const json = await command(["config", "show", "--json", "--config", file]);
	assert.deepEqual(JSON.parse(json.out).upstreams[0].headers, ["X-Title", "X-Team"]);
	assert.doesNotMatch(shown.out + json.out, /s3cret/);
	await service.stop();
	server.close();
});

test("a header that would do harm is refused with its line", async () => {
	for (const [line, words] of [
		["header = Authorization: Bearer s3cret", /spool\.ini:5: .*Authorization.*key_file/],
		["header = content-length: 3", /spool\.ini:5: .*content-length.*spool's own/],
		["header = Host: s3cret", /spool\.ini:5: .*Host/],
		["header = s3cret", /spool\.ini:5: .*Name: value/],
		["header = X-A: s3cret\nheader = x-a: s3cret", /spool\.ini:6: .*x-a is given twice/],
		["header = X-A: s3cr\xe4t", /spool\.ini:5: .*X-A.*characters/],
		["header = X-A:", /spool\.ini:5: .*X-A has no value/]]) {
		const { code, out, err } = await command(["config", "check", "--config", configFile("http://127.0.0.1:1/v1", line)]);

		assert.notEqual(code, 0, line);
		assert.match(out + err, words);
		assert.doesNotMatch(out + err, /s3cret/);
	}
});
