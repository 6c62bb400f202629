/*
 * simulator/wire/sim_reg.h - what a client says about itself: the ClientPayload, checked
 *
 * Source: protocol notes 03 section 2.1.
 */
#ifndef SIM_REG_H
#define SIM_REG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/crypto/wa_keys.h"

enum sim_payload_kind { SIM_PAYLOAD_REGISTRATION, SIM_PAYLOAD_LOGIN };

#define SIM_DEVICE_NAME_CAP 64

/* The history that a companion has asked for (DeviceProps); 0 and false: not said. */
struct sim_history_ask {
	bool full; /* requireFullSync */
	uint32_t full_days, full_mb, quota_mb, recent_days;
	bool inline_payload; /* the first blob may be inside its message */
};

/* What is kept of an accepted payload. */
struct sim_payload {
	enum sim_payload_kind kind;
	uint64_t username; /* login: digits of the phone number */
	uint32_t device;   /* login */
	uint32_t registration_id;
	uint8_t identity[WA_KEY_LEN];
	uint32_t signed_prekey_id;
	uint8_t signed_prekey[WA_KEY_LEN];
	uint8_t signed_prekey_sig[WA_SIG_LEN];
	bool passive;                          /* login: hold what is queued back until <active/> */
	uint32_t revision;                     /* third number of the version */
	int32_t platform_type;                 /* DeviceProps */
	char device_name[SIM_DEVICE_NAME_CAP]; /* DeviceProps.os, cut */
	struct sim_history_ask history;
};

/* Why a payload was refused. */
struct sim_refusal {
	int reason;      /* of <failure>; 0: close without one, the bytes are no ClientPayload */
	const char *why; /* static text for the log */
};

/*
 * Check a whole payload. revision_min: older clients are outdated (405).
 * strict: every field must be as the notes' table says; otherwise what a server needs is enough:
 * the eight byte fields of a registration with their lengths and the signature, or username and
 * device. 0, or WA_EPROTO with *refusal_out filled.
 */
ATTR_NODISCARD int sim_payload_check(const uint8_t *data, size_t data_len, uint32_t revision_min,
                                     bool strict, struct sim_payload *payload_out,
                                     struct sim_refusal *refusal_out);

#endif
