/* tests/unit/test_sim_appstate.c - the simulator's app state against the vectors and the client */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_msg.pb-c.h"
#include "simulator/appstate/sim_appstate.h"
#include "simulator/base/sim_pbw.h"
#include "wa_vectors.h"
#include "worker/wa/appstate/wa_appstate.h"
#include "worker/wa/message/wa_pool.h"

#define RECORDS_MAX 64

static struct sim_media *media;
static struct sim_appstate *as;

static int set_up(void **state)
{
	const uint64_t seed = 9;
	struct sim_rand rnd;

	(void)state;
	assert_int_equal(sim_rand_init(&rnd, &seed), 0);
	assert_int_equal(sim_media_new(&rnd, &media), 0);
	assert_int_equal(sim_as_new(&rnd, 1700000000000, media, &as), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_as_free(as);
	sim_media_free(media);
	as = NULL;
	media = NULL;
	return 0;
}

/* ---- a client, with its own code ---------------------------------------------------------------
 */

struct client {
	struct wa_appstate s;
	uint8_t index[RECORDS_MAX][32], value[RECORDS_MAX][32];
	size_t n;
	unsigned seen, removed;
	char last[80];
};

static int on_key(void *arg, struct wa_bytes id, struct wa_appstate_keys *out)
{
	(void)arg;
	for (size_t i = 0; i < sim_as_keys_count(as); i++) {
		const struct sim_as_key *k = sim_as_key_at(as, i);

		if (id.len == sizeof(k->id) && memcmp(k->id, id.p, id.len) == 0)
			return wa_appstate_expand(k->data, out);
	}
	return -ENOENT;
}

static int on_value_mac(void *arg, const uint8_t index_mac[32], uint8_t out[32])
{
	struct client *c = arg;

	for (size_t i = 0; i < c->n; i++) {
		if (memcmp(c->index[i], index_mac, 32) == 0) {
			memcpy(out, c->value[i], 32);
			return 0;
		}
	}
	return -ENOENT;
}

static int on_record(void *arg, const struct wa_appstate_record *r)
{
	struct client *c = arg;
	size_t i = 0;

	c->seen++;
	c->removed += r->removed;
	snprintf(c->last, sizeof(c->last), "%.*s", (int)r->index.len, (const char *)r->index.p);
	while (i < c->n && memcmp(c->index[i], r->index_mac, 32) != 0)
		i++;
	if (i == c->n && !r->removed)
		c->n++;
	assert_true(c->n < RECORDS_MAX);
	memcpy(c->index[i], r->index_mac, 32);
	memcpy(c->value[i], r->value_mac, 32);
	if (r->removed)
		memset(c->index[i], 0, 32);
	return 0;
}

static const struct wa_appstate_ops ops = { .key = on_key,
	                                    .value_mac = on_value_mac,
	                                    .on_record = on_record };

static int client_takes(struct client *c, const struct buf *patch)
{
	struct wa_pool *pool = wa_pool_new(4096, 8 * 1024 * 1024);
	int rc;

	assert_non_null(pool);
	rc = wa_appstate_patch(&c->s, pool, &ops, c, patch->p, patch->len,
	                       (struct wa_bytes){ NULL, 0 });
	wa_pool_free(pool);
	return rc;
}

/* ---- tests -------------------------------------------------------------------------------------
 */

static void test_pieces_of_the_vectors(void **state)
{
	json_t *all = vec_load("messaging.json");
	const json_t *v = vec_get(all, "app_state"), *steps = vec_get(v, "steps");
	struct sim_as_key key = { .unix_ms = 0 };
	uint8_t hash[SIM_AS_HASH_LEN] = { 0 }, previous[32], mac[32], iv[16];

	(void)state;
	vec_fixed(v, "key_id", key.id, sizeof(key.id));
	vec_fixed(v, "key_data", key.data, sizeof(key.data));
	assert_int_equal(sim_as_expand(key.data, &key.keys), 0);
	vec_assert_hex(vec_get(v, "expanded"), "index_key", key.keys.index, 32);
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *s = json_array_get(steps, i);
		struct buf data = { 0 }, blob = { 0 };
		bool remove = strcmp(vec_str(s, "operation"), "REMOVE") == 0;

		vec_fixed(s, "value_mac", mac, 32);
		vec_fixed(s, "iv", iv, sizeof(iv));
		vec_hex(s, "sync_action_data", &data);
		assert_int_equal(sim_as_seal(&key, remove, iv, data.p, data.len, &blob), 0);
		vec_assert_hex(s, "value_blob", blob.p, blob.len);
		if (!remove)
			assert_int_equal(sim_as_hash(hash, mac, false), 0);
		if (i == 2 || i == 3) { /* they take the place of records 0 and 1 */
			vec_fixed(json_array_get(steps, i - 2), "value_mac", previous, 32);
			assert_int_equal(sim_as_hash(hash, previous, true), 0);
		}
		vec_assert_hex(s, "lthash_after", hash, sizeof(hash));
		buf_free(&data);
		buf_free(&blob);
	}
	json_decref(all);
}

