/* gateway/http/gw_json.h - a JSON object out of foreign bytes, within bounds */
#ifndef GW_JSON_H
#define GW_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

#define GW_JSON_DEPTH_MAX 32

/* Brackets outside strings never nest deeper than that: jansson recurses, its own limit is 2048. */
bool gw_json_is_flat(const char *text, size_t text_len, unsigned depth_max);

/*
 * One JSON object. A number beyond what an integer or a double of ours can hold is no error, since
 * it may stand under a key that nobody reads: it becomes 0.5, which no key takes.
 * text  borrowed; text_len bytes
 * 0; -EINVAL (not JSON, not an object, a key twice, deeper than GW_JSON_DEPTH_MAX)
 * or -ENOMEM.
 */
ATTR_NODISCARD int gw_json_object(const void *text, size_t text_len, json_t **json_out);

#endif
