#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "tests/sim/disk_internal.h"

/* The unit of the log's index, as SQLite asks for it. */
#define SHM_BYTES 32768

/* A connection's handle on a file. */
struct handle {
	sqlite3_file base; /* first */
	struct disk_file *file;
	int level;		       /* SQLITE_LOCK_* */
	unsigned shm_shared, shm_held; /* locks, as bits */
};

static struct dice entropy;

static struct handle *of(sqlite3_file *f)
{
	return (struct handle *)f;
}

static int on_read(sqlite3_file *h, void *dst, int n, sqlite3_int64 off)
{
	const struct disk_bytes *now = &of(h)->file->now;
	size_t want = (size_t)n, at = (size_t)off, have;

	if (disk_try(DISK_READ) != DISK_WORKS)
		return SQLITE_IOERR_READ;
	have = at >= now->len ? 0 : now->len - at;
	if (have >= want) {
		memcpy(dst, now->at + at, want);
		return SQLITE_OK;
	}
	if (have > 0)
		memcpy(dst, now->at + at, have);
	memset((char *)dst + have, 0, want - have);
	return SQLITE_IOERR_SHORT_READ;
}

static int on_write(sqlite3_file *h, const void *src, int n, sqlite3_int64 off)
{
	struct disk_file *f = of(h)->file;
	size_t len = (size_t)n, at = (size_t)off, sectors;

	switch (disk_change(DISK_WRITE)) {
	case DISK_WORKS: break;
	case DISK_FAILS: return SQLITE_IOERR_WRITE;
	case DISK_DIES:
		sectors =
		    dice_throw(&disk.dice, (uint32_t)(len / DISK_SECTOR) + 1);
		disk_file_write(f, at, src, sectors * DISK_SECTOR);
		return SQLITE_IOERR_WRITE;
	}
	if (!disk_has_room(f, at + len))
		return SQLITE_FULL;
	disk_file_write(f, at, src, len);
	return SQLITE_OK;
}

static int on_truncate(sqlite3_file *h, sqlite3_int64 size)
{
	if (disk_change(DISK_TRUNCATE) != DISK_WORKS)
		return SQLITE_IOERR_TRUNCATE;
	disk_file_cut(of(h)->file, (size_t)size);
	return SQLITE_OK;
}

static int on_sync(sqlite3_file *h, int flags)
{
	bool was_off = disk.off;

	(void)flags;
	if (disk_change(DISK_SYNC) != DISK_WORKS) {
		if (!was_off && !disk.off)
			disk_file_sync_failed(of(h)->file);
		return SQLITE_IOERR_FSYNC;
	}
	if (disk.lie != DISK_SYNCS_NOTHING)
		disk_file_sync(of(h)->file);
	return SQLITE_OK;
}

static int on_size(sqlite3_file *h, sqlite3_int64 *ret)
{
	if (disk.off)
		return SQLITE_IOERR_FSTAT;
	*ret = (sqlite3_int64)of(h)->file->now.len;
	return SQLITE_OK;
}

static void leave(struct handle *h, int to)
{
	struct disk_file *f = h->file;

	f->exclusive -= h->level == SQLITE_LOCK_EXCLUSIVE;
	f->reserved -=
	    h->level >= SQLITE_LOCK_RESERVED && to < SQLITE_LOCK_RESERVED;
	f->shared -= h->level >= SQLITE_LOCK_SHARED && to < SQLITE_LOCK_SHARED;
	h->level = to;
}

static int on_lock(sqlite3_file *file, int level)
{
	struct handle *h = of(file);
	struct disk_file *f = h->file;

	if (h->level >= level)
		return SQLITE_OK;
	if (h->level == SQLITE_LOCK_NONE) {
		if (f->exclusive > 0)
			return SQLITE_BUSY;
		f->shared++;
		h->level = SQLITE_LOCK_SHARED;
	}
	if (level >= SQLITE_LOCK_RESERVED && h->level < SQLITE_LOCK_RESERVED) {
		if (f->reserved > 0)
			return SQLITE_BUSY;
		f->reserved++;
		h->level = SQLITE_LOCK_RESERVED;
	}
	if (level == SQLITE_LOCK_EXCLUSIVE) {
		if (f->shared > 1)
			return SQLITE_BUSY;
		f->exclusive++;
		h->level = level;
	}
	return SQLITE_OK;
}

static int on_unlock(sqlite3_file *file, int level)
{
	if (of(file)->level > level)
		leave(of(file), level);
	return SQLITE_OK;
}

static int on_reserved(sqlite3_file *file, int *ret)
{
	*ret = of(file)->file->reserved > 0;
	return SQLITE_OK;
}

static int on_control(sqlite3_file *file, int op, void *arg)
{
	(void)file;
	if (op != SQLITE_FCNTL_HAS_MOVED)
		return SQLITE_NOTFOUND;
	*(int *)arg = 0;
	return SQLITE_OK;
}

static int on_sector_size(sqlite3_file *file)
{
	(void)file;
	return 4096;
}