/* The vectors' patches as a client would upload them. */
static void test_uploads_of_the_vectors(void **state)
{
	json_t *all = vec_load("messaging.json");
	const json_t *v = vec_get(all, "app_state"), *steps = vec_get(v, "steps");
	uint8_t id[SIM_AS_KEY_ID_LEN], data[32];
	enum sim_as_collection c = SIM_AS_REGULAR;
	struct buf snapshot = { 0 };
	const char *why = "";

	(void)state;
	vec_fixed(v, "key_id", id, sizeof(id));
	vec_fixed(v, "key_data", data, sizeof(data));
	assert_int_equal(sim_as_add_key(as, id, data, 0), 0);
	assert_true(sim_as_find(vec_str(v, "collection"), &c));
	for (size_t i = 0; i < json_array_size(steps); i++) {
		struct buf patch = { 0 };

		vec_hex(json_array_get(steps, i), "patch_upload", &patch);
		patch.p[patch.len / 2] ^= 1;
		assert_true(sim_as_upload(as, c, patch.p, patch.len, &why) < 0);
		patch.p[patch.len / 2] ^= 1;
		if (sim_as_upload(as, c, patch.p, patch.len, &why) != 0)
			fail_msg("step %zu: %s", i, why);
		vec_assert_hex(json_array_get(steps, i), "patch_download",
		               sim_as_patch(as, c, i + 1)->p, sim_as_patch(as, c, i + 1)->len);
		buf_free(&patch);
	}
	assert_int_equal(sim_as_version(as, c), 4);
	assert_int_equal(sim_as_put_snapshot(as, c, &snapshot), 0);
	vec_assert_hex(vec_get(v, "snapshot"), "wire", snapshot.p, snapshot.len);
	buf_free(&snapshot);
	json_decref(all);
}

static int change(const char *index, bool remove, enum sim_as_flaw flaw)
{
	static const uint8_t value[] = { 0x08, 0x01, 0x22, 0x02, 0x08, 0x01 }; /* mute */
	const struct sim_as_change ch = { .index = index,
		                          .version = 2,
		                          .remove = remove,
		                          .value = value,
		                          .value_len = sizeof(value) };

	return sim_as_change(as, SIM_AS_REGULAR_HIGH, &ch, 1, false, flaw);
}

static void test_a_client_takes_what_the_phone_makes(void **state)
{
	static const char one[] = "[\"mute\",\"1@lid\"]", two[] = "[\"mute\",\"2@lid\"]";
	struct client c = { .s = { .collection = "regular_high" } }, late = c;
	struct buf snapshot = { 0 };
	struct wa_pool *pool = wa_pool_new(4096, 8 * 1024 * 1024);

	(void)state;
	assert_int_equal(change(one, false, SIM_AS_FLAW_NONE), 0);
	assert_int_equal(change(two, false, SIM_AS_FLAW_NONE), 0);
	assert_int_equal(change(one, false, SIM_AS_FLAW_NONE), 0);
	assert_int_equal(change(two, true, SIM_AS_FLAW_NONE), 0);
	for (uint64_t v = 1; v <= 4; v++)
		assert_int_equal(client_takes(&c, sim_as_patch(as, SIM_AS_REGULAR_HIGH, v)), 0);
	assert_int_equal(c.seen, 4);
	assert_int_equal(c.removed, 1);
	assert_string_equal(c.last, two);
	assert_int_equal(sim_as_put_snapshot(as, SIM_AS_REGULAR_HIGH, &snapshot), 0);
	assert_int_equal(wa_appstate_snapshot(&late.s, pool, &ops, &late, snapshot.p, snapshot.len),
	                 0);
	wa_pool_free(pool);
	assert_int_equal(late.seen, 1);
	assert_string_equal(late.last, one);
	assert_int_equal(late.s.version, 4);
	assert_memory_equal(late.s.hash, c.s.hash, sizeof(c.s.hash));
	buf_free(&snapshot);
}

