-- The first schema. schema/README.md says who reads what, and why it lies so.

-- What was applied when: for people, and for the check at open.
CREATE TABLE schema_version (
	version INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	applied_ms INTEGER NOT NULL
) STRICT;

-- One row: numbers that never go back, whatever is deleted.
CREATE TABLE state (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	next_execution INTEGER NOT NULL, -- executions.id is at least this
	next_seq INTEGER NOT NULL        -- chunks.seq is at least this
) STRICT;
INSERT INTO state (id, next_execution, next_seq) VALUES (1, 1, 1);

-- A row for each process that may run executions. One that has the store's
-- lock is node 1, as long as it has it: lease_until is for engines with more.
CREATE TABLE nodes (
	id INTEGER PRIMARY KEY,
	epoch INTEGER NOT NULL,          -- +1 when a process becomes this node, or takes over from it
	url TEXT,                        -- where other nodes reach it
	lease_until INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What a client knows of an execution, without its request and its chunks.
CREATE TABLE executions (
	id INTEGER PRIMARY KEY,
	public_id BLOB NOT NULL,         -- UUIDv7, 16 bytes
	owner TEXT NOT NULL,
	status INTEGER NOT NULL,         -- 0 queued 1 streaming 2 completed 3 failed 4 cancelled
	model TEXT NOT NULL,
	target TEXT,
	prompt TEXT,
	created_ms INTEGER NOT NULL,
	started_ms INTEGER NOT NULL DEFAULT 0,
	first_chunk_ms INTEGER NOT NULL DEFAULT 0,
	finished_ms INTEGER NOT NULL DEFAULT 0,
	next_index INTEGER NOT NULL DEFAULT 0, -- exact once ended
	packed INTEGER NOT NULL DEFAULT 0,     -- first index that is in no segment
	attempts INTEGER NOT NULL DEFAULT 0,
	error_code TEXT,
	idempotency_key TEXT,
	request_hash BLOB,
	input_tokens INTEGER,
	output_tokens INTEGER,
	cached_tokens INTEGER,           -- of the input
	reasoning_tokens INTEGER,        -- of the output
	cost_pusd INTEGER,               -- millionths of a millionth of a dollar
	node INTEGER NOT NULL DEFAULT 0, -- who runs it, or ran it last: nodes.id
	epoch INTEGER NOT NULL DEFAULT 0, -- … while it had this epoch
	bytes INTEGER NOT NULL DEFAULT 0, -- of request, metadata, segments' payloads
	metadata_bytes INTEGER NOT NULL DEFAULT 0, -- of them, what outlives the payload
	payload_deleted_ms INTEGER NOT NULL DEFAULT 0, -- request, chunks gone
	note TEXT,                       -- of its run, for whoever goes on; NULL once ended
	sum INTEGER NOT NULL,            -- of all but packed, node, epoch, …bytes
	metadata TEXT                    -- last: long, and rarely read in lists
) STRICT;
CREATE UNIQUE INDEX executions_public ON executions (public_id);
CREATE INDEX executions_owner ON executions (owner, public_id);
CREATE INDEX executions_owner_status ON executions (owner, status, public_id);
CREATE INDEX executions_status ON executions (status, public_id);
CREATE UNIQUE INDEX executions_idempotency ON executions (owner, idempotency_key)
	WHERE idempotency_key IS NOT NULL;
CREATE INDEX executions_live ON executions (id)
	WHERE status < 2 OR packed < next_index;

-- The normalised request: apart, so that it is written once and lists are thin.
CREATE TABLE requests (
	execution INTEGER PRIMARY KEY,   -- executions.id
	sum INTEGER NOT NULL,
	request TEXT NOT NULL
) STRICT;

-- Live chunks of all executions in the order of commits: blocks of a few
-- neighbours each (store/sqlite_block.h). The only keys are the sequence.
CREATE TABLE chunks (
	seq INTEGER PRIMARY KEY,         -- of the block's first chunk
	n INTEGER NOT NULL,              -- chunks in the block, seq … seq + n - 1
	block BLOB NOT NULL
) STRICT;

-- The indexed form: id = execution << 24 | index of the first chunk.
CREATE TABLE segments (
	id INTEGER PRIMARY KEY,
	n INTEGER NOT NULL,
	codec INTEGER NOT NULL,          -- 0 plain, 1 in a zstd frame
	raw_bytes INTEGER NOT NULL,
	payload BLOB NOT NULL
) STRICT;

-- An import whose segments are being written: nobody sees them until its record
-- is there and this row is not. Found at a start, they are deleted.
CREATE TABLE imports (
	execution INTEGER PRIMARY KEY    -- executions.id to be
) STRICT;

-- What was used, by the day of the end; stays when executions are deleted.
-- A sum is NULL while nothing of it is known.
CREATE TABLE usage (
	day INTEGER NOT NULL,            -- since 1970-01-01 UTC
	owner TEXT NOT NULL,
	target TEXT NOT NULL,            -- executions.target; '' without one
	completed INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	cancelled INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	priced INTEGER NOT NULL,         -- executions whose cost is in the sum
	input_tokens INTEGER,
	output_tokens INTEGER,
	cached_tokens INTEGER,
	reasoning_tokens INTEGER,
	cost_pusd INTEGER,
	PRIMARY KEY (day, owner, target)
) STRICT, WITHOUT ROWID;

-- Executions whose request and segments wait to be dropped, a little at a time.
CREATE TABLE trash (
	execution INTEGER PRIMARY KEY    -- executions.id
) STRICT;

-- What was deleted, so that a reader learns it.
CREATE TABLE tombstones (
	public_id BLOB PRIMARY KEY,      -- executions.public_id
	owner TEXT NOT NULL,
	deleted_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_deleted ON tombstones (deleted_ms);

-- Executions whose tombstones are forgotten, but not that usage has them: the
-- last 8 bytes of their ids. An import of one is not added up again.
CREATE TABLE settled (
	tail BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What was done by whom.
CREATE TABLE audit (
	id INTEGER PRIMARY KEY,
	operation BLOB NOT NULL UNIQUE,  -- its writes add up here
	at_ms INTEGER NOT NULL,
	last_ms INTEGER NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail TEXT NOT NULL,            -- a JSON object, or empty
	executions INTEGER NOT NULL,     -- deleted so far, as the next two
	chunks INTEGER NOT NULL,
	bytes INTEGER NOT NULL
) STRICT;

-- Named logs that clients append to themselves (store/stream.h).
CREATE TABLE streams (
	log INTEGER PRIMARY KEY,         -- of the numbers of executions.id
	public_id BLOB NOT NULL,         -- its log's, 16 bytes
	owner TEXT NOT NULL,
	name TEXT NOT NULL,
	type TEXT NOT NULL,              -- Content-Type, as given
	created_ms INTEGER NOT NULL,
	closed INTEGER NOT NULL DEFAULT 0,
	deleted_ms INTEGER NOT NULL DEFAULT 0, -- gone, but forks read it
	first_index INTEGER NOT NULL DEFAULT 0, -- below it: its source's
	next_index INTEGER NOT NULL DEFAULT 0, -- exact once closed
	packed INTEGER NOT NULL DEFAULT 0,
	ttl_s INTEGER,
	expires_at TEXT,                 -- as given
	expires_ms INTEGER NOT NULL DEFAULT 0, -- by either; 0: never
	seq TEXT,                        -- the last Stream-Seq
	closer TEXT,                     -- the producer that closed it, and its numbers
	closer_epoch INTEGER NOT NULL DEFAULT 0,
	closer_seq INTEGER NOT NULL DEFAULT 0,
	source_log INTEGER,              -- a fork's: streams.log
	source TEXT,                     -- … and its name then
	fork_at INTEGER NOT NULL DEFAULT 0,
	fork_sub INTEGER NOT NULL DEFAULT 0,
	forks INTEGER NOT NULL DEFAULT 0, -- rows whose source_log it is
	bytes INTEGER NOT NULL DEFAULT 0 -- of segments' payloads
) STRICT;
CREATE UNIQUE INDEX streams_name ON streams (owner, name);
CREATE UNIQUE INDEX streams_public ON streams (public_id);
CREATE INDEX streams_expires ON streams (expires_ms) WHERE expires_ms > 0;
CREATE INDEX streams_source ON streams (source_log) WHERE source_log IS NOT NULL;
CREATE INDEX streams_live ON streams (log)
	WHERE closed = 0 OR packed < next_index;

-- What is known of who appends with numbers of its own.
CREATE TABLE producers (
	stream INTEGER NOT NULL,         -- streams.log
	producer TEXT NOT NULL,
	epoch INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	used INTEGER NOT NULL,           -- the stream's next_index then
	PRIMARY KEY (stream, producer)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
	id INTEGER PRIMARY KEY,
	public_id BLOB NOT NULL UNIQUE,
	label TEXT NOT NULL,
	owner TEXT NOT NULL,
	hint TEXT NOT NULL,
	scopes INTEGER NOT NULL,
	hash BLOB NOT NULL UNIQUE,       -- SHA-256 of the secret
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL DEFAULT 0,
	revoked_ms INTEGER NOT NULL DEFAULT 0,
	sum INTEGER NOT NULL
) STRICT;

-- Owners' keys for providers, sealed (store/provider_key.h): useless without
-- the key file, which is not here.
CREATE TABLE provider_keys (
	owner TEXT NOT NULL,
	upstream TEXT NOT NULL,
	hint TEXT NOT NULL,              -- the key's last characters
	created_ms INTEGER NOT NULL,
	sealed BLOB NOT NULL,            -- says itself whether it is whole
	PRIMARY KEY (owner, upstream)
) STRICT, WITHOUT ROWID;

CREATE TABLE prompts (
	id INTEGER PRIMARY KEY,
	owner TEXT NOT NULL,
	name TEXT NOT NULL,
	version INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	sum INTEGER NOT NULL,
	body TEXT NOT NULL,
	UNIQUE (owner, name, version)
) STRICT;
