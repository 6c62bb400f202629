/* tests/unit/test_wk_store_msg.c - messages, LIDs, Signal records and batches in session.db */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "store_fixture.h"
#include "worker/history/wk_age.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_age.h"
#include "worker/store/wk_store_appstate.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/store/wk_store_priv.h"
#include "worker/store/wk_store_signal.h"
#include "worker/wa/node/wa_node.h"

static struct wa_jid jid_of(const char *text)
{
	struct wa_jid jid;

	assert_int_equal(wa_jid_parse(text, strlen(text), &jid), 0);
	return jid;
}

static struct wk_msg msg_of(const char *chat, const char *sender, const char *id)
{
	static const uint8_t body[] = "the body of it";

	return (struct wk_msg){ .chat = jid_of(chat),
		                .sender = jid_of(sender),
		                .id = id,
		                .push_name = "Ana",
		                .unix_s = 1700000000,
		                .message = body,
		                .message_len = sizeof(body) };
}

static bool put(struct store_fixture *f, const struct wk_msg *m)
{
	bool is_new = false;

	assert_int_equal(wk_store_msg_put(f->st, m, &is_new), 0);
	return is_new;
}

/* Ids in the order they are given; also the last one's parts. */
struct seen {
	char ids[256];
	struct wk_msg last;
	char push[64], sender[WA_JID_TEXT_CAP], chat[WA_JID_TEXT_CAP], body[64];
	unsigned n;
};

static int on_msg(void *arg, const struct wk_msg *m)
{
	struct seen *s = arg;

	snprintf(s->ids + strlen(s->ids), sizeof(s->ids) - strlen(s->ids), "%s%s",
	         s->n == 0 ? "" : " ", m->id);
	s->last = *m;
	s->n++;
	snprintf(s->push, sizeof(s->push), "%s", m->push_name == NULL ? "-" : m->push_name);
	wa_jid_format(&m->sender, s->sender);
	wa_jid_format(&m->chat, s->chat);
	assert_true(m->message_len < sizeof(s->body));
	if (m->message_len > 0)
		memcpy(s->body, m->message, m->message_len);
	return 0;
}

static void expect_by_id(struct store_fixture *f, const char *id, unsigned n, struct seen *s)
{
	const struct wk_store_msg_each each = { on_msg, s };

	memset(s, 0, sizeof(*s));
	assert_int_equal(wk_store_msg_by_id(f->st, id, &each), 0);
	assert_int_equal(s->n, n);
}

static void expect_list(struct store_fixture *f, const char *chat, int64_t from, int64_t to,
                        size_t limit, const char *ids)
{
	struct seen s = { .n = 0 };
	const struct wk_store_msg_each each = { on_msg, &s };
	struct wa_jid jid = jid_of(chat);

	assert_int_equal(wk_store_msg_list(f->st, &jid, from, to, limit, &each), 0);
	assert_string_equal(s.ids, ids);
}

/* ---- messages ----------------------------------------------------------------------------------
 */

static void test_message_comes_back_whole(void **state)
{
	struct store_fixture *f = *state;
	static const uint8_t secret[WA_MSG_SECRET_LEN] = { 9, 8, 7 };
	struct wk_msg m = msg_of("1203@g.us", "77@lid", "3EB0AA");
	uint8_t got[WA_MSG_SECRET_LEN];
	struct seen s;

	m.secret = secret;
	m.order = 0x1122334455667788;
	m.flags = WK_MSG_HISTORY | WK_MSG_MEDIA;
	assert_true(put(f, &m));
	store_reopen(f);
	expect_by_id(f, "3EB0AA", 1, &s);
	assert_string_equal(s.push, "Ana");
	assert_string_equal(s.sender, "77@lid");
	assert_string_equal(s.chat, "1203@g.us");
	assert_string_equal(s.body, "the body of it");
	assert_int_equal(s.last.unix_s, 1700000000);
	assert_int_equal(s.last.flags, m.flags);
	assert_int_equal(s.last.order, m.order);
	assert_int_equal(wk_store_msg_secret(f->st, &m.chat, "3EB0AA", got), 0);
	assert_memory_equal(got, secret, sizeof(got));
	assert_int_equal(wk_store_msg_secret(f->st, &m.sender, "3EB0AA", got), -ENOENT);
}

