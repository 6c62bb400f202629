/* tests/unit/test_wa_device.c - fresh identities, the registration payload, the QR text */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/pb_guard.h"
#include "proto/wa_payload.pb-c.h"
#include "wa_vectors.h"
#include "worker/wa/link/wa_device.h"

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *desc, const uint8_t *p, size_t n)
{
	ProtobufCMessage *msg = NULL;

	assert_int_equal(pb_unpack(desc, p, n, &pb_limits_small, &msg), 0);
	return msg;
}

static void pack(const void *msg, struct buf *out)
{
	size_t n = protobuf_c_message_get_packed_size(msg);

	assert_int_equal(buf_reserve(out, n + 1), 0);
	out->len += protobuf_c_message_pack(msg, out->p + out->len);
}

/* ---- the vector ---------------------------------------------------------------------------------
 */

static void device_of_vector(const json_t *reg, struct wa_device *d)
{
	const json_t *prekey = vec_get(reg, "signed_prekey");

	memset(d, 0, sizeof(*d));
	vec_keypair(reg, "identity", &d->identity);
	vec_keypair(reg, "signed_prekey", &d->signed_prekey);
	vec_fixed(prekey, "signature", d->signed_prekey_sig, WA_SIG_LEN);
	d->signed_prekey_id = (uint32_t)json_integer_value(vec_get(prekey, "id"));
	d->registration_id = (uint32_t)json_integer_value(vec_get(reg, "registration_id"));
}

static void test_types_encode_the_vector_as_it_is(void **state)
{
	static const char *const names[] = { "registration", "login" };
	json_t *root = vec_load("crypto.json");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const json_t *v = vec_get(vec_get(root, "client_payload"), names[i]);
		struct buf bytes = { 0 }, again = { 0 };
		ProtobufCMessage *msg;

		vec_hex(v, "bytes", &bytes);
		msg = unpack(&wa__client_payload__descriptor, bytes.p, bytes.len);
		assert_int_equal(msg->n_unknown_fields, 0);
		pack(msg, &again);
		assert_int_equal(again.len, bytes.len);
		assert_memory_equal(again.p, bytes.p, bytes.len);
		pb_free(msg);
		buf_free(&bytes);
		buf_free(&again);
	}
	json_decref(root);
}

/* What we send differs from the vector (another client's choice) in these fields and no other. */
static void change_to_ours(Wa__ClientPayload *p, struct buf *props_bytes)
{
	Wa__DevicePairingData *pd = p->device_pairing_data;
	ProtobufCMessage *base =
	    unpack(&wa__device_props__descriptor, pd->device_props.data, pd->device_props.len);
	Wa__DeviceProps *props = (Wa__DeviceProps *)base;
	Wa__HistorySyncConfig *h = props->history_sync_config;
	char *os = props->os;

	props->os = (char *)(uintptr_t) "Linux";
	props->require_full_sync = 0;
	h->has_full_sync_days_limit = h->has_recent_sync_days_limit = 1;
	h->full_sync_days_limit = h->recent_sync_days_limit = 7;
	h->support_call_log_history = h->support_group_history = 1;
	h->has_thumbnail_sync_days_limit = 1;
	h->thumbnail_sync_days_limit = 60;
	pack(props, props_bytes);
	props->os = os;
	pb_free(base);
}

static void test_registration_payload_is_the_vector_with_our_values(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *reg = vec_get(vec_get(root, "client_payload"), "registration");
	struct buf bytes = { 0 }, props = { 0 }, want = { 0 }, got = { 0 };
	struct wa_registration r = { .device_name = "Linux", .history_days = 7 };
	ProtobufCBinaryData theirs;
	Wa__ClientPayload *p;
	struct wa_device d;

	(void)state;
	device_of_vector(reg, &d);
	assert_int_equal(wa_version_parse(vec_str(reg, "version_ascii"), &r.version), 0);
	assert_int_equal(wa_payload_registration(&d, &r, &got), 0);

	vec_hex(reg, "bytes", &bytes);
	p = (Wa__ClientPayload *)unpack(&wa__client_payload__descriptor, bytes.p, bytes.len);
	assert_null(p->user_agent->manufacturer);
	p->user_agent->manufacturer = (char *)(uintptr_t) "";
	change_to_ours(p, &props);
	theirs = p->device_pairing_data->device_props;
	p->device_pairing_data->device_props.data = props.p;
	p->device_pairing_data->device_props.len = props.len;
	pack(p, &want);
	p->device_pairing_data->device_props = theirs;
	p->user_agent->manufacturer = NULL;
	pb_free((ProtobufCMessage *)p);

	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.p, want.p, want.len);
	buf_free(&bytes);
	buf_free(&props);
	buf_free(&want);
	buf_free(&got);
	json_decref(root);
}

