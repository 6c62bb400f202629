/* tests/unit/test_wa_login.c - the login payload, and the stanzas that answer it or end a stream */
#include "test.h"

#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/pb_guard.h"
#include "proto/wa_payload.pb-c.h"
#include "wa_stanzas.h"
#include "wa_vectors.h"
#include "worker/wa/link/wa_login.h"

/* ---- payload ------------------------------------------------------------------------------------
 */

static Wa__ClientPayload *unpack(const struct buf *b)
{
	ProtobufCMessage *msg = NULL;

	assert_int_equal(
	    pb_unpack(&wa__client_payload__descriptor, b->p, b->len, &pb_limits_small, &msg), 0);
	return (Wa__ClientPayload *)msg;
}

/* What we send differs from the vector (another client's choice) in these fields and no other. */
static void test_login_payload_is_the_vector_with_our_values(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *v = vec_get(vec_get(crypto, "client_payload"), "login");
	struct wa_login l = { .version = { 2, 3000, 1045649367 }, .logins = 4 };
	struct buf want = { 0 }, got = { 0 }, theirs = { 0 };
	Wa__ClientPayload *p;

	(void)state;
	l.jid = vec_str(v, "jid_ascii");
	assert_int_equal(wa_payload_login(&l, &got), 0);

	vec_hex(v, "bytes", &theirs);
	p = unpack(&theirs);
	assert_int_equal(((ProtobufCMessage *)p)->n_unknown_fields, 0);
	assert_null(p->user_agent->manufacturer);
	p->user_agent->manufacturer = (char *)(uintptr_t) "";
	assert_false(p->lid_db_migrated);
	p->lid_db_migrated = 1;
	assert_false(p->has_lc);
	p->has_lc = 1;
	p->lc = 4;
	assert_int_equal(buf_reserve(&want, wa__client_payload__get_packed_size(p)), 0);
	want.len = wa__client_payload__pack(p, want.p);
	p->user_agent->manufacturer = NULL;
	pb_free((ProtobufCMessage *)p);

	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.p, want.p, want.len);
	buf_free(&want);
	buf_free(&got);
	buf_free(&theirs);
	json_decref(crypto);
}

static void test_what_is_known_is_said_and_nothing_else(void **state)
{
	struct wa_login l = { .version = { 2, 3000, 1 }, .jid = "4915:65535@s.whatsapp.net" };
	struct buf out = { 0 };
	Wa__ClientPayload *p;

	(void)state;
	assert_int_equal(wa_payload_login(&l, &out), 0);
	p = unpack(&out);
	assert_true(p->has_username && p->username == 4915);
	assert_true(p->has_device && p->device == 65535);
	assert_true(p->has_passive && p->passive);
	assert_true(p->has_pull && p->pull);
	assert_true(p->has_lid_db_migrated && p->lid_db_migrated);
	assert_true(p->has_lc && p->lc == 0);
	assert_true(p->web_info->has_web_sub_platform && p->web_info->web_sub_platform == 0);
	assert_true(p->user_agent->has_release_channel && p->user_agent->release_channel == 0);
	assert_null(p->device_pairing_data);
	assert_null(p->push_name);
	assert_false(p->has_connect_attempt_count);
	pb_free((ProtobufCMessage *)p);

	buf_reset(&out);
	l.push_name = "";
	l.attempt = 3;
	l.logins = UINT32_MAX;
	assert_int_equal(wa_payload_login(&l, &out), 0);
	p = unpack(&out);
	assert_null(p->push_name);
	assert_int_equal(p->connect_attempt_count, 3);
	assert_int_equal(p->lc, INT32_MAX);
	pb_free((ProtobufCMessage *)p);

	buf_reset(&out);
	l.push_name = "J\xc3\xb6rg";
	assert_int_equal(wa_payload_login(&l, &out), 0);
	p = unpack(&out);
	assert_string_equal(p->push_name, l.push_name);
	pb_free((ProtobufCMessage *)p);
	buf_free(&out);
}

static void test_no_login_without_an_own_device_jid(void **state)
{
	static const char *const jids[] = {
		"",
		"4915@s.whatsapp.net",
		"4915:0@s.whatsapp.net",
		"4915:7@lid",
		"s.whatsapp.net",
		"0:7@s.whatsapp.net",
		"49x5:7@s.whatsapp.net",
		"18446744073709551616:7@s.whatsapp.net", /* 2^64 */
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jids); i++) {
		struct wa_login l = { .version = { 2, 3000, 1 }, .jid = jids[i] };

		assert_int_equal(wa_payload_login(&l, &out), WA_EPROTO);
		assert_int_equal(out.len, 0);
	}
}

/* ---- success and failure ------------------------------------------------------------------------
 */

static void test_success(void **state)
{
	struct wa_node *n = wa_node_new("success"), *other = wa_node_new("failure");
	struct wa_success s;

	(void)state;
	assert_int_equal(wa_success_read(other, &s), WA_ESTATE);
	assert_int_equal(wa_success_read(n, &s), 0);
	assert_null(s.lid);
	assert_null(s.display_name);
	assert_int_equal(s.server_unix_s, 0);
	wa_node_set_jid(n, "lid", "123:7@lid");
	wa_node_set(n, "t", "1787000001");
	wa_node_set(n, "display_name", "Name");
	assert_int_equal(wa_success_read(n, &s), 0);
	assert_string_equal(s.lid, "123:7@lid");
	assert_string_equal(s.display_name, "Name");
	assert_int_equal(s.server_unix_s, 1787000001);
	wa_node_set_jid(n, "lid", "abc:7@lid");
	assert_int_equal(wa_success_read(n, &s), 0);
	assert_null(s.lid);
	wa_node_set(n, "lid", "123@lid");
	wa_node_set(n, "t", "9223372036854775808"); /* 2^63 */
	assert_int_equal(wa_success_read(n, &s), 0);
	assert_null(s.lid);
	assert_int_equal(s.server_unix_s, 0);
	wa_node_free(n);
	wa_node_free(other);
}

