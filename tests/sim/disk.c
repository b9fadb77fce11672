#include "tests/sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "tests/sim/disk_internal.h"

struct disk disk;

/* --- bytes --- */

static void bytes_size(struct disk_bytes *b, size_t len)
{
	if (len > b->room) {
		b->room = len + len / 2 + 4096;
		b->at = realloc(b->at, b->room);
		ASSERT(b->at != NULL);
	}
	if (len > b->len)
		memset(b->at + b->len, 0, len - b->len);
	b->len = len;
}

static void bytes_put(
    struct disk_bytes *b, size_t off, const void *src, size_t len)
{
	if (len == 0)
		return;
	if (off + len > b->len)
		bytes_size(b, off + len);
	memcpy(b->at + off, src, len);
}

static void bytes_copy(struct disk_bytes *to, const struct disk_bytes *from)
{
	bytes_size(to, from->len);
	if (from->len > 0)
		memcpy(to->at, from->at, from->len);
}

static void bytes_free(struct disk_bytes *b)
{
	free(b->at);
	*b = (struct disk_bytes){ 0 };
}

/* --- what is not synced --- */

static void note(
    struct disk_file *f, size_t off, const void *src, size_t len, bool cut)
{
	struct disk_op *op;

	if (f->n_ops == f->ops_room) {
		f->ops_room = f->ops_room == 0 ? 64 : 2 * f->ops_room;
		f->ops = realloc(f->ops, f->ops_room * sizeof(*f->ops));
		ASSERT(f->ops != NULL);
	}
	op = &f->ops[f->n_ops++];
	*op = (struct disk_op){
		.off = off, .len = len, .at = f->pending.len, .cut = cut
	};
	if (len > 0)
		bytes_put(&f->pending, f->pending.len, src, len);
}

static void apply(struct disk_file *f, const struct disk_op *op)
{
	if (op->cut)
		bytes_size(&f->durable, op->off);
	else
		bytes_put(
		    &f->durable, op->off, f->pending.at + op->at, op->len);
}

/* A write of which each sector has reached the disk, or has not. */
static void apply_torn(struct disk_file *f, const struct disk_op *op)
{
	for (size_t at = 0; at < op->len; at += DISK_SECTOR) {
		struct disk_op part = *op;

		part.off += at;
		part.at += at;
		part.len =
		    op->len - at < DISK_SECTOR ? op->len - at : DISK_SECTOR;
		if (dice_is(&disk.dice, 1, 2))
			apply(f, &part);
	}
}

static void forget(struct disk_file *f)
{
	f->n_ops = 0;
	bytes_size(&f->pending, 0);
}

void disk_file_sync(struct disk_file *f)
{
	for (size_t i = 0; i < f->n_ops; i++)
		apply(f, &f->ops[i]);
	forget(f);
	if (f->durably_there)
		return;
	/* A new file's first sync syncs its directory, and so all names. */
	for (size_t i = 0; i < DISK_FILES; i++)
		disk.file[i].durably_there = disk.file[i].there;
}

/* As the dice fall. Reordered: whatever was written between two syncs. */
static void settle(struct disk_file *f)
{
	uint32_t mode = dice_throw(&disk.dice, 4);
	size_t kept = f->n_ops;

	if (mode == 0)
		kept = 0;
	if (mode == 1)
		kept = dice_throw(&disk.dice, (uint32_t)f->n_ops + 1);
	for (size_t i = 0; i < kept; i++) {
		if (mode < 3 || dice_is(&disk.dice, 1, 3))
			apply(f, &f->ops[i]);
		else if (!f->ops[i].cut && dice_is(&disk.dice, 1, 2))
			apply_torn(f, &f->ops[i]);
	}
	forget(f);
}

void disk_file_sync_failed(struct disk_file *f)
{
	/* The kernel forgets that these pages were ever dirty. */
	settle(f);
}

/* --- changes --- */

enum disk_fate disk_change(unsigned what)
{
	if (disk.off)
		return DISK_FAILS;
	disk.changes++;
	if (disk.off_after > 0 && --disk.off_after == 0) {
		disk.off = true;
		return DISK_DIES;
	}
	return disk_try(what);
}

enum disk_fate disk_try(unsigned what)
{
	if (disk.off)
		return DISK_FAILS;
	if ((disk.fail_what & what) == 0 || disk.fail_after == 0)
		return DISK_WORKS;
	if (disk.fail_after > 1) {
		disk.fail_after--;
		return DISK_WORKS;
	}
	if (!disk.for_good)
		disk.fail_after = 0;
	disk.has_failed = true;
	return DISK_FAILS;
}

bool disk_has_room(const struct disk_file *f, size_t end)
{
	uint64_t sum = 0;

	if (disk.bound == UINT64_MAX || end <= f->now.len)
		return true;
	for (size_t i = 0; i < DISK_FILES; i++)
		if (disk.file[i].there)
			sum += disk.file[i].now.len;
	return sum + (end - f->now.len) <= disk.bound;
}

void disk_file_write(struct disk_file *f, size_t off, const void *p, size_t len)
{
	if (disk.lie == DISK_FORGETS_WRITES && f->is_log && len > 1000 &&
	    dice_is(&disk.dice, 1, 50))
		return;
	bytes_put(&f->now, off, p, len);
	note(f, off, p, len, false);
}