static void test_signed_prekey_and_build_hash_of_the_vector(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *reg = vec_get(vec_get(root, "client_payload"), "registration");
	const json_t *prekey = vec_get(reg, "signed_prekey");
	const char *version = vec_str(reg, "version_ascii");
	uint8_t msg[33], rnd[64], sig[WA_SIG_LEN], hash[16];
	struct wa_device d;

	(void)state;
	device_of_vector(reg, &d);
	vec_fixed(prekey, "signed_message", msg, sizeof(msg));
	vec_fixed(prekey, "random", rnd, sizeof(rnd));
	assert_int_equal(msg[0], 5);
	assert_memory_equal(msg + 1, d.signed_prekey.pub, WA_KEY_LEN);
	assert_int_equal(wa_xeddsa_sign(d.identity.priv, msg, sizeof(msg), rnd, sig), 0);
	assert_memory_equal(sig, d.signed_prekey_sig, sizeof(sig));
	assert_int_equal(wa_md5(version, strlen(version), hash), 0);
	vec_assert_hex(reg, "build_hash_md5", hash, sizeof(hash));
	json_decref(root);
}

/* ---- our own ------------------------------------------------------------------------------------
 */

static Wa__DeviceProps *props_for(uint32_t history_days)
{
	struct wa_registration r = { { 2, 3000, 1 }, "Name", history_days };
	struct buf out = { 0 };
	ProtobufCBinaryData *b;
	ProtobufCMessage *base;
	Wa__DeviceProps *props;
	struct wa_device d;

	assert_int_equal(wa_device_init(&d), 0);
	assert_int_equal(wa_payload_registration(&d, &r, &out), 0);
	base = unpack(&wa__client_payload__descriptor, out.p, out.len);
	b = &((Wa__ClientPayload *)base)->device_pairing_data->device_props;
	props = (Wa__DeviceProps *)unpack(&wa__device_props__descriptor, b->data, b->len);
	assert_string_equal(props->os, "Name");
	assert_int_equal(props->version->primary, 10);
	assert_int_equal(props->version->secondary, 15);
	assert_int_equal(props->version->tertiary, 7);
	assert_int_equal(props->platform_type, 1);
	assert_true(props->has_require_full_sync);
	pb_free(base);
	buf_free(&out);
	wa_device_wipe(&d);
	return props;
}

static void test_history_days(void **state)
{
	static const struct {
		uint32_t days;
		bool full;
	} cases[] = { { 0, false }, { 1, false }, { 90, false }, { 91, true }, { 3650, true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Wa__DeviceProps *props = props_for(cases[i].days);
		Wa__HistorySyncConfig *h = props->history_sync_config;

		assert_int_equal(props->require_full_sync, cases[i].full);
		assert_int_equal(h->has_full_sync_days_limit, cases[i].days > 0);
		assert_int_equal(h->full_sync_days_limit, cases[i].days);
		assert_int_equal(h->has_recent_sync_days_limit, cases[i].days > 0);
		assert_int_equal(h->recent_sync_days_limit, cases[i].days);
		assert_int_equal(h->storage_quota_mb, 10240);
		assert_int_equal(h->thumbnail_sync_days_limit, 60);
		assert_false(h->has_full_sync_size_mb_limit);
		pb_free((ProtobufCMessage *)props);
	}
}

static void test_registration_writes_zeros_and_leaves_login_fields_out(void **state)
{
	struct wa_registration r = { { 2, 3000, 1 }, "Name", 0 };
	struct buf out = { 0 };
	Wa__ClientPayload *p;
	struct wa_device d;

	(void)state;
	assert_int_equal(wa_device_init(&d), 0);
	assert_int_equal(wa_payload_registration(&d, &r, &out), 0);
	p = (Wa__ClientPayload *)unpack(&wa__client_payload__descriptor, out.p, out.len);
	assert_true(p->has_passive && !p->passive);
	assert_true(p->has_pull && !p->pull);
	assert_true(p->web_info->has_web_sub_platform && p->web_info->web_sub_platform == 0);
	assert_true(p->user_agent->has_release_channel && p->user_agent->release_channel == 0);
	assert_string_equal(p->user_agent->manufacturer, "");
	assert_false(p->has_username || p->has_device || p->has_lc || p->has_lid_db_migrated ||
	             p->has_connect_attempt_count);
	assert_null(p->push_name);
	assert_int_equal(p->device_pairing_data->e_regid.len, 4);
	assert_int_equal(p->device_pairing_data->e_skey_id.len, 3);
	pb_free((ProtobufCMessage *)p);
	buf_free(&out);
}

static void test_fresh_devices_differ_and_are_consistent(void **state)
{
	uint8_t typed[1 + WA_KEY_LEN] = { 5 }, before[32];
	struct wa_device a, b, zero = { 0 };
	struct wa_keypair again;

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(wa_device_init(&a), 0);
		assert_in_range(a.registration_id, 1, 16380);
	}
	assert_int_equal(wa_device_init(&b), 0);
	assert_memory_not_equal(a.noise.priv, b.noise.priv, WA_KEY_LEN);
	assert_memory_not_equal(a.identity.priv, a.noise.priv, WA_KEY_LEN);
	assert_memory_not_equal(a.adv_secret, b.adv_secret, 32);
	assert_int_equal(a.signed_prekey_id, 1);
	assert_int_equal(wa_keypair_from_priv(a.identity.priv, &again), 0);
	assert_memory_equal(&again, &a.identity, sizeof(again));
	memcpy(typed + 1, a.signed_prekey.pub, WA_KEY_LEN);
	assert_int_equal(
	    wa_xeddsa_verify(a.identity.pub, typed, sizeof(typed), a.signed_prekey_sig), 0);

	memcpy(before, a.adv_secret, 32);
	b = a;
	assert_int_equal(wa_device_rotate_adv(&a), 0);
	assert_memory_not_equal(before, a.adv_secret, 32);
	memcpy(a.adv_secret, before, 32);
	assert_memory_equal(&a, &b, sizeof(a));
	wa_device_wipe(&a);
	assert_memory_equal(&a, &zero, sizeof(a));
}

