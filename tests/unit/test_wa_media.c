/* tests/unit/test_wa_media.c - encrypted files: published ones, cut, changed and limited */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "wa_vectors.h"
#include "worker/wa/history/wa_media.h"

static enum wa_media_kind kind_of(const char *info)
{
	for (int k = WA_MEDIA_IMAGE; k <= WA_MEDIA_STICKER_PACK; k++) {
		if (strcmp(wa_media_info((enum wa_media_kind)k), info) == 0)
			return (enum wa_media_kind)k;
	}
	fail_msg("%s", info);
	return WA_MEDIA_IMAGE;
}

/* ---- published files ----------------------------------------------------------------------------
 */

struct file {
	uint8_t key[WA_MEDIA_KEY_LEN], sha256[32], enc_sha256[32];
	enum wa_media_kind kind;
	struct buf plain, stored;
	struct wa_media_expect expect;
};

static void file_load(const json_t *v, struct file *f)
{
	memset(f, 0, sizeof(*f));
	f->kind = kind_of(vec_str(v, "hkdf_info"));
	vec_fixed(v, "media_key", f->key, sizeof(f->key));
	vec_fixed(v, "file_sha256", f->sha256, 32);
	vec_fixed(v, "file_enc_sha256", f->enc_sha256, 32);
	vec_hex(v, "plaintext", &f->plain);
	vec_hex(v, "enc_file", &f->stored);
	f->expect = (struct wa_media_expect){
		.enc_sha256 = f->enc_sha256,
		.sha256 = f->sha256,
		.has_len = true,
		.len = f->plain.len,
		.len_max = 1 << 20,
	};
}

static void file_free(struct file *f)
{
	buf_free(&f->plain);
	buf_free(&f->stored);
}

static int on_bytes(void *arg, const uint8_t *data, size_t data_len)
{
	return buf_append(arg, data, data_len);
}

/* In pieces of step bytes. */
static int open_in_steps(const struct file *f, size_t step, struct buf *out)
{
	struct wa_media *m;
	int rc;

	assert_int_equal(wa_media_open(f->key, f->kind, &f->expect, on_bytes, out, &m), 0);
	rc = 0;
	for (size_t at = 0; rc == 0 && at < f->stored.len; at += step)
		rc = wa_media_feed(m, f->stored.p + at,
		                   f->stored.len - at < step ? f->stored.len - at : step);
	if (rc == 0)
		rc = wa_media_end(m);
	wa_media_free(m);
	return rc;
}

static void test_published_files(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *v;
	size_t i;

	(void)state;
	json_array_foreach(vec_get(vec_get(root, "media"), "cases"), i, v)
	{
		uint8_t sha256[32], enc_sha256[32];
		struct wa_media_keys keys;
		struct buf out = { 0 };
		struct file f;

		file_load(v, &f);
		if (json_object_get(v, "iv") != NULL) {
			assert_int_equal(wa_media_expand(f.key, f.kind, &keys), 0);
			vec_assert_hex(v, "iv", keys.iv, sizeof(keys.iv));
			vec_assert_hex(v, "cipher_key", keys.cipher_key, 32);
			vec_assert_hex(v, "mac_key", keys.mac_key, 32);
			vec_assert_hex(v, "ref_key", keys.ref_key, 32);
		}
		for (size_t step = 1; step <= f.stored.len; step++) {
			assert_int_equal(open_in_steps(&f, step, &out), 0);
			assert_int_equal(out.len, f.plain.len);
			if (out.len > 0)
				assert_memory_equal(out.p, f.plain.p, out.len);
			buf_reset(&out);
		}
		assert_int_equal(wa_media_encrypt(f.key, f.kind, f.plain.p, f.plain.len, &out,
		                                  sha256, enc_sha256),
		                 0);
		vec_assert_hex(v, "enc_file", out.p, out.len);
		assert_memory_equal(sha256, f.sha256, 32);
		assert_memory_equal(enc_sha256, f.enc_sha256, 32);
		buf_free(&out);
		file_free(&f);
	}
	json_decref(root);
}

