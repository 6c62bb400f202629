/*
 * worker/wa/history/wa_media.h - encrypted files: keys, decryption as a stream, where they may come
 * from
 *
 * A stored file is AES-256-CBC ciphertext and ten bytes of MAC. Opened as a stream in bounded
 * memory: plaintext comes out before the MAC and the hashes could be checked, so nobody may act on
 * it until wa_media_end() has said 0. Source: protocol notes 09.
 */
#ifndef WA_MEDIA_H
#define WA_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/crypto/wa_keys.h"

#define WA_MEDIA_KEY_LEN 32
#define WA_MEDIA_MAC_LEN 10
#define WA_MEDIA_BLOCK_LEN 16
#define WA_MEDIA_HASH_LEN 32

/* What a file is: the HKDF info of its keys and its mms-type in URLs. */
#define WA_MEDIA_KIND_LIST(X) \
	X(WA_MEDIA_IMAGE, "WhatsApp Image Keys", "image") /* and stickers */ \
	X(WA_MEDIA_VIDEO, "WhatsApp Video Keys", "video") /* and GIFs, video notes */ \
	X(WA_MEDIA_AUDIO, "WhatsApp Audio Keys", "audio") /* and voice notes */ \
	X(WA_MEDIA_DOCUMENT, "WhatsApp Document Keys", "document") \
	X(WA_MEDIA_HISTORY, "WhatsApp History Keys", "md-msg-hist") \
	X(WA_MEDIA_APP_STATE, "WhatsApp App State Keys", "md-app-state") \
	X(WA_MEDIA_LINK_THUMBNAIL, "WhatsApp Link Thumbnail Keys", "thumbnail-link") \
	X(WA_MEDIA_STICKER_PACK, "WhatsApp Sticker Pack Keys", "sticker-pack")

enum wa_media_kind {
#define X(id, info, mms) id,
	WA_MEDIA_KIND_LIST(X)
#undef X
};

const char *wa_media_info(enum wa_media_kind kind);
const char *wa_media_mms_type(enum wa_media_kind kind);

struct wa_media_keys {
	uint8_t iv[WA_MEDIA_BLOCK_LEN];
	uint8_t cipher_key[32];
	uint8_t mac_key[32];
	uint8_t ref_key[32]; /* unused by anyone */
};

/* 0 or WA_ECRYPTO. Wipe with secret_wipe(). */
ATTR_NODISCARD int wa_media_expand(const uint8_t media_key[WA_MEDIA_KEY_LEN],
                                   enum wa_media_kind kind, struct wa_media_keys *keys_out);

/* ---- decryption ---------------------------------------------------------------------------------
 */

/* What is known of the file. */
struct wa_media_expect {
	const uint8_t *enc_sha256; /* of the stored file; NULL: not known */
	const uint8_t *sha256;     /* of the plaintext; NULL: not known */
	bool has_len;
	uint64_t len;     /* of the plaintext */
	uint64_t len_max; /* a stored file above it and a block is WA_ELIMIT at once */
};

/* Gets plaintext as it comes, at most a chunk at a time. 0, or a negative code that stops. */
typedef int wa_media_sink_fn(void *arg, const uint8_t *data, size_t data_len);

struct wa_media; /* about 17 KiB whatever the file's size */

/* expect's hashes are copied. 0, WA_ECRYPTO or -ENOMEM. */
ATTR_NODISCARD int wa_media_open(const uint8_t media_key[WA_MEDIA_KEY_LEN], enum wa_media_kind kind,
                                 const struct wa_media_expect *expect, wa_media_sink_fn *sink,
                                 void *arg, struct wa_media **m_out);
/* A file that is not encrypted (a media key but no fileEncSha256): only hash and length. */
ATTR_NODISCARD int wa_media_open_plain(const struct wa_media_expect *expect, wa_media_sink_fn *sink,
                                       void *arg, struct wa_media **m_out);
/* The next bytes of the stored file, any number. 0, WA_ELIMIT, WA_ECRYPTO, or the sink's code.
 * After a failure only wa_media_free(). */
ATTR_NODISCARD int wa_media_feed(struct wa_media *m, const uint8_t *data, size_t data_len);
/*
 * There are no more. 0: MAC, padding, both hashes and the length are right. WA_ETRUNC (no whole
 * block and MAC), WA_EAUTH (MAC or a hash), WA_EPROTO (padding or length), the sink's code.
 */
ATTR_NODISCARD int wa_media_end(struct wa_media *m);
void wa_media_free(struct wa_media *m); /* wipes; NULL is fine */

/* All of a small file at once; appended to out. As above; out is unchanged on failure. */
ATTR_NODISCARD int wa_media_decrypt(const uint8_t media_key[WA_MEDIA_KEY_LEN],
                                    enum wa_media_kind kind, const struct wa_media_expect *expect,
                                    const uint8_t *data, size_t data_len, struct buf *out);

/* ---- encryption ---------------------------------------------------------------------------------
 */

/* Append the stored file; its hashes. 0, WA_ELIMIT (over 2 GiB), WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int wa_media_encrypt(const uint8_t media_key[WA_MEDIA_KEY_LEN],
                                    enum wa_media_kind kind, const uint8_t *data, size_t data_len,
                                    struct buf *out, uint8_t sha256_out[WA_MEDIA_HASH_LEN],
                                    uint8_t enc_sha256_out[WA_MEDIA_HASH_LEN]);

/* ---- addresses ----------------------------------------------------------------------------------
 */

#define WA_MEDIA_PATH_MAX 2048

/*
 * Append "https://HOST{directPath}&hash=...&mms-type=...&__wa-mms=". host: from media_conn.
 * enc_sha256 NULL: a file that is not encrypted, without the query.
 * 0, WA_EPROTO (a path that does not begin with one '/', or holds anything but printable ASCII, or
 * "#", "\\" or "@" before its query; a host with other than letters, digits, '.', '-' and a port),
 * WA_ELIMIT, -ENOMEM.
 */
ATTR_NODISCARD int wa_media_url(const char *host, const char *direct_path,
                                const uint8_t *enc_sha256, enum wa_media_kind kind,
                                struct buf *out);
/* For a message without directPath: may its url be fetched? https, and a host under .whatsapp.net.
 */
bool wa_media_url_allowed(const char *url);

/* ---- re-upload by the phone ---------------------------------------------------------------------
 *
 * <encrypt><enc_p/><enc_iv/></encrypt> of a server-error receipt and its answer.
 */

/* Append enc_p: ServerErrorReceipt of the message. iv: random. 0, WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int wa_media_retry_seal(const uint8_t media_key[WA_MEDIA_KEY_LEN],
                                       const char *message_id, const uint8_t iv[WA_IV_LEN],
                                       struct buf *out);

enum wa_media_retry_result {
	WA_MEDIA_RETRY_GENERAL_ERROR,
	WA_MEDIA_RETRY_SUCCESS,
	WA_MEDIA_RETRY_NOT_FOUND,
	WA_MEDIA_RETRY_DECRYPTION_ERROR,
};

struct wa_media_retry {
	int result; /* enum wa_media_retry_result, or a number that is new */
	char direct_path[WA_MEDIA_PATH_MAX + 1];
};

/* 0, WA_EAUTH, WA_ETRUNC, WA_EPROTO (of another message, no success without a path), WA_ELIMIT. */
ATTR_NODISCARD int wa_media_retry_open(const uint8_t media_key[WA_MEDIA_KEY_LEN],
                                       const char *message_id, const uint8_t iv[WA_IV_LEN],
                                       const uint8_t *enc_p, size_t enc_p_len,
                                       struct wa_media_retry *r_out);

#endif