static void test_version_texts(void **state)
{
	static const char *const bad[] = { "",          "2.3000",      "2.3000.",
		                           "2.3000.x",  "2.3000.1.2",  "2.3000.-1",
		                           "2.3000.+1", "2.3001.1",    "3.3000.1",
		                           " 2.3000.1", "2.3000.1 ",   "2.3000.01",
		                           "2.3000.1x", "2.3000. 123", "2.3000.4294967296" };
	struct wa_version v = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(wa_version_parse(bad[i], &v), -EINVAL);
	assert_int_equal(v.primary, 0);
	assert_int_equal(wa_version_parse("2.3000.1045798079", &v), 0);
	assert_int_equal(v.primary, WA_VERSION_PRIMARY);
	assert_int_equal(v.secondary, WA_VERSION_SECONDARY);
	assert_int_equal(v.tertiary, WA_VERSION_BUILTIN);
	assert_int_equal(wa_version_parse("2.3000.4294967295", &v), 0);
	assert_int_equal(v.tertiary, 4294967295u);
	assert_int_equal(wa_version_parse("2.3000.0", &v), 0);
}

/* ---- QR text ------------------------------------------------------------------------------------
 */

static void test_qr_text_of_the_vector(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *qr = vec_get(root, "qr");
	const char *ref = vec_str(qr, "ref_ascii");
	struct wa_device d = { 0 };
	char text[WA_QR_CAP];

	(void)state;
	vec_fixed(qr, "noise_public", d.noise.pub, WA_KEY_LEN);
	vec_fixed(qr, "identity_public", d.identity.pub, WA_KEY_LEN);
	vec_fixed(qr, "adv_secret", d.adv_secret, sizeof(d.adv_secret));
	assert_int_equal(wa_qr_text(&d, (const uint8_t *)ref, strlen(ref), text), 0);
	assert_string_equal(text, vec_str(qr, "newest_ascii"));
	json_decref(root);
}

static void test_qr_text_refuses_bad_refs(void **state)
{
	uint8_t ref[WA_REF_MAX_LEN + 1];
	struct wa_device d = { 0 };
	char text[WA_QR_CAP];

	(void)state;
	memset(ref, 'r', sizeof(ref));
	assert_int_equal(wa_qr_text(&d, ref, 0, text), WA_ELIMIT);
	assert_int_equal(wa_qr_text(&d, ref, sizeof(ref), text), WA_ELIMIT);
	assert_int_equal(wa_qr_text(&d, ref, WA_REF_MAX_LEN, text), 0);
	for (unsigned c = 0; c < 256; c++) {
		ref[2] = (uint8_t)c;
		assert_int_equal(wa_qr_text(&d, ref, 5, text),
		                 c >= ' ' && c <= '~' ? 0 : WA_EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types_encode_the_vector_as_it_is),
		cmocka_unit_test(test_registration_payload_is_the_vector_with_our_values),
		cmocka_unit_test(test_signed_prekey_and_build_hash_of_the_vector),
		cmocka_unit_test(test_history_days),
		cmocka_unit_test(test_registration_writes_zeros_and_leaves_login_fields_out),
		cmocka_unit_test(test_fresh_devices_differ_and_are_consistent),
		cmocka_unit_test(test_version_texts),
		cmocka_unit_test(test_qr_text_of_the_vector),
		cmocka_unit_test(test_qr_text_refuses_bad_refs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
