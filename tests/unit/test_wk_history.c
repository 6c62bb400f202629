/* tests/unit/test_wk_history.c - history from a notice to the store, its event and its receipt */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "emit_fixture.h"
#include "history_blob.h"
#include "http_server.h"
#include "proto/ipc.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/history/wk_history.h"
#include "worker/history/wk_media.h"
#include "worker/process/wk_hand.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/store/wk_store_name.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/history/wa_media.h"

#define CHATS 4
#define MESSAGES 25
#define PATH "/v/t62.7118-24/1_n.enc?ccb=11-4"

struct fixture {
	struct emit_fixture *e;
	struct http_server *server;
	struct wk_url chat;
	struct wk_media *media;
	struct wk_history *h;
	struct buf z; /* a blob */
	uint8_t key[32], sha256[32], enc_sha256[32];
	struct buf stored;
	uint32_t progress;
	uint64_t messages;
	unsigned told;
	uint64_t in_hand; /* when it was told last */
	uint64_t fetched_in_hand;
	bool by_lid; /* how the phone sends its notices */
	bool tells;  /* messages become events */
	int failed_rc;
	char answer[64];
};

/* Asked for while a file is. */
static const struct wk_proxy *no_proxy(void *arg)
{
	struct fixture *f = arg;

	f->fetched_in_hand = wk_hand_take(0);
	(void)wk_hand_take(f->fetched_in_hand);
	return NULL;
}

static bool ask_hosts(void *arg)
{
	(void)arg;
	return false;
}

static void on_state(uint32_t progress, uint64_t messages, void *arg)
{
	struct fixture *f = arg;

	f->progress = progress;
	f->messages = messages;
	f->told++;
	f->in_hand = wk_hand_take(0);
	(void)wk_hand_take(f->in_hand);
}

static void on_answer(const char *request_id, void *arg)
{
	struct fixture *f = arg;

	(void)snprintf(f->answer, sizeof(f->answer), "%s", request_id);
}

static void on_failed(int rc, void *arg)
{
	struct fixture *f = arg;

	f->failed_rc = rc;
}

static void make_history(struct fixture *f)
{
	static const struct wk_history_ops ops = { on_state, on_answer, on_failed };
	const struct wk_history_params p = { .base = f->e->base,
		                             .dir = f->e->store.dir,
		                             .log = &f->e->log,
		                             .store = f->e->store.st,
		                             .batch = f->e->batch,
		                             .media = f->media,
		                             .creds = &f->e->store.creds,
		                             .settings = &f->e->settings,
		                             .emit = f->tells ? f->e->emit : NULL,
		                             .speed = 1000,
		                             .ops = &ops,
		                             .arg = f };

	assert_int_equal(wk_history_new(&p, &f->h), 0);
	wk_history_start(f->h);
}

