/*
 * simulator/pair/sim_qr.h - the text of a QR code, taken apart as strictly as a phone of today does
 *
 * Source: protocol notes 03 section 4.1.
 */
#ifndef SIM_QR_H
#define SIM_QR_H

#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/crypto/wa_keys.h"

#define SIM_QR_REF_CAP 513

struct sim_qr {
	char ref[SIM_QR_REF_CAP];
	uint8_t noise[WA_KEY_LEN];
	uint8_t identity[WA_KEY_LEN];
	uint8_t adv[32];
	char type; /* client type id: 1-9, a-m */
};

/* What is wrong with a text; both static. */
struct sim_qr_error {
	const char *code;
	const char *message;
};

/*
 * https://wa.me/settings/linked_devices#<ref>,<noise>,<identity>,<adv>,<type>
 * The prefix and all five fields must be there; keys are padded standard base64 of 32 bytes.
 * 0, or WA_EPROTO with *error_out filled.
 */
ATTR_NODISCARD int sim_qr_parse(const char *text, struct sim_qr *qr_out,
                                struct sim_qr_error *error_out);

#endif
