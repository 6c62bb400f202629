/*
 * worker/wa/link/wa_device.h - identity material of a companion, its registration payload and QR text
 *
 * Source: protocol notes 03 sections 1, 2 and 4.
 */
#ifndef WA_DEVICE_H
#define WA_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/crypto/wa_keys.h"

#define WA_REF_MAX_LEN 512
#define WA_QR_CAP 1024                     /* longest QR text with its NUL */
#define WA_DEVICE_TYPE 1                   /* DeviceProps.platformType: CHROME */
#define WA_CLIENT_TYPE "1"                 /* the same client in QR texts and pairing codes */
#define WA_CLIENT_DISPLAY "Chrome (Linux)" /* and in the phone's dialog of a pairing code */
#define WA_VERSION_PRIMARY 2
#define WA_VERSION_SECONDARY 3000
#define WA_VERSION_BUILTIN 1045798079u /* revision used while no newer one is known */

struct wa_device {
	struct wa_keypair noise;
	struct wa_keypair identity;
	struct wa_keypair signed_prekey;
	uint32_t signed_prekey_id; /* 1 at first */
	uint8_t signed_prekey_sig[WA_SIG_LEN];
	uint32_t registration_id; /* 1..16380 */
	uint8_t adv_secret[32];
};

struct wa_version {
	uint32_t primary, secondary, tertiary;
};

/* "2.3000.N" and nothing else. 0 or -EINVAL. */
ATTR_NODISCARD int wa_version_parse(const char *text, struct wa_version *v_out);

/* Fresh keys. 0, WA_ECRYPTO or -ENOMEM. */
ATTR_NODISCARD int wa_device_init(struct wa_device *d);
/* Another signed pre-key, under the next id. 0; on failure d is as before. */
ATTR_NODISCARD int wa_device_rotate_signed(struct wa_device *d);
/* A new adv secret: at each pair-device, before it is answered. */
ATTR_NODISCARD int wa_device_rotate_adv(struct wa_device *d);
void wa_device_wipe(struct wa_device *d);

struct wa_registration {
	struct wa_version version;
	const char *device_name; /* DeviceProps.os */
	uint32_t history_days;   /* 0: not asked for; else days limit, full sync above 90 */
};

/* Append a serialized ClientPayload for registration (values of 03 section 2.1 and 2.3). 0 or
 * -ENOMEM, WA_ECRYPTO. */
ATTR_NODISCARD int wa_payload_registration(const struct wa_device *d,
                                           const struct wa_registration *r, struct buf *out);

/*
 * The QR text in today's five-field form:
 * https://wa.me/settings/linked_devices#<ref>,<noise>,<identity>,<adv>,1
 * out holds WA_QR_CAP bytes. 0, or WA_ELIMIT (ref empty or over WA_REF_MAX_LEN), WA_EPROTO (ref is
 * not printable ASCII).
 */
ATTR_NODISCARD int wa_qr_text(const struct wa_device *d, const uint8_t *ref, size_t ref_len,
                              char *out);

#endif
