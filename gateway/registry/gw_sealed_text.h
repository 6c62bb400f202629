/*
 * gateway/registry/gw_sealed_text.h - a text of registry.db's JSON that is sealed
 *
 * The value of a key is the base64 of an envelope (common/sealed.h). The table has no row numbers
 * of its own, so where it belongs is said in full by column: what it is, and whose.
 */
#ifndef GW_SEALED_TEXT_H
#define GW_SEALED_TEXT_H

#include <jansson.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/sealed.h"

#define GW_SEALED_TEXT_MAX 2048

/* o gets name; none for an empty text. 0, -EINVAL (longer than GW_SEALED_TEXT_MAX), -ENOMEM, or
 * what sealed_seal() says. */
ATTR_NODISCARD int gw_sealed_text_set(json_t *o, const char *name, const char *plain,
                                      const struct sealed_key *key, const char *column);
/*
 * plain_out  appended to; the caller wipes it. Nothing where o has no name, or an empty one
 * 0, WA_ESTORE_CORRUPT (no base64, or no text), or what sealed_open() says.
 */
ATTR_NODISCARD int gw_sealed_text_get(const json_t *o, const char *name,
                                      const struct sealed_key *key, const char *column,
                                      struct buf *plain_out);

#endif
