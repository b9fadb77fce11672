#include "server/cmd/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/store.h"
#include "store/store_look.h"

#define MIB ((uint64_t)1 << 20)
#define WAL_LIMIT (64 * MIB)
#define LEAST_ROOM (16 * MIB)
#define CLOCK_SLACK_MS 60000

/* The mode and owner of one file; none is none. */
static void look_at_file(struct doctor *d, const char *path, bool *ret_bad)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return;
	if (st.st_mode & 077) {
		char mend[4200];

		snprintf(mend, sizeof(mend), "chmod 600 %s", path);
		doctor_say(d, DOCTOR_FAIL, "file modes", mend,
		    "%s is open to others (%03o)", path,
		    (unsigned)st.st_mode & 0777);
		*ret_bad = true;
	}
	if (st.st_uid != geteuid() && geteuid() != 0) {
		doctor_say(d, DOCTOR_FAIL, "owner",
		    "run spool as that user, or chown the files",
		    "%s belongs to user %u, this is user %u", path,
		    (unsigned)st.st_uid, (unsigned)geteuid());
		*ret_bad = true;
	}
}

static void look_at_files(struct doctor *d, const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-reserve",
		".lock" };
	const char *slash = strrchr(path, '/');
	char name[4200];
	bool bad = false;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		look_at_file(d, name, &bad);
	}
	snprintf(name, sizeof(name), "%.*sadmin.key",
	    slash ? (int)(slash - path + 1) : 0, path);
	look_at_file(d, name, &bad);
	if (!bad)
		doctor_say(d, DOCTOR_OK, "file modes", NULL,
		    "the store's files are its owner's alone");
}

static void look_at_disk(struct doctor *d, const char *path, uint64_t chosen)
{
	const char *slash = strrchr(path, '/');
	uint64_t left, reserve;
	struct statvfs fs;
	char dir[4096];

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path + 1) : 1,
	    slash ? path : ".");
	if (statvfs(dir, &fs) != 0) {
		doctor_say(d, DOCTOR_FAIL, "disk",
		    "make the directory, or give another --db", "%s: %s", dir,
		    strerror(errno));
		return;
	}
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	reserve = store_reserve(chosen, (uint64_t)fs.f_blocks * fs.f_frsize);
	doctor_say(d,
	    left < LEAST_ROOM ? DOCTOR_FAIL
	    : left < reserve  ? DOCTOR_WARN
			      : DOCTOR_OK,
	    "disk",
	    left < reserve ? "free some room, or delete old executions: a full "
			     "disk cannot even delete"
			   : NULL,
	    "%llu MiB free, %llu MiB are the reserve",
	    (unsigned long long)(left / MIB),
	    (unsigned long long)(reserve / MIB));
	if (access(dir, W_OK | X_OK) != 0)
		doctor_say(d, DOCTOR_FAIL, "directory",
		    "give spool's user the right to write there", "%s: %s", dir,
		    strerror(errno));
}

static void look_at_place(struct doctor *d, const struct store_look *look)
{
	if (!look->fit)
		doctor_say(d, DOCTOR_FAIL, "file system",
		    "put the store on a local disk",
		    "%s: file locks cannot be trusted there",
		    look->file_system);
	else
		doctor_say(d, look->fleeting ? DOCTOR_WARN : DOCTOR_OK,
		    "file system",
		    look->fleeting ? "put the store on a disk or volume that "
				     "outlives the machine or container"
				   : NULL,
		    "%s%s", look->file_system,
		    look->fleeting ? ": what is there may be gone after a "
				     "restart"
				   : "");
	doctor_say(d, DOCTOR_OK, "database library",
	    look->flaw[0] ? look->flaw : NULL, "%s", look->library);
	doctor_say(d, look->wal_bytes > WAL_LIMIT ? DOCTOR_WARN : DOCTOR_OK,
	    "write-ahead log",
	    look->wal_bytes > WAL_LIMIT
		? "find the program that reads the file for long; a restart "
		  "of the server shrinks it"
		: NULL,
	    "%llu KiB, the store itself %llu KiB",
	    (unsigned long long)look->wal_bytes >> 10,
	    (unsigned long long)look->db_bytes >> 10);
}

static void look_inside(
    struct doctor *d, const struct store_look *look, bool require_keys)
{
	char newest[CLOCK_TEXT];

	if (look->held) {
		doctor_say(d, DOCTOR_OK, "lock", NULL, "held by %s",
		    look->holder[0] ? look->holder : "another process");
		return;
	}
	if (look->opened != OK) {
		doctor_say(d, DOCTOR_FAIL, "store",
		    look->opened == ERR_VERSION
			? "start the spool that it belongs to"
			: "restore a backup (spool restore)",
		    "%s", look->opened_why.text);
		return;
	}
	doctor_say(d, DOCTOR_OK, "lock", NULL, "nobody has the store");
	doctor_say(d, DOCTOR_OK, "tables", NULL, "they are of this spool");
	if (look->newest_ms > clock_wall_ms() + CLOCK_SLACK_MS) {
		clock_text(look->newest_ms, newest);
		doctor_say(d, DOCTOR_FAIL, "clock",
		    "set the clock (timedatectl), or wait: ids and lists "
		    "follow it",
		    "the newest execution is of %s, which is yet to come",
		    newest);
	} else {
		doctor_say(d, DOCTOR_OK, "clock", NULL,
		    "no execution is of the future");
	}
	if (!require_keys || look->n_admin_keys > 0)
		doctor_say(d, DOCTOR_OK, "admin key", NULL, "%zu in use",
		    look->n_admin_keys);
	else
		doctor_say(d, DOCTOR_WARN, "admin key",
		    "set SPOOL_ADMIN_KEY for the next start",
		    "none opens the store");
}

void doctor_store(
    struct doctor *d, const char *db, bool require_keys, uint64_t reserve_bytes)
{
	static struct store_look look; /* large */
	struct why why = { "" };

	if (store_look(db, &look, &why) != OK) {
		doctor_say(d, DOCTOR_FAIL, "store", "give another --db", "%s",
		    why.text);
		return;
	}
	look_at_place(d, &look);
	look_at_disk(d, look.path, reserve_bytes);
	if (!look.there) {
		doctor_say(d, DOCTOR_OK, "store", NULL,
		    "%s is not there yet; the first start makes it", look.path);
		return;
	}
	look_at_files(d, look.path);
	look_inside(d, &look, require_keys);
}
