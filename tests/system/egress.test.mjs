// What the service sends, it sends where the operator said and nowhere else.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import net from "node:net";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { ScriptedUpstream } from "./scripted_upstream.mjs";
import { Service, run, tempDir } from "./service.mjs";

const root = process.getuid() === 0;
let upstream, canary, visits;

before(async () => {
	upstream = await ScriptedUpstream.start(async (x) => {
		await x.send("fine");
		await x.finish();
	});
	// Whoever comes here has lost its way.
	visits = 0;
	canary = net.createServer((socket) => {
		visits++;
		socket.on("error", () => {}).destroy();
	});
	await new Promise((done) => canary.listen(0, "127.0.0.1", done));
	canary.unref();
});
after(async () => {
	canary?.close();
	await upstream?.stop();
});

async function serve(config, options = {}) {
	const dir = options.dir ?? tempDir();

	writeFileSync(path.join(dir, "spool.ini"), config);
	return Service.start({ dir, ...options, args: ["--config", path.join(dir, "spool.ini"), "--circuit-failures", "0",
		"--retry-attempts", "1", ...(options.args ?? [])] });
}

const section = (name, url, more = "") => `[upstream ${name}]\nbase_url = ${url}\nmodel = m\n${more}`;

// Twenty ways to write an address at which no model is.
const hidden = ["169.254.169.254", "169.254.169.254:80", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
	"0xa9.254.0xa9.254", "169.16689662", "169.254.43518", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]",
	"[0:0:0:0:0:ffff:a9fe:a9fe]", "[::169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fe80::1]",
	"[fd00:ec2::254]", "100.100.100.200", "168.63.129.16", "224.0.0.1", "[ff02::1]", "255.255.255.255"];

test("an address where clouds keep their keys is never asked, however it is written", async () => {
	const service = await serve(hidden.map((host, i) => section(`h${i}`, `http://${host}/latest`)).join(""),
		{ args: ["--connect-timeout", "20s"] });

	await Promise.all(hidden.map(async (host, i) => {
		const answer = await service.finish(await service.execute({ prompt: "key?", model: `h${i}/m` }));

		assert.equal(answer.status, "failed", host);
		assert.equal(answer.metadata.error.code, "network", host);
		assert.match(answer.metadata.error.message, /link-local|resolve/, host);
	}));
	await service.stop();
});

test("a name that means such an address is not asked either", { skip: !root && "needs root: a mount of its own" }, async () => {
	const dir = tempDir();

	writeFileSync(path.join(dir, "hosts"), "169.254.169.254 model.example\nfe80::1 model6.example\n127.0.0.1 localhost\n");
	writeFileSync(path.join(dir, "serve"), `#!/bin/sh
exec unshare -m sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' ${dir}/hosts ${process.env.SPOOL_BINARY ??
		path.resolve("build/spool")} "$@"\n`, { mode: 0o755 });
	const service = await serve(section("four", "http://model.example/v1") + section("six", "http://model6.example/v1"),
		{ program: path.join(dir, "serve"), dir });

	for (const model of ["four/m", "six/m"]) {
		const answer = await service.finish(await service.execute({ prompt: "key?", model }));

		assert.match(answer.metadata.error.message, /link-local/);
	}
	await service.stop();
});

test("no proxy and no netrc of the environment comes between", async () => {
	const dir = tempDir();
	const proxy = `http://127.0.0.1:${canary.address().port}`;

	writeFileSync(path.join(dir, ".netrc"), "machine 127.0.0.1 login stranger password stranger\n");
	const service = await serve(section("up", upstream.url, "key = key-of-the-operator\n"), { env: { HOME: dir,
		http_proxy: proxy, HTTP_PROXY: proxy, https_proxy: proxy, HTTPS_PROXY: proxy, all_proxy: proxy, ALL_PROXY: proxy } });
	const answer = await service.finish(await service.execute("directly"));

	assert.equal(answer.text, "fine");
	assert.equal(visits, 0);
	assert.equal(upstream.exchanges.at(-1).headers.authorization, "Bearer key-of-the-operator");
	await service.stop();
});

for (const status of [301, 302, 303, 307, 308])
	test(`a ${status} to elsewhere is a failure, and nobody goes there`, async () => {
		const moved = await ScriptedUpstream.start((x) => x.refuse(status, undefined,
			{ Location: `http://127.0.0.1:${canary.address().port}/` }));
		const service = await serve(section("up", moved.url));
		const answer = await service.finish(await service.execute("moved"));

		assert.equal(answer.status, "failed");
		assert.equal(answer.metadata.error.status, status);
		assert.equal(visits, 0);
		await service.stop();
		await moved.stop();
	});

for (const url of ["file:///etc/passwd", "gopher://127.0.0.1/x", "ftp://127.0.0.1/x", "dict://127.0.0.1/x",
	"unix:///run/x", "http://user:secret@127.0.0.1/v1", "http://", "http:///v1", "//127.0.0.1/v1", "127.0.0.1/v1"])
	test(`${url} is no base_url`, async () => {
		const dir = tempDir();

		writeFileSync(path.join(dir, "spool.ini"), section("up", url));
		const { code, output } = await run(["config", "check", "--config", path.join(dir, "spool.ini")]);

		assert.notEqual(code, 0);
		assert.match(output, /base_url/);
		assert.doesNotMatch(output, /secret/);
	});

test("a model's name stays a name in a path, and cannot leave it", async () => {
	const seen = [];
	const paths = net.createServer((socket) => {
		socket.unref().on("error", () => {}).once("data", (bytes) => {
			const line = bytes.toString("latin1").split("\r\n")[0];

			// Its list of models is another question.
			if (line.startsWith("POST"))
				seen.push(line);
			socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
		});
	});

	await new Promise((done) => paths.listen(0, "127.0.0.1", done));
	paths.unref();
	const service = await serve(section("g", `http://127.0.0.1:${paths.address().port}`, "dialect = gemini\nany_model = yes\n"));

	const dots = await service.finish(await service.execute({ prompt: "x", model: "g/.." }));
	assert.equal(dots.metadata.error.code, "bad_request");
	for (const model of ["g/../../secret", "g/a?key=x#y", "g/a b", "g/@elsewhere/x", "g/a%2e%2e/b"])
		await service.finish(await service.execute({ prompt: "x", model }));
	assert.equal(seen.length, 5, seen.join());
	for (const line of seen)
		assert.match(line, /^POST \/v1beta\/(models|tunedModels)\/[^/?# ]*:streamGenerateContent\?alt=sse HTTP\/1\.1$/, line);
	await service.stop();
	paths.close();
});
