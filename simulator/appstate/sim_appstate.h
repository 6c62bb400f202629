/*
 * simulator/appstate/sim_appstate.h - app state of an account: the server's patches and the phone's
 * records
 *
 * In one object, for both live in this process: collections with their versions, patches and
 * records (the server's), and the keys (the phone's). A patch that a companion uploads is checked
 * with the keys, as no server could. All of it is the simulator's own code. No sockets.
 * Source: protocol notes 08.
 */
#ifndef SIM_APPSTATE_H
#define SIM_APPSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "simulator/base/sim_rand.h"
#include "simulator/media/sim_media.h"

#define SIM_AS_COLLECTION_LIST(X) \
	X(SIM_AS_CRITICAL_BLOCK, "critical_block") \
	X(SIM_AS_CRITICAL_UNBLOCK_LOW, "critical_unblock_low") \
	X(SIM_AS_REGULAR_HIGH, "regular_high") \
	X(SIM_AS_REGULAR, "regular") \
	X(SIM_AS_REGULAR_LOW, "regular_low")

enum sim_as_collection {
#define X(id, name) id,
	SIM_AS_COLLECTION_LIST(X)
#undef X
	    SIM_AS_COLLECTIONS_N
};

#define SIM_AS_HASH_LEN 128
#define SIM_AS_KEY_ID_LEN 6
#define SIM_AS_KEYS_MAX 16
#define SIM_AS_RECORDS_MAX 50000
#define SIM_AS_PATCH_MAX (8u * 1024 * 1024)

/* What is wrong with a patch of the phone, for tests. */
#define SIM_AS_FLAW_LIST(X) \
	X(SIM_AS_FLAW_NONE, "none") \
	X(SIM_AS_FLAW_VALUE_MAC, "valueMac") /* of the first record */ \
	X(SIM_AS_FLAW_INDEX_MAC, "indexMac") /* likewise; hash and MACs fit it */ \
	X(SIM_AS_FLAW_PATCH_MAC, "patchMac") \
	X(SIM_AS_FLAW_SNAPSHOT_MAC, "snapshotMac") /* and the patch MAC over it fits */ \
	X(SIM_AS_FLAW_VERSION, "version")          /* one is left out */

enum sim_as_flaw {
#define X(id, name) id,
	SIM_AS_FLAW_LIST(X)
#undef X
};

struct sim_as_keys { /* in the order of the expansion */
	uint8_t index[32], cipher[32], value_mac[32], snapshot_mac[32], patch_mac[32];
};

struct sim_as_key {
	uint8_t id[SIM_AS_KEY_ID_LEN];
	uint8_t data[32];
	int64_t unix_ms;
	struct sim_as_keys keys;
};

/* One change of the phone's. */
struct sim_as_change {
	bool remove;
	const char *index;    /* JSON array of strings */
	uint32_t version;     /* of the action */
	const uint8_t *value; /* serialized SyncActionValue */
	size_t value_len;
};

struct sim_appstate;

/* media: for snapshots and long patches; borrowed. 0, WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int sim_as_new(const struct sim_rand *rnd, int64_t unix_ms, struct sim_media *media,
                              struct sim_appstate **as_out);
void sim_as_free(struct sim_appstate *as); /* NULL is fine */

const char *sim_as_name(enum sim_as_collection c);
bool sim_as_find(const char *name, enum sim_as_collection *c_out);
bool sim_as_flaw_find(const char *name, enum sim_as_flaw *flaw_out);

/* ---- keys --------------------------------------------------------------------------------------
 */

/* A new one, used from now on. 0, WA_ELIMIT, WA_ECRYPTO. */
ATTR_NODISCARD int sim_as_rotate(struct sim_appstate *as, int64_t unix_ms);
/* A key from elsewhere, used from now on. As above. */
ATTR_NODISCARD int sim_as_add_key(struct sim_appstate *as, const uint8_t id[SIM_AS_KEY_ID_LEN],
                                  const uint8_t data[32], int64_t unix_ms);
size_t sim_as_keys_count(const struct sim_appstate *as);
const struct sim_as_key *sim_as_key_at(const struct sim_appstate *as, size_t index);
/* Append a serialized Message that shares keys: all of them, or one with that id (with nothing
 * beside it when there is none). 0 or -ENOMEM. */
ATTR_NODISCARD int sim_as_share(const struct sim_appstate *as, struct buf *out);
ATTR_NODISCARD int sim_as_share_asked(const struct sim_appstate *as, const uint8_t *request,
                                      size_t request_len, struct buf *out);

/* ---- the phone ---------------------------------------------------------------------------------
 */

