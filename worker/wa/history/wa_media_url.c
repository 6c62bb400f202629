/* worker/wa/history/wa_media_url.c - where files come from, and asking the phone for them again */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/pb_guard.h"
#include "common/secret.h"
#include "proto/wa_media.pb-c.h"
#include "worker/wa/history/wa_media.h"

#define HOST_MAX 253
#define MEDIA_DOMAIN ".whatsapp.net"

/* ---- addresses ----------------------------------------------------------------------------------
 */

#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

/* A name with an optional port. */
static bool host_is_plain(const char *host)
{
	size_t n = strspn(host, HOST_CHARS);
	uint64_t port;

	if (n == 0 || n > HOST_MAX || host[0] == '.' || host[0] == '-')
		return false;
	if (host[n] == '\0')
		return true;
	return host[n] == ':' && dec_decode(host + n + 1, 65535, &port) == 0 && port != 0;
}

static bool path_is_plain(const char *path)
{
	size_t before_query = strcspn(path, "?");

	if (path[0] != '/' || path[1] == '/')
		return false;
	for (size_t i = 0; path[i] != '\0'; i++) {
		unsigned char c = (unsigned char)path[i];

		if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\')
			return false;
		if (i < before_query && c == '@')
			return false;
	}
	return true;
}

/* Base64 for URLs, its padding percent-encoded. */
static int append_hash(const uint8_t hash[WA_MEDIA_HASH_LEN], struct buf *out)
{
	char text[B64_CAP(WA_MEDIA_HASH_LEN)];
	int rc = 0;

	b64_encode(hash, WA_MEDIA_HASH_LEN, text);
	for (const char *p = text; rc == 0 && *p != '\0'; p++) {
		if (*p == '=')
			rc = buf_append_str(out, "%3D");
		else
			rc = buf_append_u8(out, (uint8_t)(*p == '+' ? '-' : *p == '/' ? '_' : *p));
	}
	return rc;
}

static int append_query(const char *mark, const uint8_t enc_sha256[WA_MEDIA_HASH_LEN],
                        enum wa_media_kind kind, struct buf *out)
{
	int rc = buf_append_str(out, mark);

	if (rc == 0)
		rc = buf_append_str(out, "hash=");
	if (rc == 0)
		rc = append_hash(enc_sha256, out);
	if (rc == 0)
		rc = buf_append_str(out, "&mms-type=");
	if (rc == 0)
		rc = buf_append_str(out, wa_media_mms_type(kind));
	if (rc == 0)
		rc = buf_append_str(out, "&__wa-mms=");
	return rc;
}

int wa_media_url(const char *host, const char *direct_path, const uint8_t *enc_sha256,
                 enum wa_media_kind kind, struct buf *out)
{
	size_t out_len = out->len;
	int rc;

	if (strlen(direct_path) > WA_MEDIA_PATH_MAX)
		return WA_ELIMIT;
	if (!host_is_plain(host) || !path_is_plain(direct_path))
		return WA_EPROTO;
	rc = buf_append_str(out, "https://");
	if (rc == 0)
		rc = buf_append_str(out, host);
	if (rc == 0)
		rc = buf_append_str(out, direct_path);
	if (rc == 0 && enc_sha256 != NULL)
		rc = append_query(strchr(direct_path, '?') == NULL ? "?" : "&", enc_sha256, kind,
		                  out);
	if (rc < 0)
		out->len = out_len;
	return rc;
}

