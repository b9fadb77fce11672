/*
 * disk: a disk in memory, under the real SQLite. It keeps what was synced and
 * may lose, tear or reorder the rest when the power goes; it fails, fills up,
 * and lies when told so.
 *
 * Used by: tests/sim.          Thread: the only one.
 * Promises: the same calls with the same dice give the same bytes. What was
 * written is read back until the power goes, unless it was told to lie.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/dice.h"

/* What can fail. */
enum {
	DISK_READ = 1,
	DISK_WRITE = 2,
	DISK_SYNC = 4,
	DISK_TRUNCATE = 8,
};

/* How a disk can betray who trusts it: each must be noticed. */
enum disk_lie {
	DISK_HONEST,
	DISK_SYNCS_NOTHING,  /* says that it has synced */
	DISK_FORGETS_WRITES, /* of the log, now and then */
	DISK_ROTS,	     /* a byte of what is durable changes at a crash */
};

/* From now on this disk, empty and honest, is what SQLite writes to. */
void disk_begin(uint64_t seed);

/* Give all memory back. Everything must have been closed. */
void disk_end(void);

void disk_lie(enum disk_lie lie);

/* The power goes at the ${n}th change from now on; 0: not at all. */
void disk_off_after(uint32_t n);
/* Now. Whoever still writes learns of it and changes nothing. */
void disk_off_now(void);
bool disk_is_off(void);

/* The ${n}th of ${what} from now on fails, with all that follow if ${for_good}. */
void disk_fail_after(uint32_t n, unsigned what, bool for_good);
/* Has something failed since? */
bool disk_has_failed(void);

/* At most ${bytes} more than there are now; UINT64_MAX: no bound. */
void disk_bound(uint64_t bytes);

/* No fault is waiting any more. */
void disk_mend(void);

/*
 * The process is gone: locks and shared memory with it. What it wrote stays
 * until the power goes, too. Everything must have been closed.
 */
void disk_process_died(void);

/* And the power with it: what was not synced is as the dice fall. */
void disk_power_cut(void);

/* The file at ${path}, which nobody has open, was removed. */
void disk_remove(const char *path);

/* Changes since disk_begin(). */
uint64_t disk_changes(void);

/* A disk's contents, all of it synced; kept, and put onto an empty disk. */
struct disk_image;
struct disk_image *disk_save(void);
void disk_load(const struct disk_image *image);
void disk_image_free(struct disk_image *image);

#endif
