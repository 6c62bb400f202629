/* tests/unit/test_wa_appstate.c - app state: published patches and snapshot, changed and reordered
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_appstate.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "wa_stanzas.h"
#include "wa_vectors.h"
#include "worker/wa/appstate/wa_appstate.h"

/* ---- a device that holds one collection ---------------------------------------------------------
 */

struct device {
	uint8_t key_id[6];
	struct wa_appstate_keys keys;
	bool has_key;
	struct {
		uint8_t index_mac[32], value_mac[32];
	} map[32];
	size_t map_n;
	struct buf log; /* a line for each record */
	unsigned records;
	unsigned fail_at;
};

static struct device dev;
static struct wa_pool *pool;
static json_t *root;
static const json_t *vec;

static int on_key(void *arg, struct wa_bytes id, struct wa_appstate_keys *out)
{
	struct device *d = arg;

	if (!d->has_key || id.len != sizeof(d->key_id) || memcmp(id.p, d->key_id, id.len) != 0)
		return -ENOENT;
	*out = d->keys;
	return 0;
}

static size_t find(const struct device *d, const uint8_t mac[32])
{
	size_t i = 0;

	while (i < d->map_n && memcmp(d->map[i].index_mac, mac, 32) != 0)
		i++;
	return i;
}

static int on_value_mac(void *arg, const uint8_t mac[32], uint8_t out[32])
{
	struct device *d = arg;
	size_t i = find(d, mac);

	if (i == d->map_n)
		return -ENOENT;
	memcpy(out, d->map[i].value_mac, 32);
	return 0;
}

static int on_record(void *arg, const struct wa_appstate_record *r)
{
	struct device *d = arg;
	size_t i = find(d, r->index_mac);

	if (++d->records == d->fail_at)
		return -EIO;
	assert_int_equal(buf_appendf(&d->log, "%s %d", r->removed ? "remove" : "set", r->action),
	                 0);
	for (size_t k = 0; k < r->parts_n; k++)
		assert_int_equal(buf_appendf(&d->log, " %s", r->parts[k]), 0);
	if (r->value != NULL && r->value->mute_action != NULL)
		assert_int_equal(buf_appendf(&d->log, " muted=%d", r->value->mute_action->muted),
		                 0);
	assert_int_equal(buf_append_str(&d->log, "\n"), 0);
	if (r->removed && i < d->map_n) {
		d->map[i] = d->map[--d->map_n];
	} else if (!r->removed) {
		assert_true(d->map_n < 32);
		memcpy(d->map[i].index_mac, r->index_mac, 32);
		memcpy(d->map[i].value_mac, r->value_mac, 32);
		d->map_n += i == d->map_n;
	}
	return 0;
}

static const struct wa_appstate_ops ops = { on_key, on_value_mac, on_record };

static int setup(void **state)
{
	uint8_t data[32];

	(void)state;
	memset(&dev, 0, sizeof(dev));
	root = vec_load("messaging.json");
	vec = vec_get(root, "app_state");
	vec_fixed(vec, "key_id", dev.key_id, sizeof(dev.key_id));
	vec_fixed(vec, "key_data", data, sizeof(data));
	assert_int_equal(wa_appstate_expand(data, &dev.keys), 0);
	dev.has_key = true;
	pool = wa_pool_new(4096, 4 << 20);
	return pool == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_free(&dev.log);
	wa_pool_free(pool);
	json_decref(root);
	return 0;
}

static const struct wa_bytes no_file;

static int apply(struct wa_appstate *s, const struct buf *patch)
{
	return wa_appstate_patch(s, pool, &ops, &dev, patch->p, patch->len, no_file);
}

static const json_t *step(size_t i)
{
	return json_array_get(vec_get(vec, "steps"), i);
}

static void start(struct wa_appstate *s)
{
	memset(s, 0, sizeof(*s));
	s->collection = vec_str(vec, "collection");
}

/* Steps 0 to n - 1 applied. */
static void advance(struct wa_appstate *s, size_t n)
{
	start(s);
	for (size_t i = 0; i < n; i++) {
		struct buf b = { 0 };

		vec_hex(step(i), "patch_download", &b);
		assert_int_equal(apply(s, &b), 0);
		vec_assert_hex(step(i), "lthash_after", s->hash, sizeof(s->hash));
		assert_int_equal(s->version, i + 1);
		assert_false(s->hash_differed);
		buf_free(&b);
	}
}