bool wa_media_url_allowed(const char *url)
{
	static const char scheme[] = "https://";
	const char *host, *end;
	size_t n, domain = strlen(MEDIA_DOMAIN);

	if (strlen(url) > WA_MEDIA_PATH_MAX || strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	host = url + sizeof(scheme) - 1;
	n = strspn(host, HOST_CHARS);
	end = host + n;
	/* no port, no user, nothing between the name and the path */
	return n > domain && n <= HOST_MAX && host[0] != '.' &&
	       strncasecmp(end - domain, MEDIA_DOMAIN, domain) == 0 && path_is_plain(end);
}

/* ---- re-upload ----------------------------------------------------------------------------------
 */

#define RETRY_INFO "WhatsApp Media Retry Notification"

static int retry_key(const uint8_t media_key[WA_MEDIA_KEY_LEN], uint8_t out[32])
{
	return wa_hkdf(media_key, WA_MEDIA_KEY_LEN, NULL, 0, RETRY_INFO, strlen(RETRY_INFO), out,
	               32);
}

int wa_media_retry_seal(const uint8_t media_key[WA_MEDIA_KEY_LEN], const char *message_id,
                        const uint8_t iv[WA_IV_LEN], struct buf *out)
{
	Wa__ServerErrorReceipt msg = WA__SERVER_ERROR_RECEIPT__INIT;
	struct buf plain = { 0 };
	uint8_t key[32];
	int rc;

	msg.stanza_id = (char *)(uintptr_t)message_id; /* only read */
	rc = buf_reserve(&plain, wa__server_error_receipt__get_packed_size(&msg));
	if (rc == 0)
		plain.len = wa__server_error_receipt__pack(&msg, plain.p);
	if (rc == 0)
		rc = buf_reserve(out, plain.len + WA_TAG_LEN);
	if (rc == 0)
		rc = retry_key(media_key, key);
	if (rc == 0)
		rc = wa_gcm_seal_iv(key, iv, message_id, strlen(message_id), plain.p, plain.len,
		                    out->p + out->len);
	if (rc == 0)
		out->len += plain.len + WA_TAG_LEN;
	secret_wipe(key, sizeof(key));
	buf_free(&plain);
	return rc;
}

/* The phone's answer: about this message, and complete? */
static int take_answer(const Wa__MediaRetryNotification *n, const char *message_id,
                       struct wa_media_retry *r_out)
{
	struct wa_media_retry r = { .result = n->has_result ? n->result : 0 };

	if (n->stanza_id == NULL || strcmp(n->stanza_id, message_id) != 0)
		return WA_EPROTO;
	if (n->direct_path != NULL) {
		if (strlen(n->direct_path) > WA_MEDIA_PATH_MAX)
			return WA_ELIMIT;
		if (!path_is_plain(n->direct_path))
			return WA_EPROTO;
		memcpy(r.direct_path, n->direct_path, strlen(n->direct_path));
	}
	if (r.result == WA_MEDIA_RETRY_SUCCESS && r.direct_path[0] == '\0')
		return WA_EPROTO;
	*r_out = r;
	return 0;
}

int wa_media_retry_open(const uint8_t media_key[WA_MEDIA_KEY_LEN], const char *message_id,
                        const uint8_t iv[WA_IV_LEN], const uint8_t *enc_p, size_t enc_p_len,
                        struct wa_media_retry *r_out)
{
	ProtobufCMessage *msg = NULL;
	struct buf plain = { 0 };
	uint8_t key[32];
	int rc;

	if (enc_p_len < WA_TAG_LEN)
		return WA_ETRUNC;
	if (enc_p_len > pb_limits_small.bytes_max)
		return WA_ELIMIT;
	rc = buf_reserve(&plain, enc_p_len);
	if (rc == 0)
		rc = retry_key(media_key, key);
	if (rc == 0)
		rc = wa_gcm_open_iv(key, iv, message_id, strlen(message_id), enc_p, enc_p_len,
		                    plain.p);
	if (rc == 0)
		rc = pb_unpack(&wa__media_retry_notification__descriptor, plain.p,
		               enc_p_len - WA_TAG_LEN, &pb_limits_small, &msg);
	if (rc == 0)
		rc = take_answer((const Wa__MediaRetryNotification *)msg, message_id, r_out);
	pb_free(msg);
	secret_wipe(key, sizeof(key));
	buf_wipe(&plain);
	return rc;
}