static void test_large_file(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *v = vec_get(vec_get(root, "media"), "sidecar");
	size_t n = (size_t)json_integer_value(vec_get(v, "plaintext_length"));
	struct buf stored = { 0 }, out = { 0 };
	uint8_t *plain = malloc(n), sha256[32], enc_sha256[32];
	static const size_t steps[] = { 1, 15, 16, 17, 1000, 16384, 16385, 65536, 200000 };
	struct file f = { 0 };

	(void)state;
	assert_non_null(plain);
	for (size_t i = 0; i < n; i++)
		plain[i] = (uint8_t)(i * 31 + (i >> 8));
	vec_fixed(v, "media_key", f.key, sizeof(f.key));
	f.kind = WA_MEDIA_VIDEO;
	assert_int_equal(wa_media_encrypt(f.key, f.kind, plain, n, &stored, sha256, enc_sha256), 0);
	vec_assert_hex(v, "file_sha256", sha256, 32);
	vec_assert_hex(v, "file_enc_sha256", enc_sha256, 32);
	f.stored = stored;
	f.expect = (struct wa_media_expect){ .sha256 = sha256, .len_max = n };
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_int_equal(open_in_steps(&f, steps[i], &out), 0);
		assert_int_equal(out.len, n);
		assert_memory_equal(out.p, plain, n);
		buf_reset(&out);
	}
	free(plain);
	buf_free(&stored);
	buf_free(&out);
	json_decref(root);
}

/* ---- wrong files --------------------------------------------------------------------------------
 */

static void first_case(struct file *f)
{
	json_t *root = vec_load("messaging.json");

	file_load(json_array_get(vec_get(vec_get(root, "media"), "cases"), 0), f);
	json_decref(root);
}

static void test_files_changed_anywhere(void **state)
{
	struct buf out = { 0 };
	struct file f;

	(void)state;
	first_case(&f);
	for (unsigned with_hash = 0; with_hash < 2; with_hash++) {
		if (!with_hash)
			f.expect.enc_sha256 = NULL; /* the MAC alone must find it */
		else
			f.expect.enc_sha256 = f.enc_sha256;
		for (size_t i = 0; i < f.stored.len; i++) {
			f.stored.p[i] ^= 0x40;
			assert_int_equal(wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p,
			                                  f.stored.len, &out),
			                 WA_EAUTH);
			f.stored.p[i] ^= 0x40;
		}
		for (size_t n = 0; n < f.stored.len; n++)
			assert_true(
			    wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p, n, &out) < 0);
	}
	f.expect.enc_sha256 = NULL;
	assert_int_equal(wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p, 25, &out),
	                 WA_ETRUNC);
	assert_int_equal(
	    wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p, f.stored.len - 1, &out),
	    WA_ETRUNC);
	/* another kind of file, another key */
	assert_int_equal(
	    wa_media_decrypt(f.key, WA_MEDIA_VIDEO, &f.expect, f.stored.p, f.stored.len, &out),
	    WA_EAUTH);
	f.key[0] ^= 1;
	assert_int_equal(wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p, f.stored.len, &out),
	                 WA_EAUTH);
	assert_int_equal(out.len, 0);
	buf_free(&out);
	file_free(&f);
}

static void test_hash_and_length_are_checked(void **state)
{
	struct buf out = { 0 };
	struct file f;

	(void)state;
	first_case(&f);
	f.sha256[31] ^= 1;
	assert_int_equal(wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p, f.stored.len, &out),
	                 WA_EAUTH);
	f.expect.sha256 = NULL;
	f.expect.len++;
	assert_int_equal(wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p, f.stored.len, &out),
	                 WA_EPROTO);
	f.expect.len--;
	f.expect.len_max = f.stored.len - 27;
	assert_int_equal(wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p, f.stored.len, &out),
	                 WA_ELIMIT);
	f.expect.len_max++;
	assert_int_equal(wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p, f.stored.len, &out),
	                 0);
	f.expect.len_max = UINT64_MAX;
	buf_reset(&out);
	assert_int_equal(wa_media_decrypt(f.key, f.kind, &f.expect, f.stored.p, f.stored.len, &out),
	                 0);
	buf_free(&out);
	file_free(&f);
}

