// The protocol's public conformance tests, against the server that
// durable.test.mjs has started and named.

import { runConformanceTests } from "@durable-streams/server-conformance-tests";

runConformanceTests({
	baseUrl: process.env.DURABLE_URL,
	longPollTimeoutMs: Number(process.env.DURABLE_POLL_MS),
});
