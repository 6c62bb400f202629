/* common/json_check.h - is this sound JSON? For text that is passed on as it came, without a tree
 */
#ifndef JSON_CHECK_H
#define JSON_CHECK_H

#include <stddef.h>

#include "common/attr.h"

#define JSON_CHECK_DEPTH_MAX 64

/*
 * One value of RFC 8259 and nothing else, on one line (no line break between its parts), in UTF-8,
 * strings without NUL and without half of a surrogate pair; brackets nested at most depth_max
 * (JSON_CHECK_DEPTH_MAX) deep. One pass, no memory; names that repeat are not noticed.
 * 0, WA_EPROTO, or WA_ELIMIT (too deep).
 */
ATTR_NODISCARD int json_check(const char *text, size_t len, unsigned depth_max);

#endif