/* ---- published ----------------------------------------------------------------------------------
 */

static void test_published_patches(void **state)
{
	struct wa_appstate s;

	(void)state;
	advance(&s, 4);
	assert_int_equal(buf_append_u8(&dev.log, 0), 0);
	assert_int_equal(dev.records, 4);
	assert_int_equal(dev.map_n, 1);
	assert_non_null(strstr((char *)dev.log.p, "set 4 mute 123456789012345@lid muted="));
	assert_non_null(strstr((char *)dev.log.p, "set 8 star 120363021033254949@g.us "
	                                          "3A0000000000000000A1 0 123456789012345@lid\n"));
	assert_non_null(strstr((char *)dev.log.p, "remove 8 star "));
}

static void test_upload_form_has_no_version(void **state)
{
	struct wa_appstate s;
	struct buf b = { 0 };

	(void)state;
	start(&s);
	vec_hex(step(0), "patch_upload", &b);
	assert_int_equal(apply(&s, &b), 0);
	assert_int_equal(s.version, 1);
	buf_free(&b);
}

static void test_published_snapshot(void **state)
{
	const json_t *v = vec_get(vec, "snapshot");
	struct wa_appstate s;
	struct buf b = { 0 };

	(void)state;
	start(&s);
	vec_hex(v, "wire", &b);
	assert_int_equal(wa_appstate_snapshot(&s, pool, &ops, &dev, b.p, b.len), 0);
	vec_assert_hex(v, "lthash", s.hash, sizeof(s.hash));
	assert_int_equal(s.version, 4);
	assert_int_equal(dev.map_n, 1);
	for (size_t i = 0; i < b.len; i++) { /* changed anywhere */
		struct wa_appstate again;

		start(&again);
		b.p[i] ^= 0x04;
		if (wa_appstate_snapshot(&again, pool, &ops, &dev, b.p, b.len) == 0)
			fail_msg("byte %zu of %zu", i, b.len);
		assert_int_equal(again.version, 0);
		b.p[i] ^= 0x04;
	}
	for (size_t n = 0; n < b.len; n++) {
		struct wa_appstate again;

		start(&again);
		assert_true(wa_appstate_snapshot(&again, pool, &ops, &dev, b.p, n) < 0);
	}
	buf_free(&b);
}

static void test_published_record_is_made(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const json_t *v = step(i);
		struct buf data = { 0 }, blob = { 0 };
		const char *index = vec_str(v, "index_json");
		struct wa_appstate_seal r = {
			.keys = &dev.keys,
			.key_id = { dev.key_id, sizeof(dev.key_id) },
			.remove = strcmp(vec_str(v, "operation"), "REMOVE") == 0,
			.index = { (const uint8_t *)index, strlen(index) },
		};
		uint8_t index_mac[32], value_mac[32], snapshot_mac[32], patch_mac[32], hash[128];

		vec_hex(v, "sync_action_data", &data);
		vec_fixed(v, "iv", r.iv, sizeof(r.iv));
		r.data = (struct wa_bytes){ data.p, data.len };
		assert_int_equal(wa_appstate_seal(&r, &blob, index_mac, value_mac), 0);
		vec_assert_hex(v, "value_blob", blob.p, blob.len);
		vec_assert_hex(v, "index_mac", index_mac, 32);
		vec_assert_hex(v, "value_mac", value_mac, 32);
		vec_fixed(v, "lthash_after", hash, sizeof(hash));
		assert_int_equal(wa_appstate_snapshot_mac(&dev.keys, hash, i + 1,
		                                          vec_str(vec, "collection"), snapshot_mac),
		                 0);
		vec_assert_hex(v, "snapshot_mac", snapshot_mac, 32);
		assert_int_equal(wa_appstate_patch_mac(&dev.keys, snapshot_mac, value_mac, 32,
		                                       i + 1, vec_str(vec, "collection"),
		                                       patch_mac),
		                 0);
		vec_assert_hex(v, "patch_mac", patch_mac, 32);
		buf_free(&data);
		buf_free(&blob);
	}
}

