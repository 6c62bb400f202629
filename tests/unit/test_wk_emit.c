/* tests/unit/test_wk_emit.c - what happens becomes events in the outbox; names that are learned */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "emit_fixture.h"
#include "proto/ipc.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/store/wk_store_name.h"
#include "worker/store/wk_store_once.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/store/wk_store_priv.h"

/* ---- names --------------------------------------------------------------------------------------
 */

static void assert_name(struct emit_fixture *f, const char *jid, const char *wanted)
{
	struct wa_jid j = ef_jid(jid);
	const char *name;

	if (wanted == NULL) {
		assert_int_equal(wk_store_name(f->store.st, &j, NULL, &name), -ENOENT);
		return;
	}
	assert_int_equal(wk_store_name(f->store.st, &j, NULL, &name), 0);
	assert_string_equal(name, wanted);
}

static void learn(struct emit_fixture *f, const char *jid, enum wk_name_kind kind, const char *name)
{
	struct wa_jid j = ef_jid(jid);

	assert_int_equal(wk_store_name_learn(f->store.st, &j, kind, name), 0);
}

static void test_names(void **state)
{
	struct emit_fixture *f = *state;
	uint64_t generation;
	char longer[600];

	assert_name(f, "551199@s.whatsapp.net", NULL);
	learn(f, "551199:7@s.whatsapp.net", WK_NAME_OWN, "ana");
	assert_name(f, "551199@s.whatsapp.net", "ana");
	assert_name(f, "551199@lid", NULL);
	learn(f, "551199@s.whatsapp.net", WK_NAME_BOOK, "Ana Book");
	assert_name(f, "551199:3@s.whatsapp.net", "Ana Book");
	generation = wk_store_generation(f->store.st);
	learn(f, "551199@s.whatsapp.net", WK_NAME_OWN, "ana");
	assert_int_equal(wk_store_generation(f->store.st), generation); /* nothing written */
	store_reopen(&f->store);
	assert_name(f, "551199@s.whatsapp.net", "Ana Book");
	learn(f, "551199@s.whatsapp.net", WK_NAME_BOOK, NULL);
	assert_name(f, "551199@s.whatsapp.net", "ana");
	learn(f, "551199@s.whatsapp.net", WK_NAME_OWN, "");
	assert_name(f, "551199@s.whatsapp.net", NULL);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	learn(f, "1@g.us", WK_NAME_OWN, longer);
	longer[WK_STORE_NAME_CAP - 1] = '\0';
	assert_name(f, "1@g.us", longer);
}

/* A name that was undone is not remembered by the cache. */
static void test_names_follow_a_rollback(void **state)
{
	struct emit_fixture *f = *state;

	learn(f, "1@g.us", WK_NAME_OWN, "before");
	assert_int_equal(wk_store_begin(f->store.st), 0);
	assert_int_equal(wk_store_end(f->store.st, -EIO), -EIO);
	ef_enter(f);
	learn(f, "1@g.us", WK_NAME_OWN, "after");
	assert_name(f, "1@g.us", "after");
	wk_batch_leave(f->batch, -EIO);
	assert_int_equal(f->failed_rc, -EIO);
	assert_name(f, "1@g.us", "before");
}

/* ---- messages -----------------------------------------------------------------------------------
 */

static struct wa_msg_view text_view(void)
{
	return (struct wa_msg_view){ .type = WA_MSG_TEXT, .text = "hi" };
}

static struct wk_event_msg incoming(const struct wa_msg_view *v)
{
	return (struct wk_event_msg){
		.id = "3EB0",
		.chat = ef_jid("99@lid"),
		.sender = ef_jid("99:4@lid"),
		.push_name = "ana",
		.unix_s = 1700000000,
		.view = v,
	};
}

