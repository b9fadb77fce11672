/*
 * doctor: what a doctor says: a line for each thing it looked at, and how to
 * mend it.
 *
 * Used by: cmd_doctor.c; doctor_store.c looks at the store.     Thread: the main one.
 */
#ifndef SERVER_CMD_DOCTOR_H
#define SERVER_CMD_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

enum doctor_state { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	size_t n[3]; /* lines, by state */
};

/* Print a line. ${mend} NULL: there is nothing to mend. */
void doctor_say(struct doctor *d, enum doctor_state state, const char *what,
    const char *mend, const char *fmt, ...) PRINTF_LIKE(5, 6);

/*
 * doctor_store.c: the store at ${db} and the disk below it, of which
 * ${reserve_bytes} stay free; 0: by its size.
 */
void doctor_store(struct doctor *d, const char *db, bool require_keys,
    uint64_t reserve_bytes);

#endif
