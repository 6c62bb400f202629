/* tests/unit/wa_vectors.c - reading tests/vectors */
#include "test.h"

#include "wa_vectors.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec.h"

json_t *vec_load(const char *name)
{
	json_error_t error;
	char path[4096];
	json_t *root;

	snprintf(path, sizeof(path), "%s/tests/vectors/%s", TEST_SRCDIR, name);
	root = json_load_file(path, JSON_ALLOW_NUL, &error);
	if (root == NULL)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return root;
}

const json_t *vec_get(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (v == NULL)
		fail_msg("no member %s", key);
	return v;
}

const char *vec_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(vec_get(o, key));

	if (s == NULL)
		fail_msg("%s is no string", key);
	return s;
}

void vec_hex(const json_t *o, const char *key, struct buf *out)
{
	const char *hex = vec_str(o, key);
	size_t n = strlen(hex) / 2;

	assert_int_equal(buf_reserve(out, n + 1), 0);
	assert_int_equal(hex_decode(hex, out->p + out->len, n), 0);
	out->len += n;
}

void vec_fixed(const json_t *o, const char *key, void *out, size_t out_len)
{
	const char *hex = vec_str(o, key);

	assert_int_equal(strlen(hex), 2 * out_len);
	assert_int_equal(hex_decode(hex, out, out_len), 0);
}

void vec_keypair(const json_t *o, const char *key, struct wa_keypair *kp_out)
{
	const json_t *kp = vec_get(o, key);

	vec_fixed(kp, "priv", kp_out->priv, WA_KEY_LEN);
	vec_fixed(kp, "pub", kp_out->pub, WA_KEY_LEN);
}

void vec_assert_hex(const json_t *o, const char *key, const void *data, size_t data_len)
{
	char *hex = malloc(HEX_CAP(data_len));

	assert_non_null(hex);
	hex_encode(data, data_len, hex);
	assert_string_equal(hex, vec_str(o, key));
	free(hex);
}
