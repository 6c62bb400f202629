/* gateway/http/gw_query.h - the query of a request target that has passed the gate */
#ifndef GW_QUERY_H
#define GW_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/*
 * Decode percent escapes (valid ones, as the gate lets through) and, if plus_is_space, "+".
 * text, text_len  borrowed
 * out             holds out_cap bytes; NUL-terminated
 * 0, or -EINVAL: too long, or a control character in the result (NUL among them).
 */
ATTR_NODISCARD int gw_percent_decode(const char *text, size_t text_len, bool plus_is_space,
                                     char *out, size_t out_cap);

/*
 * A parameter of target ("/path?a=1&b=2"), decoded into out.
 * 1: found; 0: not there; -EINVAL: given twice, too long, or with a control character.
 */
int gw_query_param(const char *target, const char *key, char *out, size_t out_cap);

#endif
