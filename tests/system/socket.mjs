// socket: a WebSocket client of the service, as npm's ws makes them, and a bare
// one for clients that do wrong on purpose.

import { randomBytes } from "node:crypto";
import net from "node:net";

import { WebSocket } from "ws";

import { within } from "./service.mjs";

// Messages come by next() or until(); the close is { code, reason }.
export class Socket {
	// options: key, query ("?ticket=…"), protocols, headers, base (a URL)
	static async open(service, options = {}) {
		const socket = new Socket(service, options);

		await within(10_000, "the opening of a WebSocket", socket.opened);
		return socket;
	}

	constructor(service, { key = service.key, query = "", protocols = [], headers = {}, base = service.url } = {}) {
		this.messages = [];
		this.takers = [];
		this.ws = new WebSocket(`${base.replace(/^http/, "ws")}/v1/ws${query}`, protocols,
			{ headers: { ...(key ? { Authorization: `Bearer ${key}` } : {}), ...headers }, perMessageDeflate: true });
		this.closed = new Promise((done) => {
			this.ws.on("close", (code, reason) => {
				done({ code, reason: String(reason) });
				this.takers.splice(0).forEach((t) => t.fail(new Error(`the socket was closed: ${code} ${reason}`)));
			});
		});
		this.opened = new Promise((done, fail) => {
			this.ws.on("open", done);
			// A refusal: its status and what it said.
			this.ws.on("unexpected-response", (request, answer) => {
				let text = "";

				answer.setEncoding("utf8").on("data", (d) => { text += d; }).on("end", () => fail(
					Object.assign(new Error(`refused with ${answer.statusCode}: ${text}`),
						{ status: answer.statusCode, headers: answer.headers, json: JSON.parse(text) })));
			});
			this.ws.on("error", fail);
		});
		this.opened.catch(() => {});
		this.ws.on("message", (data) => {
			const message = JSON.parse(data);

			if (this.takers.length > 0)
				this.takers.shift().done(message);
			else
				this.messages.push(message);
		});
	}

	say(message) {
		this.ws.send(typeof message === "string" ? message : JSON.stringify(message));
	}

	next() {
		if (this.messages.length > 0)
			return Promise.resolve(this.messages.shift());
		if (this.ws.readyState === WebSocket.CLOSED)
			return Promise.reject(new Error("the socket is closed"));
		return within(20_000, "a message on a WebSocket",
			new Promise((done, fail) => this.takers.push({ done, fail })));
	}

	// All messages up to the first that `what` accepts (a function, or its type).
	async until(what) {
		const wanted = typeof what === "string" ? (m) => m.type === what : what;
		const seen = [];

		do
			seen.push(await this.next());
		while (!wanted(seen.at(-1)));
		return seen;
	}

	close(code, reason) {
		this.ws.close(code, reason);
		return within(10_000, "the close of a WebSocket", this.closed);
	}

	drop() {
		this.ws.terminate();
	}
}

// One frame of a client, masked unless said otherwise.
export function frame(opcode, payload, { fin = true, mask = true, rsv = 0, length } = {}) {
	const body = Buffer.from(payload);
	const n = length ?? body.length;
	const head = [(fin ? 0x80 : 0) | rsv << 4 | opcode];
	const key = mask ? randomBytes(4) : Buffer.alloc(0);
	const bit = mask ? 0x80 : 0;

	if (n < 126)
		head.push(bit | n);
	else if (n < 65536)
		head.push(bit | 126, n >> 8, n & 255);
	else
		head.push(bit | 127, 0, 0, 0, 0, n >>> 24 & 255, n >>> 16 & 255, n >>> 8 & 255, n & 255);
	if (mask)
		body.forEach((b, i) => { body[i] = b ^ key[i & 3]; });
	return Buffer.concat([Buffer.from(head), key, body]);
}

// Bytes on a TCP connection, and what came: for those that keep to no rule.
export class Bare {
	static async open(service) {
		const bare = new Bare();
		const { hostname, port } = new URL(service.url);

		bare.got = Buffer.alloc(0);
		bare.tcp = net.connect(Number(port), hostname);
		bare.ended = new Promise((done) => bare.tcp.on("close", done));
		bare.tcp.on("error", () => {});
		await within(10_000, "a connection", new Promise((done) => bare.tcp.once("connect", done)));
		return bare;
	}

	// Upgraded, unless refused: { status } is of the answer.
	static async upgrade(service, { key = service.key, path = "/v1/ws", headers = {}, read = true, text } = {}) {
		const bare = await Bare.open(service);
		const all = { Host: "localhost", Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13",
			"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", ...(key ? { Authorization: `Bearer ${key}` } : {}), ...headers };

		bare.tcp.write(text ?? `GET ${path} HTTP/1.1\r\n${Object.entries(all).filter(([, v]) => v !== undefined)
			.map(([k, v]) => `${k}: ${v}\r\n`).join("")}\r\n`);
		await within(10_000, () => `the answer to an upgrade, so far ${bare.got}`, new Promise((done) => {
			const onData = (data) => {
				bare.got = Buffer.concat([bare.got, data]);
				const at = bare.got.indexOf("\r\n\r\n");

				if (at < 0)
					return;
				bare.head = bare.got.subarray(0, at).toString("latin1");
				bare.got = bare.got.subarray(at + 4);
				bare.tcp.off("data", onData);
				bare.tcp.pause();
				done();
			};

			bare.tcp.on("data", onData);
			bare.tcp.on("close", done);
		}));
		bare.status = Number(/^HTTP\/1\.1 (\d+)/.exec(bare.head ?? "")?.[1]);
		if (read)
			bare.read();
		return bare;
	}

	read() {
		this.tcp.on("data", (data) => { this.got = Buffer.concat([this.got, data]); });
		this.tcp.resume();
	}

	write(bytes) {
		return new Promise((done) => this.tcp.write(bytes, () => done()));
	}

	// The server's frames so far: { opcode, payload }.
	frames() {
		const list = [];
		let at = 0;

		while (at + 2 <= this.got.length) {
			let n = this.got[at + 1] & 127, skip = 2;

			if (n === 126) {
				n = this.got.readUInt16BE(at + 2);
				skip = 4;
			} else if (n === 127) {
				n = Number(this.got.readBigUInt64BE(at + 2));
				skip = 10;
			}
			if (at + skip + n > this.got.length)
				break;
			list.push({ opcode: this.got[at] & 15, fin: this.got[at] >> 7, masked: this.got[at + 1] >> 7,
				payload: this.got.subarray(at + skip, at + skip + n) });
			at += skip + n;
		}
		return list;
	}

	// The code that the server closed with, once the connection has ended.
	async closeCode() {
		await within(20_000, () => `the end of a connection; so far ${this.got.length} bytes`, this.ended);
		const close = this.frames().find((f) => f.opcode === 8);

		return close && close.payload.length >= 2 ? close.payload.readUInt16BE(0) : close ? 1005 : undefined;
	}
}
