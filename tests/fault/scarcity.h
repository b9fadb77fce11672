/*
 * scarcity: allocations that fail when they are told to: ours, through the
 * linker's --wrap, and those of libraries, through their hooks.
 *
 * Used by: malloc_test.c, which the Makefile links with the wraps.
 * Thread: any; counted together.
 */
#ifndef TESTS_FAULT_SCARCITY_H
#define TESTS_FAULT_SCARCITY_H

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <jansson.h>
#include <sqlite3.h>

#include "store/base/log.h"
#include "store/base/spare.h"

enum {
	SCARCITY_OURS = 1,
	SCARCITY_SQLITE = 2,
	SCARCITY_JANSSON = 4,
	SCARCITY_CURL = 8,
	SCARCITY_EVENT = 16,
};

static struct {
	atomic_uint whose;	/* 0: nothing is counted */
	atomic_uint_fast64_t n; /* counted so far */
	uint64_t at;		/* which one fails; 0: none */
	bool for_good;		/* and all after it */
	atomic_bool failed;	/* one has */
	sqlite3_mem_methods sqlite;
} scarcity;

static inline bool scarcity_denies(unsigned whose)
{
	uint64_t n;

	if ((atomic_load(&scarcity.whose) & whose) == 0)
		return false;
	n = atomic_fetch_add(&scarcity.n, 1) + 1;
	if (scarcity.at == 0 || n < scarcity.at ||
	    (n > scarcity.at && !scarcity.for_good))
		return false;
	atomic_store(&scarcity.failed, true);
	errno = ENOMEM;
	return true;
}

/* Count, and let the ${at}th of ${whose} fail. */
static inline void scarcity_begin(unsigned whose, uint64_t at, bool for_good)
{
	scarcity.at = at;
	scarcity.for_good = for_good;
	atomic_store(&scarcity.n, 0);
	atomic_store(&scarcity.failed, false);
	atomic_store(&scarcity.whose, whose);
}

/* There is plenty again. True when one has failed. */
static inline bool scarcity_end(void)
{
	atomic_store(&scarcity.whose, 0);
	return atomic_load(&scarcity.failed);
}

/* For what a test does itself meanwhile. */
static inline unsigned scarcity_pause(void)
{
	return atomic_exchange(&scarcity.whose, 0);
}

static inline void scarcity_resume(unsigned whose)
{
	atomic_store(&scarcity.whose, whose);
}

/* --- ours: the linker brings them here --- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
char *__real_realpath(const char *path, char *dst);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
char *__wrap_realpath(const char *path, char *dst);
int __wrap_asprintf(char **ret, const char *fmt, ...) PRINTF_LIKE(2, 3);
int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static _Thread_local bool scarcity_in_jansson;

void *__wrap_malloc(size_t n)
{
	return scarcity_denies(
		   scarcity_in_jansson ? SCARCITY_JANSSON : SCARCITY_OURS)
		   ? NULL
		   : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return scarcity_denies(SCARCITY_OURS) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return scarcity_denies(SCARCITY_OURS) ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return scarcity_denies(SCARCITY_OURS) ? NULL
					      : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	return scarcity_denies(SCARCITY_OURS) ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return scarcity_denies(SCARCITY_OURS) ? NULL : __real_strndup(s, n);
}

char *__wrap_realpath(const char *path, char *dst)
{
	if (dst == NULL && scarcity_denies(SCARCITY_OURS))
		return NULL;
	return __real_realpath(path, dst);
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (scarcity_denies(SCARCITY_OURS))
		return -1;
	va_start(ap, fmt);
	n = vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;

	(void)flag;
	if (scarcity_denies(SCARCITY_OURS))
		return -1;
	va_start(ap, fmt);
	n = vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

/* --- libraries --- */

static inline void *scarcity_sqlite_malloc(int n)
{
	return scarcity_denies(SCARCITY_SQLITE) ? NULL
						: scarcity.sqlite.xMalloc(n);
}

static inline void *scarcity_sqlite_realloc(void *p, int n)
{
	return scarcity_denies(SCARCITY_SQLITE)
		   ? NULL
		   : scarcity.sqlite.xRealloc(p, n);
}

/* As in the program: what lies under the spare fails. */
static inline void *scarcity_jansson_malloc(size_t n)
{
	void *p;

	scarcity_in_jansson = true;
	p = spare_malloc(n);
	scarcity_in_jansson = false;
	return p;
}

static inline void *scarcity_curl_malloc(size_t n)
{
	return scarcity_denies(SCARCITY_CURL) ? NULL : __real_malloc(n);
}

static inline void *scarcity_curl_calloc(size_t n, size_t size)
{
	return scarcity_denies(SCARCITY_CURL) ? NULL : __real_calloc(n, size);
}

static inline void *scarcity_curl_realloc(void *p, size_t n)
{
	return scarcity_denies(SCARCITY_CURL) ? NULL : __real_realloc(p, n);
}

static inline char *scarcity_curl_strdup(const char *s)
{
	return scarcity_denies(SCARCITY_CURL) ? NULL : __real_strdup(s);
}

/* Before any of them is used. */
static inline void scarcity_hook(void)
{
	sqlite3_mem_methods ours;

	ASSERT(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &scarcity.sqlite) ==
	       SQLITE_OK);
	ours = scarcity.sqlite;
	ours.xMalloc = scarcity_sqlite_malloc;
	ours.xRealloc = scarcity_sqlite_realloc;
	ASSERT(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) == SQLITE_OK);
	json_object_seed(1);
	json_set_alloc_funcs(scarcity_jansson_malloc, spare_free);
	ASSERT(curl_global_init_mem(CURL_GLOBAL_DEFAULT, scarcity_curl_malloc,
		   free, scarcity_curl_realloc, scarcity_curl_strdup,
		   scarcity_curl_calloc) == CURLE_OK);
}

#endif
