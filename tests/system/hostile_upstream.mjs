// hostile_upstream: a provider that breaks HTTP, TLS or TCP itself, byte by byte
// as the test says. Whoever asks for `model` gets what faults[model] does.
//
//	const bad = await HostileUpstream.start({ tls: { key, cert } });
//	bad.faults["a fault"] = async (x) => { x.head(); x.write("…"); x.reset(); };

import { spawn } from "node:child_process";
import net from "node:net";
import tls from "node:tls";
import { within } from "./service.mjs";

export const sse = (value) => `data: ${JSON.stringify(value)}\n\n`;
export const delta = (content, reason = null) => sse({ id: "c1", object: "chat.completion.chunk", model: "hostile",
	choices: [{ index: 0, delta: content === undefined ? {} : { content }, finish_reason: reason }] });
export const DONE = `${delta(undefined, "stop")}data: [DONE]\n\n`;

class Exchange {
	constructor(socket, body) {
		this.socket = socket;
		this.body = body;
		this.gone = new Promise((done) => socket.on("close", done));
	}

	// Resolves when the kernel has it, or nobody wants it any more.
	write(bytes) {
		return new Promise((done) => {
			if (this.socket.destroyed)
				done();
			else
				this.socket.write(bytes, () => done());
			this.gone.then(done);
		});
	}

	head(more = "Transfer-Encoding: chunked", type = "text/event-stream", status = "200 OK") {
		return this.write(`HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\n${more}\r\n\r\n`);
	}

	// One chunk of a chunked body.
	chunk(bytes) {
		const b = Buffer.from(bytes);

		return this.write(Buffer.concat([Buffer.from(`${b.length.toString(16)}\r\n`), b, Buffer.from("\r\n")]));
	}

	last() {
		return this.write("0\r\n\r\n");
	}

	// The same bytes again and again, until the service hangs up.
	async forever(bytes, ms = 0) {
		while (!this.socket.destroyed) {
			await this.write(bytes);
			// A write that the kernel takes at once gives nobody else a turn.
			await new Promise((done) => (ms > 0 ? setTimeout(done, ms) : setImmediate(done)));
		}
	}

	end() {
		this.socket.end();
	}

	reset() {
		this.socket.resetAndDestroy();
	}
}

export class HostileUpstream {
	static async start(options = {}) {
		const upstream = new HostileUpstream();
		const onSocket = (socket) => upstream.onSocket(socket);

		upstream.faults = {};
		upstream.connections = 0;
		upstream.server = options.tls ? tls.createServer(options.tls, onSocket) : net.createServer(onSocket);
		upstream.server.on("tlsClientError", () => {});
		await new Promise((done) => upstream.server.listen(0, "127.0.0.1", done));
		upstream.server.unref();
		upstream.server.on("connection", (socket) => {
			upstream.connections++;
			socket.on("error", () => {});
			socket.unref();
		});
		upstream.port = upstream.server.address().port;
		upstream.url = `http${options.tls ? "s" : ""}://127.0.0.1:${upstream.port}/v1`;
		return upstream;
	}

	// Requests of one connection, one after the other.
	onSocket(socket) {
		let bytes = Buffer.alloc(0);

		socket.on("error", () => {});
		socket.on("data", (part) => {
			bytes = Buffer.concat([bytes, part]);
			const at = bytes.indexOf("\r\n\r\n");
			const length = Number(/content-length: (\d+)/i.exec(bytes.subarray(0, Math.max(at, 0)))?.[1] ?? 0);

			if (at < 0 || bytes.length < at + 4 + length)
				return;
			// Its list of models is another question.
			if (!bytes.toString("latin1", 0, 5).startsWith("POST ")) {
				socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
				return;
			}
			const body = JSON.parse(bytes.subarray(at + 4, at + 4 + length));

			bytes = bytes.subarray(at + 4 + length);
			Promise.resolve(this.faults[body.model]?.(new Exchange(socket, body))).catch((error) => {
				console.error(`${body.model}: ${error.stack}`);
				socket.destroy();
			});
		});
	}

	stop() {
		this.server.close();
	}
}

// A port on 127.0.0.1 where the kernel drops every SYN: its listener's queue is
// full and nobody takes from it. { port, stop }
export async function deafPort() {
	const child = spawn(process.execPath, ["-e", `
		const server = require("net").createServer();
		server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
			require("fs").writeSync(1, server.address().port + "\\n");
			process.kill(process.pid, "SIGSTOP");
		});`], { stdio: ["ignore", "pipe", "inherit"] });
	const stop = () => child.kill("SIGKILL");
	const port = await within(10_000, "a deaf port", new Promise((done) => {
		child.stdout.once("data", (line) => done(Number(line)));
	}));
	const fill = Array.from({ length: 8 }, () => net.connect(port, "127.0.0.1").on("error", () => {}));

	process.on("exit", stop);
	child.unref();
	child.stdout.unref();
	for (const socket of fill)
		socket.unref();
	// Two fit its queue; once the others have begun, theirs is full.
	await within(10_000, "a full queue", Promise.all(fill.slice(0, 2).map((s) =>
		new Promise((done) => (s.connecting ? s.once("connect", done) : done())))));
	return { port, stop };
}