static void test_message_is_stored_once(void **state)
{
	struct store_fixture *f = *state;
	struct wk_msg a = msg_of("1203@g.us", "77@lid", "ID"),
	              b = msg_of("1203@g.us", "78@lid", "ID"),
	              c = msg_of("1204@g.us", "77@lid", "ID"), d = a;
	struct seen s;

	assert_int_equal(wk_store_msg_has(f->st, &a), 0);
	assert_true(put(f, &a));
	assert_int_equal(wk_store_msg_has(f->st, &a), 1);
	assert_false(put(f, &a));
	/* Nobody takes another's id away. */
	assert_int_equal(wk_store_msg_has(f->st, &b), 0);
	assert_true(put(f, &b));
	assert_true(put(f, &c));
	d.flags = WK_MSG_FROM_ME;
	assert_true(put(f, &d));
	expect_by_id(f, "ID", 4, &s);
	expect_by_id(f, "OTHER", 0, &s);
	d.id = "";
	assert_int_equal(wk_store_msg_put(f->st, &d, &(bool){ false }), WA_ELIMIT);
}

static void test_placeholder_makes_way(void **state)
{
	struct store_fixture *f = *state;
	struct wk_msg m = msg_of("9@lid", "9@lid", "A"), gap = m;
	struct seen s;

	gap.flags = WK_MSG_PLACEHOLDER;
	gap.message_len = 0;
	assert_true(put(f, &gap));
	assert_false(put(f, &gap));
	assert_int_equal(wk_store_msg_has(f->st, &m), 0);
	expect_list(f, "9@lid", 0, INT64_MAX, 10, "");
	assert_int_equal(wk_store_msg_mark(f->st, &m, WK_MSG_REVOKED), 0);
	assert_true(put(f, &m));
	expect_by_id(f, "A", 1, &s);
	assert_string_equal(s.body, "the body of it");
	assert_int_equal(s.last.flags, WK_MSG_REVOKED);
	/* And not the other way round. */
	assert_false(put(f, &gap));
	expect_by_id(f, "A", 1, &s);
	assert_int_equal(s.last.flags, WK_MSG_REVOKED);
}

static void test_list_is_in_order_and_bounded(void **state)
{
	struct store_fixture *f = *state;
	static const char *const ids[] = { "m0", "m1", "m2", "m3", "m4" };
	struct seen s = { .n = 0 };
	const struct wk_store_msg_each each = { on_msg, &s };
	struct wk_msg m;

	for (int i = 4; i >= 0; i--) {
		m = msg_of("9@lid", "9@lid", ids[i]);
		m.unix_s = 100 + i;
		m.flags = i == 3 ? WK_MSG_ADDON : 0;
		assert_true(put(f, &m));
	}
	m = msg_of("10@lid", "10@lid", "other");
	assert_true(put(f, &m));
	expect_list(f, "9@lid", 0, INT64_MAX, 10, "m4 m2 m1 m0");
	expect_list(f, "9@lid", 0, INT64_MAX, 2, "m4 m2");
	expect_list(f, "9@lid", 101, 102, 10, "m2 m1");
	expect_list(f, "8@lid", 0, INT64_MAX, 10, "");
	m.chat = jid_of("9@lid");
	assert_int_equal(wk_store_msg_oldest(f->st, &m.chat, &each), 0);
	assert_string_equal(s.ids, "m0");
	m.chat = jid_of("8@lid");
	assert_int_equal(wk_store_msg_oldest(f->st, &m.chat, &each), -ENOENT);
}

static void test_two_chats_of_one_person_become_one(void **state)
{
	struct store_fixture *f = *state;
	struct wk_msg pn = msg_of("4477@s.whatsapp.net", "4477@s.whatsapp.net", "P"),
	              lid = msg_of("99@lid", "99@lid", "L"),
	              only = msg_of("4478@c.us", "1@lid", "O");
	bool is_new;

	assert_true(put(f, &pn));
	assert_true(put(f, &lid));
	assert_true(put(f, &only));
	assert_int_equal(wk_store_lid_learn(f->st, "4477", "99", &is_new), 0);
	assert_true(is_new);
	assert_int_equal(wk_store_lid_learn(f->st, "4477", "99", &is_new), 0);
	assert_false(is_new);
	assert_int_equal(wk_store_lid_learn(f->st, "4478", "98", NULL), 0);
	/* Found under either, and known to be there under either. */
	expect_list(f, "99@lid", 0, INT64_MAX, 10, "L P");
	expect_list(f, "4477@s.whatsapp.net", 0, INT64_MAX, 10, "L P");
	expect_list(f, "98@lid", 0, INT64_MAX, 10, "O");
	assert_int_equal(wk_store_msg_has(f->st, &pn), 1);
	pn.chat = lid.chat;
	pn.sender = lid.sender;
	assert_int_equal(wk_store_msg_has(f->st, &pn), 1);
	assert_false(put(f, &pn));
	only.chat = jid_of("98@lid");
	assert_false(put(f, &only));
}