static void make_blob(struct fixture *f, unsigned chats, unsigned messages)
{
	struct buf plain = { 0 };

	buf_free(&f->z);
	buf_free(&f->stored);
	history_blob(chats, messages, &plain);
	history_deflate(&plain, &f->z);
	buf_free(&plain);
	memset(f->key, 9, sizeof(f->key));
	assert_int_equal(wa_media_encrypt(f->key, WA_MEDIA_HISTORY, f->z.p, f->z.len, &f->stored,
	                                  f->sha256, f->enc_sha256),
	                 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct wk_media_params p = { .speed = 100 };
	void *e = NULL;
	char url[64];

	assert_int_equal(ef_setup(&e), 0);
	f->e = e;
	f->e->settings.disable_history_sync = false;
	f->server = http_server_new(f->e->base);
	(void)snprintf(url, sizeof(url), "ws://127.0.0.1:%u/ws/chat", http_server_port(f->server));
	assert_int_equal(wk_url_parse(url, &f->chat), 0);
	p.base = f->e->base;
	p.chat = &f->chat;
	p.proxy = no_proxy;
	p.arg = f;
	p.ask_hosts = ask_hosts;
	assert_int_equal(wk_media_new(&p, &f->media), 0);
	make_blob(f, CHATS, MESSAGES);
	make_history(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *e = f->e;

	wk_history_free(f->h);
	wk_media_free(f->media);
	http_server_free(f->server);
	buf_free(&f->z);
	buf_free(&f->stored);
	free(f);
	return ef_teardown(&e);
}

/* ---- notices -----------------------------------------------------------------------------------
 */

static void notice(struct fixture *f, const char *id, int type, unsigned chunk, unsigned progress,
                   bool is_inline)
{
	Wa__HistorySyncNotification n = WA__HISTORY_SYNC_NOTIFICATION__INIT;
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;

	n.has_sync_type = n.has_chunk_order = n.has_progress = true;
	n.sync_type = type;
	n.chunk_order = chunk;
	n.progress = progress;
	if (type == WA_HISTORY_ON_DEMAND)
		n.peer_data_request_session_id = (char *)(uintptr_t) "REQUEST";
	if (is_inline) {
		n.has_initial_hist_bootstrap_inline_payload = true;
		n.initial_hist_bootstrap_inline_payload.data = f->z.p;
		n.initial_hist_bootstrap_inline_payload.len = f->z.len;
	} else {
		n.has_media_key = n.has_file_sha256 = n.has_file_enc_sha256 = n.has_file_length =
		    true;
		n.media_key.data = f->key;
		n.file_sha256.data = f->sha256;
		n.file_enc_sha256.data = f->enc_sha256;
		n.media_key.len = n.file_sha256.len = n.file_enc_sha256.len = 32;
		n.file_length = f->z.len;
		n.direct_path = (char *)(uintptr_t)PATH;
	}
	p.has_type = true;
	p.type = WA_PROTO_HISTORY_SYNC_NOTIFICATION;
	p.history_sync_notification = &n;
	ef_enter(f->e);
	assert_int_equal(wk_history_notice(f->h, id, f->by_lid, &p), 0);
	ef_leave(f->e);
}

static bool is_waiting(struct fixture *f)
{
	struct buf body = { 0 };
	int64_t id;
	int rc = wk_store_history_next(f->e->store.st, 0, &id, &body);

	buf_wipe(&body);
	assert_true(rc == 0 || rc == -ENOENT);
	return rc == 0;
}

/* Until every notice is settled and what it meant is on disk. */
static void work(struct fixture *f)
{
	while (is_waiting(f) && f->failed_rc == 0)
		(void)event_base_loop(f->e->base, EVLOOP_ONCE);
	assert_int_equal(wk_batch_flush(f->e->batch), 0);
}

static uint64_t count(struct fixture *f)
{
	uint64_t n = 0;

	assert_int_equal(wk_store_msg_count(f->e->store.st, &n), 0);
	return n;
}

#define STORED_LID(id) "receipt type=hist_sync id=" id " to=" SF_LID "@lid\n"
#define STORED(id) "receipt type=hist_sync id=" id " to=" SF_PN "@s.whatsapp.net\n"

static void sent_is(struct fixture *f, const char *wanted)
{
	assert_string_equal(f->e->sent, wanted);
	f->e->sent[0] = '\0';
}

/* ---- tests -------------------------------------------------------------------------------------
 */

static int on_msg(void *arg, const struct wk_msg *m)
{
	struct wk_msg *out = arg;

	assert_true(m->flags & WK_MSG_HISTORY);
	out->unix_s = m->unix_s;
	out->flags = m->flags;
	return 0;
}

static void test_a_blob_is_fetched_stored_told_and_acknowledged(void **state)
{
	struct fixture *f = *state;
	const struct wa_jid chat = ef_jid("100000000000000@lid");
	struct wk_msg oldest;
	const struct wk_store_msg_each each = { on_msg, &oldest };

	http_server_say_body(f->server, f->stored.p, f->stored.len);
	notice(f, "N1", WA_HISTORY_RECENT, 1, 40, false);
	work(f);
	assert_true(count(f) > CHATS * MESSAGES / 2);
	ef_expect(f->e, IPC__EVENT__KIND__HISTORY_SYNC,
	          "{\"phase\":\"recent\",\"progress\":40,\"chunk\":1,\"conversations\":4,"
	          "\"messages\":100}");
	ef_no_event(f->e);
	sent_is(f, STORED("N1"));
	assert_int_equal(f->progress, 40);
	assert_int_equal(f->messages, count(f));
	assert_int_equal(wk_store_msg_oldest(f->e->store.st, &chat, &each), 0);
	assert_int_equal(oldest.unix_s, HISTORY_BLOB_FIRST_S);
}

static void test_the_same_blob_again_stores_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t n;

	notice(f, "N1", WA_HISTORY_INITIAL_BOOTSTRAP, 1, 10, true);
	work(f);
	n = count(f);
	assert_int_equal(f->messages, n);
	notice(f, "N2", WA_HISTORY_INITIAL_BOOTSTRAP, 1, 10, true);
	work(f);
	assert_int_equal(count(f), n);
	assert_int_equal(f->messages, n);
	sent_is(f, STORED("N1") STORED("N2"));
	assert_int_equal(http_server_requests(f->server), 0);
}

/* Of each chat the newest ten minutes are young enough. */
static void test_what_is_too_old_is_passed_over(void **state)
{
	struct fixture *f = *state;
	int64_t newest = HISTORY_BLOB_FIRST_S + (MESSAGES - 1) * 60;
	int64_t now = clock_unix_s();

	f->e->store.creds.history_days = (uint32_t)((now - newest) / 86400);
	notice(f, "N1", WA_HISTORY_RECENT, 1, 100, true);
	work(f);
	assert_int_equal(count(f), 0); /* the day that the newest are of has begun to be too old */
	f->e->store.creds.history_days += 2; /* at any time of the day */
	notice(f, "N2", WA_HISTORY_RECENT, 1, 100, true);
	work(f);
	assert_int_equal(count(f), CHATS * MESSAGES);
}

/* A worker that ended between the commit and the receipt; then WhatsApp acknowledges one. */
static void test_the_phone_is_told_again_until_that_is_acknowledged(void **state)
{
	struct fixture *f = *state;
	char id[WK_MSG_ID_MAX + 1];
	struct wk_history_told told;
	int64_t seq;

	notice(f, "N1", WA_HISTORY_RECENT, 1, 10, true);
	notice(f, "N2", WA_HISTORY_RECENT, 2, 20, true);
	work(f);
	sent_is(f, STORED("N1") STORED("N2"));
	wk_history_start(f->h);
	assert_int_equal(wk_batch_flush(f->e->batch), 0);
	sent_is(f, STORED("N1") STORED("N2"));
	assert_int_equal(wk_store_history_told_drop(f->e->store.st, "N1"), 0);
	wk_history_start(f->h);
	assert_int_equal(wk_batch_flush(f->e->batch), 0);
	sent_is(f, STORED("N2"));
	assert_int_equal(wk_store_history_told_drop(f->e->store.st, "N2"), 0);
	wk_history_start(f->h);
	assert_int_equal(wk_batch_flush(f->e->batch), 0);
	sent_is(f, "");
	for (unsigned i = 0; i < WK_HISTORY_TOLD_MAX + 5; i++) {
		snprintf(id, sizeof(id), "M%u", i);
		assert_int_equal(wk_store_history_told_put(f->e->store.st, id, false), 0);
	}
	assert_int_equal(wk_store_history_told_next(f->e->store.st, 0, &seq, &told), 0);
	assert_string_equal(told.message_id, "M5");
}

/* Under its LID, if that is how the phone sent it: after a restart, too. */
static void test_the_phone_is_answered_as_it_sent(void **state)
{
	struct fixture *f = *state;

	f->by_lid = true;
	notice(f, "N1", WA_HISTORY_RECENT, 1, 10, true);
	wk_history_free(f->h);
	make_history(f); /* it waits in the store */
	work(f);
	sent_is(f, STORED_LID("N1"));
	f->by_lid = false;
	notice(f, "N2", WA_HISTORY_RECENT, 2, 20, true);
	work(f);
	sent_is(f, STORED("N2"));
	wk_history_free(f->h);
	make_history(f);
	assert_int_equal(wk_batch_flush(f->e->batch), 0);
	sent_is(f, STORED_LID("N1") STORED("N2"));
}

static void test_names_and_identities_are_learnt(void **state)
{
	struct fixture *f = *state;
	const struct wa_jid lid = ef_jid("100000000000001@lid");
	char pn[WK_USER_CAP];
	const char *name;

	notice(f, "N1", WA_HISTORY_RECENT, 1, 10, true);
	work(f);
	assert_int_equal(wk_store_pn_of(f->e->store.st, lid.user, pn), 0);
	assert_int_equal(wk_store_name(f->e->store.st, &lid, NULL, &name), 0);
}

static void test_done_is_said_once(void **state)
{
	struct fixture *f = *state;

	notice(f, "N1", WA_HISTORY_RECENT, 2, 100, true);
	work(f);
	json_decref(ef_event(f->e, IPC__EVENT__KIND__HISTORY_SYNC, 0));
	ef_expect(f->e, IPC__EVENT__KIND__HISTORY_SYNC,
	          "{\"phase\":\"done\",\"progress\":100,\"chunk\":0,\"conversations\":4,"
	          "\"messages\":100}");
	assert_int_equal(f->progress, 100);
	notice(f, "N2", WA_HISTORY_RECENT, 2, 100, true);
	work(f);
	json_decref(ef_event(f->e, IPC__EVENT__KIND__HISTORY_SYNC, 0));
	ef_no_event(f->e);
}

/* More than 90 days: the phone was asked for a full sync as well. */
static void test_a_full_sync_is_waited_for(void **state)
{
	struct fixture *f = *state;

	f->e->store.creds.history_days = 3650;
	notice(f, "N1", WA_HISTORY_RECENT, 1, 100, true);
	work(f);
	assert_int_equal(f->progress, 50);
	notice(f, "N2", WA_HISTORY_FULL, 1, 100, true);
	work(f);
	assert_int_equal(f->progress, 100);
}

static void test_a_phone_that_falls_silent_has_no_more(void **state)
{
	struct fixture *f = *state;

	notice(f, "N1", WA_HISTORY_INITIAL_BOOTSTRAP, 1, 10, true);
	work(f);
	json_decref(ef_event(f->e, IPC__EVENT__KIND__HISTORY_SYNC, 0));
	assert_int_equal(f->progress, 0);
	while (f->progress != 100) /* 120 s / 1000 */
		(void)event_base_loop(f->e->base, EVLOOP_ONCE);
	assert_int_equal(wk_batch_flush(f->e->batch), 0);
	json_decref(ef_event(f->e, IPC__EVENT__KIND__HISTORY_SYNC, 0));
}

static void test_nothing_is_fetched_where_none_is_wanted(void **state)
{
	struct fixture *f = *state;

	f->e->settings.disable_history_sync = true;
	notice(f, "N1", WA_HISTORY_RECENT, 1, 40, false);
	notice(f, "N2", WA_HISTORY_INITIAL_BOOTSTRAP, 1, 40, true);
	work(f);
	assert_int_equal(count(f), 0);
	assert_int_equal(http_server_requests(f->server), 0);
	sent_is(f, STORED("N1") STORED("N2"));
	ef_no_event(f->e);
	f->e->store.creds.history_days = 5000; /* asked for: the setting does not matter */
	notice(f, "N3", WA_HISTORY_INITIAL_BOOTSTRAP, 1, 40, true);
	work(f);
	assert_int_equal(count(f), CHATS * MESSAGES);
}

static void test_types_of_no_use_are_acknowledged_alone(void **state)
{
	static const int types[] = { WA_HISTORY_INITIAL_STATUS_V3, WA_HISTORY_MESSAGE_ACCESS_STATUS,
		                     99 };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		notice(f, "N", types[i], 1, 0, false);
		work(f);
		sent_is(f, STORED("N"));
	}
	assert_int_equal(http_server_requests(f->server), 0);
	notice(f, "N", WA_HISTORY_NO_HISTORY, 0, 0, false);
	work(f);
	assert_int_equal(f->progress, 100);
}

