/*
 * tests/unit/test_wa_msg_oom.c - messages, history, files, app state while memory runs out
 *
 * As test_wa_oom.c: linked with --wrap, each operation is repeated with its first allocation of
 * ours failing, then its second, until it succeeds. Before that it must say -ENOMEM and nothing
 * else.
 */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "history_blob.h"
#include "signal_store.h"
#include "wa_vectors.h"
#include "worker/wa/appstate/wa_appstate.h"
#include "worker/wa/history/wa_history.h"
#include "worker/wa/history/wa_media.h"
#include "worker/wa/message/wa_msg_secret.h"
#include "worker/wa/signal/wa_signal.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long countdown = -1; /* below 0: nothing fails */

static bool fails_now(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails_now() ? NULL : __real_realloc(p, n);
}

/* Until op succeeds with nothing failing any more; at least failures_min times it failed. */
static void exhaust(int (*op)(long fail_at), int also, unsigned failures_min)
{
	unsigned failures = 0;

	for (long n = 0; n < 10000; n++) {
		int rc = op(n);
		bool reached = countdown < 0; /* the failure was met, or counted past */

		countdown = -1;
		if (!reached) {
			assert_int_equal(rc, 0);
			assert_true(failures >= failures_min);
			return;
		}
		/* libsignal's own realloc comes here, too (common/heap.c), and it doesn't say why
		 */
		if (rc != -ENOMEM && rc != also)
			fail_msg("allocation %ld: %d", n, rc);
		failures++;
	}
	fail_msg("never succeeded");
}

/* ---- Signal -------------------------------------------------------------------------------------
 */

static struct sigpeer alice, bob;
static struct buf cipher, group_cipher, skdm;
static enum wa_enc type;

#define GROUP "120363021033254949@g.us"

static void peers_begin(void)
{
	struct wa_prekey_bundle b;

	sigpeer_init(&alice, 0x11, "1_1", 0);
	sigpeer_init(&bob, 0x22, "2_1", 0);
	sigpeer_bundle(&bob, &b);
	assert_int_equal(wa_signal_take_bundle(alice.signal, &bob.addr, &b, NULL), 0);
	buf_reset(&cipher);
	assert_int_equal(wa_signal_encrypt(alice.signal, &bob.addr, "x", 1, &type, &cipher), 0);
}

static void peers_end(void)
{
	sigpeer_clear(&alice);
	sigpeer_clear(&bob);
}

static int op_new(long fail_at)
{
	struct wa_signal *s = NULL;
	int rc;

	peers_begin();
	countdown = fail_at;
	rc = wa_signal_new(&bob.own, &sigstore_ops, &bob.store, &s);
	if (rc == 0)
		wa_signal_free(s);
	peers_end();
	return rc;
}

static int op_decrypt(long fail_at)
{
	struct buf out = { 0 };
	int rc;

	peers_begin();
	countdown = fail_at;
	rc = wa_signal_decrypt(bob.signal, &alice.addr, type, cipher.p, cipher.len, &out, NULL);
	assert_int_equal(out.len, rc == 0 ? 1 : 0);
	buf_wipe(&out);
	peers_end();
	return rc;
}

static int op_encrypt(long fail_at)
{
	struct buf out = { 0 };
	int rc;

	peers_begin();
	countdown = fail_at;
	rc = wa_signal_encrypt(alice.signal, &bob.addr, "x", 1, &type, &out);
	assert_true(rc == 0 || out.len == 0);
	buf_free(&out);
	peers_end();
	return rc;
}

static int op_group(long fail_at)
{
	struct buf out = { 0 };
	int rc;

	peers_begin();
	buf_reset(&skdm);
	buf_reset(&group_cipher);
	assert_int_equal(wa_signal_skdm_make(alice.signal, GROUP, &alice.addr, &skdm, NULL), 0);
	assert_int_equal(
	    wa_signal_group_encrypt(alice.signal, GROUP, &alice.addr, "x", 1, &group_cipher), 0);
	countdown = fail_at;
	rc = wa_signal_skdm_take(bob.signal, GROUP, &alice.addr, skdm.p, skdm.len, NULL);
	if (rc == 0)
		rc = wa_signal_group_decrypt(bob.signal, GROUP, &alice.addr, group_cipher.p,
		                             group_cipher.len, &out);
	buf_wipe(&out);
	peers_end();
	return rc;
}

static void test_signal(void **state)
{
	(void)state;
	exhaust(op_new, WA_ECRYPTO, 1);
	exhaust(op_decrypt, WA_ECRYPTO, 1);
	exhaust(op_encrypt, WA_ECRYPTO, 1);
	exhaust(op_group, WA_ECRYPTO, 1);
	buf_free(&cipher);
	buf_free(&group_cipher);
	buf_free(&skdm);
}