static void test_hash_there_and_back(void **state)
{
	uint8_t hash[128] = { 0 }, zero[128] = { 0 }, mac[32], expanded[128];

	(void)state;
	vec_fixed(step(0), "value_mac", mac, sizeof(mac));
	vec_fixed(step(0), "lthash_expanded_value_mac", expanded, sizeof(expanded));
	assert_int_equal(wa_lthash_add(hash, mac), 0);
	assert_memory_equal(hash, expanded, sizeof(hash));
	mac[0] ^= 1;
	assert_int_equal(wa_lthash_add(hash, mac), 0);
	mac[0] ^= 1;
	assert_int_equal(wa_lthash_sub(hash, mac), 0);
	mac[0] ^= 1;
	assert_int_equal(wa_lthash_sub(hash, mac), 0);
	assert_memory_equal(hash, zero, sizeof(hash));
}

/* ---- wrong patches ------------------------------------------------------------------------------
 */

static void test_patch_changed_anywhere(void **state)
{
	struct wa_appstate s;
	struct buf b = { 0 };

	(void)state;
	advance(&s, 2);
	vec_hex(step(2), "patch_download", &b);
	for (size_t i = 0; i < b.len; i++) {
		struct wa_appstate before = s;

		b.p[i] ^= 0x04;
		if (apply(&s, &b) == 0)
			fail_msg("byte %zu of %zu", i, b.len);
		assert_int_equal(s.version, before.version);
		assert_memory_equal(s.hash, before.hash, sizeof(s.hash));
		b.p[i] ^= 0x04;
	}
	for (size_t n = 0; n < b.len; n++) {
		struct buf cut = { .p = b.p, .len = n };

		assert_true(apply(&s, &cut) < 0);
	}
	assert_int_equal(apply(&s, &b), 0);
	buf_free(&b);
}

static void test_order_of_patches(void **state)
{
	struct wa_appstate s;
	struct buf b = { 0 };

	(void)state;
	advance(&s, 1);
	vec_hex(step(2), "patch_download", &b);
	assert_int_equal(apply(&s, &b), WA_APPSTATE_EVERSION); /* one is missing */
	buf_reset(&b);
	vec_hex(step(0), "patch_download", &b);
	assert_int_equal(apply(&s, &b), WA_APPSTATE_EVERSION); /* again */
	assert_string_equal(wa_appstate_err_name(WA_APPSTATE_EVERSION), "out_of_order");
	assert_null(wa_appstate_err_name(WA_EAUTH));
	buf_free(&b);
}

static void test_missing_key_is_told(void **state)
{
	struct wa_appstate s;
	struct buf b = { 0 };

	(void)state;
	start(&s);
	dev.has_key = false;
	vec_hex(step(0), "patch_download", &b);
	assert_int_equal(apply(&s, &b), WA_APPSTATE_EKEY);
	assert_int_equal(s.missing_key_id_len, 6);
	assert_memory_equal(s.missing_key_id, dev.key_id, 6);
	buf_free(&b);
}

/* A record that got lost on our side shows in the hash; only when told to we go on. */
static void test_hash_that_differs(void **state)
{
	struct wa_appstate s;
	struct buf b = { 0 };

	(void)state;
	advance(&s, 2);
	dev.map_n = 0;
	vec_hex(step(2), "patch_download", &b);
	assert_int_equal(apply(&s, &b), WA_APPSTATE_EHASH);
	assert_int_equal(s.version, 2);
	s.tolerate_hash = true;
	assert_int_equal(apply(&s, &b), 0);
	assert_true(s.hash_differed);
	assert_int_equal(s.version, 3);
	buf_free(&b);
}

static void test_another_collection(void **state)
{
	struct wa_appstate s;
	struct buf b = { 0 };

	(void)state;
	start(&s);
	s.collection = "regular";
	vec_hex(step(0), "patch_download", &b);
	assert_int_equal(apply(&s, &b), WA_EAUTH);
	buf_free(&b);
}