static void test_a_client_notices_each_flaw(void **state)
{
	static const struct {
		enum sim_as_flaw flaw;
		int rc;
	} cases[] = {
		{ SIM_AS_FLAW_VALUE_MAC, WA_EAUTH },
		{ SIM_AS_FLAW_INDEX_MAC, WA_EAUTH },
		{ SIM_AS_FLAW_PATCH_MAC, WA_EAUTH },
		{ SIM_AS_FLAW_SNAPSHOT_MAC, WA_APPSTATE_EHASH },
		{ SIM_AS_FLAW_VERSION, WA_APPSTATE_EVERSION },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct client c = { .s = { .collection = "regular_high" } };
		int rc;

		assert_int_equal(change("[\"mute\",\"1@lid\"]", false, cases[i].flaw), 0);
		rc = client_takes(&c, sim_as_patch(as, SIM_AS_REGULAR_HIGH, 1));
		if (rc != cases[i].rc &&
		    !(cases[i].flaw == SIM_AS_FLAW_SNAPSHOT_MAC && rc == WA_EAUTH))
			fail_msg("flaw %zu: %d", i, rc);
		tear_down(state);
		set_up(state);
	}
}

static void test_keys_are_shared(void **state)
{
	const uint8_t known[] = { 0x0a, 8, 0x0a, 6, 0, 0, 0, 0, 0, 2 },
	              unknown[] = { 0x0a, 8, 0x0a, 6, 0, 0, 0, 0, 0, 9 };
	struct buf all = { 0 }, one = { 0 }, none = { 0 };

	(void)state;
	assert_int_equal(sim_as_rotate(as, 1), 0);
	assert_int_equal(sim_as_share(as, &all), 0);
	assert_int_equal(sim_as_share_asked(as, known, sizeof(known), &one), 0);
	assert_int_equal(sim_as_share_asked(as, unknown, sizeof(unknown), &none), 0);
	assert_non_null(memmem(all.p, all.len, sim_as_key_at(as, 0)->data, 32));
	assert_non_null(memmem(all.p, all.len, sim_as_key_at(as, 1)->data, 32));
	assert_null(memmem(one.p, one.len, sim_as_key_at(as, 0)->data, 32));
	assert_non_null(memmem(one.p, one.len, sim_as_key_at(as, 1)->data, 32));
	assert_true(none.len < 32);
	buf_free(&all);
	buf_free(&one);
	buf_free(&none);
}

/* SyncDCollectionFatalRecoveryRequest */
static int ask(const char *name, int64_t unix_ms, struct buf *out)
{
	struct buf request = { 0 };
	struct sim_pbw w;
	int rc;

	sim_pbw_init(&w, &request);
	sim_pbw_text(&w, 1, name);
	sim_pbw_uint(&w, 2, (uint64_t)unix_ms);
	buf_reset(out);
	rc = sim_as_give(as, "ID", request.p, request.len, 1700000000000, out);
	buf_free(&request);
	return rc;
}

/* The part of it that a client reads. */
static int client_reads(struct client *c, const struct buf *message)
{
	Wa__Message *m = wa__message__unpack(NULL, message->len, message->p);
	struct wa_pool *pool = wa_pool_new(4096, 8 * 1024 * 1024);
	const Wa__PeerDataOperationRequestResponseMessage *r;
	struct wa_appstate_whole whole;
	int rc;

	assert_non_null(m);
	assert_int_equal(m->protocol_message->type, WA_PROTO_PEER_DATA_RESPONSE);
	r = m->protocol_message->peer_data_operation_request_response_message;
	assert_int_equal(r->peer_data_operation_request_type, WA_APPSTATE_PEER_TYPE);
	assert_string_equal(r->stanza_id, "ID");
	rc = wa_appstate_whole_read(r, &whole);
	if (rc == 0) {
		assert_string_equal(whole.collection, c->s.collection);
		rc = wa_appstate_whole_apply(&c->s, pool, &ops, c, &whole);
		wa_appstate_whole_clear(&whole);
	}
	wa_pool_free(pool);
	wa__message__free_unpacked(m, NULL);
	return rc;
}