/* ---- history ------------------------------------------------------------------------------------
 */

static struct buf blob;

static int op_history(long fail_at)
{
	static const struct wa_history_ops none;
	struct wa_history *h = NULL;
	int rc;

	countdown = fail_at;
	rc = wa_history_new(&none, NULL, &wa_history_limits_default, &h);
	if (rc == 0)
		rc = wa_history_feed(h, blob.p, blob.len);
	if (rc == 0)
		rc = wa_history_end(h);
	/* what could not be read for want of memory is not passed over */
	if (rc == 0) {
		assert_int_equal(wa_history_counts(h)->unreadable, 0);
		assert_int_equal(wa_history_counts(h)->conversations, 3);
	}
	wa_history_free(h);
	return rc;
}

static void test_history(void **state)
{
	struct buf plain = { 0 };

	(void)state;
	history_blob(3, 5, &plain);
	history_deflate(&plain, &blob);
	exhaust(op_history, -ENOMEM, 5);
	buf_free(&plain);
	buf_free(&blob);
}

/* ---- the rest -----------------------------------------------------------------------------------
 */

static const uint8_t key[32] = { 1 };

static int op_media(long fail_at)
{
	struct wa_media_expect e = { .len_max = 100 };
	struct buf stored = { 0 }, out = { 0 };
	uint8_t a[32], b[32];
	int rc;

	countdown = fail_at;
	rc = wa_media_encrypt(key, WA_MEDIA_IMAGE, (const uint8_t *)"x", 1, &stored, a, b);
	if (rc == 0)
		rc = wa_media_decrypt(key, WA_MEDIA_IMAGE, &e, stored.p, stored.len, &out);
	if (rc == 0)
		rc = wa_media_url("h", "/v", a, WA_MEDIA_IMAGE, &out);
	if (rc == 0)
		rc = wa_media_retry_seal(key, "3EB0", key, &out);
	buf_free(&stored);
	buf_free(&out);
	return rc;
}

static int op_secret(long fail_at)
{
	const struct wa_msg_secret s = { key, "3EB0", "1@lid", "2@lid", "Poll Vote" };
	const char *const devices[] = { "1@lid", "2:3@lid" };
	struct buf sealed = { 0 }, out = { 0 };
	char hash[WA_PHASH_CAP];
	int rc;

	countdown = fail_at;
	rc = wa_msg_secret_seal(&s, key, "x", 1, &sealed);
	if (rc == 0)
		rc = wa_msg_secret_open(&s, key, WA_IV_LEN, sealed.p, sealed.len, &out);
	if (rc == 0)
		rc = wa_phash(devices, 2, hash);
	buf_free(&sealed);
	buf_free(&out);
	return rc;
}

static json_t *root;
static struct buf snapshot, patch;
static uint8_t key_data[32];

static int on_key(void *arg, struct wa_bytes id, struct wa_appstate_keys *out)
{
	(void)arg, (void)id;
	return wa_appstate_expand(key_data, out);
}

static int on_value_mac(void *arg, const uint8_t mac[32], uint8_t out[32])
{
	(void)arg, (void)mac, (void)out;
	return -ENOENT;
}

static int on_record(void *arg, const struct wa_appstate_record *r)
{
	(void)arg, (void)r;
	return 0;
}

static int op_appstate(long fail_at)
{
	static const struct wa_appstate_ops ops = { on_key, on_value_mac, on_record };
	struct wa_appstate s = { .collection = "regular_high" }, t = s;
	struct wa_pool *pool;
	int rc = -ENOMEM;

	countdown = fail_at;
	pool = wa_pool_new(64, 1 << 20); /* too small: more is taken for each record */
	if (pool != NULL)
		rc = wa_appstate_snapshot(&s, pool, &ops, NULL, snapshot.p, snapshot.len);
	if (rc == 0)
		rc = wa_appstate_patch(&t, pool, &ops, NULL, patch.p, patch.len,
		                       (struct wa_bytes){ 0 });
	wa_pool_free(pool);
	return rc;
}

static void test_files_secrets_and_app_state(void **state)
{
	const json_t *v;

	(void)state;
	root = vec_load("messaging.json");
	v = vec_get(root, "app_state");
	vec_fixed(v, "key_data", key_data, sizeof(key_data));
	vec_hex(vec_get(v, "snapshot"), "wire", &snapshot);
	vec_hex(json_array_get(vec_get(v, "steps"), 0), "patch_download", &patch);
	exhaust(op_media, -ENOMEM, 5);
	exhaust(op_secret, -ENOMEM, 5);
	exhaust(op_appstate, -ENOMEM, 6);
	buf_free(&snapshot);
	buf_free(&patch);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_files_secrets_and_app_state),
	};

	if (wa_keys_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