void disk_file_cut(struct disk_file *f, size_t len)
{
	if (len >= f->now.len)
		return;
	bytes_size(&f->now, len);
	note(f, len, NULL, 0, true);
}

struct disk_file *disk_find(const char *path, bool make)
{
	struct disk_file *free_one = NULL;
	size_t len = strlen(path);

	for (size_t i = 0; i < DISK_FILES; i++) {
		struct disk_file *f = &disk.file[i];

		if (f->path[0] != '\0' && strcmp(f->path, path) == 0) {
			if (f->there || !make)
				return f->there ? f : NULL;
			bytes_size(&f->now, 0);
			note(f, 0, NULL, 0, true);
			f->there = true;
			return f;
		}
		if (f->path[0] == '\0' && free_one == NULL)
			free_one = f;
	}
	if (!make)
		return NULL;
	ASSERT(free_one != NULL && len < sizeof(free_one->path));
	memcpy(free_one->path, path, len + 1);
	free_one->there = true;
	free_one->is_log = len > 4 && strcmp(path + len - 4, "-wal") == 0;
	return free_one;
}

/* --- from outside --- */

void disk_begin(uint64_t seed)
{
	disk_register();
	disk_end();
	disk.dice.state = seed;
	disk.bound = UINT64_MAX;
	disk_vfs_seed(seed);
}

void disk_end(void)
{
	for (size_t i = 0; i < DISK_FILES; i++) {
		struct disk_file *f = &disk.file[i];

		ASSERT(f->n_open == 0);
		bytes_free(&f->now);
		bytes_free(&f->durable);
		bytes_free(&f->pending);
		free(f->ops);
		disk_shm_free(f);
	}
	memset(&disk, 0, sizeof(disk));
	disk.bound = UINT64_MAX;
}

void disk_lie(enum disk_lie lie)
{
	disk.lie = lie;
}

void disk_off_after(uint32_t n)
{
	disk.off_after = n;
}

void disk_off_now(void)
{
	disk.off = true;
}

bool disk_is_off(void)
{
	return disk.off;
}

void disk_fail_after(uint32_t n, unsigned what, bool for_good)
{
	disk.fail_after = n;
	disk.fail_what = what;
	disk.for_good = for_good;
}

bool disk_has_failed(void)
{
	return disk.has_failed;
}

void disk_bound(uint64_t bytes)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < DISK_FILES; i++)
		if (disk.file[i].there)
			sum += disk.file[i].now.len;
	disk.bound = bytes == UINT64_MAX ? bytes : sum + bytes;
}

void disk_mend(void)
{
	disk.off = false;
	disk.off_after = 0;
	disk.fail_after = 0;
	disk.has_failed = false;
	disk.bound = UINT64_MAX;
}

void disk_process_died(void)
{
	for (size_t i = 0; i < DISK_FILES; i++) {
		ASSERT(disk.file[i].n_open == 0);
		disk_shm_free(&disk.file[i]);
	}
	disk.off = false;
	disk.off_after = 0;
}

void disk_power_cut(void)
{
	disk_process_died();
	for (size_t i = 0; i < DISK_FILES; i++) {
		struct disk_file *f = &disk.file[i];

		if (f->path[0] == '\0')
			continue;
		settle(f);
		/* A name whose directory was not synced is there or not. */
		if (f->there != f->durably_there)
			f->there = dice_is(&disk.dice, 1, 2);
		f->durably_there = f->there;
		if (!f->there)
			bytes_size(&f->durable, 0);
		if (disk.lie == DISK_ROTS && f->durable.len > 0)
			f->durable.at[dice_throw(
			    &disk.dice, (uint32_t)f->durable.len)] ^= 0x40;
		bytes_copy(&f->now, &f->durable);
	}
}

uint64_t disk_changes(void)
{
	return disk.changes;
}

struct disk_image {
	size_t n;
	struct {
		char path[DISK_PATH];
		struct disk_bytes bytes;
	} file[DISK_FILES];
};

void disk_remove(const char *path)
{
	struct disk_file *f = disk_find(path, false);

	if (f == NULL)
		return;
	ASSERT(f->n_open == 0);
	f->durably_there = true;
	disk_file_cut(f, 0);
	disk_file_sync(f);
	f->there = f->durably_there = false;
}

struct disk_image *disk_save(void)
{
	struct disk_image *image = calloc(1, sizeof(*image));

	ASSERT(image != NULL);
	for (size_t i = 0; i < DISK_FILES; i++) {
		const struct disk_file *f = &disk.file[i];

		if (!f->there)
			continue;
		memcpy(image->file[image->n].path, f->path, sizeof(f->path));
		bytes_copy(&image->file[image->n++].bytes, &f->now);
	}
	return image;
}

void disk_load(const struct disk_image *image)
{
	for (size_t i = 0; i < image->n; i++) {
		struct disk_file *f = disk_find(image->file[i].path, true);

		bytes_copy(&f->now, &image->file[i].bytes);
		bytes_copy(&f->durable, &image->file[i].bytes);
		f->durably_there = true;
	}
}

void disk_image_free(struct disk_image *image)
{
	for (size_t i = 0; image != NULL && i < image->n; i++)
		bytes_free(&image->file[i].bytes);
	free(image);
}
