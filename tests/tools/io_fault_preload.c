/*
 * io_fault: LD_PRELOAD it, and the disk fails when it is told to.
 *
 *	FAULT_PATH	only calls on files count whose path is this, or this
 *			with -wal, -shm or -journal behind it
 *	FAULT_CALL	write, sync, truncate (which of them count), or any
 *	FAULT_AT	the first call that fails, from 1; 0: none does
 *	FAULT_TIMES	how many fail from there on; 0: all
 *	FAULT_ERRNO	with what (5 EIO, 28 ENOSPC); 0: they only take long
 *	FAULT_MS	how long these take
 *	FAULT_FSTYPE	what statfs() says that file systems are
 *	FAULT_LOG	a file to count in: two uint64_t, calls and failures
 *
 * A write that runs out of space comes half to the disk first, as on a real one.
 * Nothing is allocated and no lock is taken: it runs inside of anything.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

enum call { WRITE = 1, SYNC = 2, TRUNCATE = 4 };

struct count {
	atomic_uint_fast64_t calls, failures;
};

static struct {
	const char *path;
	unsigned calls;
	uint64_t at, times;
	int error;
	struct timespec lasts;
	struct count *count;
} order;

static struct count own_count;

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

__attribute__((constructor)) static void read_order(void)
{
	const char *call = getenv("FAULT_CALL"), *log = getenv("FAULT_LOG");
	int fd;

	order.path = getenv("FAULT_PATH");
	order.calls = call == NULL || strcmp(call, "any") == 0
			  ? WRITE | SYNC | TRUNCATE
		      : strcmp(call, "write") == 0 ? WRITE
		      : strcmp(call, "sync") == 0  ? SYNC
						   : TRUNCATE;
	order.at = number("FAULT_AT", 0);
	order.times = number("FAULT_TIMES", 1);
	order.error = (int)number("FAULT_ERRNO", EIO);
	order.lasts.tv_sec = (time_t)number("FAULT_MS", 0) / 1000;
	order.lasts.tv_nsec = (long)number("FAULT_MS", 0) % 1000 * 1000000;
	order.count = &own_count;
	if (log == NULL || (fd = open(log, O_RDWR | O_CLOEXEC)) < 0)
		return;
	order.count = mmap(NULL, sizeof(*order.count), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (order.count == MAP_FAILED)
		order.count = &own_count;
	close(fd);
}

static bool is_ours(int fd)
{
	char link[40], path[4096];
	ssize_t n;

	if (order.path == NULL)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	n = (ssize_t)strlen(order.path);
	return strncmp(path, order.path, (size_t)n) == 0 &&
	       (path[n] == '\0' || strcmp(path + n, "-wal") == 0 ||
		   strcmp(path + n, "-shm") == 0 ||
		   strcmp(path + n, "-journal") == 0);
}

/* Must this call fail? Then errno says with what. */
static bool fails(enum call call, int fd)
{
	int saved = errno;
	uint64_t n;

	if ((order.calls & call) == 0 || !is_ours(fd)) {
		errno = saved;
		return false;
	}
	n = atomic_fetch_add(&order.count->calls, 1) + 1;
	if (order.at == 0 || n < order.at ||
	    (order.times > 0 && n >= order.at + order.times)) {
		errno = saved;
		return false;
	}
	atomic_fetch_add(&order.count->failures, 1);
	nanosleep(&order.lasts, NULL);
	errno = order.error == 0 ? saved : order.error;
	return order.error != 0;
}

/* The real one behind a name of ours. */
#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

static ssize_t put(int fd, const void *data, size_t n, off64_t at)
{
	static __typeof__(&pwrite64) real;

	if (real == NULL)
		real = REAL(pwrite64);
	if (!fails(WRITE, fd))
		return real(fd, data, n, at);
	if (order.error == ENOSPC && n > 1 && real(fd, data, n / 2, at) < 0)
		return -1;
	errno = order.error;
	return -1;
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
	return put(fd, data, n, at);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
	return put(fd, data, n, at);
}

ssize_t write(int fd, const void *data, size_t n)
{
	static __typeof__(&write) real;

	if (real == NULL)
		real = REAL(write);
	return fails(WRITE, fd) ? -1 : real(fd, data, n);
}

int fsync(int fd)
{
	static __typeof__(&fsync) real;

	if (real == NULL)
		real = REAL(fsync);
	return fails(SYNC, fd) ? -1 : real(fd);
}

int fdatasync(int fd)
{
	static __typeof__(&fdatasync) real;

	if (real == NULL)
		real = REAL(fdatasync);
	return fails(SYNC, fd) ? -1 : real(fd);
}

int statfs(const char *path, struct statfs *ret)
{
	static __typeof__(&statfs) real;
	int rc;

	if (real == NULL)
		real = REAL(statfs);
	rc = real(path, ret);
	if (rc == 0 && getenv("FAULT_FSTYPE") != NULL)
		ret->f_type = (__fsword_t)number("FAULT_FSTYPE", 0);
	return rc;
}

int ftruncate64(int fd, off64_t size)
{
	static __typeof__(&ftruncate64) real;

	if (real == NULL)
		real = REAL(ftruncate64);
	return fails(TRUNCATE, fd) ? -1 : real(fd, size);
}

int ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}