static int refuse(void *arg, const uint8_t *data, size_t data_len)
{
	(void)arg, (void)data, (void)data_len;
	return -ENOSPC;
}

static void test_sink_can_stop(void **state)
{
	struct wa_media *m;
	struct file f;

	(void)state;
	first_case(&f);
	assert_int_equal(wa_media_open(f.key, f.kind, &f.expect, refuse, NULL, &m), 0);
	assert_int_equal(wa_media_feed(m, f.stored.p, f.stored.len), -ENOSPC);
	wa_media_free(m);
	wa_media_free(NULL);
	file_free(&f);
}

static void test_unencrypted_file(void **state)
{
	uint8_t sha256[32];
	struct wa_media_expect e = { .sha256 = sha256, .len_max = 10 };
	struct buf out = { 0 };
	struct wa_media *m;

	(void)state;
	assert_int_equal(wa_sha256("plain", 5, sha256), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(wa_media_open_plain(&e, on_bytes, &out, &m), 0);
		assert_int_equal(wa_media_feed(m, (const uint8_t *)"pl", 2), 0);
		assert_int_equal(wa_media_feed(m, (const uint8_t *)"ain", 3), 0);
		assert_int_equal(wa_media_end(m), i == 0 ? 0 : WA_EAUTH);
		wa_media_free(m);
		sha256[0] ^= 1;
	}
	buf_free(&out);
}

/* ---- addresses ----------------------------------------------------------------------------------
 */

static void test_urls(void **state)
{
	static const struct {
		const char *host, *path;
		int rc;
	} bad[] = {
		{ "mmg.whatsapp.net", "v/x", WA_EPROTO },
		{ "mmg.whatsapp.net", "//evil.example/x", WA_EPROTO },
		{ "mmg.whatsapp.net", "", WA_EPROTO },
		{ "mmg.whatsapp.net", "/v x", WA_EPROTO },
		{ "mmg.whatsapp.net", "/v\r\nHost: x", WA_EPROTO },
		{ "mmg.whatsapp.net", "/v#x", WA_EPROTO },
		{ "mmg.whatsapp.net", "/@evil", WA_EPROTO },
		{ "mmg.whatsapp.net", "/\\evil", WA_EPROTO },
		{ "mmg.whatsapp.net", "/v\x80", WA_EPROTO },
		{ "", "/v", WA_EPROTO },
		{ ".net", "/v", WA_EPROTO },
		{ "a/b", "/v", WA_EPROTO },
		{ "user@host", "/v", WA_EPROTO },
		{ "host:", "/v", WA_EPROTO },
		{ "host:0", "/v", WA_EPROTO },
		{ "host:70000", "/v", WA_EPROTO },
		{ "host:80x", "/v", WA_EPROTO },
	};
	char longest[WA_MEDIA_PATH_MAX + 2];
	struct buf out = { 0 };
	uint8_t hash[32];

	(void)state;
	memset(hash, 0xfb, sizeof(hash));
	assert_int_equal(
	    wa_media_url("mmg.whatsapp.net", "/v/t62?ccb=11-4&oh=a", hash, WA_MEDIA_IMAGE, &out),
	    0);
	assert_int_equal(buf_append_u8(&out, 0), 0);
	assert_string_equal((char *)out.p, "https://mmg.whatsapp.net/v/t62?ccb=11-4&oh=a&hash="
	                                   "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s%3D"
	                                   "&mms-type=image&__wa-mms=");
	buf_reset(&out);
	assert_int_equal(wa_media_url("127.0.0.1:8443", "/v", hash, WA_MEDIA_HISTORY, &out), 0);
	assert_int_equal(buf_append_u8(&out, 0), 0);
	assert_non_null(strstr((char *)out.p, "https://127.0.0.1:8443/v?hash="));
	assert_non_null(strstr((char *)out.p, "&mms-type=md-msg-hist&"));
	buf_reset(&out);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (wa_media_url(bad[i].host, bad[i].path, hash, WA_MEDIA_IMAGE, &out) != bad[i].rc)
			fail_msg("%s%s", bad[i].host, bad[i].path);
	}
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(wa_media_url("h", longest, hash, WA_MEDIA_IMAGE, &out), WA_ELIMIT);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

