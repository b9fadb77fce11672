/*
 * decimal: decimal text to exact integers, for money and for delays, never by
 * way of a double.
 *
 * Used by: results, error_class, catalog.          Thread: any; pure.
 */
#ifndef WORKER_DECIMAL_H
#define WORKER_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

enum decimal_rounding { DECIMAL_HALF_EVEN, DECIMAL_UP };

/*
 * ${s}, "-12.5e-3" and the like without blanks, times 10 to the power of
 * ${scale}, rounded (UP: away from 0). Fails: false when it is no such number or
 * passes 64 bits; *${ret} untouched.
 */
MUST_CHECK bool decimal_parse(const char *s, size_t len, int scale,
    enum decimal_rounding rounding, int64_t *ret);

/*
 * ${v}, not negative, divided by 10 to the power of ${scale} (at most 18),
 * without idle digits ("0.00000125", "3"), into ${dst}, at least DECIMAL_TEXT
 * bytes.
 */
#define DECIMAL_TEXT 24
void decimal_text(int64_t v, int scale, char *dst);

#endif
