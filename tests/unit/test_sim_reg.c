/* tests/unit/test_sim_reg.c - the vectors' payloads are accepted, each single mutation is not */
#include "test.h"

#include <stdbool.h>
#include <string.h>

#include "common/err.h"
#include "common/pb_guard.h"
#include "proto/wa_payload.pb-c.h"
#include "simulator/wire/sim_reg.h"
#include "wa_vectors.h"

struct fixture {
	json_t *root;
	const json_t *v;
	struct buf bytes;
	Wa__ClientPayload *msg;
};

static void begin(struct fixture *f, const char *which)
{
	ProtobufCMessage *msg = NULL;

	memset(f, 0, sizeof(*f));
	f->root = vec_load("crypto.json");
	f->v = vec_get(vec_get(f->root, "client_payload"), which);
	vec_hex(f->v, "bytes", &f->bytes);
	assert_int_equal(pb_unpack(&wa__client_payload__descriptor, f->bytes.p, f->bytes.len,
	                           &pb_limits_small, &msg),
	                 0);
	f->msg = (Wa__ClientPayload *)msg;
}

static void end(struct fixture *f)
{
	pb_free(&f->msg->base);
	buf_free(&f->bytes);
	json_decref(f->root);
}

static int check(const struct fixture *f, uint32_t revision_min, struct sim_payload *out,
                 struct sim_refusal *refusal)
{
	return sim_payload_check(f->bytes.p, f->bytes.len, revision_min, true, out, refusal);
}

static void repack(struct fixture *f)
{
	buf_reset(&f->bytes);
	assert_int_equal(buf_reserve(&f->bytes, wa__client_payload__get_packed_size(f->msg)), 0);
	f->bytes.len = wa__client_payload__pack(f->msg, f->bytes.p);
}

static void test_registration_of_the_vector(void **state)
{
	struct sim_payload p;
	struct sim_refusal refusal;
	struct fixture f;
	uint8_t identity[32], signature[64];

	(void)state;
	begin(&f, "registration");
	assert_int_equal(check(&f, 0, &p, &refusal), 0);
	assert_int_equal(p.kind, SIM_PAYLOAD_REGISTRATION);
	assert_int_equal(p.registration_id, 4660);
	assert_int_equal(p.signed_prekey_id, 1);
	vec_fixed(vec_get(f.v, "signed_prekey"), "signature", signature, 64);
	assert_memory_equal(p.signed_prekey_sig, signature, 64);
	assert_int_equal(p.revision, 1045649367);
	assert_int_equal(p.platform_type, 1);
	assert_string_equal(p.device_name, "Mac OS");
	vec_fixed(vec_get(f.v, "identity"), "pub", identity, 32);
	assert_memory_equal(p.identity, identity, 32);
	end(&f);
}

static void test_login_of_the_vector(void **state)
{
	struct sim_payload p;
	struct sim_refusal refusal;
	struct fixture f;

	(void)state;
	begin(&f, "login");
	assert_int_equal(check(&f, 0, &p, &refusal), 0);
	assert_int_equal(p.kind, SIM_PAYLOAD_LOGIN);
	assert_true(p.username == 15550001111);
	assert_int_equal(p.device, 7);
	assert_true(p.passive);
	end(&f);
}

static void test_old_version_is_outdated(void **state)
{
	struct sim_payload p;
	struct sim_refusal refusal;
	struct fixture f;

	(void)state;
	begin(&f, "registration");
	assert_int_equal(check(&f, 1045649367, &p, &refusal), 0);
	assert_int_equal(check(&f, 1045649368, &p, &refusal), WA_EPROTO);
	assert_int_equal(refusal.reason, 405);
	end(&f);
}

static void test_bytes_that_do_not_parse_close_the_connection(void **state)
{
	struct sim_payload p;
	struct sim_refusal refusal;
	struct fixture f;

	(void)state;
	begin(&f, "registration");
	f.bytes.len -= 1;
	assert_int_equal(check(&f, 0, &p, &refusal), WA_EPROTO);
	assert_int_equal(refusal.reason, 0);
	end(&f);
}

/* One thing wrong, the reason that must answer it, and whether a server that is not strict refuses
 * too. */
