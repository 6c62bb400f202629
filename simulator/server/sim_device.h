/*
 * simulator/server/sim_device.h - the linked devices (companions) of all accounts, as the server knows
 * them
 *
 * A registry without sockets and clock. Devices are numbered from 1 upwards per account; a number
 * is never given out twice. What a device has put on the server (one-time prekeys) and what waits
 * for it (stanzas until they are acked) hangs on the device. What happens to connections when a
 * device comes or goes is in sim_online.h: link and unlink through there.
 */
#ifndef SIM_DEVICE_H
#define SIM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "simulator/phone/sim_phone.h"
#include "simulator/server/sim_prekey.h"
#include "simulator/server/sim_queue.h"
#include "simulator/wire/sim_reg.h"

#define SIM_ROUTING_LEN 16
#define SIM_DEVICES_MAX 65535 /* the largest number a JID can carry */

struct sim_client;
struct sim_devices;
struct sim_sync;

/* What is common to the devices of one number; made with the first of them. */
struct sim_account {
	char number[SIM_NUMBER_CAP];
	char lid_user[SIM_JID_CAP];       /* without @lid */
	uint32_t last_device;             /* highest number given out */
	uint8_t routing[SIM_ROUTING_LEN]; /* edge routing info */
	uint8_t enc_static[32];           /* of <success>; opaque to clients */
	/* Device 0, the phone; has_primary false: nobody has said what its keys are. */
	bool has_primary;
	struct sim_prekey_device primary;
	struct sim_device *first; /* in the order of their numbers */
	struct sim_account *next; /* internal */
};

/* Read only for everyone but sim_device.c and sim_online*.c. */
struct sim_device {
	struct sim_account *account;
	uint32_t id;           /* the device number */
	char jid[SIM_JID_CAP]; /* number:id@s.whatsapp.net */
	char lid[SIM_JID_CAP]; /* lid:id@lid */
	uint8_t noise_key[WA_KEY_LEN];
	uint32_t key_index;
	int32_t platform_type;          /* of DeviceProps */
	char name[SIM_DEVICE_NAME_CAP]; /* DeviceProps.os */
	struct buf identity_bytes;      /* ADVSignedDeviceIdentity as the companion completed it */
	int64_t linked_unix_ms;
	int64_t last_seen_unix_ms; /* end of the last connection; 0: never logged in */
	/* Dirty bits that were not cleaned yet: the time that the client is told; 0: clean. */
	int64_t dirty_account_sync, dirty_groups;
	bool low_told;                   /* about its prekeys; until the next upload */
	struct sim_client *client;       /* borrowed; NULL: offline */
	struct sim_prekey_device prekey; /* registration id, identity, signed prekey as of now */
	struct sim_prekeys *prekeys;     /* owned; one-time prekeys on the server */
	struct sim_queue *queue;         /* owned; stanzas that were not acked yet */
	struct sim_history_ask history;  /* what it has asked for */
	bool keys_shared;                /* of app state */
	struct sim_sync *sync;           /* owned; what its phone tells it; NULL: nothing yet */
	struct sim_device *next;         /* of the same account */
};

/* What is needed to make one; strings and bytes are copied. */
struct sim_device_new {
	const char *number; /* of the account */
	const char *lid;    /* of the account: digits@lid */
	uint32_t id;        /* from sim_device_reserve(), or 0: the next one */
	const uint8_t *noise_key;
	const uint8_t *identity;
	uint32_t registration_id;
	uint32_t signed_prekey_id;
	const uint8_t *signed_prekey;
	const uint8_t *signed_prekey_sig; /* 64 bytes */
	uint32_t key_index;
	int32_t platform_type;
	const char *name;
	const uint8_t *identity_bytes; /* serialized ADVSignedDeviceIdentity with deviceSignature */
	size_t identity_bytes_len;
	int64_t now_unix_ms;
	struct sim_history_ask history;
};

ATTR_NODISCARD int sim_devices_new(const struct sim_rand *rnd, struct sim_devices **devices_out);
void sim_devices_free(struct sim_devices *d); /* NULL is fine */

/*
 * The number that the next device of the account will have, taken: pair-success names it before
 * the device exists. lid as in struct sim_device_new. 0, -ENOMEM, WA_ECRYPTO or WA_ELIMIT.
 */
ATTR_NODISCARD int sim_device_reserve(struct sim_devices *d, const char *number, const char *lid,
                                      uint32_t *id_out);
/*
 * Add a device. Most callers want sim_online_link(), which also tells the others.
 * 0; -EEXIST (the number is in use, or another device has this noise key); -ENOMEM; WA_ECRYPTO;
 * WA_ELIMIT. *device_out is borrowed and lives until it is removed.
 */
ATTR_NODISCARD int sim_device_add(struct sim_devices *d, const struct sim_device_new *params,
                                  struct sim_device **device_out);
/* Forget it; nobody may hold the pointer any more. */
void sim_device_remove(struct sim_device *device);

/* NULL: none. */
struct sim_device *sim_device_find(const struct sim_devices *d, const char *number, uint32_t id);
struct sim_device *sim_device_find_noise(const struct sim_devices *d,
                                         const uint8_t noise_key[WA_KEY_LEN]);
/* By phone number or LID user (digits only, without server). NULL: no device was ever linked. */
struct sim_account *sim_account_find(const struct sim_devices *d, const char *number);
struct sim_account *sim_account_find_lid(const struct sim_devices *d, const char *lid_user);
/* Loop over an account's devices: for (dev = sim_device_first(d, number); dev; dev = dev->next) */
struct sim_device *sim_device_first(const struct sim_devices *d, const char *number);
bool sim_device_is_online(const struct sim_device *device);

/* The phone's own Signal keys (device 0), for clients that ask for them. 0, -ENOMEM, WA_ECRYPTO. */
ATTR_NODISCARD int sim_account_set_primary(struct sim_devices *d, const char *number,
                                           const char *lid, const struct sim_prekey_device *keys);

/*
 * Who signs the list of valid key indexes of an account (the phone): append a serialized
 * ADVSignedKeyIndexList for the devices that are linked now, its time to *ts_out.
 * Until it is set, and when it fails, device lists go out without one.
 */
typedef int sim_key_index_signer(const char *number, struct buf *out, int64_t *ts_out, void *arg);
void sim_devices_set_signer(struct sim_devices *d, sim_key_index_signer *sign, void *arg);
/* 0, WA_ESTATE (no signer), or what the signer said. */
ATTR_NODISCARD int sim_devices_sign(const struct sim_devices *d, const char *number,
                                    struct buf *out, int64_t *ts_out);

#endif