#define BROKEN(id) \
	"receipt type=server-error id=" id " to=" SF_PN "@s.whatsapp.net category=peer" \
	" / encrypt / enc_p / enc_iv\n"

/* A blob that workers die of is theirs no more; what comes after it is. */
static void test_what_workers_died_of_is_set_aside(void **state)
{
	const uint64_t key = wk_hand_key_of("history", "N1");
	struct fixture *f = *state;

	wk_hand_set_aside(&key, 1);
	notice(f, "N1", WA_HISTORY_RECENT, 1, 40, true);
	work(f);
	assert_int_equal(count(f), 0);
	sent_is(f, STORED("N1"));
	notice(f, "N2", WA_HISTORY_RECENT, 1, 40, true);
	work(f);
	wk_hand_set_aside(NULL, 0);
	assert_int_equal(count(f), CHATS * MESSAGES);
	assert_true(f->in_hand == wk_hand_key_of("history", "N2"));
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	notice(f, "N3", WA_HISTORY_RECENT, 2, 50, false);
	work(f);
	assert_true(f->fetched_in_hand == wk_hand_key_of("history", "N3"));
	assert_true(wk_hand_take(0) == 0);
}

/* Each message that was not known becomes an event, kept apart by its flag. */
static void test_messages_are_told_of_once(void **state)
{
	struct fixture *f = *state;
	struct wk_outbox_row row = { 0 };
	unsigned messages = 0;
	json_t *data;

	wk_history_free(f->h);
	f->tells = true;
	make_history(f);
	for (unsigned i = 1; i <= 2; i++) {
		notice(f, "N", WA_HISTORY_RECENT, i, 50 * i, true);
		work(f);
	}
	while (wk_store_outbox_next(f->e->store.st, f->e->seen, &row) == 0) {
		bool message = row.kind == IPC__EVENT__KIND__MESSAGE_EXCHANGE;

		buf_wipe(&row.data);
		data = ef_event(f->e, row.kind, row.flags);
		assert_int_equal((row.flags & WK_EVENT_FROM_HISTORY) != 0, message);
		if (message)
			ef_equal(data, "fromHistory", "true");
		messages += message;
		json_decref(data);
	}
	assert_int_equal(messages, f->messages);
	assert_int_equal(messages, CHATS * MESSAGES);
}