#define MUTATIONS(X) \
	X(no_user_agent, 409, false, m->user_agent = NULL) \
	X(platform, 409, false, m->user_agent->platform = 0) \
	X(no_platform, 409, false, m->user_agent->has_platform = 0) \
	X(version_primary, 409, false, m->user_agent->app_version->primary = 3) \
	X(no_version, 409, false, m->user_agent->app_version = NULL) \
	X(no_tertiary, 409, false, m->user_agent->app_version->has_tertiary = 0) \
	X(no_mcc, 409, false, m->user_agent->mcc = NULL) \
	X(long_mnc, 409, false, m->user_agent->mnc = text) \
	X(no_device, 409, false, m->user_agent->device = NULL) \
	X(no_release_channel, 409, false, m->user_agent->has_release_channel = 0) \
	X(locale, 409, false, m->user_agent->locale_country = text) \
	X(no_web_info, 400, false, m->web_info = NULL) \
	X(no_web_sub_platform, 400, false, m->web_info->has_web_sub_platform = 0) \
	X(web_sub_platform, 400, false, m->web_info->web_sub_platform = 3) \
	X(no_connect_type, 400, false, m->has_connect_type = 0) \
	X(no_connect_reason, 400, false, m->has_connect_reason = 0) \
	X(no_passive, 400, false, m->has_passive = 0) \
	X(no_pull, 400, false, m->has_pull = 0) \
	X(passive, 400, false, m->passive = 1) \
	X(pull, 400, false, m->pull = 1) \
	X(device, 400, false, m->has_device = 1) \
	X(lc, 400, false, m->has_lc = 1) \
	X(lid_db_migrated, 400, false, m->has_lid_db_migrated = 1) \
	X(push_name, 400, false, m->push_name = text) \
	X(attempts, 400, false, m->has_connect_attempt_count = 1) \
	X(no_pairing_data, 400, true, m->device_pairing_data = NULL) \
	X(regid_short, 400, true, d->e_regid.len = 3) \
	X(no_regid, 400, true, d->has_e_regid = 0) \
	X(keytype, 400, false, d->e_keytype.data[0] = 6) \
	X(no_keytype, 400, true, d->has_e_keytype = 0) \
	X(ident_short, 400, true, d->e_ident.len = 31) \
	X(ident_other, 400, true, d->e_ident.data[3] ^= 1) \
	X(skey_id_short, 400, true, d->e_skey_id.len = 2) \
	X(skey_val_short, 400, true, d->e_skey_val.len = 31) \
	X(skey_val_other, 400, true, d->e_skey_val.data[3] ^= 1) \
	X(skey_sig_short, 400, true, d->e_skey_sig.len = 63) \
	X(skey_sig_other, 400, true, d->e_skey_sig.data[3] ^= 1) \
	X(build_hash_short, 400, true, d->build_hash.len = 15) \
	X(build_hash_other, 400, false, d->build_hash.data[3] ^= 1) \
	X(build_hash_of_other_version, 400, false, m->user_agent->app_version->tertiary++) \
	X(no_device_props, 400, true, d->has_device_props = 0) \
	X(device_props_cut, 400, false, d->device_props.len -= 1) \
	X(both_kinds, 400, false, \
	  (m->has_username = 1, m->username = 15550001111, m->has_device = 1, m->device = 1))

#define X(name, reason, always, change) \
	static void mutate_##name(Wa__ClientPayload *m, Wa__DevicePairingData *d, char *text) \
	{ \
		(void)m; \
		(void)d; \
		(void)text; \
		change; \
	}
MUTATIONS(X)
#undef X

static const struct {
	const char *name;
	int reason;
	bool always;
	void (*change)(Wa__ClientPayload *m, Wa__DevicePairingData *d, char *text);
} mutations[] = {
#define X(name, reason, always, change) { #name, (reason), (always), mutate_##name },
	MUTATIONS(X)
#undef X
};

