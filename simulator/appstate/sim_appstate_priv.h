/* simulator/appstate/sim_appstate_priv.h - shared by sim_appstate.c (the phone's side, keys) and
 * sim_appstate_server.c (patches, snapshots, uploads) */
#ifndef SIM_APPSTATE_PRIV_H
#define SIM_APPSTATE_PRIV_H

#include "simulator/appstate/sim_appstate.h"
#include "simulator/base/sim_pb.h"
#include "simulator/base/sim_pbw.h"

struct sim_as_record {
	uint8_t index_mac[32], value_mac[32];
	struct buf wire;  /* SyncdRecord */
	char *index;      /* JSON text */
	struct buf value; /* SyncActionValue */
	uint32_t version; /* of the action */
	uint8_t key_id[SIM_AS_KEY_ID_LEN];
};

struct sim_as_state {
	uint64_t version;
	uint8_t hash[SIM_AS_HASH_LEN];
	uint8_t mac[32];                   /* snapshot MAC of this version */
	uint8_t key_id[SIM_AS_KEY_ID_LEN]; /* under which it was made */
	struct sim_as_record *records;     /* owned */
	size_t records_n, records_cap;
	struct buf *patches; /* owned; [v - 1] made version v */
	size_t patches_cap;
	struct buf snapshot; /* ExternalBlobReference of the last file */
	uint64_t snapshot_version;
};

struct sim_appstate {
	struct sim_rand rnd;
	struct sim_media *media; /* borrowed */
	struct sim_as_key keys[SIM_AS_KEYS_MAX];
	size_t keys_n;
	uint32_t raw_id;
	struct sim_as_state states[SIM_AS_COLLECTIONS_N];
	enum sim_as_answer answer;
	uint32_t asked, answered; /* for a whole collection */
	uint32_t uploads, refused;
	const char *why;
};

/* A mutation with all that was found out about it. */
struct sim_as_mutation {
	bool remove;
	struct sim_as_record record; /* owned parts */
};

/* Put content on the media host and append its ExternalBlobReference. */
ATTR_NODISCARD int sim_as_put_reference(struct sim_appstate *as, const struct buf *content,
                                        struct buf *out);
void sim_as_record_clear(struct sim_as_record *r);
const struct sim_as_key *sim_as_key_find(const struct sim_appstate *as, const uint8_t *id,
                                         size_t id_len);
/* The record of that index; NULL: none. */
struct sim_as_record *sim_as_lookup(struct sim_as_state *st, const uint8_t index_mac[32]);

/*
 * The MACs of the state after the mutations: hash_out, snapshot MAC, patch MAC. 0 or WA_ECRYPTO.
 */
ATTR_NODISCARD int sim_as_sum(struct sim_as_state *st, const struct sim_as_key *key,
                              const char *name, uint64_t version, const struct sim_as_mutation *m,
                              size_t n, uint8_t hash_out[SIM_AS_HASH_LEN], uint8_t snapshot_mac[32],
                              uint8_t patch_mac[32]);
/*
 * The mutations become the state, patch (with its version) is kept; takes patch and what the
 * mutations own, also on failure. 0, WA_ELIMIT, -ENOMEM.
 */
ATTR_NODISCARD int sim_as_commit(struct sim_as_state *st, const struct sim_as_key *key,
                                 struct sim_as_mutation *m, size_t n,
                                 const uint8_t hash[SIM_AS_HASH_LEN], const uint8_t mac[32],
                                 struct buf *patch);

#endif
