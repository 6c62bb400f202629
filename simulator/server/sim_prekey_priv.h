/* simulator/server/sim_prekey_priv.h - the inside of sim_prekeys: what a device has uploaded */
#ifndef SIM_PREKEY_PRIV_H
#define SIM_PREKEY_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulator/server/sim_prekey.h"

#define SIM_PREKEY_TYPE 5

/* What was given out is remembered: its id must never come again with another key. */
struct sim_prekey {
	uint32_t id;
	bool used;
	uint8_t pub[WA_KEY_LEN];
};

struct sim_prekeys {
	struct sim_prekey *list; /* owned; in the order of upload */
	size_t n, cap;
	size_t left; /* of them not used */
	bool has_upload;
};

#endif