/* Asked for again, but not for ever. */
static void test_a_broken_blob_is_asked_for_again(void **state)
{
	struct fixture *f = *state;

	f->stored.p[100] ^= 1;
	for (int i = 0; i < 4; i++) {
		http_server_say_body(f->server, f->stored.p, f->stored.len);
		notice(f, "N", WA_HISTORY_RECENT, 1, 40, false);
		work(f);
		if (i < 3)
			sent_is(f, BROKEN("N"));
		else
			sent_is(f, STORED("N"));
	}
	http_server_say_status(f->server, 404);
	notice(f, "M", WA_HISTORY_RECENT, 2, 40, false);
	work(f);
	sent_is(f, BROKEN("M"));
	assert_int_equal(count(f), 0);
	ef_no_event(f->e);
}

/* The file is what the notice says, but no history. */
static void test_a_file_that_is_no_history_is_broken(void **state)
{
	struct fixture *f = *state;

	f->z.p[f->z.len - 1] ^= 1;
	buf_free(&f->stored);
	assert_int_equal(wa_media_encrypt(f->key, WA_MEDIA_HISTORY, f->z.p, f->z.len, &f->stored,
	                                  f->sha256, f->enc_sha256),
	                 0);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	notice(f, "N", WA_HISTORY_RECENT, 1, 40, false);
	work(f);
	sent_is(f, BROKEN("N"));
}