static void test_messages(void **state)
{
	struct emit_fixture *f = *state;
	struct wa_msg_view v = text_view();
	struct wk_event_msg m = incoming(&v);
	json_t *data;

	assert_int_equal(wk_store_lid_learn(f->store.st, "551199", "99", NULL), 0);
	ef_enter(f);
	assert_int_equal(wk_emit_message(f->emit, &m), 0);
	ef_leave(f);
	data = ef_event(f, IPC__EVENT__KIND__MESSAGE_EXCHANGE, 0);
	ef_equal(data, "chat",
	         "{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\","
	         "\"name\":\"ana\",\"type\":\"private\"}");
	json_decref(data);
	assert_string_equal(f->sent, "");

	/* from history, with media, of a person that is in the address book by now */
	learn(f, "551199@s.whatsapp.net", WK_NAME_BOOK, "Ana Book");
	m.from_history = true;
	v.type = WA_MSG_IMAGE;
	v.has_media = true;
	m.push_name = NULL;
	ef_enter(f);
	assert_int_equal(wk_emit_message(f->emit, &m), 0);
	ef_leave(f);
	data = ef_event(f, IPC__EVENT__KIND__MESSAGE_EXCHANGE,
	                WK_EVENT_FROM_HISTORY | WK_EVENT_HAS_MEDIA);
	ef_equal(data, "sender",
	         "{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\","
	         "\"name\":\"Ana Book\"}");
	json_decref(data);
	ef_no_event(f);
}

static void test_settings_are_honoured_at_once(void **state)
{
	struct emit_fixture *f = *state;
	struct wa_msg_view v = text_view();
	struct wk_event_msg m = incoming(&v);

	m.kind = WA_CHAT_GROUP;
	m.chat = ef_jid("1@g.us");
	f->settings.ignore_group_messages = true;
	f->settings.auto_read_messages = true;
	ef_enter(f);
	assert_int_equal(wk_emit_message(f->emit, &m), 0);
	ef_leave(f);
	ef_no_event(f);
	assert_string_equal(f->sent, ""); /* what nobody was shown was not read */
	assert_name(f, "99@lid", "ana");

	f->settings.ignore_group_messages = false;
	ef_enter(f);
	assert_int_equal(wk_emit_message(f->emit, &m), 0);
	assert_string_equal(f->sent, ""); /* not before it is on disk */
	ef_leave(f);
	json_decref(ef_event(f, IPC__EVENT__KIND__MESSAGE_EXCHANGE, 0));
	assert_string_equal(f->sent, "receipt type=read id=3EB0 to=1@g.us participant=99@lid\n");

	f->sent[0] = '\0';
	wk_emit_read_receipts(f->emit, true);
	m = incoming(&v);
	ef_enter(f);
	assert_int_equal(wk_emit_message(f->emit, &m), 0);
	m.from_me = true;
	m.id = "OWN";
	assert_int_equal(wk_emit_message(f->emit, &m), 0);
	m.from_me = false;
	m.from_history = true;
	m.id = "OLD";
	assert_int_equal(wk_emit_message(f->emit, &m), 0);
	ef_leave(f);
	assert_string_equal(f->sent, "receipt type=read-self id=3EB0 to=99@lid\n");
}