static bool file_holds(struct store_fixture *f, const char *what)
{
	static const char *const names[] = { "session.db", "session.db-wal" };
	bool found = false;

	for (size_t i = 0; i < 2; i++) {
		static char data[1 << 20];
		char path[128];
		size_t n;
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		n = fread(data, 1, sizeof(data), file);
		found = found || memmem(data, n, what, strlen(what)) != NULL;
		fclose(file);
	}
	return found;
}

/* The table as it was before keys were found by chat. */
static void make_old(struct store_fixture *f)
{
	static const char sql[] =
	    "CREATE TABLE old (seq INTEGER PRIMARY KEY, key INTEGER NOT NULL UNIQUE,"
	    " chat INTEGER NOT NULL, unix_s INTEGER NOT NULL, flags INTEGER NOT NULL,"
	    " body BLOB NOT NULL) STRICT;"
	    "INSERT INTO old SELECT seq, key, chat, unix_s, flags, body FROM message;"
	    "DROP TABLE message; ALTER TABLE old RENAME TO message;"
	    "CREATE INDEX message_time ON message (chat, unix_s);"
	    "DROP TABLE message_day;"
	    "DROP TABLE sent; DROP TABLE sent_device;"
	    "ALTER TABLE link DROP COLUMN signed_prekey_unix_s;"
	    "ALTER TABLE link DROP COLUMN signed_prekey_waits;"
	    "DROP TABLE history_told;"
	    "DROP TABLE appstate_ask;"
	    "ALTER TABLE retry_ask DROP COLUMN asked_unix_s;"
	    "DROP INDEX peer_sent_waits; ALTER TABLE peer_sent DROP COLUMN waits;"
	    "PRAGMA user_version = 9";

	assert_int_equal(sqlite3_exec(f->st->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void test_messages_of_an_older_store(void **state)
{
	struct store_fixture *f = *state;
	struct wk_msg m[3] = { msg_of("1203@g.us", "77@lid", "A"),
		               msg_of("1203@g.us", "77@lid", "B"),
		               msg_of("88@lid", "88@lid", "A") };
	struct seen s;

	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		assert_true(put(f, &m[i]));
	make_old(f);
	store_reopen(f);
	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		assert_false(put(f, &m[i]));
	expect_by_id(f, "A", 2, &s);
	expect_list(f, "1203@g.us", 0, INT64_MAX, 9, "B A");
	m[1].id = "C";
	assert_true(put(f, &m[1]));
	expect_list(f, "1203@g.us", 0, INT64_MAX, 9, "C B A");
}

static void test_messages_of_one_chat(void **state)
{
	struct store_fixture *f = *state;
	struct wk_msg m[] = { msg_of("1203@g.us", "77@lid", "A"),
		              msg_of("1203@g.us", "78@lid", "A"), msg_of("88@lid", "88@lid", "A"),
		              msg_of("88@lid", "88@lid", "B") };
	struct wa_jid nobody = jid_of("99@lid");
	struct seen s = { .n = 0 };
	const struct wk_store_msg_each each = { on_msg, &s };

	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		assert_true(put(f, &m[i]));
	assert_int_equal(wk_store_msg_in(f->st, &m[0].chat, "A", &each), 0);
	assert_string_equal(s.ids, "A A");
	assert_string_equal(s.chat, "1203@g.us");
	s = (struct seen){ .n = 0 };
	assert_int_equal(wk_store_msg_in(f->st, &m[2].chat, "A", &each), 0);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.chat, "88@lid");
	assert_int_equal(wk_store_msg_in(f->st, &nobody, "A", &each), 0);
	assert_int_equal(s.n, 1);
}

/* ---- age ---------------------------------------------------------------------------------------
 */

#define DAY_S 86400
#define FIRST_DAY 20000

static void put_at(struct store_fixture *f, const char *id, int day)
{
	struct wk_msg m = msg_of("88@lid", "88@lid", id);

	m.unix_s = (int64_t)day * DAY_S + 10;
	assert_true(put(f, &m));
}

/* In steps of two, until no more is left. Returns how many steps. */
static unsigned age_at(struct store_fixture *f, int day, uint32_t days)
{
	bool more = true;
	unsigned n = 0;

	while (more && n < 100) {
		assert_int_equal(wk_store_age(f->st, (int64_t)day * DAY_S + 20, days, 2, &more), 0);
		n++;
	}
	return n;
}

static void expect_left(struct store_fixture *f, const char *ids)
{
	expect_list(f, "88@lid", 0, INT64_MAX, 99, ids);
}

static void test_old_messages_go(void **state)
{
	struct store_fixture *f = *state;
	struct wk_msg b = msg_of("88@lid", "88@lid", "B");

	for (int day = 0; day < 6; day++) {
		const char id[] = { (char)('A' + day), '\0' };

		put_at(f, id, FIRST_DAY + day);
		assert_int_equal(age_at(f, FIRST_DAY + day, 30), 1);
	}
	assert_int_equal(age_at(f, FIRST_DAY + 29, 30), 1);
	expect_left(f, "F E D C B A");
	put_at(f, "Z", FIRST_DAY + 34); /* what is newest says what is old */
	assert_int_equal(age_at(f, FIRST_DAY + 32, 30), 2);
	expect_left(f, "Z F E D");
	put_at(f, "B", FIRST_DAY + 1); /* it is not known any more */
	expect_left(f, "Z F E D B");
	assert_int_equal(wk_store_msg_has(f->st, &b), 1);
}

static void test_what_was_stored_lately_stays(void **state)
{
	struct store_fixture *f = *state;

	put_at(f, "NEW", FIRST_DAY);
	(void)age_at(f, FIRST_DAY, 30);
	put_at(f, "OLD", FIRST_DAY - 400); /* the phone was asked for it */
	put_at(f, "NEWER", FIRST_DAY + 31);
	(void)age_at(f, FIRST_DAY + 31, 30);
	expect_left(f, "NEWER OLD");
	(void)age_at(f, FIRST_DAY + 61, 30);
	expect_left(f, "NEWER");
}

static void test_a_clock_ahead_makes_nothing_old(void **state)
{
	struct store_fixture *f = *state;

	put_at(f, "A", FIRST_DAY);
	(void)age_at(f, FIRST_DAY, 30);
	put_at(f, "B", FIRST_DAY + 1);
	(void)age_at(f, FIRST_DAY + 4000, 30);
	expect_left(f, "B A");
}

static void test_messages_kept_for_ever(void **state)
{
	struct store_fixture *f = *state;
	bool more = false;

	put_at(f, "A", FIRST_DAY);
	put_at(f, "B", FIRST_DAY + 1000);
	assert_int_equal(wk_store_age(f->st, (int64_t)(FIRST_DAY + 1) * DAY_S, 0, 9, &more), 0);
	assert_int_equal(wk_store_age(f->st, (int64_t)(FIRST_DAY + 2000) * DAY_S, 0, 9, &more), 0);
	expect_left(f, "B A");
}

static void test_nothing_to_age(void **state)
{
	struct store_fixture *f = *state;

	assert_int_equal(age_at(f, FIRST_DAY, 30), 1);
	assert_int_equal(age_at(f, FIRST_DAY + 40, 30), 1);
	expect_left(f, "");
}

/* More than one step takes, by the clock of the worker itself. */
static void test_old_messages_go_by_themselves(void **state)
{
	struct store_fixture *f = *state;
	const struct log_ctx log = { 0 };
	struct wk_age_params p = { .log = &log, .store = f->st, .speed = 1000000 };
	int today = (int)(clock_unix_s() / DAY_S);
	struct wk_age *a = NULL;
	uint64_t left = 0;
	char id[16];

	p.base = event_base_new();
	assert_int_equal(wk_age_new(&p, &a), 0);
	assert_null(a); /* for ever */
	for (int i = 0; i < 250; i++) {
		snprintf(id, sizeof(id), "OLD%d", i);
		put_at(f, id, today - 400);
	}
	put_at(f, "NEW", today - 1);
	assert_int_equal(
	    sqlite3_exec(f->st->db, "INSERT INTO message_day VALUES (1, 1000)", NULL, NULL, NULL),
	    SQLITE_OK);
	p.days = 30;
	assert_int_equal(wk_age_new(&p, &a), 0);
	for (int i = 0; i < 100 && left != 1; i++) {
		assert_int_equal(event_base_loop(p.base, EVLOOP_ONCE), 0);
		assert_int_equal(wk_store_msg_count(f->st, &left), 0);
	}
	expect_left(f, "NEW");
	wk_age_free(a);
	event_base_free(p.base);
}

static void test_body_is_sealed(void **state)
{
	struct store_fixture *f = *state;
	struct wk_msg m = msg_of("9@lid", "9@lid", "SOMEID");

	assert_true(put(f, &m));
	assert_true(file_holds(f, "9@lid")); /* the look works */
	assert_false(file_holds(f, "the body"));
	assert_false(file_holds(f, "SOMEID"));
}

/* ---- LIDs --------------------------------------------------------------------------------------
 */

static void test_pairs_both_ways(void **state)
{
	struct store_fixture *f = *state;
	char user[WK_USER_CAP];
	struct wa_jid jid = jid_of("4477:5@hosted"), out;

	assert_int_equal(wk_store_lid_of(f->st, "4477", user), -ENOENT);
	assert_int_equal(wk_store_lid_learn(f->st, "4477", "99", NULL), 0);
	assert_int_equal(wk_store_lid_of(f->st, "4477", user), 0);
	assert_string_equal(user, "99");
	assert_int_equal(wk_store_pn_of(f->st, "99", user), 0);
	assert_string_equal(user, "4477");
	assert_int_equal(wk_store_jid(f->st, &jid, &out), 0);
	assert_string_equal(out.user, "99");
	assert_string_equal(out.server, "lid");
	assert_int_equal(out.device, 0);
	/* The newest counts, on both sides. */
	assert_int_equal(wk_store_lid_learn(f->st, "4477", "100", NULL), 0);
	assert_int_equal(wk_store_pn_of(f->st, "99", user), -ENOENT);
	assert_int_equal(wk_store_lid_learn(f->st, "55", "100", NULL), 0);
	assert_int_equal(wk_store_lid_of(f->st, "4477", user), -ENOENT);
	store_reopen(f);
	assert_int_equal(wk_store_lid_of(f->st, "55", user), 0);
	assert_string_equal(user, "100");
	/* No numbers, no pair. */
	assert_int_equal(wk_store_lid_learn(f->st, "a", "5", NULL), 0);
	assert_int_equal(wk_store_lid_learn(f->st, "012", "5", NULL), 0);
	assert_int_equal(wk_store_pn_of(f->st, "5", user), -ENOENT);
}

/* ---- Signal ------------------------------------------------------------------------------------
 */

static void save(struct wk_store_signal *ss, const char *name, unsigned device, const char *text)
{
	struct wa_signal_addr addr = { .device = device };

	snprintf(addr.name, sizeof(addr.name), "%s", name);
	assert_int_equal(
	    wk_store_signal_ops.session_save(ss, &addr, (const uint8_t *)text, strlen(text)), 0);
	assert_int_equal(wk_store_signal_ops.sender_key_save(ss, "1@g.us", &addr,
	                                                     (const uint8_t *)text, strlen(text)),
	                 0);
}

/* "-": there is none. */
static void expect_saved(struct wk_store_signal *ss, const char *name, unsigned device,
                         const char *text)
{
	struct wa_signal_addr addr = { .device = device };
	struct buf b = { 0 };
	int rc;

	snprintf(addr.name, sizeof(addr.name), "%s", name);
	for (int i = 0; i < 2; i++) {
		rc = i == 0 ? wk_store_signal_ops.session_load(ss, &addr, &b)
		            : wk_store_signal_ops.sender_key_load(ss, "1@g.us", &addr, &b);
		assert_int_equal(rc, text[0] == '-' ? -ENOENT : 0);
		assert_int_equal(b.len, text[0] == '-' ? 0 : strlen(text));
		if (b.len > 0)
			assert_memory_equal(b.p, text, b.len);
		buf_reset(&b);
	}
	buf_free(&b);
}

static void test_records_follow_their_lid(void **state)
{
	struct store_fixture *f = *state;
	struct wk_store_signal ss = { f->st, &f->creds };

	save(&ss, "4477", 0, "pn0");
	save(&ss, "4477", 3, "pn3");
	save(&ss, "99_1", 3, "lid3");
	assert_int_equal(wk_store_lid_learn(f->st, "4477", "99", NULL), 0);
	expect_saved(&ss, "4477", 0, "-");
	expect_saved(&ss, "4477", 3, "-");
	expect_saved(&ss, "99_1", 0, "pn0");
	expect_saved(&ss, "99_1", 3, "lid3"); /* the LID's own wins */
	assert_false(file_holds(f, "lid3"));
	assert_int_equal(wk_store_signal_forget(f->st, "4477", "99"), 0);
	for (unsigned d = 0; d < 4; d++) {
		struct wa_signal_addr addr = { "99_1", d };
		struct buf b = { 0 };

		assert_int_equal(wk_store_signal_ops.session_load(&ss, &addr, &b), -ENOENT);
	}
}

static void expect_token(struct store_fixture *f, const char *user, const char *want)
{
	struct wa_jid jid = jid_of(user);
	struct buf token = { 0 };
	int64_t unix_s;

	assert_int_equal(wk_store_tc_token_get(f->st, &jid, &token, &unix_s), 0);
	assert_int_equal(token.len, strlen(want));
	assert_memory_equal(token.p, want, token.len);
	buf_free(&token);
}

/* Tokens, marks and the phone's name of a chat were told by phone number: found by LID then. */
static void test_what_is_known_follows_its_lid(void **state)
{
	struct wa_jid pn = jid_of("4477@s.whatsapp.net"), lid = jid_of("99@lid");
	struct wa_jid other = jid_of("4478@s.whatsapp.net"), other_lid = jid_of("98@lid");
	struct store_fixture *f = *state;
	int64_t marks[WK_CHAT_MARK_N];
	char phone_jid[WA_JID_TEXT_CAP];
	bool none;

	assert_int_equal(wk_store_tc_token_put(f->st, &pn, (const uint8_t *)"one", 3, 7), 0);
	assert_int_equal(wk_store_tc_token_put(f->st, &other, (const uint8_t *)"new", 3, 9), 0);
	assert_int_equal(wk_store_tc_token_put(f->st, &other_lid, (const uint8_t *)"old", 3, 8), 0);
	assert_int_equal(wk_store_chat_mark(f->st, &pn, WK_CHAT_PINNED, 1), 0);
	assert_int_equal(wk_store_history_chat_put(f->st, &pn, WK_OLDER_NONE), 0);
	assert_int_equal(wk_store_lid_learn(f->st, "4477", "99", NULL), 0);
	assert_int_equal(wk_store_lid_learn(f->st, "4478", "98", NULL), 0);
	expect_token(f, "99@lid", "one");
	expect_token(f, "4477@s.whatsapp.net", "one");
	expect_token(f, "98@lid", "new");
	assert_int_equal(wk_store_chat_marks(f->st, &lid, marks), 0);
	assert_int_equal(marks[WK_CHAT_PINNED], 1);
	assert_int_equal(wk_store_history_chat_get(f->st, &lid, phone_jid, &none), 0);
	assert_string_equal(phone_jid, "4477@s.whatsapp.net");
	assert_true(none);
}

static void test_more_records_than_are_kept(void **state)
{
	struct store_fixture *f = *state;
	struct wk_store_signal ss = { f->st, &f->creds };
	char name[32];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%u_1", 1000 + i);
		save(&ss, name, i, name);
	}
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%u_1", 1000 + i);
		expect_saved(&ss, name, i, name);
	}
}