/* 32 MB of zeros, inside the message and as a file. */
static void test_bombs_cost_nothing(void **state)
{
	struct fixture *f = *state;
	struct buf zeros = { 0 };

	assert_int_equal(buf_reserve(&zeros, 32u << 20), 0);
	memset(zeros.p, 0, 32u << 20);
	zeros.len = 32u << 20;
	buf_free(&f->z);
	history_deflate(&zeros, &f->z);
	buf_free(&zeros);
	notice(f, "N", WA_HISTORY_RECENT, 1, 40, true);
	work(f);
	sent_is(f, STORED("N"));
	buf_free(&f->stored);
	assert_int_equal(wa_media_encrypt(f->key, WA_MEDIA_HISTORY, f->z.p, f->z.len, &f->stored,
	                                  f->sha256, f->enc_sha256),
	                 0);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	notice(f, "M", WA_HISTORY_RECENT, 2, 40, false);
	work(f);
	sent_is(f, BROKEN("M"));
	assert_int_equal(count(f), 0);
	assert_int_equal(f->failed_rc, 0);
	ef_no_event(f->e);
}

static void test_a_server_that_fails_is_tried_again_later(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) /* the tries at one host */
		http_server_say_status(f->server, 500);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	notice(f, "N", WA_HISTORY_RECENT, 1, 40, false);
	work(f);
	assert_int_equal(count(f), CHATS * MESSAGES);
	sent_is(f, STORED("N"));
}

