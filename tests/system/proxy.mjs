// proxy: passes requests on to a service and does to the answer's body what the
// test wants: `meddle(answer, response, n)` gets the service's answer, ours, and
// which request it is, from 0. Without it answers pass as they are.

import http from "node:http";

export class Proxy {
	static async start(target, meddle) {
		const proxy = new Proxy();
		let n = 0;

		proxy.server = http.createServer((request, response) => {
			const onward = http.request(target + request.url,
				{ method: request.method, headers: { ...request.headers, host: new URL(target).host } },
				(answer) => {
					answer.on("error", () => response.destroy());
					response.on("close", () => answer.destroy());
					response.writeHead(answer.statusCode, answer.headers);
					(meddle ?? ((a, r) => a.pipe(r)))(answer, response, n++);
				});

			onward.on("error", () => response.destroy());
			request.pipe(onward);
		});
		await new Promise((done) => proxy.server.listen(0, "127.0.0.1", done));
		proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
		return proxy;
	}

	stop() {
		this.server.closeAllConnections();
		return new Promise((done) => this.server.close(done));
	}
}

// Cuts every answer off after `bytes` of its body.
export function cutAfter(bytes) {
	return (answer, response) => {
		let left = bytes;

		answer.on("data", (data) => {
			response.write(data.subarray(0, left), () => {
				if (left <= 0)
					response.destroy();
			});
			left -= data.length;
		});
		answer.on("end", () => left > 0 && response.end());
	};
}