/*
 * One patch with these changes. external: the mutations are a file of the media host.
 * 0, WA_ELIMIT, WA_ECRYPTO, -ENOMEM.
 */
ATTR_NODISCARD int sim_as_change(struct sim_appstate *as, enum sim_as_collection c,
                                 const struct sim_as_change *changes, size_t n, bool external,
                                 enum sim_as_flaw flaw);

/* ---- the server --------------------------------------------------------------------------------
 */

uint64_t sim_as_version(const struct sim_appstate *as, enum sim_as_collection c);
/* The patch that made this version, serialized; NULL: there is none. */
const struct buf *sim_as_patch(const struct sim_appstate *as, enum sim_as_collection c,
                               uint64_t version);
/*
 * A snapshot on the media host: append its ExternalBlobReference; *version_out: of which version.
 * The same file is given out until the collection has gone on by SIM_AS_SNAPSHOT_AGE versions.
 * 0, WA_ELIMIT, WA_ECRYPTO, -ENOMEM.
 */
#define SIM_AS_SNAPSHOT_AGE 5
ATTR_NODISCARD int sim_as_snapshot(struct sim_appstate *as, enum sim_as_collection c,
                                   struct buf *out, uint64_t *version_out);
/* Append the SyncdSnapshot itself, of now. */
ATTR_NODISCARD int sim_as_put_snapshot(const struct sim_appstate *as, enum sim_as_collection c,
                                       struct buf *out);
/*
 * An uploaded SyncdPatch, made on the present version: checked, then applied.
 * 0; WA_EAUTH, WA_EPROTO with *why_out (static text); WA_ELIMIT; -ENOMEM. Unchanged on failure.
 */
ATTR_NODISCARD int sim_as_upload(struct sim_appstate *as, enum sim_as_collection c,
                                 const uint8_t *patch, size_t patch_len, const char **why_out);

/* ---- a companion that is lost ------------------------------------------------------------------
 */

#define SIM_AS_REQUEST_TYPE 8 /* PeerDataOperationRequestType */

/* How the phone answers it. */
#define SIM_AS_ANSWER_LIST(X) \
	X(SIM_AS_ANSWER_GZIP, "gzip") \
	X(SIM_AS_ANSWER_PLAIN, "plain") /* not compressed */ \
	X(SIM_AS_ANSWER_NONE, "none") \
	X(SIM_AS_ANSWER_BOMB, "bomb") /* becomes 64 MiB */ \
	X(SIM_AS_ANSWER_CUT, "cut")   /* half of it */

enum sim_as_answer {
#define X(id, name) id,
	SIM_AS_ANSWER_LIST(X)
#undef X
};

bool sim_as_answer_find(const char *name, enum sim_as_answer *a_out);
void sim_as_answer_with(struct sim_appstate *as, enum sim_as_answer answer);
/* A companion asks for a whole collection, with message id: append the Message of the answer.
 * 0; -ENOENT: none is given; WA_EPROTO: no request that a phone answers (counted as refused);
 * -ENOMEM. */
ATTR_NODISCARD int sim_as_give(struct sim_appstate *as, const char *id, const uint8_t *request,
                               size_t request_len, int64_t now_unix_ms, struct buf *out);
/* Append the SyncdSnapshotRecovery itself. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_as_put_plain(const struct sim_appstate *as, enum sim_as_collection c,
                                    struct buf *out);
void sim_as_asked(const struct sim_appstate *as, uint32_t *asked_out, uint32_t *answered_out);

/* ---- for the control API -----------------------------------------------------------------------
 */

/* Live records: index as JSON text, the SyncActionValue. */
void sim_as_each(const struct sim_appstate *as, enum sim_as_collection c,
                 void (*on_record)(const char *index, const struct buf *value, void *arg),
                 void *arg);
uint32_t sim_as_uploads(const struct sim_appstate *as, uint32_t *refused_out,
                        const char **why_out); /* of the last one that was refused */

/* ---- pieces, for tests -------------------------------------------------------------------------
 */

ATTR_NODISCARD int sim_as_expand(const uint8_t data[32], struct sim_as_keys *out);
/* Add, or subtract, what the MAC expands to. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_as_hash(uint8_t hash[SIM_AS_HASH_LEN], const uint8_t value_mac[32],
                               bool subtract);
/* Append the value's blob (IV, ciphertext, MAC). */
ATTR_NODISCARD int sim_as_seal(const struct sim_as_key *key, bool remove, const uint8_t iv[16],
                               const uint8_t *data, size_t data_len, struct buf *out);

#endif
