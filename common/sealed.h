/*
 * common/sealed.h - secrets at rest: one value, one AES-256-GCM envelope
 *
 * The key of an owner (an instance, the registry) comes from the master key; each envelope has a
 * random nonce and is bound to the place where it is kept, so that no value can be moved to another
 * row, column or instance. Envelope: format u8 | epoch u32 LE | nonce 12 | ciphertext | tag 16.
 */
#ifndef SEALED_H
#define SEALED_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

#define SEALED_KEY_LEN 32
#define SEALED_OVERHEAD (1 + 4 + 12 + 16)

struct sealed_key {
	uint8_t bytes[SEALED_KEY_LEN];
	uint32_t epoch; /* which key of its owner it is */
};

/* Where a value lives. */
struct sealed_place {
	const char *owner; /* instance id, or "registry" */
	const char *table;
	const char *column;
	int64_t row;
	uint32_t schema; /* version of the schema that gave the column its meaning; 0: the first */
};

/*
 * The key of owner for epoch: HKDF-SHA256(master, info = "warden " owner epoch).
 * 0 or WA_ECRYPTO.
 */
ATTR_NODISCARD int sealed_derive(const uint8_t master[SEALED_KEY_LEN], const char *owner,
                                 uint32_t epoch, struct sealed_key *key_out);

/* Append the envelope of in. 0, WA_ECRYPTO or -ENOMEM. */
ATTR_NODISCARD int sealed_seal(const struct sealed_key *key, const struct sealed_place *place,
                               const void *in, size_t in_len, struct buf *out);

/*
 * Append what the envelope holds; wipe it after use.
 * 0; WA_EAUTH (another key, another place, or changed); WA_EPROTO (no envelope, or of an unknown
 * format); WA_ESTATE (sealed with the key of another epoch); WA_ECRYPTO; -ENOMEM.
 */
ATTR_NODISCARD int sealed_open(const struct sealed_key *key, const struct sealed_place *place,
                               const void *in, size_t in_len, struct buf *out);

/*
 * Many values in a row with one key, at a third of the cost: the ciphers are set up once, random
 * numbers are drawn for many. It holds the key in a form that is wiped when it is freed; so only
 * for as long as the row lasts. key is borrowed for its life. Owned by one thread.
 * sealed_run_seal() is sealed_seal(), sealed_run_open() is sealed_open().
 */
struct sealed_run;
ATTR_NODISCARD int sealed_run_new(const struct sealed_key *key, struct sealed_run **run_out);
void sealed_run_free(struct sealed_run *run); /* NULL is fine */
ATTR_NODISCARD int sealed_run_seal(struct sealed_run *run, const struct sealed_place *place,
                                   const void *in, size_t in_len, struct buf *out);
ATTR_NODISCARD int sealed_run_open(struct sealed_run *run, const struct sealed_place *place,
                                   const void *in, size_t in_len, struct buf *out);

#endif
