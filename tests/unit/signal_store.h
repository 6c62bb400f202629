/*
 * tests/unit/signal_store.h - one account's Signal keys and records in memory
 *
 * For unit tests, fuzz targets and benches: counts what is written, can fail at any call.
 */
#ifndef SIGNAL_STORE_H
#define SIGNAL_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "worker/wa/signal/wa_signal.h"

#define SIGSTORE_RECORDS 64
#define SIGSTORE_KEYS 8

struct sigstore {
	struct sigstore_record {
		char key[256];
		struct buf value;
	} records[SIGSTORE_RECORDS];
	size_t records_n;
	struct {
		uint32_t id;
		struct wa_keypair kp;
	} prekeys[SIGSTORE_KEYS];
	size_t prekeys_n;
	uint32_t signed_id;
	struct wa_keypair signed_kp;
	uint8_t signed_sig[WA_SIG_LEN];
	unsigned calls, writes;
	unsigned fail_at; /* the n-th call from here on fails with -EIO; 0: none */
};

extern const struct wa_signal_store_ops sigstore_ops;

void sigstore_clear(struct sigstore *st);
void sigstore_add_prekey(struct sigstore *st, uint32_t id, const struct wa_keypair *kp);
/* A record by its key, "session NAME:DEVICE", "identity ..." or "sender GROUP NAME:DEVICE"; NULL.
 */
struct sigstore_record *sigstore_find(struct sigstore *st, const char *key);

/*
 * A device with its own store and keys from one byte: identity, signed pre-key 9, pre-key 77.
 * Nothing of it can fail: else the program ends.
 */
struct sigpeer {
	struct sigstore store;
	struct wa_signal_own own;
	struct wa_signal *signal;
	struct wa_signal_addr addr;
};

void sigpeer_init(struct sigpeer *p, uint8_t byte, const char *name, uint32_t device);
void sigpeer_clear(struct sigpeer *p);
/* What a server would hand out for it. */
void sigpeer_bundle(const struct sigpeer *p, struct wa_prekey_bundle *b_out);

#endif
