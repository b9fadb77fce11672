#include "store/base/err.h"

#include <stdarg.h>
#include <stdio.h>

const char *err_name(enum err e)
{
	switch (e) {
	case OK: return "ok";
	case ERR_NOMEM: return "out_of_memory";
	case ERR_INPUT: return "invalid_input";
	case ERR_NOT_FOUND: return "not_found";
	case ERR_GONE: return "gone";
	case ERR_CONFLICT: return "conflict";
	case ERR_SEALED: return "sealed";
	case ERR_BUSY: return "busy";
	case ERR_LIMIT: return "limit_reached";
	case ERR_DENIED: return "denied";
	case ERR_TIMEOUT: return "timeout";
	case ERR_CANCELLED: return "cancelled";
	case ERR_UPSTREAM: return "upstream_error";
	case ERR_FULL: return "disk_full";
	case ERR_IO: return "io_error";
	case ERR_CORRUPT: return "corrupt";
	case ERR_VERSION: return "newer_version";
	case ERR_STOPPED: return "stopped";
	}
	return "unknown";
}

void err_why(struct why *why, const char *fmt, ...)
{
	va_list ap;

	if (why == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
}