static void test_failure(void **state)
{
	struct wa_node *n = wa_node_new("failure"), *other = wa_node_new("success");
	struct wa_connect_failure f;

	(void)state;
	assert_int_equal(wa_failure_read(other, &f), WA_ESTATE);
	assert_int_equal(wa_failure_read(n, &f), 0);
	assert_int_equal(f.reason, 0);
	assert_null(f.message);
	wa_node_set(n, "reason", "402");
	wa_node_set(n, "code", "104");
	wa_node_set(n, "expire", "3600");
	wa_node_set(n, "location", "atn");
	wa_node_set(n, "message", "short");
	assert_int_equal(wa_failure_read(n, &f), 0);
	assert_int_equal(f.reason, 402);
	assert_int_equal(f.code, 104);
	assert_int_equal(f.expire_s, 3600);
	assert_string_equal(f.location, "atn");
	assert_string_equal(f.message, "short");
	wa_node_set(n, "logout_message_subtext", "long");
	assert_int_equal(wa_failure_read(n, &f), 0);
	assert_string_equal(f.message, "long");
	wa_node_set(n, "reason", "4294967296");
	wa_node_set(n, "expire", "-1");
	assert_int_equal(wa_failure_read(n, &f), 0);
	assert_int_equal(f.reason, 0);
	assert_int_equal(f.expire_s, 0);
	wa_node_free(n);
	wa_node_free(other);
}

/* ---- stream:error -------------------------------------------------------------------------------
 */

static void test_stream_errors(void **state)
{
	static const struct {
		const char *code, *child, *conflict;
		enum wa_stream_end want;
	} cases[] = {
		{ "515", NULL, NULL, WA_STREAM_RESTART },
		{ "516", NULL, NULL, WA_STREAM_LOGGED_OUT },
		{ "401", "conflict", "device_removed", WA_STREAM_LOGGED_OUT },
		{ NULL, "conflict", "device_removed", WA_STREAM_LOGGED_OUT },
		{ "515", "conflict", "device_removed", WA_STREAM_LOGGED_OUT },
		{ NULL, "conflict", "replaced", WA_STREAM_REPLACED },
		{ "401", "conflict", "replaced", WA_STREAM_REPLACED },
		{ "401", "conflict", "later_addition", WA_STREAM_UNAUTHORIZED },
		{ "401", "conflict", NULL, WA_STREAM_UNAUTHORIZED },
		{ "401", NULL, NULL, WA_STREAM_UNAUTHORIZED },
		{ "409", NULL, NULL, WA_STREAM_REPLACED },
		{ "429", NULL, NULL, WA_STREAM_THROTTLED },
		{ "500", NULL, NULL, WA_STREAM_RETRY },
		{ "503", NULL, NULL, WA_STREAM_RETRY },
		{ "599", NULL, NULL, WA_STREAM_RETRY },
		{ NULL, "ack", NULL, WA_STREAM_RETRY },
		{ NULL, "ping", NULL, WA_STREAM_RETRY },
		{ NULL, "xml-not-well-formed", NULL, WA_STREAM_RETRY },
		{ NULL, "bad-mac", NULL, WA_STREAM_RETRY },
		{ NULL, NULL, NULL, WA_STREAM_RETRY },
		{ "0515", NULL, NULL, WA_STREAM_RESTART },
		{ "515x", NULL, NULL, WA_STREAM_RETRY },
		{ "4294967811", NULL, NULL, WA_STREAM_RETRY }, /* 515 + 2^32 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wa_node *n = wa_node_new("stream:error");
		struct wa_stream_error e;

		wa_node_set(n, "code", cases[i].code);
		if (cases[i].child != NULL)
			wa_node_set(wa_node_add(n, cases[i].child), "type", cases[i].conflict);
		assert_int_equal(wa_stream_error_read(n, &e), 0);
		assert_int_equal(e.end, cases[i].want);
		if (cases[i].child == NULL)
			assert_null(e.child);
		else
			assert_string_equal(e.child, cases[i].child);
		wa_node_free(n);
	}
}

static void test_conflict_counts_behind_another_child(void **state)
{
	struct wa_node *n = wa_node_new("stream:error"), *other = wa_node_new("success");
	struct wa_stream_error e;

	(void)state;
	wa_node_set(n, "code", "515");
	wa_node_add(n, "text");
	wa_node_set(wa_node_add(n, "conflict"), "type", "replaced");
	assert_int_equal(wa_stream_error_read(n, &e), 0);
	assert_int_equal(e.end, WA_STREAM_REPLACED);
	assert_int_equal(e.code, 515);
	assert_string_equal(e.child, "text");
	assert_int_equal(wa_stream_error_read(other, &e), WA_ESTATE);
	wa_node_free(n);
	wa_node_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login_payload_is_the_vector_with_our_values),
		cmocka_unit_test(test_what_is_known_is_said_and_nothing_else),
		cmocka_unit_test(test_no_login_without_an_own_device_jid),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_stream_errors),
		cmocka_unit_test(test_conflict_counts_behind_another_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