static void test_a_client_takes_the_phones_copy(void **state)
{
	struct client c = { .s = { .collection = "regular_high" } }, whole = c;
	struct buf answer = { 0 };
	uint32_t asked, answered;

	(void)state;
	assert_int_equal(change("[\"mute\",\"1@lid\"]", false, SIM_AS_FLAW_NONE), 0);
	assert_int_equal(change("[\"mute\",\"2@lid\"]", false, SIM_AS_FLAW_NONE), 0);
	assert_int_equal(change("[\"mute\",\"1@lid\"]", false, SIM_AS_FLAW_NONE), 0);
	for (uint64_t v = 1; v <= 3; v++)
		assert_int_equal(client_takes(&c, sim_as_patch(as, SIM_AS_REGULAR_HIGH, v)), 0);
	assert_int_equal(ask("regular_high", 1700000000000, &answer), 0);
	assert_int_equal(client_reads(&whole, &answer), 0);
	assert_int_equal(whole.seen, 2);
	assert_int_equal(whole.s.version, 3);
	assert_false(whole.s.hash_differed);
	assert_memory_equal(whole.s.hash, c.s.hash, sizeof(c.s.hash));
	assert_int_equal(client_reads(&whole, &answer), WA_APPSTATE_EVERSION);
	/* and the next patch fits on it */
	assert_int_equal(change("[\"mute\",\"2@lid\"]", true, SIM_AS_FLAW_NONE), 0);
	assert_int_equal(client_takes(&whole, sim_as_patch(as, SIM_AS_REGULAR_HIGH, 4)), 0);
	sim_as_answer_with(as, SIM_AS_ANSWER_PLAIN);
	assert_int_equal(ask("regular_high", 1700000000000, &answer), 0);
	assert_int_equal(client_reads(&c, &answer), 0);
	sim_as_answer_with(as, SIM_AS_ANSWER_BOMB);
	assert_int_equal(ask("regular_high", 1700000000000, &answer), 0);
	assert_int_equal(client_reads(&c, &answer), WA_ELIMIT);
	sim_as_answer_with(as, SIM_AS_ANSWER_CUT);
	assert_int_equal(ask("regular_high", 1700000000000, &answer), 0);
	assert_int_equal(client_reads(&c, &answer), WA_ETRUNC);
	sim_as_answer_with(as, SIM_AS_ANSWER_NONE);
	assert_int_equal(ask("regular_high", 1700000000000, &answer), -ENOENT);
	sim_as_asked(as, &asked, &answered);
	assert_int_equal(asked, 5);
	assert_int_equal(answered, 4);
	buf_free(&answer);
}

/* What phones do not answer. */
static void test_the_phones_copy_is_asked_for_properly(void **state)
{
	struct buf answer = { 0 };
	uint32_t refused;
	const char *why;

	(void)state;
	assert_int_equal(ask("critical_block", 1700000000000, &answer), WA_EPROTO);
	assert_int_equal(ask("regulars", 1700000000000, &answer), WA_EPROTO);
	assert_int_equal(ask("regular", 1700000000, &answer), WA_EPROTO); /* seconds */
	assert_int_equal(ask("regular", 0, &answer), WA_EPROTO);
	(void)sim_as_uploads(as, &refused, &why);
	assert_int_equal(refused, 4);
	assert_int_equal(ask("regular", 1700000000000, &answer), 0);
	buf_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_of_the_vectors),
		cmocka_unit_test_setup_teardown(test_uploads_of_the_vectors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_client_takes_what_the_phone_makes, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(test_a_client_notices_each_flaw, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_client_takes_the_phones_copy, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(test_the_phones_copy_is_asked_for_properly, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(test_keys_are_shared, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
