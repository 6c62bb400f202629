/* tests/unit/test_wa_jid.c - JIDs as text and parts */
#include "test.h"

#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "worker/wa/node/wa_jid.h"

static void test_parts_of_valid_jids(void **state)
{
	static const struct {
		const char *text, *user, *server;
		unsigned device, integrator;
		const char *again; /* NULL: as text */
	} cases[] = {
		{ "15550002222@s.whatsapp.net", "15550002222", "s.whatsapp.net", 0, 0, NULL },
		{ "15550002222:12@s.whatsapp.net", "15550002222", "s.whatsapp.net", 12, 0, NULL },
		{ "15550002222:0@s.whatsapp.net", "15550002222", "s.whatsapp.net", 0, 0,
		  "15550002222@s.whatsapp.net" },
		{ "100000000000002:65535@lid", "100000000000002", "lid", 65535, 0, NULL },
		{ "15550002222:99@hosted", "15550002222", "hosted", 99, 0, NULL },
		{ "15550002222-1500000000@g.us", "15550002222-1500000000", "g.us", 0, 0, NULL },
		{ "status@broadcast", "status", "broadcast", 0, 0, NULL },
		{ "12345.1:7@s.whatsapp.net", "12345.1", "s.whatsapp.net", 7, 0, NULL },
		{ "3-12345:1@interop", "12345", "interop", 1, 3, NULL },
		{ "0-a-b@interop", "a-b", "interop", 0, 0, NULL },
		{ "s.whatsapp.net", "", "s.whatsapp.net", 0, 0, NULL },
		{ "g.us", "", "g.us", 0, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *again = cases[i].again != NULL ? cases[i].again : cases[i].text;
		char text[WA_JID_TEXT_CAP];
		struct wa_jid jid;

		assert_int_equal(wa_jid_parse(cases[i].text, strlen(cases[i].text), &jid), 0);
		assert_string_equal(jid.user, cases[i].user);
		assert_string_equal(jid.server, cases[i].server);
		assert_int_equal(jid.device, cases[i].device);
		assert_int_equal(jid.integrator, cases[i].integrator);
		assert_int_equal(wa_jid_format(&jid, text), strlen(again));
		assert_string_equal(text, again);
	}
}

static void test_texts_that_are_no_jid(void **state)
{
	static const char *const none[] = {
		"",
		"@",
		"@s.whatsapp.net",
		"1@",
		"1@@lid",
		"1@lid@lid",
		"1:@lid",
		":1@lid",
		"1:1:1@lid",
		"1:65536@lid",
		"1:01@lid",
		"1:-1@lid",
		"1:+1@lid",
		"1:1a@lid",
		"1:123456@lid",
		"a b@lid",
		"a\x01@lid",
		"a\xc3\xa4@lid",
		"1@Lid",
		"1@l id",
		"15550002222",
		"12345@interop",
		"-12345@interop",
		"3-@interop",
		"65536-1@interop",
		"x-1@interop",
	};
	struct wa_jid jid, before;

	(void)state;
	memset(&jid, 0x5a, sizeof(jid));
	before = jid;
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		if (wa_jid_parse(none[i], strlen(none[i]), &jid) != WA_EPROTO)
			fail_msg("taken for a JID: %s", none[i]);
		assert_memory_equal(&jid, &before, sizeof(jid));
	}
	assert_int_equal(wa_jid_parse("a\0b@lid", 7, &jid), WA_EPROTO);
	assert_int_equal(wa_jid_parse("a@lid\0", 6, &jid), WA_EPROTO);
}

static void test_lengths(void **state)
{
	char text[WA_JID_USER_MAX + WA_JID_SERVER_MAX + 40], out[WA_JID_TEXT_CAP];
	struct wa_jid jid;
	size_t n;

	(void)state;
	memset(text, 'u', WA_JID_USER_MAX);
	strcpy(text + WA_JID_USER_MAX, ":65535@");
	n = strlen(text);
	memset(text + n, 's', WA_JID_SERVER_MAX + 1);
	assert_int_equal(wa_jid_parse(text, n + WA_JID_SERVER_MAX + 1, &jid), WA_EPROTO);
	assert_int_equal(wa_jid_parse(text, n + WA_JID_SERVER_MAX, &jid), 0);
	assert_int_equal(wa_jid_format(&jid, out), n + WA_JID_SERVER_MAX);
	assert_memory_equal(out, text, n + WA_JID_SERVER_MAX);

	memset(text, 'u', WA_JID_USER_MAX + 1);
	strcpy(text + WA_JID_USER_MAX + 1, "@lid");
	assert_int_equal(wa_jid_parse(text, strlen(text), &jid), WA_EPROTO);

	/* the longest text there is */
	memset(&jid, 0, sizeof(jid));
	memset(jid.user, 'u', WA_JID_USER_MAX);
	strcpy(jid.server, "interop");
	jid.device = jid.integrator = 65535;
	assert_int_equal(wa_jid_format(&jid, out), WA_JID_USER_MAX + 6 + 6 + 8);
}

static void test_devices_of_a_server(void **state)
{
	static const char *const not_devices[] = { "5@lid", "5:0@lid", "5:7@s.whatsapp.net", "lid",
		                                   "",      "@lid",    "5:7@lid@lid" };
	struct wa_jid jid = { .device = 99 };

	(void)state;
	for (size_t i = 0; i < sizeof(not_devices) / sizeof(not_devices[0]); i++)
		assert_int_equal(wa_jid_parse_device(not_devices[i], "lid", &jid), WA_EPROTO);
	assert_int_equal(jid.device, 99);
	assert_int_equal(wa_jid_parse_device("5:7@lid", "lid", &jid), 0);
	assert_int_equal(jid.device, 7);
	assert_string_equal(jid.user, "5");
}

static void test_users_as_numbers(void **state)
{
	static const char *const bad[] = {
		"", "0", "012", "-1", "1a", "a", "18446744073709551616"
	};
	struct wa_jid jid = { .device = 0 };
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(jid.user, bad[i]);
		assert_int_equal(wa_jid_user_number(&jid, &v), WA_EPROTO);
	}
	assert_int_equal(v, 7);
	strcpy(jid.user, "18446744073709551615");
	assert_int_equal(wa_jid_user_number(&jid, &v), 0);
	assert_true(v == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_of_valid_jids),
		cmocka_unit_test(test_texts_that_are_no_jid),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_devices_of_a_server),
		cmocka_unit_test(test_users_as_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