static void test_killed_in_between_it_begins_anew(void **state)
{
	struct fixture *f = *state;

	make_blob(f, 40, 200);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	notice(f, "N", WA_HISTORY_RECENT, 1, 40, false);
	while (count(f) == 0)
		(void)event_base_loop(f->e->base, EVLOOP_ONCE);
	wk_history_free(f->h);
	sent_is(f, "");
	make_history(f);
	work(f);
	assert_int_equal(count(f), 40 * 200);
	assert_int_equal(f->messages, 40 * 200);
	sent_is(f, STORED("N"));
}

static void test_an_answer_is_told_to_who_asked(void **state)
{
	struct fixture *f = *state;

	f->e->store.creds.history_days = 1;
	f->e->settings.disable_history_sync = true;
	notice(f, "N", WA_HISTORY_ON_DEMAND, 1, 100, true);
	work(f);
	assert_string_equal(f->answer, "REQUEST");
	assert_int_equal(count(f), CHATS * MESSAGES); /* of any age */
	ef_no_event(f->e);
	sent_is(f, STORED("N"));
}

static void test_a_notice_that_is_none_is_passed_over(void **state)
{
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;
	struct fixture *f = *state;

	ef_enter(f->e);
	assert_int_equal(wk_history_notice(f->h, "N", false, &p), 0);
	ef_leave(f->e);
	assert_false(is_waiting(f));
}

static void end_session(void *arg)
{
	struct fixture *f = arg;

	wk_history_free(f->h);
	f->h = NULL;
}

/* The store fails in the middle of it, and with it the session. */
static void test_a_start_may_be_its_end(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    sqlite3_exec(f->e->store.st->db, "DROP TABLE history_told", NULL, NULL, NULL),
	    SQLITE_OK);
	f->e->at_failure = end_session;
	f->e->at_failure_arg = f;
	wk_history_start(f->h);
	assert_int_equal(f->e->failed_rc, WA_ESTORAGE);
	assert_null(f->h);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_blob_is_fetched_stored_told_and_acknowledged),
		T(test_a_start_may_be_its_end),
		T(test_the_same_blob_again_stores_nothing),
		T(test_what_is_too_old_is_passed_over),
		T(test_the_phone_is_told_again_until_that_is_acknowledged),
		T(test_the_phone_is_answered_as_it_sent),
		T(test_names_and_identities_are_learnt),
		T(test_messages_are_told_of_once),
		T(test_done_is_said_once),
		T(test_a_full_sync_is_waited_for),
		T(test_a_phone_that_falls_silent_has_no_more),
		T(test_nothing_is_fetched_where_none_is_wanted),
		T(test_types_of_no_use_are_acknowledged_alone),
		T(test_what_workers_died_of_is_set_aside),
		T(test_a_broken_blob_is_asked_for_again),
		T(test_a_file_that_is_no_history_is_broken),
		T(test_bombs_cost_nothing),
		T(test_a_server_that_fails_is_tried_again_later),
		T(test_killed_in_between_it_begins_anew),
		T(test_an_answer_is_told_to_who_asked),
		T(test_a_notice_that_is_none_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
