/* tests/unit/test_wa_source.c - sender, chat and Signal address of message stanzas */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/stanza/wa_source.h"

static const struct wa_own_users own = { "15550001111", "100000000000001" };

/* "name=value name=value ..." */
static struct wa_node *message(const char *attrs)
{
	struct wa_node *m = wa_node_new("message");
	char text[512], *save, *a;

	snprintf(text, sizeof(text), "%s", attrs);
	for (a = strtok_r(text, " ", &save); a != NULL; a = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(a, '=');

		*eq = '\0';
		wa_node_set(m, a, eq + 1);
	}
	return m;
}

static void append(char *out, const char *name, const struct wa_jid *jid)
{
	char text[WA_JID_TEXT_CAP];

	if (jid->server[0] == '\0')
		return;
	wa_jid_format(jid, text);
	snprintf(out + strlen(out), 512 - strlen(out), "%s%s=%s", out[0] == '\0' ? "" : " ", name,
	         text);
}

static void test_sources(void **state)
{
	static const struct {
		const char *attrs, *result;
	} cases[] = {
		{ "id=A from=15550003333@s.whatsapp.net",
		  "chat=15550003333@s.whatsapp.net sender=15550003333@s.whatsapp.net" },
		{ "id=A from=15550003333:4@s.whatsapp.net sender_lid=300000000000003@lid",
		  "chat=15550003333@s.whatsapp.net sender=15550003333:4@s.whatsapp.net "
		  "sender_alt=300000000000003:4@lid chat_alt=300000000000003@lid" },
		{ "id=A from=15550002222:4@s.whatsapp.net",
		  "chat=15550002222@s.whatsapp.net sender=15550002222:4@s.whatsapp.net" },
		{ "id=A from=300000000000003:4@lid sender_pn=15550003333@s.whatsapp.net",
		  "chat=300000000000003@lid sender=300000000000003:4@lid "
		  "sender_alt=15550003333:4@s.whatsapp.net chat_alt=15550003333@s.whatsapp.net" },
		/* an identity in the wrong space says nothing */
		{ "id=A from=300000000000003@lid sender_pn=400000000000004@lid",
		  "chat=300000000000003@lid sender=300000000000003@lid" },
		{ "id=A from=1203630@g.us participant=300000000000003:9@lid "
		  "participant_pn=15550003333@s.whatsapp.net",
		  "group chat=1203630@g.us sender=300000000000003:9@lid "
		  "sender_alt=15550003333:9@s.whatsapp.net" },
		{ "id=A from=1203630@g.us participant=100000000000001:2@lid",
		  "group me chat=1203630@g.us sender=100000000000001:2@lid" },
		{ "id=A from=status@broadcast participant=15550002222@s.whatsapp.net",
		  "broadcast status chat=status@broadcast sender=15550002222@s.whatsapp.net" },
		{ "id=A from=1203@newsletter",
		  "newsletter chat=1203@newsletter sender=1203@newsletter" },
		/* from the own phone: to somebody, and to the account itself */
		{ "id=A from=100000000000001@lid recipient=300000000000003@lid "
		  "peer_recipient_pn=15550003333@s.whatsapp.net",
		  "me chat=300000000000003@lid sender=100000000000001@lid "
		  "chat_alt=15550003333@s.whatsapp.net" },
		{ "id=A from=15550001111@s.whatsapp.net category=peer",
		  "me peer chat=15550001111@s.whatsapp.net sender=15550001111@s.whatsapp.net" },
		{ "id=A from=15550003333:99@hosted",
		  "chat=15550003333@s.whatsapp.net sender=15550003333:99@s.whatsapp.net" },
		{ "id=A from=300000000000003:99@hosted.lid",
		  "chat=300000000000003@lid sender=300000000000003:99@lid" },
		{ "id=A from=13135550002@bot",
		  "bot chat=13135550002@bot sender=13135550002@bot" },
		{ "id=A from=13135550002@s.whatsapp.net sender_lid=5@lid",
		  "bot chat=13135550002@s.whatsapp.net sender=13135550002@s.whatsapp.net" },
	};
	static const char *const kinds[] = { "", "group", "broadcast", "newsletter" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wa_node *m = message(cases[i].attrs);
		struct wa_source s;
		char out[512];

		assert_int_equal(wa_source_read(m, &own, &s), 0);
		snprintf(out, sizeof(out), "%s%s%s%s%s", kinds[s.kind],
		         s.is_status ? " status" : "",
		         s.from_me ? s.kind == WA_CHAT_PRIVATE ? "me" : " me" : "",
		         s.is_peer ? " peer" : "", s.from_bot ? "bot" : "");
		append(out, "chat", &s.chat);
		append(out, "sender", &s.sender);
		append(out, "sender_alt", &s.sender_alt);
		append(out, "chat_alt", &s.chat_alt);
		assert_string_equal(out, cases[i].result);
		wa_node_free(m);
	}
}