static void test_callback_can_stop(void **state)
{
	struct wa_appstate s;
	struct buf b = { 0 };

	(void)state;
	start(&s);
	dev.fail_at = 1;
	vec_hex(step(0), "patch_download", &b);
	assert_int_equal(apply(&s, &b), -EIO);
	assert_int_equal(s.version, 0);
	buf_free(&b);
}

/* ---- patches of our own making ------------------------------------------------------------------
 */

struct change {
	bool remove;
	const char *index;
	uint8_t salt;
};

#define CHANGES_MAX 8

/* A patch of version s->version + 1 with these changes, as the phone would make it. */
static void make_patch(const struct wa_appstate *s, const struct change *changes, size_t n,
                       struct buf *patch, struct buf *file)
{
	static uint8_t index_macs[CHANGES_MAX][32], value_macs[CHANGES_MAX][32];
	static struct buf blobs[CHANGES_MAX];
	Wa__SyncdMutation mutations[CHANGES_MAX], *list[CHANGES_MAX];
	Wa__SyncdRecord records[CHANGES_MAX];
	Wa__SyncdIndex indexes[CHANGES_MAX];
	Wa__SyncdValue values[CHANGES_MAX];
	Wa__SyncdKeyId id = WA__SYNCD_KEY_ID__INIT;
	Wa__SyncdVersion version = WA__SYNCD_VERSION__INIT;
	Wa__ExternalBlobReference reference = WA__EXTERNAL_BLOB_REFERENCE__INIT;
	Wa__SyncdPatch p = WA__SYNCD_PATCH__INIT;
	Wa__SyncdMutations m = WA__SYNCD_MUTATIONS__INIT;
	uint8_t hash[128], snapshot_mac[32], patch_mac[32];

	memcpy(hash, s->hash, sizeof(hash));
	id.has_id = 1;
	id.id.data = dev.key_id;
	id.id.len = sizeof(dev.key_id);
	for (size_t i = 0; i < n; i++) {
		Wa__SyncActionData data = WA__SYNC_ACTION_DATA__INIT;
		uint8_t bytes[512], live[32];
		struct wa_appstate_seal r = { .keys = &dev.keys,
			                      .key_id = { id.id.data, id.id.len },
			                      .remove = changes[i].remove };
		int known;

		data.has_index = 1;
		data.index.data = (uint8_t *)(uintptr_t)changes[i].index;
		data.index.len = strlen(changes[i].index);
		data.has_padding = 1;
		data.padding.data = &r.iv[0];
		data.padding.len = changes[i].salt; /* makes the values differ */
		r.index = (struct wa_bytes){ data.index.data, data.index.len };
		r.data = (struct wa_bytes){ bytes, wa__sync_action_data__pack(&data, bytes) };
		buf_reset(&blobs[i]);
		assert_int_equal(wa_appstate_seal(&r, &blobs[i], index_macs[i], value_macs[i]), 0);
		/* the rule of the hash, the slow way: look back for what was live */
		known = on_value_mac(&dev, index_macs[i], live) == 0;
		for (size_t k = 0; k < i; k++) {
			if (memcmp(index_macs[k], index_macs[i], 32) == 0) {
				known = !changes[k].remove;
				memcpy(live, value_macs[k], 32);
			}
		}
		if (known)
			assert_int_equal(wa_lthash_sub(hash, live), 0);
		if (!changes[i].remove)
			assert_int_equal(wa_lthash_add(hash, value_macs[i]), 0);
		wa__syncd_mutation__init(&mutations[i]);
		wa__syncd_record__init(&records[i]);
		wa__syncd_index__init(&indexes[i]);
		wa__syncd_value__init(&values[i]);
		mutations[i].has_operation = changes[i].remove; /* zero is left out */
		mutations[i].operation = changes[i].remove;
		mutations[i].record = &records[i];
		records[i].index = &indexes[i];
		records[i].value = &values[i];
		records[i].key_id = &id;
		indexes[i].has_blob = values[i].has_blob = 1;
		indexes[i].blob.data = index_macs[i];
		indexes[i].blob.len = 32;
		values[i].blob.data = blobs[i].p;
		values[i].blob.len = blobs[i].len;
		list[i] = &mutations[i];
	}
	version.has_version = 1;
	version.version = s->version + 1;
	assert_int_equal(
	    wa_appstate_snapshot_mac(&dev.keys, hash, version.version, s->collection, snapshot_mac),
	    0);
	assert_int_equal(wa_appstate_patch_mac(&dev.keys, snapshot_mac, value_macs[0], 32 * n,
	                                       version.version, s->collection, patch_mac),
	                 0);
	p.version = &version;
	p.key_id = &id;
	p.has_snapshot_mac = p.has_patch_mac = 1;
	p.snapshot_mac.data = snapshot_mac;
	p.patch_mac.data = patch_mac;
	p.snapshot_mac.len = p.patch_mac.len = 32;
	m.mutations = list;
	m.n_mutations = n;
	buf_reset(patch);
	if (file == NULL) {
		p.mutations = list;
		p.n_mutations = n;
	} else {
		buf_reset(file);
		assert_int_equal(buf_reserve(file, wa__syncd_mutations__get_packed_size(&m) + 1),
		                 0);
		file->len = wa__syncd_mutations__pack(&m, file->p);
		reference.direct_path = (char *)(uintptr_t) "/v/x";
		reference.has_media_key = reference.has_file_sha256 = 1;
		reference.has_file_enc_sha256 = 1;
		reference.media_key.data = reference.file_sha256.data = snapshot_mac;
		reference.file_enc_sha256.data = patch_mac;
		reference.media_key.len = reference.file_sha256.len = 32;
		reference.file_enc_sha256.len = 32;
		p.external_mutations = &reference;
	}
	assert_int_equal(buf_reserve(patch, wa__syncd_patch__get_packed_size(&p) + 1), 0);
	patch->len = wa__syncd_patch__pack(&p, patch->p);
	for (size_t i = 0; i < n; i++)
		buf_free(&blobs[i]);
}

