/*
 * worker/wa/link/wa_link_code.h - linking with a pairing code: "link_code_companion_reg"
 *
 * One struct is one code. Bytes in, bytes out: who waits for what is the caller's.
 * Source: protocol notes 03 section 7.
 */
#ifndef WA_LINK_CODE_H
#define WA_LINK_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/node/wa_node.h"

#define WA_LINK_CODE_LEN 8
#define WA_LINK_CODE_SHOWN_CAP (WA_LINK_CODE_LEN + 2) /* "ABCD-EFGH" and a NUL */
#define WA_LINK_CODE_WRAPPED_LEN 80
#define WA_LINK_CODE_BUNDLE_LEN 156
#define WA_LINK_CODE_VALID_MS 180000
#define WA_LINK_CODE_HELLOS_MAX 3 /* primary_hello per code */

struct wa_link_code {
	char code[WA_LINK_CODE_LEN + 1];
	struct wa_keypair ephemeral;
	uint8_t wrapped[WA_LINK_CODE_WRAPPED_LEN];
	uint8_t ref[WA_REF_MAX_LEN];
	size_t ref_len;  /* 0: the server has not answered companion_hello yet */
	unsigned hellos; /* primary_hello taken so far */
};

/* Draw a code and a key pair and wrap the public half (131072 rounds of PBKDF2: some 40 ms).
 * 0 or WA_ECRYPTO. */
ATTR_NODISCARD int wa_link_code_new(struct wa_link_code *lc);
void wa_link_code_wipe(struct wa_link_code *lc);
/* As people read it. out holds WA_LINK_CODE_SHOWN_CAP bytes. */
void wa_link_code_shown(const struct wa_link_code *lc, char *out);

/* companion_hello; number: digits only. Caller frees; NULL without memory. */
struct wa_node *wa_link_code_hello(const struct wa_link_code *lc, const struct wa_device *d,
                                   const char *id, const char *number);
/* Its result: keeps the ref. 0 or WA_EPROTO (no ref, or one of more than WA_REF_MAX_LEN). */
ATTR_NODISCARD int wa_link_code_take_ref(struct wa_link_code *lc, const struct wa_node *result);

enum wa_link_stage {
	WA_LINK_PRIMARY_HELLO,
	WA_LINK_REFRESH,        /* refresh_code: this code is dead */
	WA_LINK_REFRESH_MANUAL, /* the same; a new one only when the user asks for it */
	WA_LINK_OTHER,          /* nothing to do (stage unknown, or without the wrapped key) */
};

/* Borrowed from the node. */
struct wa_link_notice {
	enum wa_link_stage stage;
	const uint8_t *ref;
	size_t ref_len;
	const uint8_t *wrapped;          /* WA_LINK_CODE_WRAPPED_LEN; PRIMARY_HELLO only */
	const uint8_t *primary_identity; /* WA_KEY_LEN; PRIMARY_HELLO only */
};

/* A <notification type="link_code_companion_reg">. 0; WA_ESTATE: something else; WA_EPROTO. */
ATTR_NODISCARD int wa_link_code_notice(const struct wa_node *n, struct wa_link_notice *out);

/*
 * Answer a primary_hello: the companion_finish to send, and the adv secret that pair-success will
 * be signed with, put into d (store it before sending). Counts the hello.
 * 0; WA_ESTATE: not for this code (another ref, no ref yet); WA_ELIMIT: more than
 * WA_LINK_CODE_HELLOS_MAX; WA_EAUTH: a low-order key; WA_ECRYPTO; -ENOMEM. Caller frees *out.
 */
ATTR_NODISCARD int wa_link_code_finish(struct wa_link_code *lc, struct wa_device *d,
                                       const struct wa_link_notice *hello, const char *id,
                                       const char *number, struct wa_node **out);

/* ---- the same with every random part given: for vectors and for the phone of a simulator ------
 */

/* code: WA_LINK_CODE_LEN characters. */
ATTR_NODISCARD int wa_link_code_wrap(const char *code, const uint8_t salt[32], const uint8_t iv[16],
                                     const uint8_t pub[WA_KEY_LEN],
                                     uint8_t out[WA_LINK_CODE_WRAPPED_LEN]);
ATTR_NODISCARD int wa_link_code_unwrap(const char *code,
                                       const uint8_t wrapped[WA_LINK_CODE_WRAPPED_LEN],
                                       uint8_t pub_out[WA_KEY_LEN]);
/* 5 bytes as 8 characters of the code alphabet, NUL-terminated. */
void wa_link_code_text(const uint8_t raw[5], char out[WA_LINK_CODE_LEN + 1]);
/* A code as people read it: "ABCD-EFGH". */
void wa_link_code_hyphen(const char code[WA_LINK_CODE_LEN + 1], char out[WA_LINK_CODE_SHOWN_CAP]);

/* The key bundle of companion_finish: companion identity, primary identity, random. */
#define WA_LINK_CODE_BUNDLE_PLAIN_LEN 96
ATTR_NODISCARD int wa_link_code_seal_bundle(const uint8_t shared_ephemeral[32],
                                            const uint8_t salt[32], const uint8_t iv[WA_IV_LEN],
                                            const uint8_t plain[WA_LINK_CODE_BUNDLE_PLAIN_LEN],
                                            uint8_t out[WA_LINK_CODE_BUNDLE_LEN]);
/* WA_EAUTH: made with another code. */
ATTR_NODISCARD int wa_link_code_open_bundle(const uint8_t shared_ephemeral[32],
                                            const uint8_t bundle[WA_LINK_CODE_BUNDLE_LEN],
                                            uint8_t plain_out[WA_LINK_CODE_BUNDLE_PLAIN_LEN]);
/* adv = HKDF(shared_ephemeral || shared_identity || random, "adv_secret"). */
ATTR_NODISCARD int wa_link_code_adv(const uint8_t shared_ephemeral[32],
                                    const uint8_t shared_identity[32], const uint8_t random[32],
                                    uint8_t adv_out[32]);

#endif