static void test_own_keys(void **state)
{
	struct store_fixture *f = *state;
	struct wk_store_signal ss = { f->st, &f->creds };
	struct wa_signal_addr phone = { SF_LID "_1", 0 }, other = { SF_LID "_1", 2 };
	uint8_t key[WA_KEY_LEN], sig[WA_SIG_LEN];
	struct wk_prekey made[2];
	struct wa_keypair kp;

	assert_int_equal(wk_store_signal_ops.identity_load(&ss, &phone, key), 0);
	assert_memory_equal(key, f->creds.account_key, WA_KEY_LEN);
	assert_int_equal(wk_store_signal_ops.identity_load(&ss, &other, key), -ENOENT);
	memset(key, 3, sizeof(key));
	assert_int_equal(wk_store_signal_ops.identity_save(&ss, &phone, key), 0);
	memset(key, 0, sizeof(key));
	assert_int_equal(wk_store_signal_ops.identity_load(&ss, &phone, key), 0);
	assert_int_equal(key[5], 3);
	assert_int_equal(wk_store_prekeys(f->st, 2, made), 0);
	assert_int_equal(wk_store_signal_ops.prekey_load(&ss, made[1].id, &kp), 0);
	assert_memory_equal(kp.pub, made[1].pub, WA_KEY_LEN);
	assert_int_equal(wk_store_signal_ops.prekey_remove(&ss, made[1].id), 0);
	assert_int_equal(wk_store_signal_ops.prekey_load(&ss, made[1].id, &kp), -ENOENT);
	assert_int_equal(
	    wk_store_signal_ops.signed_prekey_load(&ss, f->creds.device.signed_prekey_id, &kp, sig),
	    0);
	assert_memory_equal(kp.pub, f->creds.device.signed_prekey.pub, WA_KEY_LEN);
	assert_int_equal(wk_store_signal_ops.signed_prekey_load(&ss, 77777, &kp, sig), -ENOENT);
}