static void test_same_record_several_times(void **state)
{
	static const struct change changes[] = {
		{ false, "[\"pin_v1\",\"1@lid\"]", 1 }, { false, "[\"mute\",\"1@lid\"]", 2 },
		{ false, "[\"pin_v1\",\"1@lid\"]", 3 }, { true, "[\"mute\",\"1@lid\"]", 4 },
		{ false, "[\"mute\",\"1@lid\"]", 5 },   { true, "[\"archive\",\"2@lid\"]", 6 },
		{ true, "[\"pin_v1\",\"1@lid\"]", 7 },  { true, "[\"pin_v1\",\"1@lid\"]", 8 },
	};
	struct buf patch = { 0 };
	struct wa_appstate s;

	(void)state;
	start(&s);
	for (unsigned round = 0; round < 2; round++) { /* again on what the first left */
		make_patch(&s, changes, ARRAY_LEN(changes), &patch, NULL);
		assert_int_equal(apply(&s, &patch), 0);
		assert_int_equal(dev.map_n, 1);
	}
	/* opened in the patch's order */
	assert_int_equal(buf_append_u8(&dev.log, 0), 0);
	assert_memory_equal(dev.log.p, "set 5 pin_v1 1@lid\nset 4 mute 1@lid\nset 5", 40);
	buf_free(&patch);
}

static void test_mutations_in_a_file(void **state)
{
	static const struct change changes[] = { { false, "[\"contact\",\"1@lid\"]", 1 } };
	struct buf patch = { 0 }, file = { 0 };
	struct wa_appstate_blob blob;
	struct wa_appstate s;

	(void)state;
	start(&s);
	make_patch(&s, changes, 1, &patch, NULL);
	assert_int_equal(wa_appstate_patch_blob(pool, patch.p, patch.len, &blob), 0);
	assert_null(blob.direct_path);
	make_patch(&s, changes, 1, &patch, &file);
	assert_int_equal(wa_appstate_patch_blob(pool, patch.p, patch.len, &blob), 0);
	assert_string_equal(blob.direct_path, "/v/x");
	assert_int_equal(apply(&s, &patch), WA_EAUTH); /* without it nothing fits */
	assert_int_equal(wa_appstate_patch(&s, pool, &ops, &dev, patch.p, patch.len,
	                                   (struct wa_bytes){ file.p, file.len }),
	                 0);
	assert_int_equal(dev.map_n, 1);
	buf_free(&patch);
	buf_free(&file);
}

