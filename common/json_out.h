/*
 * common/json_out.h - JSON text written straight into a buffer
 *
 * For text that is made once, many times a second, often of foreign strings: no tree, one pass.
 * Members come out in the order they are written; whoever writes sees to it that names don't repeat
 * and that what is opened is closed. Errors are sticky: write everything, look at err once.
 */
#ifndef JSON_OUT_H
#define JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct json_out {
	struct buf *b; /* borrowed; appended to */
	int err;       /* 0 or -ENOMEM: what stands in b is then cut off anywhere */
	bool more;     /* something stands before it in this object or array */
};

static inline struct json_out json_out(struct buf *b)
{
	return (struct json_out){ .b = b };
}

/* name: of the member (plain ASCII that needs no escape); NULL: an item of an array, or the top. */
void jout_obj(struct json_out *j, const char *name);
void jout_obj_end(struct json_out *j);
void jout_arr(struct json_out *j, const char *name);
void jout_arr_end(struct json_out *j);

/*
 * Text as it came. What is no UTF-8, and NUL, becomes U+FFFD: every reader takes the result.
 * s NULL: the member is left out.
 */
void jout_str(struct json_out *j, const char *name, const char *s);
void jout_str_n(struct json_out *j, const char *name, const void *data, size_t data_len);
void jout_int(struct json_out *j, const char *name, int64_t v);
/* As jout_int(); 0 is left out. */
void jout_int_set(struct json_out *j, const char *name, int64_t v);
/* The shortest text that reads back as v; null for what JSON has no number for. */
void jout_real(struct json_out *j, const char *name, double v);
void jout_bool(struct json_out *j, const char *name, bool v);
/* As jout_bool(); false is left out. */
void jout_flag(struct json_out *j, const char *name, bool v);
void jout_null(struct json_out *j, const char *name);
/* Standard base64; hex in lower case. data_len 0: left out. */
void jout_b64(struct json_out *j, const char *name, const void *data, size_t data_len);
void jout_hex(struct json_out *j, const char *name, const void *data, size_t data_len);
/* RFC 3339 in UTC with milliseconds. */
void jout_time(struct json_out *j, const char *name, int64_t unix_ms);

#endif
