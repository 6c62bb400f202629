/* tests/unit/wa_vectors.h - reading tests/vectors; a member that is missing fails the test */
#ifndef WA_VECTORS_H
#define WA_VECTORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "worker/wa/crypto/wa_keys.h"

/* name: "crypto.json". Caller: json_decref(). */
json_t *vec_load(const char *name);
const json_t *vec_get(const json_t *o, const char *key);
const char *vec_str(const json_t *o, const char *key);
/* A hex member of any length, appended. */
void vec_hex(const json_t *o, const char *key, struct buf *out);
/* A hex member of exactly out_len bytes. */
void vec_fixed(const json_t *o, const char *key, void *out, size_t out_len);
/* A member with priv and pub. */
void vec_keypair(const json_t *o, const char *key, struct wa_keypair *kp_out);
/* The member is the hex of these bytes. */
void vec_assert_hex(const json_t *o, const char *key, const void *data, size_t data_len);

#endif