/* The message's own memory is released from a copy that nobody has changed. */
static void test_each_mutation_is_refused(void **state)
{
	char text[] = "12345";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mutations); i++) {
		struct sim_refusal refusal = { .why = NULL };
		struct sim_payload p;
		struct fixture f;
		Wa__ClientPayload m;
		Wa__UserAgent ua;
		Wa__AppVersion version;
		Wa__WebInfo web;
		Wa__DevicePairingData d;

		begin(&f, "registration");
		m = *f.msg;
		ua = *m.user_agent;
		version = *ua.app_version;
		web = *m.web_info;
		d = *m.device_pairing_data;
		m.user_agent = &ua;
		ua.app_version = &version;
		m.web_info = &web;
		m.device_pairing_data = &d;
		mutations[i].change(&m, &d, text);
		buf_reset(&f.bytes);
		assert_int_equal(buf_reserve(&f.bytes, wa__client_payload__get_packed_size(&m)), 0);
		f.bytes.len = wa__client_payload__pack(&m, f.bytes.p);
		if (check(&f, 0, &p, &refusal) != WA_EPROTO ||
		    refusal.reason != mutations[i].reason)
			fail_msg("%s: reason %d, %s", mutations[i].name, refusal.reason,
			         refusal.why == NULL ? "accepted" : refusal.why);
		if (sim_payload_check(f.bytes.p, f.bytes.len, 0, false, &p, &refusal) !=
		    (mutations[i].always ? WA_EPROTO : 0))
			fail_msg("%s, not strict", mutations[i].name);
		end(&f);
	}
}

#define LOGIN_MUTATIONS(X) \
	X(no_device_number, 400, true, m->has_device = 0) \
	X(device_0, 400, true, m->device = 0) \
	X(username_0, 400, true, m->username = 0) \
	X(no_pull_at_all, 400, false, m->has_pull = 0) \
	X(pull_false, 400, false, m->pull = 0) \
	X(no_passive_at_all, 400, false, m->has_passive = 0) \
	X(no_lid_db, 400, false, m->has_lid_db_migrated = 0) \
	X(no_agent, 409, false, m->user_agent = NULL) \
	X(no_web, 400, false, m->web_info = NULL)

#define X(name, reason, always, change) \
	static void mutate_##name(Wa__ClientPayload *m) \
	{ \
		change; \
	}
LOGIN_MUTATIONS(X)
#undef X

static const struct {
	const char *name;
	int reason;
	bool always;
	void (*change)(Wa__ClientPayload *m);
} login_mutations[] = {
#define X(name, reason, always, change) { #name, (reason), (always), mutate_##name },
	LOGIN_MUTATIONS(X)
#undef X
};

static void test_each_login_mutation_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(login_mutations); i++) {
		struct sim_refusal refusal = { .why = NULL };
		struct sim_payload p;
		struct fixture f;
		Wa__ClientPayload m;

		begin(&f, "login");
		m = *f.msg;
		login_mutations[i].change(&m);
		buf_reset(&f.bytes);
		assert_int_equal(buf_reserve(&f.bytes, wa__client_payload__get_packed_size(&m)), 0);
		f.bytes.len = wa__client_payload__pack(&m, f.bytes.p);
		if (check(&f, 0, &p, &refusal) != WA_EPROTO ||
		    refusal.reason != login_mutations[i].reason)
			fail_msg("%s: reason %d", login_mutations[i].name, refusal.reason);
		if (sim_payload_check(f.bytes.p, f.bytes.len, 0, false, &p, &refusal) !=
		    (login_mutations[i].always ? WA_EPROTO : 0))
			fail_msg("%s, not strict", login_mutations[i].name);
		end(&f);
	}
}

static void test_login_of_a_client_that_is_not_passive(void **state)
{
	struct sim_payload p;
	struct sim_refusal refusal;
	struct fixture f;

	(void)state;
	begin(&f, "login");
	f.msg->passive = 0;
	f.msg->has_lc = 1;
	f.msg->lc = 3;
	repack(&f);
	assert_int_equal(check(&f, 0, &p, &refusal), 0);
	assert_false(p.passive);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registration_of_the_vector),
		cmocka_unit_test(test_login_of_the_vector),
		cmocka_unit_test(test_old_version_is_outdated),
		cmocka_unit_test(test_bytes_that_do_not_parse_close_the_connection),
		cmocka_unit_test(test_each_mutation_is_refused),
		cmocka_unit_test(test_each_login_mutation_is_refused),
		cmocka_unit_test(test_login_of_a_client_that_is_not_passive),
	};

	if (wa_keys_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
