// The reference server of the Durable Streams protocol; DATA: kept in files there, else in memory.

import { DurableStreamTestServer } from "@durable-streams/server";

const server = new DurableStreamTestServer({ port: 0, dataDir: process.env.DATA || undefined });

await server.start();
console.log(`listening on ${server.url}`);
