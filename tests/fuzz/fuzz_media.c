/*
 * tests/fuzz/fuzz_media.c - encrypted files in any pieces, and addresses
 *
 * First byte: 0 the rest is a stored file; 1 the rest is a plaintext: stored, then opened in pieces
 * whose sizes are the plaintext's bytes; 2 host and path, split at the first NUL; 3 enc_p of a
 * media retry answer. Property: 1 comes back as it was; whatever is refused gives nothing; a URL
 * that is made begins with the host and holds no white space.
 */
#include "fuzz.h"

#include <string.h>

#include "worker/wa/history/wa_media.h"

#define INPUT_MAX 65536

static const uint8_t key[WA_MEDIA_KEY_LEN] = { 7 };

static int on_bytes(void *arg, const uint8_t *data, size_t data_len)
{
	return buf_append(arg, data, data_len);
}

static void round_trip(const uint8_t *data, size_t size)
{
	uint8_t sha256[32], enc_sha256[32];
	struct wa_media_expect e = { enc_sha256, sha256, true, size, size };
	struct buf stored = { 0 }, out = { 0 };
	struct wa_media *m;
	size_t at = 0, i = 0;

	FUZZ_REQUIRE(
	    wa_media_encrypt(key, WA_MEDIA_IMAGE, data, size, &stored, sha256, enc_sha256) == 0);
	FUZZ_REQUIRE(wa_media_open(key, WA_MEDIA_IMAGE, &e, on_bytes, &out, &m) == 0);
	while (at < stored.len) {
		size_t n = size == 0 ? 1 : (size_t)data[i++ % size] + 1;

		n = n < stored.len - at ? n : stored.len - at;
		FUZZ_REQUIRE(wa_media_feed(m, stored.p + at, n) == 0);
		at += n;
	}
	FUZZ_REQUIRE(wa_media_end(m) == 0);
	FUZZ_REQUIRE(out.len == size && (size == 0 || memcmp(out.p, data, size) == 0));
	wa_media_free(m);
	buf_free(&stored);
	buf_free(&out);
}

static void address(const char *text, size_t size)
{
	static const uint8_t hash[32];
	const char *path = memchr(text, '\0', size - 1);
	struct buf out = { 0 };

	path = path == NULL ? "" : path + 1;
	if (wa_media_url(text, path, hash, WA_MEDIA_IMAGE, &out) == 0) {
		FUZZ_REQUIRE(out.len > 8 + strlen(text));
		FUZZ_REQUIRE(memcmp(out.p + 8, text, strlen(text)) == 0);
		FUZZ_REQUIRE(out.p[8 + strlen(text)] == '/');
		for (size_t i = 0; i < out.len; i++)
			FUZZ_REQUIRE(out.p[i] > 0x20 && out.p[i] < 0x7f);
	} else {
		FUZZ_REQUIRE(out.len == 0);
	}
	if (wa_media_url_allowed(text))
		FUZZ_REQUIRE(strstr(text, "hatsapp.net/") != NULL ||
		             strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t iv[WA_IV_LEN];
	struct wa_media_expect e = { .len_max = INPUT_MAX };
	struct wa_media_retry r;
	struct buf out = { 0 };
	char *text;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	switch (data[0]) {
	case 0:
		if (wa_media_decrypt(key, WA_MEDIA_IMAGE, &e, data + 1, size - 1, &out) < 0)
			FUZZ_REQUIRE(out.len == 0);
		break;
	case 1:
		round_trip(data + 1, size - 1);
		break;
	case 2:
		text = malloc(size);
		FUZZ_REQUIRE(text != NULL);
		memcpy(text, data + 1, size - 1);
		text[size - 1] = '\0';
		address(text, size);
		free(text);
		break;
	case 3:
		if (wa_media_retry_open(key, "3EB0", iv, data + 1, size - 1, &r) == 0)
			FUZZ_REQUIRE(strlen(r.direct_path) <= WA_MEDIA_PATH_MAX);
		break;
	}
	buf_free(&out);
	return 0;
}
