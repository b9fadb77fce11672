/*
 * disk_internal: the disk's files, for the VFS that shows them to SQLite.
 *
 * Used by: disk.c, disk_vfs.c.
 */
#ifndef TESTS_SIM_DISK_INTERNAL_H
#define TESTS_SIM_DISK_INTERNAL_H

#include "tests/sim/disk.h"

#define DISK_FILES 8
#define DISK_PATH 128
#define DISK_SECTOR ((size_t)512)
#define DISK_SHM_PAGES 16
#define DISK_SHM_LOCKS 8

struct disk_bytes {
	unsigned char *at;
	size_t len, room;
};

/* A write, or a cut to off, that was not synced yet. */
struct disk_op {
	size_t off, len;
	size_t at; /* in pending */
	bool cut;
};

struct disk_file {
	char path[DISK_PATH]; /* "": free */
	bool there, durably_there, is_log;
	struct disk_bytes now;	   /* what programs see */
	struct disk_bytes durable; /* what a power cut leaves for sure */
	struct disk_bytes pending; /* what ops write */
	struct disk_op *ops;
	size_t n_ops, ops_room;
	unsigned n_open;
	/* Locks of SQLite's rollback form; each a count of connections. */
	unsigned shared, reserved, exclusive;
	/* The log's index, which lives as long as the process. */
	void *shm[DISK_SHM_PAGES];
	unsigned shm_shared[DISK_SHM_LOCKS], shm_exclusive;
};

struct disk {
	struct disk_file file[DISK_FILES];
	struct dice dice;
	enum disk_lie lie;
	uint64_t changes, bound;
	uint32_t off_after, fail_after;
	unsigned fail_what;
	bool off, for_good, has_failed;
};

extern struct disk disk;

enum disk_fate {
	DISK_WORKS,
	DISK_FAILS,
	DISK_DIES, /* in the middle of it */
};

/* What becomes of a change; of something that changes nothing. */
enum disk_fate disk_change(unsigned what);
enum disk_fate disk_try(unsigned what);
bool disk_has_room(const struct disk_file *f, size_t end);

/* The file at ${path}, made when asked; or NULL. */
struct disk_file *disk_find(const char *path, bool make);
void disk_file_write(
    struct disk_file *f, size_t off, const void *p, size_t len);
void disk_file_cut(struct disk_file *f, size_t len);
void disk_file_sync(struct disk_file *f);
void disk_file_sync_failed(struct disk_file *f);

/* disk_vfs.c */
void disk_register(void);
void disk_vfs_seed(uint64_t seed);
void disk_shm_free(struct disk_file *f);

#endif
