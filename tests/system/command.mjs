// command: a command of the binary under test run to its end, its streams apart;
// and the same on a terminal.

import { spawn } from "node:child_process";
import os from "node:os";

import { binary, within } from "./service.mjs";

const ENV = { PATH: process.env.PATH, HOME: os.tmpdir(), LC_ALL: "C.UTF-8" };

// { code, signal, out, err }. `onOut` sees stdout so far, as it comes, and the
// process, as `onSpawn` does; `program` runs another program than spool, `stdout`
// is where its output goes instead.
export function command(args, { env = {}, input, onOut, onSpawn, cwd, program = binary, stdout = "pipe" } = {}) {
	const child = spawn(program, args, {
		cwd, env: { ...ENV, ...env },
		stdio: [input === undefined ? "ignore" : "pipe", stdout, "pipe"],
	});
	let out = "", err = "";

	onSpawn?.(child);
	child.stdout?.setEncoding("utf8").on("data", (data) => {
		out += data;
		onOut?.(out, child);
	});
	child.stderr.setEncoding("utf8").on("data", (data) => { err += data; });
	child.stdin?.on("error", () => {});
	if (input !== undefined)
		child.stdin.end(input);
	return within(60_000, () => `${program} ${args.join(" ")}\n${out}${err}`, new Promise((done, fail) => {
		child.on("error", fail);
		child.on("close", (code, signal) => done({ code, signal, out, err }));
	})).catch((error) => {
		child.kill("SIGKILL");
		throw error;
	});
}

// The same on a terminal (script(1) makes one): both streams are in `out`. What
// `input` says is typed once `prompt` is on the screen.
export function onTerminal(args, { env = {}, prompt, input = "" } = {}) {
	const line = [binary, ...args].map((a) => `'${a.replaceAll("'", "'\\''")}'`).join(" ");
	const child = spawn("script", ["-qec", line, "/dev/null"], {
		env: { ...ENV, TERM: "xterm", SHELL: "/bin/sh", ...env }, stdio: ["pipe", "pipe", "pipe"],
	});
	let out = "", typed = prompt === undefined;

	child.stdout.setEncoding("utf8").on("data", (data) => {
		out += data;
		if (!typed && prompt.test(out)) {
			typed = true;
			child.stdin.write(input);
		}
	});
	child.stderr.resume();
	return within(60_000, () => `spool ${args.join(" ")}\n${out}`, new Promise((done, fail) => {
		child.on("error", fail);
		child.on("close", (code) => done({ code, out: out.replaceAll("\r", "") }));
	})).catch((error) => {
		child.kill("SIGKILL");
		throw error;
	});
}
