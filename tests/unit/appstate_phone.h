/*
 * tests/unit/appstate_phone.h - a phone's side of one app-state collection: makes patches and
 * snapshots of what it is told to set
 */
#ifndef APPSTATE_PHONE_H
#define APPSTATE_PHONE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "proto/wa_appstate.pb-c.h"
#include "worker/wa/appstate/wa_appstate.h"

#define AP_RECORDS_MAX 64

struct ap_record {
	uint8_t index_mac[32], value_mac[32];
	struct buf blob;
	struct buf data; /* in plain: SyncActionData */
	bool remove;
};

struct appstate_phone {
	const char *collection;
	uint8_t key_id[6], key_data[32];
	struct wa_appstate_keys keys;
	uint64_t version;
	uint8_t hash[WA_APPSTATE_HASH_LEN];
	struct ap_record live[AP_RECORDS_MAX], next[AP_RECORDS_MAX];
	size_t live_n, next_n;
};

/* key: a number that the key's id and data are made of. */
void ap_init(struct appstate_phone *p, const char *collection, uint8_t key);
void ap_clear(struct appstate_phone *p);

/* Into the next patch: index is JSON. value may be NULL. */
void ap_set(struct appstate_phone *p, const char *index, Wa__SyncActionValue *value);
void ap_remove(struct appstate_phone *p, const char *index);

/* The next patch, serialized. file: its mutations go in there instead, reference makes the
 * reference; NULL: neither. */
void ap_patch(struct appstate_phone *p, struct buf *out);
/* All that is live, serialized. */
void ap_snapshot(struct appstate_phone *p, struct buf *out);
/* All that is live in plain, as the phone itself has it: SyncdSnapshotRecovery. */
void ap_whole(const struct appstate_phone *p, struct buf *out);
/* The phone's answer with that, or with anything else, in a ProtocolMessage; gzip: whole is one.
 * Free with ap_share_free(). */
struct Wa__ProtocolMessage *ap_whole_answer(const struct buf *whole, bool gzip);
/* out: in as one gzip member. */
void ap_gzip(const struct buf *in, struct buf *out);
/* ExternalBlobReference of a file and, appended to stored, the file as a server has it. */
void ap_file(const struct buf *plain, struct buf *reference, struct buf *stored);

/* A share of its key, serialized ProtocolMessage's owner: free with ap_share_free(). */
struct Wa__ProtocolMessage *ap_share(const struct appstate_phone *p);
void ap_share_free(struct Wa__ProtocolMessage *m);

#endif
