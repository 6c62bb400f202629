/* common/ws_accept.c - the answer to a WebSocket's key */
#include "common/ws_accept.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "common/err.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* section 1.3 */

int ws_accept(const char *key, size_t key_len, char out[WS_ACCEPT_CAP])
{
	char text[WS_KEY_LEN + sizeof(GUID)];
	uint8_t raw[16], digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;
	size_t raw_len = 0;

	if (key_len != WS_KEY_LEN || b64_decode(key, key_len, raw, sizeof(raw), &raw_len) < 0 ||
	    raw_len != sizeof(raw))
		return -EINVAL;
	memcpy(text, key, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, GUID, sizeof(GUID));
	if (EVP_Digest(text, sizeof(text) - 1, digest, &digest_len, EVP_sha1(), NULL) != 1)
		return WA_ECRYPTO;
	b64_encode(digest, digest_len, out);
	return 0;
}