/* ---- indexes ------------------------------------------------------------------------------------
 */

static int with_index(const char *index)
{
	struct change c = { false, index, 1 };
	struct buf patch = { 0 };
	struct wa_appstate s;
	int rc;

	start(&s);
	dev.map_n = 0;
	buf_reset(&dev.log);
	make_patch(&s, &c, 1, &patch, NULL);
	rc = apply(&s, &patch);
	assert_int_equal(buf_append_u8(&dev.log, 0), 0);
	buf_free(&patch);
	return rc;
}

static void test_indexes(void **state)
{
	static const struct {
		const char *json, *log;
	} good[] = {
		{ "[\"label_edit\",\"7\"]", "set 9 label_edit 7\n" },
		{ "[\"label_jid\",\"7\",\"1@lid\"]", "set 10 label_jid 7 1@lid\n" },
		{ "[\"setting_pushName\"]", "set 1 setting_pushName\n" },
		{ "[\"\"]", "set 0 \n" },
		{ " [ \"mute\" , \"1\" ]", "set 4 mute 1\n" },
		{ "[\"a\\\"\\\\\\/\\b\"]", "set 0 a\"\\/\b\n" },
		{ "[\"\\u00e9\\u20ac\\ud83d\\ude00\"]",
		  "set 0 \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n" },
	};
	static const char *const bad[] = {
		"",
		"[]",
		"\"mute\"",
		"[\"mute\"",
		"[\"mute\",]",
		"[\"mute\"]x",
		"[1]",
		"[\"a\nb\"]",
		"[\"\\x\"]",
		"[\"\\u12\"]",
		"[\"\\u0000\"]",
		"[\"\\ud83d\"]",
		"[\"\\ud83dx\"]",
		"[\"\\ude00\"]",
		"[\"\\ud83d\\u0041\"]",
		"[\"\\",
		"{\"a\":1}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(with_index(good[i].json), 0);
		assert_string_equal((char *)dev.log.p, good[i].log);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (with_index(bad[i]) != WA_EPROTO)
			fail_msg("%s", bad[i]);
	}
	assert_int_equal(with_index("[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\","
	                            "\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]"),
	                 WA_ELIMIT);
}

/* ---- keys and stanzas ---------------------------------------------------------------------------
 */

static int on_share(void *arg, struct wa_bytes id, const uint8_t *data, int64_t unix_ms)
{
	return buf_appendf(arg, "%zu:%s:%d;", id.len, data == NULL ? "none" : "key", (int)unix_ms);
}

static void test_key_share_and_request(void **state)
{
	uint8_t bytes[40] = { 1 };
	Wa__AppStateSyncKeyId id = WA__APP_STATE_SYNC_KEY_ID__INIT;
	Wa__AppStateSyncKeyData data = WA__APP_STATE_SYNC_KEY_DATA__INIT;
	Wa__AppStateSyncKeyData odd = WA__APP_STATE_SYNC_KEY_DATA__INIT;
	Wa__AppStateSyncKey keys[4], *list[4];
	Wa__AppStateSyncKeyShare share = WA__APP_STATE_SYNC_KEY_SHARE__INIT;
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;
	const struct wa_bytes ids[] = { { bytes, 6 }, { bytes, 3 } };
	struct buf log = { 0 }, out = { 0 };
	Wa__Message *m;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		wa__app_state_sync_key__init(&keys[i]);
		list[i] = &keys[i];
	}
	id.has_key_id = 1;
	id.key_id.data = bytes;
	id.key_id.len = 6;
	data.has_key_data = odd.has_key_data = data.has_timestamp = 1;
	data.timestamp = 5;
	data.key_data.data = odd.key_data.data = bytes;
	data.key_data.len = 32;
	odd.key_data.len = 31;
	keys[0].key_id = keys[1].key_id = keys[2].key_id = &id;
	keys[0].key_data = keys[3].key_data = &data;
	keys[2].key_data = &odd;
	share.keys = list;
	share.n_keys = 4;
	assert_int_equal(wa_appstate_each_key(&p, on_share, &log), 0);
	p.app_state_sync_key_share = &share;
	assert_int_equal(wa_appstate_each_key(&p, on_share, &log), 0);
	assert_int_equal(buf_append_u8(&log, 0), 0);
	assert_string_equal((char *)log.p, "6:key:5;6:none:0;");

	assert_int_equal(wa_appstate_ask_keys(ids, 2, &out), 0);
	m = wa__message__unpack(NULL, out.len, out.p);
	assert_non_null(m);
	assert_int_equal(m->protocol_message->type, WA_PROTO_APP_STATE_SYNC_KEY_REQUEST);
	assert_int_equal(m->protocol_message->app_state_sync_key_request->n_key_ids, 2);
	wa__message__free_unpacked(m, NULL);
	buf_free(&log);
	buf_free(&out);
}