/* A vote finds its poll in the store, under whichever identity the chat is asked for. */
static void test_votes_find_their_poll(void **state)
{
	static const uint8_t secret[WA_MSG_SECRET_LEN] = "thirty-two bytes of a secret....";
	static const uint8_t iv[WA_IV_LEN] = "twelve bytes";
	/* pollCreationMessageV3 { name "Q", options { "a" } } */
	static const uint8_t poll[] = { 0x82, 0x04, 8, 0x12, 1, 'Q', 0x1a, 3, 0x0a, 1, 'a' };
	const struct wa_msg_secret s = { .secret = secret,
		                         .id = "POLL",
		                         .author = SF_LID "@lid",
		                         .modifier = "99@lid",
		                         .use_case = "Poll Vote" };
	struct emit_fixture *f = *state;
	struct wa_msg_view v = { .type = WA_MSG_POLL_VOTE };
	struct wk_event_msg m = incoming(&v);
	struct wk_msg stored = { .chat = ef_jid("99@lid"),
		                 .sender = ef_jid(SF_LID "@lid"),
		                 .id = "POLL",
		                 .flags = WK_MSG_FROM_ME,
		                 .message = poll,
		                 .message_len = sizeof(poll),
		                 .secret = secret };
	uint8_t plain[34] = { 0x0a, 32 };
	struct buf sealed = { 0 };
	json_t *data;
	bool is_new;

	assert_int_equal(wk_store_lid_learn(f->store.st, "551199", "99", NULL), 0);
	assert_int_equal(wk_store_msg_put(f->store.st, &stored, &is_new), 0);
	assert_int_equal(wa_sha256("a", 1, plain + 2), 0);
	assert_int_equal(wa_msg_secret_seal(&s, iv, plain, sizeof(plain), &sealed), 0);
	v.target.id = "POLL";
	v.enc = (struct wa_msg_enc){ "Poll Vote", { sealed.p, sealed.len }, { iv, sizeof(iv) } };
	m.chat = ef_jid("551199@s.whatsapp.net");
	m.sender = ef_jid("551199:4@s.whatsapp.net");
	ef_enter(f);
	assert_int_equal(wk_emit_message(f->emit, &m), 0);
	ef_leave(f);
	data = ef_event(f, IPC__EVENT__KIND__MESSAGE_EXCHANGE, 0);
	ef_equal(json_object_get(data, "message"), "poll",
	         "{\"messageId\":\"POLL\",\"fromMe\":true,\"question\":\"Q\","
	         "\"selected\":[\"a\"]}");
	json_decref(data);
	buf_free(&sealed);
}

/* ---- stanzas that come again --------------------------------------------------------------------
 */

static int once(struct emit_fixture *f, unsigned id, const char *more)
{
	char attrs[128];
	struct wa_node *n;
	int rc;

	(void)snprintf(attrs, sizeof(attrs), "id=R%u from=1@g.us%s", id, more);
	n = ef_node("receipt", attrs);
	rc = wk_store_once(f->store.st, n);
	wa_node_free(n);
	return rc;
}

static int64_t rows(struct emit_fixture *f)
{
	sqlite3_stmt *s;
	int64_t n;

	assert_int_equal(
	    sqlite3_prepare_v2(f->store.st->db, "SELECT count(*) FROM once", -1, &s, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static void test_stanzas_are_known_again(void **state)
{
	struct emit_fixture *f = *state;

	ef_enter(f);
	assert_int_equal(once(f, 0, ""), 1);
	assert_int_equal(once(f, 0, ""), 0);
	assert_int_equal(once(f, 0, " type=read"), 1);
	assert_int_equal(once(f, 0, " participant=read"), 1); /* the same words elsewhere */
	assert_int_equal(once(f, 0, " type=read t=5"), 1);
	ef_leave(f);
	store_reopen(&f->store);
	assert_int_equal(wk_store_begin(f->store.st), 0);
	assert_int_equal(once(f, 0, " type=read"), 0);
	for (unsigned i = 1; i < 3 * WK_ONCE_KEPT; i++)
		assert_int_equal(once(f, i, ""), 1);
	assert_true(rows(f) >= WK_ONCE_KEPT && rows(f) <= WK_ONCE_KEPT + 256);
	for (unsigned i = 2 * WK_ONCE_KEPT; i < 3 * WK_ONCE_KEPT; i++)
		assert_int_equal(once(f, i, ""), 0);
	assert_int_equal(once(f, 1, ""), 1); /* forgotten long since */
	assert_int_equal(wk_store_end(f->store.st, 0), 0);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, ef_setup, ef_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_names_follow_a_rollback),
		TEST(test_messages),
		TEST(test_settings_are_honoured_at_once),
		TEST(test_votes_find_their_poll),
		TEST(test_stanzas_are_known_again),
	};

	return cmocka_run_group_tests_name("wk_emit", tests, NULL, NULL);
}
