// loop_disk: an ext4 file system of a test's own, in a file, that can be cut off
// from its power. Needs root and loop devices; unfit() says what is missing.

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { root, tempDir } from "./service.mjs";

const POWER_CUT = path.join(root, "build/release/tests/power_cut");

const run = (program, ...args) => execFileSync(program, args, { stdio: ["ignore", "pipe", "pipe"],
	env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });

const mounted = new Set();

// Before the directories are removed.
process.prependListener("exit", () => {
	for (const disk of mounted)
		try {
			run("umount", "--lazy", disk.dir);
		} catch {
			// Nothing more can be done at an exit.
		}
});

export class LoopDisk {
	constructor(megabytes) {
		const dir = tempDir();

		this.image = path.join(dir, "image");
		this.dir = path.join(dir, "disk");
		fs.mkdirSync(this.dir);
		fs.closeSync(fs.openSync(this.image, "w"));
		fs.truncateSync(this.image, megabytes * 1024 * 1024);
		run("mkfs.ext4", "-q", "-F", this.image);
	}

	mount() {
		run("mount", "-o", "loop", this.image, this.dir);
		mounted.add(this);
	}

	umount() {
		run("umount", this.dir);
		mounted.delete(this);
	}

	cut() {
		run(POWER_CUT, this.dir);
	}

	// Why this machine cannot do it, or false.
	static unfit() {
		try {
			const disk = new LoopDisk(8);

			disk.mount();
			disk.cut();
			disk.umount();
			return false;
		} catch (error) {
			return `no loop-mounted ext4 that can be shut down here (root is needed): ${
				String(error.stderr ?? error).trim().split("\n")[0]}`;
		}
	}
}
