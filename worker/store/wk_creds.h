/*
 * worker/store/wk_creds.h - what a completed pairing left: everything a login needs
 *
 * The saved form is in wk_store.h. Holds private keys: wipe it with wk_creds_clear().
 */
#ifndef WK_CREDS_H
#define WK_CREDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/node/wa_jid.h"

#define WK_NAME_CAP 512    /* push name, business name: UTF-8, cut at a character */
#define WK_PLATFORM_CAP 32 /* "android", "iphone", "smba", ... */
#define WK_ROUTING_MAX 1024

struct wk_creds {
	struct wa_device device;   /* adv_secret is not needed any more: zero */
	char jid[WA_JID_TEXT_CAP]; /* user:device@s.whatsapp.net */
	char lid[WA_JID_TEXT_CAP]; /* "": not known yet */
	struct buf account;        /* ADVSignedDeviceIdentity with both signatures, serialized */
	uint8_t account_key[WA_KEY_LEN]; /* accountSignatureKey: the phone's Signal identity */
	char platform[WK_PLATFORM_CAP];
	char business_name[WK_NAME_CAP];   /* "": no business account */
	char push_name[WK_NAME_CAP];       /* "": not known yet */
	uint8_t routing[WK_ROUTING_MAX];   /* edge routing info */
	uint32_t routing_len;              /* 0: none */
	uint8_t server_static[WA_KEY_LEN]; /* from a verified chain, for Noise IK */
	int64_t server_static_until;       /* Unix s: end of that chain's validity; 0: no key */
	uint32_t logins;                   /* successful ones so far: lc of the login payload */
	uint32_t history_days;             /* asked for at pairing; 0: none */
	bool confirmed;                    /* a login has succeeded since the pairing */
	int64_t linked_unix_s;
	int64_t signed_prekey_unix_s; /* when it was made; 0: with the link */
	bool signed_prekey_waits;     /* it is ours, and the server may not know it yet */
	int64_t not_before_unix_s; /* no dial before (temporary ban, stream replaced); 0: none */
	int not_before_rc;         /* why: WA_ETEMP_BANNED or WA_ESTREAM_REPLACED; 0: none */
	uint32_t replaced_n;       /* tries after "replaced" on the day that began at */
	int64_t replaced_day_unix_s;
	uint64_t generation; /* of the store when it was last told of; not saved */
};

/* Wipes and releases. */
void wk_creds_clear(struct wk_creds *c);

/* Copy a text from outside (NULL: ""): UTF-8, cut at a character; what is none becomes "?". */
void wk_creds_set_text(char *out, size_t out_cap, const char *text);

#endif
