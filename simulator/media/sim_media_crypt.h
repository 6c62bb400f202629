/*
 * simulator/media/sim_media_crypt.h - files as the media host keeps them, by the simulator's own code
 *
 * Primitives (HKDF, HMAC, SHA-256) are wa_keys'; what is done with them is not shared with the
 * client. Source: protocol notes 09 sections 2 and 3.
 */
#ifndef SIM_MEDIA_CRYPT_H
#define SIM_MEDIA_CRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

#define SIM_MEDIA_KEY_LEN 32
#define SIM_MEDIA_MAC_LEN 10
#define SIM_HASH_LEN 32

/* id, word of the control API, HKDF info, mms type, folder of its paths */
#define SIM_MEDIA_KIND_LIST(X) \
	X(SIM_MEDIA_IMAGE, "image", "WhatsApp Image Keys", "image", "t62.7118-24") \
	X(SIM_MEDIA_VIDEO, "video", "WhatsApp Video Keys", "video", "t62.7161-24") \
	X(SIM_MEDIA_AUDIO, "audio", "WhatsApp Audio Keys", "audio", "t62.7117-24") \
	X(SIM_MEDIA_DOCUMENT, "document", "WhatsApp Document Keys", "document", "t62.7119-24") \
	X(SIM_MEDIA_STICKER, "sticker", "WhatsApp Image Keys", "image", "t62.15575-24") \
	X(SIM_MEDIA_HISTORY, "history", "WhatsApp History Keys", "md-msg-hist", "t62.39450-24") \
	X(SIM_MEDIA_APP_STATE, "appstate", "WhatsApp App State Keys", "md-app-state", \
	  "t62.34069-24")

enum sim_media_kind {
#define X(id, word, info, mms, folder) id,
	SIM_MEDIA_KIND_LIST(X)
#undef X
	    SIM_MEDIA_KINDS_N
};

const char *sim_media_word(enum sim_media_kind kind);
const char *sim_media_mms(enum sim_media_kind kind);
const char *sim_media_folder(enum sim_media_kind kind);
/* By its word; false: there is none. */
bool sim_media_kind_find(const char *word, enum sim_media_kind *kind_out);

/* What can be wrong with a file that was made on purpose. Its hashes are those that a message
 * names, so that one thing alone is wrong each time. */
#define SIM_MEDIA_FLAW_LIST(X) \
	X(SIM_FLAW_FILE_NONE, "none") \
	X(SIM_FLAW_MAC, "mac")               /* a bit of the MAC; fileEncSha256 fits */ \
	X(SIM_FLAW_CIPHERTEXT, "ciphertext") /* a bit of the middle; fileEncSha256 fits */ \
	X(SIM_FLAW_SHA256, "sha256")         /* fileSha256 is another */ \
	X(SIM_FLAW_ENC_SHA256, "encSha256")  /* fileEncSha256 is another */ \
	X(SIM_FLAW_PADDING, "padding")       /* MAC right, padding wrong */ \
	X(SIM_FLAW_LENGTH, "length")         /* fileLength is one more */ \
	X(SIM_FLAW_KEY, "key")               /* mediaKey is another */ \
	X(SIM_FLAW_TRUNCATED, "truncated")   /* half the file; fileEncSha256 fits */

enum sim_media_flaw {
#define X(id, word) id,
	SIM_MEDIA_FLAW_LIST(X)
#undef X
};

bool sim_media_flaw_find(const char *word, enum sim_media_flaw *flaw_out);

/*
 * Append the stored file: ciphertext and MAC; with a flaw as above (those of the hashes, the key
 * and the length change no byte of it). 0, WA_ECRYPTO, WA_ELIMIT, -ENOMEM.
 */
ATTR_NODISCARD int sim_media_seal(const uint8_t key[SIM_MEDIA_KEY_LEN], enum sim_media_kind kind,
                                  enum sim_media_flaw flaw, const void *data, size_t len,
                                  struct buf *out);
/* Append the plaintext of a whole stored file. 0, WA_ETRUNC, WA_EAUTH, WA_EPROTO, WA_ECRYPTO,
 * -ENOMEM. */
ATTR_NODISCARD int sim_media_unseal(const uint8_t key[SIM_MEDIA_KEY_LEN], enum sim_media_kind kind,
                                    const void *stored, size_t len, struct buf *out);

/* AES-256-CBC with padding (pad false: none, whole blocks only), appended to out. */
ATTR_NODISCARD int sim_cbc_seal(const uint8_t key[32], const uint8_t iv[16], bool pad,
                                const void *in, size_t len, struct buf *out);
/* 0, WA_EPROTO (padding, no whole blocks), WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int sim_cbc_open(const uint8_t key[32], const uint8_t iv[16], const void *in,
                                size_t len, struct buf *out);

#endif