static void test_expanded_key(void **state)
{
	const json_t *v = vec_get(vec, "expanded");
	const char *key;
	json_t *value;
	size_t n = 0;

	(void)state;
	json_object_foreach((json_t *)(uintptr_t)v, key, value)
	{
		uint8_t bytes[32];

		if (strlen(json_string_value(value)) != 64)
			continue;
		vec_fixed(v, key, bytes, sizeof(bytes));
		assert_memory_equal(bytes, (const uint8_t *)&dev.keys + 32 * n, 32);
		n++;
	}
	assert_int_equal(n, 5);
}

static void test_fetch_and_answer(void **state)
{
	struct wa_node *f = wa_appstate_fetch("9"), *c = wa_node_new("collection");

	(void)state;
	wa_appstate_fetch_add(f, "regular_low", 7);
	wa_appstate_fetch_add(f, "regular", 0);
	wa_appstate_fetch_add(NULL, "regular", 0);
	stanza_assert_text(f, "<iq to=\"s.whatsapp.net\" type=\"set\" id=\"9\" "
	                      "xmlns=\"w:sync:app:state\"><sync>"
	                      "<collection name=\"regular_low\" version=\"7\" "
	                      "return_snapshot=\"false\"/><collection name=\"regular\" "
	                      "version=\"0\" return_snapshot=\"true\"/></sync></iq>");
	assert_int_equal(wa_appstate_error(c), 0);
	wa_node_set(c, "type", "error");
	assert_int_equal(wa_appstate_error(c), 1);
	wa_node_set_int(wa_node_add(c, "error"), "code", 409);
	assert_int_equal(wa_appstate_error(c), 409);
	wa_node_free(c);
}

/* A collection that failed, whatever it says of why. */
static void test_an_error_without_a_number_is_one_all_the_same(void **state)
{
	static const char *const codes[] = { "", "x", "0", "1000000" };
	struct wa_node *n = wa_node_new("collection"), *error;

	(void)state;
	assert_int_equal(wa_appstate_error(n), 0);
	wa_node_set(n, "type", "error");
	assert_int_equal(wa_appstate_error(n), 1);
	(void)wa_node_add(n, "error");
	assert_int_equal(wa_appstate_error(n), 1);
	wa_node_free(n);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		n = wa_node_new("collection");
		error = wa_node_add(n, "error");
		wa_node_set(error, "code", codes[i]);
		assert_int_equal(wa_appstate_error(n), 1);
		wa_node_free(n);
	}
	n = wa_node_new("collection");
	error = wa_node_add(n, "error");
	wa_node_set(error, "code", "409");
	assert_int_equal(wa_appstate_error(n), 409);
	wa_node_free(n);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_published_patches),
		T(test_upload_form_has_no_version),
		T(test_published_snapshot),
		T(test_published_record_is_made),
		T(test_hash_there_and_back),
		T(test_patch_changed_anywhere),
		T(test_order_of_patches),
		T(test_missing_key_is_told),
		T(test_hash_that_differs),
		T(test_another_collection),
		T(test_callback_can_stop),
		T(test_same_record_several_times),
		T(test_mutations_in_a_file),
		T(test_indexes),
		T(test_key_share_and_request),
		T(test_expanded_key),
		T(test_fetch_and_answer),
		T(test_an_error_without_a_number_is_one_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
