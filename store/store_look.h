/*
 * store_look: a store seen from outside, for the doctor: its place, who has it, and,
 * while nobody does, what it says of itself.
 *
 * Used by: the command doctor.     Thread: one that may touch the disk.
 */
#ifndef STORE_STORE_LOOK_H
#define STORE_STORE_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/store.h"

struct store_look {
	char path[4096];      /* of the main file, absolute if it is there */
	char file_system[32]; /* "ext4"; a number where the name is not known */
	bool fit;	      /* its locks can be trusted */
	bool fleeting;	      /* what is there is gone after a restart */
	bool there;
	bool held;
	char holder[STORE_HOLDER_BYTES]; /* as store_holder() of who has it */
	uint64_t db_bytes, wal_bytes;
	char library[64]; /* "SQLite 3.40.1" */
	/* What is known to be wrong with it and why it is no matter, or "". */
	char flaw[200];

	/* Not while somebody has it: then opened is ERR_BUSY. */
	enum err opened;
	struct why opened_why;
	int64_t newest_ms;   /* creation of the newest execution; 0: none */
	size_t n_admin_keys; /* that open something now */
};

/* Fails: ERR_INPUT (${url} names no store), ERR_NOMEM. */
MUST_CHECK enum err store_look(
    const char *url, struct store_look *ret, struct why *why);

#endif
