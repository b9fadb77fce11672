// browser: a headless Chromium, driven over its own protocol (CDP) by npm's ws.
//
//	const browser = await Browser.start();
//	const page = await browser.open("http://127.0.0.1:1234/");
//	await page.run(async (x) => (await fetch(x)).status, "/healthz");   // in the page

import { spawn, spawnSync } from "node:child_process";

import { WebSocket } from "ws";

import { tempDir, within } from "./service.mjs";

const ANSWER_MS = 60_000;
const names = ["chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"];

class Page {
	constructor(browser, session) {
		this.browser = browser;
		this.session = session;
	}

	call(method, params) {
		return this.browser.call(method, params, this.session);
	}

	async go(url) {
		const loaded = this.browser.event("Page.loadEventFired", this.session);

		await this.call("Page.navigate", { url });
		await within(ANSWER_MS, `${url} to load`, loaded);
	}

	// Run ${fn} with arguments that are JSON, in the page; what it gives, awaited.
	async run(fn, ...args) {
		const { result, exceptionDetails: failed } = await this.call("Runtime.evaluate", { awaitPromise: true,
			returnByValue: true, expression: `(${fn})(...${JSON.stringify(args)})` });

		if (failed)
			throw new Error(`in the page: ${failed.exception?.description ?? failed.text}`);
		return result.value;
	}
}

export class Browser {
	// Undefined where there is none.
	static find() {
		return process.env.CHROMIUM ?? names.find((n) => spawnSync(n, ["--version"]).status === 0);
	}

	static async start() {
		const browser = new Browser();
		const dir = tempDir();

		// Root, as build machines are, must do without its sandbox.
		browser.process = spawn(Browser.find(), ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
			"--no-proxy-server", "--remote-debugging-port=0", `--user-data-dir=${dir}`, "about:blank"],
		{ stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, HOME: dir } });
		browser.process.unref();
		browser.process.stderr.unref();
		process.on("exit", () => browser.process.kill("SIGKILL"));
		const url = await within(ANSWER_MS, () => `a browser; it says ${browser.output}`, new Promise((done, fail) => {
			browser.output = "";
			browser.process.on("error", fail);
			browser.process.on("exit", (code) => fail(new Error(`the browser ended (${code}): ${browser.output}`)));
			browser.process.stderr.setEncoding("utf8").on("data", (text) => {
				browser.output = (browser.output + text).slice(-20_000);
				const m = /DevTools listening on (ws:\S+)/.exec(browser.output);

				if (m)
					done(m[1]);
			});
		}));

		browser.socket = new WebSocket(url, { perMessageDeflate: false });
		browser.socket.on("message", (data) => browser.take(JSON.parse(data)));
		await within(ANSWER_MS, "the browser's door", new Promise((done, fail) => {
			browser.socket.on("open", done);
			browser.socket.on("error", fail);
		}));
		return browser;
	}

	constructor() {
		this.last = 0;
		this.asked = new Map();
		this.waiting = [];
	}

	take(message) {
		const asked = this.asked.get(message.id);

		if (asked) {
			this.asked.delete(message.id);
			if (message.error)
				asked.fail(new Error(`${asked.method}: ${message.error.message}`));
			else
				asked.done(message.result);
			return;
		}
		this.waiting = this.waiting.filter((w) =>
			w.method !== message.method || w.session !== message.sessionId || (w.done(message.params), false));
	}

	call(method, params = {}, sessionId) {
		const id = ++this.last;

		return within(ANSWER_MS, method, new Promise((done, fail) => {
			this.asked.set(id, { method, done, fail });
			this.socket.send(JSON.stringify({ id, method, params, sessionId }));
		}));
	}

	event(method, session) {
		return new Promise((done) => this.waiting.push({ method, session, done }));
	}

	async open(url) {
		const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
		const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
		const page = new Page(this, sessionId);

		await page.call("Page.enable");
		await page.go(url);
		return page;
	}

	async stop() {
		const ended = new Promise((done) => this.process.on("exit", done));

		// Its own way leaves no child of its own behind.
		this.call("Browser.close").catch(() => {});
		await within(ANSWER_MS, "the end of the browser", ended);
	}
}