/* ---- batches -----------------------------------------------------------------------------------
 */

struct batch_fixture {
	struct event_base *base;
	struct wk_batch *b;
	char trace[128];
	int send_rc;
	bool free_on_failed;
};

static void note(struct batch_fixture *bf, const char *word)
{
	size_t n = strlen(bf->trace);

	snprintf(bf->trace + n, sizeof(bf->trace) - n, "%s%s", n == 0 ? "" : " ", word);
}

static int on_send(const struct wa_node *n, void *arg)
{
	struct batch_fixture *bf = arg;

	note(bf, n->tag);
	return bf->send_rc;
}

static void on_committed(void *arg)
{
	note(arg, "COMMITTED");
}

static void on_failed(int rc, void *arg)
{
	struct batch_fixture *bf = arg;

	note(bf, wa_err_name(rc));
	if (bf->free_on_failed)
		wk_batch_free(bf->b);
}

static const struct wk_batch_ops batch_ops = {
	.send = on_send,
	.on_committed = on_committed,
	.on_failed = on_failed,
};

static void batch_begin(struct store_fixture *f, struct batch_fixture *bf)
{
	memset(bf, 0, sizeof(*bf));
	bf->base = event_base_new();
	assert_int_equal(wk_batch_new(bf->base, f->st, &batch_ops, bf, &bf->b), 0);
	wk_batch_set_quiet(bf->b, 0);
}