static int on_characteristics(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- the log's index --- */

void disk_shm_free(struct disk_file *f)
{
	for (size_t i = 0; i < DISK_SHM_PAGES; i++) {
		free(f->shm[i]);
		f->shm[i] = NULL;
	}
	memset(f->shm_shared, 0, sizeof(f->shm_shared));
	f->shm_exclusive = 0;
}

static int on_shm_map(
    sqlite3_file *file, int i, int size, int extend, void volatile **ret)
{
	struct disk_file *f = of(file)->file;

	ASSERT(size == SHM_BYTES && i < DISK_SHM_PAGES);
	if (disk.off)
		return SQLITE_IOERR_SHMMAP;
	if (f->shm[i] == NULL && extend != 0)
		f->shm[i] = calloc(1, SHM_BYTES);
	*ret = f->shm[i];
	return SQLITE_OK;
}

static void shm_unlock(struct handle *h, unsigned mask)
{
	for (unsigned i = 0; i < DISK_SHM_LOCKS; i++)
		if ((h->shm_shared & mask & 1u << i) != 0)
			h->file->shm_shared[i]--;
	h->file->shm_exclusive &= ~(h->shm_held & mask);
	h->shm_shared &= ~mask;
	h->shm_held &= ~mask;
}

static int on_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	struct handle *h = of(file);
	struct disk_file *f = h->file;
	unsigned mask = ((1u << n) - 1) << offset;

	if ((flags & SQLITE_SHM_UNLOCK) != 0) {
		shm_unlock(h, mask);
		return SQLITE_OK;
	}
	if ((f->shm_exclusive & mask & ~h->shm_held) != 0)
		return SQLITE_BUSY;
	if ((flags & SQLITE_SHM_SHARED) != 0) {
		if ((h->shm_shared & mask) == 0) {
			f->shm_shared[offset]++;
			h->shm_shared |= mask;
		}
		return SQLITE_OK;
	}
	for (int i = offset; i < offset + n; i++)
		if (f->shm_shared[i] > (h->shm_shared >> i & 1))
			return SQLITE_BUSY;
	h->shm_held |= mask;
	f->shm_exclusive |= mask;
	return SQLITE_OK;
}

static void on_shm_barrier(sqlite3_file *file)
{
	(void)file;
}

static int on_shm_unmap(sqlite3_file *file, int unlink)
{
	shm_unlock(of(file), ~0u);
	if (unlink != 0)
		disk_shm_free(of(file)->file);
	return SQLITE_OK;
}

/* --- files --- */

static int on_close(sqlite3_file *file)
{
	struct handle *h = of(file);

	shm_unlock(h, ~0u);
	leave(h, SQLITE_LOCK_NONE);
	h->file->n_open--;
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_reserved,
	.xFileControl = on_control,
	.xSectorSize = on_sector_size,
	.xDeviceCharacteristics = on_characteristics,
	.xShmMap = on_shm_map,
	.xShmLock = on_shm_lock,
	.xShmBarrier = on_shm_barrier,
	.xShmUnmap = on_shm_unmap,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
    int flags, int *ret_flags)
{
	struct handle *h = of(file);

	(void)vfs;
	*h = (struct handle){ .level = SQLITE_LOCK_NONE };
	if (disk.off || name == NULL)
		return SQLITE_CANTOPEN;
	/* The store makes its file by itself, before SQLite sees it. */
	h->file = disk_find(
	    name, (flags & (SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB)) != 0);
	if (h->file == NULL)
		return SQLITE_CANTOPEN;
	h->base.pMethods = &methods;
	h->file->n_open++;
	if (ret_flags != NULL)
		*ret_flags = flags;
	return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct disk_file *f = disk_find(name, false);

	(void)vfs;
	if (f == NULL)
		return SQLITE_IOERR_DELETE_NOENT;
	if (disk_change(0) != DISK_WORKS)
		return SQLITE_IOERR_DELETE;
	f->there = false;
	if (sync != 0)
		f->durably_there = false;
	return SQLITE_OK;
}

static int on_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	(void)vfs;
	(void)flags;
	if (disk.off)
		return SQLITE_IOERR_ACCESS;
	*ret = disk_find(name, false) != NULL;
	return SQLITE_OK;
}

static int on_full_path(sqlite3_vfs *vfs, const char *name, int size, char *dst)
{
	(void)vfs;
	sqlite3_snprintf(size, dst, "%s", name);
	return SQLITE_OK;
}

static int on_randomness(sqlite3_vfs *vfs, int n, char *dst)
{
	(void)vfs;
	for (int i = 0; i < n; i++)
		dst[i] = (char)dice_bits(&entropy);
	return n;
}

static int on_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int on_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 2440587.5 + (double)clock_wall_ms() / 86400000.0;
	return SQLITE_OK;
}

static int on_last_error(sqlite3_vfs *vfs, int n, char *dst)
{
	(void)vfs;
	(void)n;
	(void)dst;
	return 0;
}

static sqlite3_vfs vfs = {
	.iVersion = 1,
	.szOsFile = sizeof(struct handle),
	.mxPathname = DISK_PATH,
	.zName = "simulated",
	.xOpen = on_open,
	.xDelete = on_delete,
	.xAccess = on_access,
	.xFullPathname = on_full_path,
	.xRandomness = on_randomness,
	.xSleep = on_sleep,
	.xCurrentTime = on_time,
	.xGetLastError = on_last_error,
};

void disk_register(void)
{
	ASSERT(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

void disk_vfs_seed(uint64_t seed)
{
	entropy.state = seed;
	/* SQLite's own generator begins anew from it. */
	sqlite3_randomness(0, NULL);
}