static void test_what_else_it_says(void **state)
{
	struct wa_node *m =
	    message("id=A from=1@lid t=1700000000 notify=Ann type=text edit=1 offline=3");
	struct wa_node *bare = message("id=A from=1@lid t=x notify=-");
	struct wa_source s;

	(void)state;
	assert_int_equal(wa_source_read(m, &own, &s), 0);
	assert_string_equal(s.id, "A");
	assert_string_equal(s.push_name, "Ann");
	assert_string_equal(s.type, "text");
	assert_string_equal(s.edit, "1");
	assert_int_equal(s.unix_s, 1700000000);
	assert_true(s.is_offline);
	assert_int_equal(wa_source_read(bare, &own, &s), 0);
	assert_null(s.push_name);
	assert_int_equal(s.unix_s, 0);
	assert_false(s.is_offline);
	wa_node_free(m);
	wa_node_free(bare);
}

static void test_target_chat_of_a_bot(void **state)
{
	struct wa_node *m = message("id=A from=13135550002@bot");
	struct wa_source s;

	(void)state;
	wa_node_set(wa_node_add(m, "meta"), "target_chat_jid", "1203630@g.us");
	assert_int_equal(wa_source_read(m, &own, &s), 0);
	assert_string_equal(s.chat.user, "1203630");
	wa_node_free(m);
}

static void test_unknown_own_account_is_nobody(void **state)
{
	static const struct wa_own_users nobody;
	struct wa_node *m = message("id=A from=15550001111@s.whatsapp.net");
	struct wa_source s;

	(void)state;
	assert_int_equal(wa_source_read(m, &nobody, &s), 0);
	assert_false(s.from_me);
	wa_node_free(m);
}

static void test_bad_sources_are_refused(void **state)
{
	static const char *const bad[] = {
		"from=1@lid",
		"id=A",
		"id=A from=s.whatsapp.net",
		"id=A from=a:b:c@lid",
		"id=A from=1203630@g.us",
		"id=A from=1203630@g.us participant=x:y@lid",
		"id=A from=1@lid sender_pn=x:y@s.whatsapp.net",
		"id=A from=100000000000001@lid recipient=lid:x@",
	};
	struct wa_node *other = wa_node_new("receipt");
	struct wa_source s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct wa_node *m = message(bad[i]);

		if (wa_source_read(m, &own, &s) != WA_EPROTO)
			fail_msg("%s", bad[i]);
		wa_node_free(m);
	}
	wa_node_set(other, "id", "A");
	wa_node_set(other, "from", "1@lid");
	assert_int_equal(wa_source_read(other, &own, &s), WA_EPROTO);
	wa_node_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_what_else_it_says),
		cmocka_unit_test(test_target_chat_of_a_bot),
		cmocka_unit_test(test_unknown_own_account_is_nobody),
		cmocka_unit_test(test_bad_sources_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
