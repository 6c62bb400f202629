/*
 * common/json_text.h - jansson reading and writing text where memory may run out
 *
 * By itself jansson loses bytes then and goes on: json_loadb() where a token's buffer does not
 * grow, which may end in a crash; json_dumps() where a member's name does not fit, which answers
 * broken JSON. Here such a call fails with -ENOMEM, and nothing else happens.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

/*
 * text, text_len  JSON; flags: jansson's, as for json_loadb()
 * json_out        new reference, on success only
 * 0; -EINVAL: not JSON; -ERANGE: a number in it has no room in an integer or a double; -ENOMEM.
 */
ATTR_NODISCARD int json_text_load(const void *text, size_t text_len, size_t flags,
                                  json_t **json_out);
/* The same, for who has one answer to all failures: NULL. text NULL: NULL. */
json_t *json_text_read(const char *text, size_t text_len, size_t flags);

/* Appends json in compact form; flags besides, or 0. 0 or -ENOMEM; nothing is appended on failure.
 */
ATTR_NODISCARD int json_text_append(const json_t *json, size_t flags, struct buf *out);
/* json as text of its own, for free(); NULL without memory, or where json is NULL. */
char *json_text(const json_t *json);

#endif