static void test_which_urls_may_be_fetched(void **state)
{
	static const char *const good[] = {
		"https://mmg.whatsapp.net/v/x?a=b",
		"https://media-ham3-1.cdn.whatsapp.net/v",
		"https://MMG.WhatsApp.NET/",
	};
	static const char *const bad[] = {
		"http://mmg.whatsapp.net/v",
		"https://whatsapp.net/v",
		"https://evilwhatsapp.net/v",
		"https://.whatsapp.net/v",
		"https://mmg.whatsapp.net.evil.example/v",
		"https://mmg.whatsapp.net@evil.example/v",
		"https://evil.example/.whatsapp.net/v",
		"https://mmg.whatsapp.net:8443/v",
		"https://mmg.whatsapp.net",
		"https://mmg.whatsapp.net?x",
		"https://mmg.whatsapp.net\\@evil/v",
		"https://mmg.whatsapp.net/a b",
		"file:///etc/passwd",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!wa_media_url_allowed(good[i]))
			fail_msg("%s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (wa_media_url_allowed(bad[i]))
			fail_msg("%s", bad[i]);
	}
}

/* ---- re-upload ----------------------------------------------------------------------------------
 */

static void test_media_retry(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *v = vec_get(root, "media_retry");
	uint8_t key[WA_MEDIA_KEY_LEN], iv[WA_IV_LEN];
	const char *id = vec_str(v, "message_id");
	struct wa_media_retry r;
	struct buf b = { 0 };

	(void)state;
	vec_fixed(v, "media_key", key, sizeof(key));
	vec_fixed(v, "iv", iv, sizeof(iv));
	assert_int_equal(wa_media_retry_seal(key, id, iv, &b), 0);
	vec_assert_hex(v, "enc_p", b.p, b.len);
	/* the request is no answer: it names the message but brings no path; result is "error" */
	assert_int_equal(wa_media_retry_open(key, id, iv, b.p, b.len, &r), 0);
	assert_int_equal(r.result, WA_MEDIA_RETRY_GENERAL_ERROR);
	buf_reset(&b);
	vec_hex(v, "notification_enc_p", &b);
	assert_int_equal(wa_media_retry_open(key, id, iv, b.p, b.len, &r), 0);
	assert_int_equal(r.result, WA_MEDIA_RETRY_SUCCESS);
	assert_string_equal(r.direct_path, vec_str(vec_get(v, "notification"), "directPath"));
	assert_int_equal(wa_media_retry_open(key, "3EB0", iv, b.p, b.len, &r), WA_EAUTH);
	assert_int_equal(wa_media_retry_open(key, id, iv, b.p, 15, &r), WA_ETRUNC);
	for (size_t i = 0; i < b.len; i++) {
		b.p[i] ^= 1;
		assert_int_equal(wa_media_retry_open(key, id, iv, b.p, b.len, &r), WA_EAUTH);
		b.p[i] ^= 1;
	}
	buf_free(&b);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_files),
		cmocka_unit_test(test_large_file),
		cmocka_unit_test(test_files_changed_anywhere),
		cmocka_unit_test(test_hash_and_length_are_checked),
		cmocka_unit_test(test_sink_can_stop),
		cmocka_unit_test(test_unencrypted_file),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_which_urls_may_be_fetched),
		cmocka_unit_test(test_media_retry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