static void batch_end(struct batch_fixture *bf)
{
	wk_batch_free(bf->b);
	event_base_free(bf->base);
}

static void give(struct store_fixture *f, struct batch_fixture *bf, const char *id, int rc)
{
	struct wk_msg m = msg_of("9@lid", "9@lid", id);

	assert_int_equal(wk_batch_enter(bf->b), 0);
	assert_true(put(f, &m));
	wk_batch_after(bf->b, wa_node_new(id));
	wk_batch_leave(bf->b, rc);
}

static void turn(struct batch_fixture *bf, unsigned n)
{
	while (n-- > 0)
		event_base_loop(bf->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void test_batch_sends_after_its_commit(void **state)
{
	struct store_fixture *f = *state;
	uint64_t before = wk_store_generation(f->st);
	struct batch_fixture bf;

	batch_begin(f, &bf);
	give(f, &bf, "a", 0);
	give(f, &bf, "b", 0);
	assert_string_equal(bf.trace, "");
	turn(&bf, 3);
	assert_string_equal(bf.trace, "a b COMMITTED");
	assert_int_equal(wk_store_generation(f->st), before + 1);
	batch_end(&bf);
	store_reopen(f);
	expect_list(f, "9@lid", 0, INT64_MAX, 10, "b a");
}

static void test_full_batch_does_not_wait(void **state)
{
	struct store_fixture *f = *state;
	struct batch_fixture bf;
	char id[16];

	batch_begin(f, &bf);
	for (unsigned i = 0; i < WK_BATCH_MAX; i++) {
		assert_string_equal(bf.trace, "");
		snprintf(id, sizeof(id), "i%u", i);
		give(f, &bf, id, 0);
	}
	assert_memory_equal(bf.trace, "i0 i1 i2", 8);
	batch_end(&bf);
}

static void test_bad_batch_is_undone_whole(void **state)
{
	struct store_fixture *f = *state;
	struct batch_fixture bf;

	batch_begin(f, &bf);
	give(f, &bf, "a", 0);
	give(f, &bf, "b", -ENOMEM);
	assert_string_equal(bf.trace, "ENOMEM");
	assert_int_equal(wk_batch_enter(bf.b), -ENOMEM);
	turn(&bf, 3);
	assert_string_equal(bf.trace, "ENOMEM");
	expect_list(f, "9@lid", 0, INT64_MAX, 10, "");
	batch_end(&bf);
	/* A stanza that there was no memory for counts like that; so does a dead connection. */
	batch_begin(f, &bf);
	bf.free_on_failed = true;
	assert_int_equal(wk_batch_enter(bf.b), 0);
	wk_batch_after(bf.b, NULL);
	wk_batch_leave(bf.b, 0);
	assert_string_equal(bf.trace, "ENOMEM");
	event_base_free(bf.base);
	batch_begin(f, &bf);
	bf.send_rc = WA_ESTATE;
	give(f, &bf, "a", 0);
	give(f, &bf, "b", 0);
	turn(&bf, 3);
	assert_string_equal(bf.trace, "a wrong_state");
	expect_list(f, "9@lid", 0, INT64_MAX, 10, "b a"); /* committed they are */
	batch_end(&bf);
}

static void test_other_calls_join_or_flush(void **state)
{
	struct store_fixture *f = *state;
	struct batch_fixture bf;
	struct wk_prekey key;

	batch_begin(f, &bf);
	give(f, &bf, "a", 0);
	assert_int_equal(wk_store_prekeys(f->st, 1, &key), 0); /* must be durable: flushes */
	assert_string_equal(bf.trace, "a COMMITTED");
	assert_int_equal(wk_batch_enter(bf.b), 0);
	assert_int_equal(wk_store_lid_learn(f->st, "4477", "99", NULL), 0);
	wk_batch_leave(bf.b, WA_ESTORAGE);
	assert_string_equal(bf.trace, "a COMMITTED storage");
	assert_int_equal(wk_store_lid_of(f->st, "4477", (char[WK_USER_CAP]){ "" }), -ENOENT);
	batch_end(&bf);
}

static void test_records_are_written_with_their_batch(void **state)
{
	struct store_fixture *f = *state;
	struct wk_store_signal ss = { f->st, &f->creds };
	struct batch_fixture bf;

	batch_begin(f, &bf);
	assert_int_equal(wk_batch_enter(bf.b), 0);
	save(&ss, "9_1", 0, "one");
	save(&ss, "9_1", 0, "two");
	wk_batch_leave(bf.b, 0);
	expect_saved(&ss, "9_1", 0, "two");
	turn(&bf, 3);
	batch_end(&bf);
	store_reopen(f);
	ss.st = f->st;
	expect_saved(&ss, "9_1", 0, "two");
}

static void test_undone_records_are_forgotten(void **state)
{
	struct store_fixture *f = *state;
	struct wk_store_signal ss = { f->st, &f->creds };
	struct batch_fixture bf;

	save(&ss, "9_1", 0, "one");
	batch_begin(f, &bf);
	assert_int_equal(wk_batch_enter(bf.b), 0);
	save(&ss, "9_1", 0, "two");
	expect_saved(&ss, "9_1", 0, "two");
	wk_batch_leave(bf.b, -EIO);
	expect_saved(&ss, "9_1", 0, "one");
	batch_end(&bf);
}

/* ---- */

static void test_hash_is_siphash(void **state)
{
	struct store_fixture *f = *state;
	uint8_t in[15];

	/* The first vectors of its authors. */
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	f->st->hash_key[0] = 0x0706050403020100;
	f->st->hash_key[1] = 0x0f0e0d0c0b0a0908;
	assert_true(wk_store_hash(f->st, in, 0) == 0x726fdb47dd0e0e31);
	assert_true(wk_store_hash(f->st, in, 15) == 0xa129ca6149be45e5);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_message_comes_back_whole),
		T(test_message_is_stored_once),
		T(test_placeholder_makes_way),
		T(test_list_is_in_order_and_bounded),
		T(test_two_chats_of_one_person_become_one),
		T(test_messages_of_an_older_store),
		T(test_messages_of_one_chat),
		T(test_old_messages_go),
		T(test_what_was_stored_lately_stays),
		T(test_a_clock_ahead_makes_nothing_old),
		T(test_messages_kept_for_ever),
		T(test_nothing_to_age),
		T(test_old_messages_go_by_themselves),
		T(test_body_is_sealed),
		T(test_pairs_both_ways),
		T(test_records_follow_their_lid),
		T(test_what_is_known_follows_its_lid),
		T(test_more_records_than_are_kept),
		T(test_own_keys),
		T(test_batch_sends_after_its_commit),
		T(test_full_batch_does_not_wait),
		T(test_bad_batch_is_undone_whole),
		T(test_other_calls_join_or_flush),
		T(test_records_are_written_with_their_batch),
		T(test_undone_records_are_forgotten),
		T(test_hash_is_siphash),
	};

	return cmocka_run_group_tests_name("wk_store_msg", tests, NULL, NULL);
}
