/* tests/unit/test_wk_send.c - texts of our own: sealed once, answered, asked for again */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "proto/wa_msg.pb-c.h"
#include "faulty_vfs.h"
#include "signal_store.h"
#include "store_fixture.h"
#include "worker/events/wk_event_msg.h"
#include "worker/receive/wk_signal.h"
#include "worker/send/wk_send.h"
#include "worker/send/wk_sessions.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/store/wk_store_sent.h"
#include "worker/wa/message/wa_send.h"
#include "worker/wa/stanza/wa_stanza.h"
#include "worker/wa/stanza/wa_usync.h"

#define BOB "99@lid"
#define BOB_PN "4477@s.whatsapp.net"
#define OWN SF_LID "@lid"
#define SENT_MAX 32

struct fixture {
	struct store_fixture sf;
	struct event_base *base;
	struct wk_batch *batch;
	struct wk_signal signal;
	struct wk_sessions *sessions;
	struct wk_send *send;
	struct log_ctx log;
	unsigned speed;
	char trace[1024];
	struct wa_node *sent[SENT_MAX];
	size_t sent_n;
	unsigned iqs;
};

/* Our Signal address, as peers know it. */
static const struct wa_signal_addr own_addr = { SF_LID "_1", 3 };
static struct sigpeer bob, bob7, phone;

/* ---- the trace ---------------------------------------------------------------------------------
 */

static void note(struct fixture *f, const char *word)
{
	size_t n = strlen(f->trace);

	assert_true(n + strlen(word) + 2 < sizeof(f->trace));
	snprintf(f->trace + n, sizeof(f->trace) - n, "%s%s", n == 0 ? "" : " ", word);
}

#define expect(f, words) expect_at((f), (words), __FILE__, __LINE__)
static void expect_at(struct fixture *f, const char *words, const char *file, int line)
{
	for (unsigned i = 0; i < 8; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
	_assert_string_equal(f->trace, words, file, line);
	f->trace[0] = '\0';
}

static void wait_for_trace(struct fixture *f)
{
	uint64_t until = clock_ms() + 5000;

	while (f->trace[0] == '\0' && clock_ms() < until)
		event_base_loop(f->base, EVLOOP_ONCE);
}

static int on_send(const struct wa_node *n, void *arg)
{
	struct fixture *f = arg;
	struct buf wire = { 0 };
	struct wa_node *copy = NULL;

	assert_int_equal(wa_stanza_encode(n, &wire), 0);
	assert_int_equal(wa_stanza_decode(wire.p, wire.len, &copy), 0);
	buf_free(&wire);
	assert_true(f->sent_n < SENT_MAX);
	f->sent[f->sent_n++] = copy;
	note(f, copy->tag);
	return 0;
}

static const struct wa_node *last(struct fixture *f)
{
	assert_true(f->sent_n > 0);
	return f->sent[f->sent_n - 1];
}

static void on_committed(void *arg)
{
	struct fixture *f = arg;

	if (f->send != NULL)
		wk_send_committed(f->send);
}

static void on_failed(int rc, void *arg)
{
	(void)rc;
	note(arg, "FAILED");
}

static int on_message(const struct wk_event_msg *m, void *arg)
{
	char word[256];

	assert_true(m->from_me);
	snprintf(word, sizeof(word), "event=%s", m->view->text);
	note(arg, word);
	return 0;
}

static void on_ask_devices(void *arg)
{
	note(arg, "devices?");
}

static void on_ask_sessions(void *arg)
{
	note(arg, "keys?");
}

static void on_give(void *arg)
{
	note(arg, "token!");
}

static void on_nothing(void *arg)
{
	(void)arg;
}

/* ---- life --------------------------------------------------------------------------------------
 */

static void begin(struct fixture *f)
{
	static const struct wk_batch_ops ops = { .send = on_send,
		                                 .on_committed = on_committed,
		                                 .on_failed = on_failed };
	struct wk_sessions_params sessions = {
		.signal = &f->signal, .log = &f->log, .on_ask = on_ask_sessions, .arg = f
	};
	struct wk_send_params send = {
		.base = f->base,
		.store = f->sf.st,
		.signal = &f->signal,
		.creds = &f->sf.creds,
		.log = &f->log,
		.speed = f->speed,
		.on_ask = on_ask_devices,
		.on_give = on_give,
		.on_message = on_message,
		.enter = on_nothing,
		.leave = on_nothing,
		.arg = f,
	};

	assert_int_equal(wk_batch_new(f->base, f->sf.st, &ops, f, &f->batch), 0);
	wk_batch_set_quiet(f->batch, 0);
	wk_signal_init(&f->signal, f->sf.st, &f->sf.creds);
	sessions.batch = send.batch = f->batch;
	assert_int_equal(wk_sessions_new(&sessions, &f->sessions), 0);
	send.sessions = f->sessions;
	assert_int_equal(wk_send_new(&send, &f->send), 0);
	wk_send_resume(f->send);
}

static void end(struct fixture *f)
{
	wk_send_free(f->send);
	f->send = NULL;
	wk_sessions_free(f->sessions);
	wk_batch_free(f->batch);
	wk_signal_idle(&f->signal);
}

/* A new process: what was not committed is gone. */
static void restart(struct fixture *f)
{
	end(f);
	store_reopen(&f->sf);
	begin(f);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_init("test", LOG_ERR, LOG_FMT_TEXT);
	assert_int_equal(wa_keys_init(), 0);
	sigpeer_init(&bob, 0x22, "99_1", 0);
	sigpeer_init(&bob7, 0x23, "99_1", 7);
	sigpeer_init(&phone, 0x55, SF_LID "_1", 0);
	store_make(&f->sf, NULL);
	f->base = event_base_new();
	f->speed = 1;
	begin(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	end(f);
	for (size_t i = 0; i < f->sent_n; i++)
		wa_node_free(f->sent[i]);
	event_base_free(f->base);
	store_remove(&f->sf);
	sigpeer_clear(&bob);
	sigpeer_clear(&bob7);
	sigpeer_clear(&phone);
	free(f);
	return 0;
}

/* ---- what the server says ----------------------------------------------------------------------
 */

static void want_text(struct fixture *f, const char *to, const char *text)
{
	struct wa_jid jid;

	assert_int_equal(wa_jid_parse(to, strlen(to), &jid), 0);
	assert_int_equal(wk_batch_enter(f->batch), 0);
	assert_int_equal(wk_send_text(f->send, &jid, NULL, text), 0);
	wk_batch_leave(f->batch, 0);
}

static void add_user(struct wa_node *list, const char *jid, const char *lid, const char *devices)
{
	struct wa_node *user = wa_node_add(list, "user"), *all, *d;

	wa_node_set_jid(user, "jid", jid);
	if (lid != NULL)
		wa_node_set_jid(wa_node_add(user, "lid"), "val", lid);
	if (devices == NULL)
		return;
	all = wa_node_add(wa_node_add(user, "devices"), "device-list");
	for (; *devices != '\0'; devices++) {
		d = wa_node_add(all, "device");
		wa_node_set_int(d, "id", *devices == 'h' ? 99 : *devices - '0');
		if (*devices == 'h')
			wa_node_set(d, "is_hosted", "true");
		if (*devices != '0')
			wa_node_set(d, "key-index", "1");
	}
}

static struct wa_node *devices_result(struct wa_node **list_out)
{
	struct wa_node *n = wa_node_new("iq");

	*list_out = wa_node_add(wa_node_add(n, "usync"), "list");
	return n;
}

/* The request is made, and answered: digits are devices, h a hosted one; NULL: not known. */
static void tell_devices(struct fixture *f, const char *peer, const char *own)
{
	struct wa_node *list, *n, *iq;

	assert_true(wk_send_is_due(f->send));
	iq = wk_send_build(f->send, "1");
	assert_string_equal(wa_node_attr(iq, "xmlns"), "usync");
	wa_node_free(iq);
	n = devices_result(&list);
	add_user(list, BOB, NULL, peer);
	add_user(list, OWN, NULL, own);
	wk_send_devices(f->send, n);
	wa_node_free(n);
}

static void put_bytes(struct wa_node *parent, const char *tag, uint32_t v, size_t len)
{
	uint8_t be[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	wa_node_set_bytes(wa_node_add(parent, tag), be + 4 - len, len);
}

static void add_keys(struct wa_node *n, const struct sigpeer *p)
{
	struct wa_prekey_bundle b;
	struct wa_node *key;

	sigpeer_bundle(p, &b);
	wa_node_set_bytes(wa_node_add(n, "type"), "\5", 1);
	wa_node_set_bytes(wa_node_add(n, "identity"), b.identity, WA_KEY_LEN);
	key = wa_node_add(n, "skey");
	put_bytes(key, "id", b.signed_prekey_id, 3);
	wa_node_set_bytes(wa_node_add(key, "value"), b.signed_prekey, WA_KEY_LEN);
	wa_node_set_bytes(wa_node_add(key, "signature"), b.signed_prekey_sig, WA_SIG_LEN);
	if (!b.has_prekey)
		return;
	key = wa_node_add(n, "key");
	put_bytes(key, "id", b.prekey_id, 3);
	wa_node_set_bytes(wa_node_add(key, "value"), b.prekey, WA_KEY_LEN);
}

/* A bundle for each device that was asked for, as far as there is such a device. */
static void tell_keys(struct fixture *f)
{
	struct wa_node *iq = wk_sessions_build(f->sessions, "2"), *n = wa_node_new("iq");
	struct wa_node *list = wa_node_add(n, "list"), *user;

	for (const struct wa_node *u = wa_node_child(iq->first_child, "user"); u != NULL;
	     u = wa_node_next(u, "user")) {
		const char *jid = wa_node_attr(u, "jid");
		const struct sigpeer *p = strcmp(jid, BOB) == 0          ? &bob
		                          : strcmp(jid, "99:7@lid") == 0 ? &bob7
		                          : strcmp(jid, OWN) == 0        ? &phone
		                                                         : NULL;
		user = wa_node_add(list, "user");
		wa_node_set_jid(user, "jid", jid);
		if (p == NULL) {
			wa_node_set(wa_node_add(user, "error"), "code", "404");
			continue;
		}
		put_bytes(user, "registration", p->own.registration_id, 4);
		add_keys(user, p);
	}
	wk_sessions_answer(f->sessions, n);
	wk_send_sessions(f->send);
	wa_node_free(n);
	wa_node_free(iq);
}

static void ack(struct fixture *f, const char *id, const char *phash, const char *error)
{
	struct wa_node *n = wa_node_new("ack");

	wa_node_set(n, "class", "message");
	wa_node_set(n, "id", id);
	wa_node_set(n, "t", "1700000000");
	wa_node_set(n, "phash", phash);
	wa_node_set(n, "error", error);
	wk_send_ack(f->send, n);
	wa_node_free(n);
}

/* Bob, his companion and our phone: the usual way to a stanza on its way. */
static const char *send_text(struct fixture *f, const char *text)
{
	want_text(f, BOB, text);
	expect(f, "devices?");
	tell_devices(f, "07", "03");
	expect(f, "keys?");
	tell_keys(f);
	expect(f, "message");
	return wa_node_attr(last(f), "id");
}

/* ---- what devices get --------------------------------------------------------------------------
 */

static const struct wa_node *enc_for(const struct wa_node *n, const char *jid)
{
	const struct wa_node *to = wa_node_child(wa_node_child(n, "participants"), "to");

	while (to != NULL && !wa_node_attr_is(to, "jid", jid))
		to = wa_node_next(to, "to");
	return to == NULL ? NULL : wa_node_child(to, "enc");
}

static Wa__Message *open_enc(struct sigpeer *p, const struct wa_node *enc)
{
	struct buf out = { 0 };
	Wa__Message *m;

	assert_non_null(enc);
	assert_int_equal(wa_signal_decrypt(p->signal, &own_addr,
	                                   wa_enc_parse(wa_node_attr(enc, "type")), enc->bytes,
	                                   enc->bytes_len, &out, NULL),
	                 0);
	m = wa__message__unpack(NULL, out.len, out.p);
	assert_non_null(m);
	buf_free(&out);
	return m;
}

static void check_text(struct sigpeer *p, const struct wa_node *enc, const char *text)
{
	Wa__Message *m = open_enc(p, enc);

	assert_string_equal(m->conversation, text);
	assert_int_equal(m->message_context_info->message_secret.len, WA_MSG_SECRET_LEN);
	wa__message__free_unpacked(m, NULL);
}

static void check_sent_by_us(struct sigpeer *p, const struct wa_node *enc, const char *text)
{
	Wa__Message *m = open_enc(p, enc);

	assert_null(m->conversation);
	assert_string_equal(m->device_sent_message->destination_jid, BOB);
	assert_string_equal(m->device_sent_message->message->conversation, text);
	assert_int_equal(m->message_context_info->message_secret.len, WA_MSG_SECRET_LEN);
	wa__message__free_unpacked(m, NULL);
}

static void test_a_text_is_sealed_for_every_device(void **state)
{
	struct fixture *f = *state;
	const struct wa_node *n;
	const char *id;

	assert_int_equal(wk_store_lid_learn(f->sf.st, "4477", "99", NULL), 0);
	id = send_text(f, "not now");
	n = last(f);
	assert_int_equal(strlen(id), 22);
	assert_string_equal(wa_node_attr(n, "to"), BOB);
	assert_string_equal(wa_node_attr(n, "type"), "text");
	assert_string_equal(wa_node_attr(n, "peer_recipient_pn"), BOB_PN);
	assert_int_equal(wa_node_child(n, "participants")->children_n, 3); /* not for us */
	check_text(&bob, enc_for(n, BOB), "not now");
	check_text(&bob7, enc_for(n, "99:7@lid"), "not now");
	check_sent_by_us(&phone, enc_for(n, OWN), "not now");
	assert_memory_equal(wa_node_child(n, "device-identity")->bytes, "account", 7);
	assert_int_equal(wa_node_child(wa_node_child(n, "reporting"), "reporting_token")->bytes_len,
	                 16);
	/* told of when the server has it, once */
	ack(f, "OTHER", NULL, NULL);
	expect(f, "");
	ack(f, id, NULL, NULL);
	expect(f, "event=not now token!");
	ack(f, id, NULL, NULL);
	expect(f, "");
	restart(f);
	expect(f, "");
}

static int on_stored(void *arg, const struct wk_msg *m)
{
	assert_true(m->flags & WK_MSG_FROM_ME);
	assert_string_equal(m->chat.user, "99");
	assert_string_equal(m->sender.user, SF_LID);
	assert_int_equal(m->unix_s, 1700000000);
	assert_non_null(m->secret);
	*(unsigned *)arg += 1;
	return 0;
}

static void test_what_was_sent_is_stored(void **state)
{
	struct fixture *f = *state;
	unsigned found = 0;
	const struct wk_store_msg_each each = { on_stored, &found };
	const char *id = send_text(f, "kept");

	assert_int_equal(wk_store_msg_by_id(f->sf.st, id, &each), 0);
	assert_int_equal(found, 0);
	ack(f, id, NULL, NULL);
	expect(f, "event=kept token!");
	assert_int_equal(wk_store_msg_by_id(f->sf.st, id, &each), 0);
	assert_int_equal(found, 1);
}

static struct buf wire_of(const struct wa_node *n)
{
	struct buf b = { 0 };

	assert_int_equal(wa_stanza_encode(n, &b), 0);
	return b;
}

static void test_nothing_is_sealed_twice(void **state)
{
	struct fixture *f = *state;
	struct buf first, again;

	send_text(f, "once");
	first = wire_of(last(f));
	restart(f); /* the answer is lost: the same bytes go */
	expect(f, "message");
	again = wire_of(last(f));
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.p, again.p, first.len);
	ack(f, wa_node_attr(last(f), "id"), NULL, NULL);
	expect(f, "event=once token!");
	buf_free(&first);
	buf_free(&again);
}

static void test_nothing_leaves_before_it_is_on_disk(void **state)
{
	struct fixture *f = *state;
	struct wk_sent m = { .id = "" };

	want_text(f, BOB, "wait");
	expect(f, "devices?");
	tell_devices(f, "0", "03");
	expect(f, "keys?");
	tell_keys(f);
	assert_string_equal(f->trace, ""); /* sealed, and the batch is open */
	/* this process ends here: nothing had left, so it is sealed anew */
	restart(f);
	assert_int_equal(wk_store_sent_next(f->sf.st, &m), 0);
	if (m.state == WK_SENT_WANTED)
		expect(f, "devices?");
	else
		expect(f, "message");
	wk_sent_clear(&m);
}

/* On a disk that can fail. */
static void on_bad_disk(struct fixture *f)
{
	faulty_vfs_install();
	end(f);
	store_remove(&f->sf);
	store_make(&f->sf, NULL);
	begin(f);
}

static void test_what_is_not_on_disk_does_not_leave(void **state)
{
	struct fixture *f = *state;
	Wa__Message *m;

	on_bad_disk(f);
	want_text(f, BOB, "durable");
	expect(f, "devices?");
	tell_devices(f, "0", "3");
	expect(f, "keys?");
	tell_keys(f);
	assert_string_equal(f->trace, "");
	faulty_vfs_fail(1, SQLITE_IOERR, true);
	expect(f, "FAILED");
	assert_int_equal(f->sent_n, 0);
	faulty_vfs_fail(0, 0, false);
	restart(f); /* neither sealed nor begun: it is done anew, and opens */
	expect(f, "devices?");
	tell_devices(f, "0", "3");
	expect(f, "keys?");
	tell_keys(f);
	expect(f, "message");
	m = open_enc(&bob, enc_for(last(f), BOB));
	assert_string_equal(m->conversation, "durable");
	wa__message__free_unpacked(m, NULL);
	/* nor is what can't be kept told of: the ack comes again with the stanza */
	faulty_vfs_fail(1, SQLITE_IOERR, true);
	ack(f, wa_node_attr(last(f), "id"), NULL, NULL);
	for (unsigned i = 0; i < 8; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
	faulty_vfs_fail(0, 0, false);
	f->trace[0] = '\0';
	restart(f);
	expect(f, "message");
	ack(f, wa_node_attr(last(f), "id"), NULL, NULL);
	expect(f, "event=durable token!");
	end(f);
	store_remove(&f->sf);
	faulty_vfs_remove();
	store_make(&f->sf, NULL);
	begin(f);
}

static void test_no_answer_means_the_same_bytes_again(void **state)
{
	struct fixture *f = *state;

	end(f);
	f->speed = 100000;
	begin(f);
	want_text(f, BOB, "patience");
	expect(f, "devices?");
	tell_devices(f, "0", "3");
	expect(f, "keys?");
	tell_keys(f);
	for (unsigned i = 0; i < 3; i++)
		wait_for_trace(f), f->trace[0] = '\0';
	assert_int_equal(f->sent_n, 3);
	for (unsigned i = 1; i < 3; i++) {
		struct buf a = wire_of(f->sent[0]), b = wire_of(f->sent[i]);

		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.p, b.p, a.len);
		buf_free(&a);
		buf_free(&b);
	}
	/* three times are enough; the next one begins */
	want_text(f, "98@lid", "another");
	wait_for_trace(f);
	expect(f, "devices?");
	assert_int_equal(f->sent_n, 3);
}

static void test_one_text_an_hour(void **state)
{
	struct fixture *f = *state;
	char jid[32];

	send_text(f, "first");
	ack(f, wa_node_attr(last(f), "id"), NULL, NULL);
	expect(f, "event=first token!");
	want_text(f, BOB, "second");
	expect(f, "");
	assert_int_equal(wk_store_lid_learn(f->sf.st, "4477", "99", NULL), 0);
	want_text(f, BOB_PN, "by the other name");
	expect(f, "");
	/* nor more than so many to all */
	for (unsigned i = 0; i < 2 * WK_SEND_HOUR_MAX; i++) {
		snprintf(jid, sizeof(jid), "%u@lid", 1000 + i);
		want_text(f, jid, "many");
	}
	expect(f, "devices?");
	for (unsigned i = 1; i < WK_SEND_HOUR_MAX; i++) {
		assert_true(wk_send_is_due(f->send));
		wk_send_devices(f->send, NULL);
	}
	assert_false(wk_send_is_due(f->send));
}

static void test_number_becomes_a_lid(void **state)
{
	struct fixture *f = *state;
	struct wa_node *list, *n;
	char lid[WK_USER_CAP];

	want_text(f, BOB_PN, "who are you");
	expect(f, "devices?");
	n = devices_result(&list);
	add_user(list, BOB_PN, BOB, "0");
	wk_send_devices(f->send, n);
	wa_node_free(n);
	expect(f, "devices?"); /* under the LID now */
	tell_devices(f, "0", "3");
	expect(f, "keys?");
	tell_keys(f);
	expect(f, "message");
	assert_string_equal(wa_node_attr(last(f), "to"), BOB);
	assert_string_equal(wa_node_attr(last(f), "peer_recipient_pn"), BOB_PN);
	assert_int_equal(wk_store_lid_of(f->sf.st, "4477", lid), 0);
	/* the next hour counts for both names */
	want_text(f, BOB, "again");
	expect(f, "");
}

static void test_unknown_users_get_nothing(void **state)
{
	struct fixture *f = *state;

	want_text(f, BOB, "hello?");
	expect(f, "devices?");
	tell_devices(f, NULL, "03");
	expect(f, "");
	assert_int_equal(f->sent_n, 0);
	assert_false(wk_send_is_due(f->send));
	/* a device without keys is left out; if it was the only one, so is the text */
	want_text(f, "98@lid", "hello?");
	expect(f, "devices?");
	wk_send_devices(f->send, NULL);
	expect(f, "");
	restart(f);
	expect(f, "");
}

static void test_devices_that_were_missed_get_it_too(void **state)
{
	struct fixture *f = *state;
	const char *id;

	want_text(f, BOB, "all of you");
	expect(f, "devices?");
	tell_devices(f, "0", "03");
	expect(f, "keys?");
	tell_keys(f);
	expect(f, "message");
	id = wa_node_attr(last(f), "id");
	ack(f, id, "2:AAAAAAAA", NULL);
	expect(f, "event=all of you token! devices?");
	tell_devices(f, "07", "03");
	expect(f, "keys?");
	tell_keys(f);
	expect(f, "message");
	assert_string_equal(wa_node_attr(last(f), "id"), id);
	assert_int_equal(wa_node_child(last(f), "participants")->children_n, 1);
	check_text(&bob7, enc_for(last(f), "99:7@lid"), "all of you");
	ack(f, id, "2:BBBBBBBB", NULL); /* once is enough */
	expect(f, "");
}

static void test_the_hash_is_over_all_devices(void **state)
{
	struct fixture *f = *state;
	static const char *const all[] = { BOB, "99:7@lid", OWN, SF_LID ":3@lid" };
	char phash[WA_PHASH_CAP];
	const char *id = send_text(f, "same list");

	assert_int_equal(wa_phash(all, 4, phash), 0);
	ack(f, id, phash, NULL);
	expect(f, "event=same list token!");
}

/* As the server counts, these are none. */
static void test_the_hash_is_without_hosted_devices(void **state)
{
	struct fixture *f = *state;
	static const char *const others[] = { BOB, "99:7@lid", OWN, SF_LID ":3@lid" };
	char phash[WA_PHASH_CAP];

	want_text(f, BOB, "hosted");
	expect(f, "devices?");
	tell_devices(f, "0h7", "03");
	expect(f, "keys?");
	tell_keys(f);
	expect(f, "message");
	assert_int_equal(wa_phash(others, 4, phash), 0);
	ack(f, wa_node_attr(last(f), "id"), phash, NULL);
	expect(f, "event=hosted token!");
}

static void test_refusals(void **state)
{
	static const char *const final[] = { "400", "401", "404", "463", "475", "x" };
	struct fixture *f = *state;

	send_text(f, "refused");
	ack(f, wa_node_attr(last(f), "id"), NULL, "463");
	expect(f, "");
	for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++) {
		char jid[32];

		snprintf(jid, sizeof(jid), "%zu@lid", 500 + i);
		want_text(f, jid, "next");
		expect(f, "devices?");
		wk_send_devices(f->send, NULL);
	}
	restart(f);
	expect(f, "");
}

static void test_a_stale_session_is_tried_anew_once(void **state)
{
	struct fixture *f = *state;
	const char *id = send_text(f, "stale");

	ack(f, id, NULL, "479");
	expect(f, "devices?");
	tell_devices(f, "07", "03");
	expect(f, "message");
	assert_string_equal(wa_node_attr(last(f), "id"), id);
	ack(f, id, NULL, "479");
	expect(f, "");
	assert_false(wk_send_is_due(f->send));
}

/* ---- privacy tokens ----------------------------------------------------------------------------
 */

static struct wa_node *token_notice(const char *from, const char *lid, const char *token, int64_t t)
{
	struct wa_node *n = wa_node_new("notification"), *one;

	wa_node_set_jid(n, "from", from);
	if (lid != NULL)
		wa_node_set_jid(n, "sender_lid", lid);
	one = wa_node_add(wa_node_add(n, "tokens"), "token");
	wa_node_set(one, "type", "trusted_contact");
	wa_node_set_int(one, "t", t);
	wa_node_set_bytes(one, token, strlen(token));
	return n;
}

static void tell_token(struct fixture *f, const char *from, const char *lid, const char *token,
                       int64_t t)
{
	struct wa_node *n = token_notice(from, lid, token, t);

	assert_int_equal(wk_batch_enter(f->batch), 0);
	assert_int_equal(wk_send_token_told(f->send, n), 0);
	wk_batch_leave(f->batch, 0);
	wa_node_free(n);
}

static void test_the_recipients_token_goes_along(void **state)
{
	struct fixture *f = *state;
	const struct wa_node *n;
	struct wa_node *iq, *answer;

	tell_token(f, BOB_PN, BOB, "newer", clock_unix_s());
	tell_token(f, BOB_PN, BOB, "older", clock_unix_s() - 1000);
	tell_token(f, "x@g.us", NULL, "of nobody", clock_unix_s());
	send_text(f, "may I");
	n = wa_node_child(last(f), "tctoken");
	assert_int_equal(n->bytes_len, 5);
	assert_memory_equal(n->bytes, "newer", 5);
	assert_null(wa_node_child(last(f), "cstoken"));
	ack(f, wa_node_attr(last(f), "id"), NULL, NULL);
	expect(f, "event=may I token!");
	assert_true(wk_send_gives(f->send));
	iq = wk_send_build_token(f->send, "3");
	assert_string_equal(wa_node_attr(iq, "xmlns"), "privacy");
	assert_string_equal(wa_node_attr(iq->first_child->first_child, "jid"), BOB);
	assert_false(wk_send_gives(f->send));
	wa_node_free(iq);
	answer = token_notice(BOB, NULL, "his", clock_unix_s() + 1);
	wk_send_token_given(f->send, answer);
	wk_send_token_given(f->send, NULL);
	wa_node_free(answer);
	expect(f, "");
}

static void test_without_a_token_the_salt_speaks(void **state)
{
	static const uint8_t salt[] = "salt";
	struct fixture *f = *state;
	uint8_t want[32];

	tell_token(f, BOB, NULL, "stale", clock_unix_s() - 5 * 604800);
	assert_int_equal(wk_store_nct_salt_put(f->sf.st, salt, 4), 0);
	send_text(f, "salted");
	assert_null(wa_node_child(last(f), "tctoken"));
	assert_int_equal(wa_cstoken(salt, 4, BOB, want), 0);
	assert_memory_equal(wa_node_child(last(f), "cstoken")->bytes, want, 32);
}

/* ---- lists of devices --------------------------------------------------------------------------
 */

static int on_listed(void *arg, const struct wa_usync_user *u)
{
	char *out = arg, jid[WA_JID_TEXT_CAP];

	strcat(out, u->known ? "known" : "unknown");
	for (size_t i = 0; i < u->devices_n; i++) {
		(void)wa_jid_format(&u->devices[i], jid);
		strcat(strcat(out, " "), jid);
	}
	strcat(out, u->lid.server[0] != '\0' ? " lid;" : ";");
	return 0;
}

static void test_lists_of_devices_are_read(void **state)
{
	struct wa_node *list, *n = devices_result(&list), *all, *d;
	char out[512] = "";

	(void)state;
	assert_int_equal(wa_usync_each(list, on_listed, out), WA_EPROTO);
	add_user(list, BOB_PN, BOB, "0770"); /* named twice: once */
	all = list->first_child->last_child->first_child;
	d = wa_node_add(all, "device"); /* without a key index it is none */
	wa_node_set(d, "id", "5");
	d = wa_node_add(all, "device");
	wa_node_set(d, "id", "99");
	wa_node_set(d, "key-index", "2");
	wa_node_set(d, "is_hosted", "true");
	wa_node_set(wa_node_add(all, "device"), "id", "70000");
	add_user(list, "98@lid", "98@s.whatsapp.net", NULL);
	wa_node_set_jid(wa_node_add(list, "user"), "jid", "s.whatsapp.net");
	assert_int_equal(wa_usync_each(n, on_listed, out), 0);
	assert_string_equal(out, "known 4477@s.whatsapp.net 4477:7@s.whatsapp.net 4477:99@hosted "
	                         "lid;unknown;");
	wa_node_free(n);
}

/* ---- asked again -------------------------------------------------------------------------------
 */

static bool ask_again(struct fixture *f, const char *id, const char *from, const char *count,
                      const struct sigpeer *p, bool keys)
{
	struct wa_node *n = wa_node_new("receipt"), *retry, *all;
	bool ours;

	wa_node_set(n, "id", id);
	wa_node_set_jid(n, "from", from);
	wa_node_set(n, "type", "retry");
	if (p == &phone)
		wa_node_set_jid(n, "recipient", BOB);
	retry = wa_node_add(n, "retry");
	wa_node_set(retry, "id", id);
	wa_node_set(retry, "count", count);
	wa_node_set(retry, "t", "1700000000");
	put_bytes(n, "registration", p->own.registration_id, 4);
	if (keys) {
		all = wa_node_add(n, "keys");
		add_keys(all, p);
	}
	ours = wk_send_retry(f->send, n);
	wa_node_free(n);
	return ours;
}

static void check_again(struct fixture *f, const char *to, const char *count)
{
	const struct wa_node *n = f->sent[f->sent_n - 2], *enc = wa_node_child(n, "enc");

	assert_string_equal(n->tag, "message");
	assert_string_equal(wa_node_attr(n, "to"), to);
	assert_string_equal(wa_node_attr(n, "device_fanout"), "false");
	assert_string_equal(wa_node_attr(n, "t"), "1700000000");
	assert_string_equal(wa_node_attr(enc, "count"), count);
	assert_null(wa_node_child(n, "participants"));
	assert_null(wa_node_child(n, "reporting"));
}

static const struct wa_node *again_enc(struct fixture *f)
{
	return wa_node_child(f->sent[f->sent_n - 2], "enc");
}

static void test_who_asks_again_gets_it(void **state)
{
	struct fixture *f = *state;
	const char *id = send_text(f, "once more");

	ack(f, id, NULL, NULL);
	expect(f, "event=once more token!");
	assert_false(ask_again(f, "NEVER", BOB, "1", &bob, false));
	assert_true(ask_again(f, id, BOB, "1", &bob, false));
	expect(f, "message ack");
	check_again(f, BOB, "1");
	check_text(&bob, again_enc(f), "once more");
	assert_true(ask_again(f, id, OWN, "1", &phone, false));
	expect(f, "message ack");
	check_again(f, OWN, "1");
	assert_string_equal(wa_node_attr(f->sent[f->sent_n - 2], "recipient"), BOB);
	check_sent_by_us(&phone, again_enc(f), "once more");
	/* a device that it was not for, and too often: an ack */
	assert_true(ask_again(f, id, "99:4@lid", "1", &bob, false));
	expect(f, "ack");
	assert_true(ask_again(f, id, BOB, "5", &bob, false));
	expect(f, "ack");
	restart(f);
	assert_true(ask_again(f, id, "99:7@lid", "1", &bob7, true));
	expect(f, "message ack");
	check_text(&bob7, again_enc(f), "once more");
	for (unsigned i = 1; i < 12; i++)
		assert_true(ask_again(f, id, "99:7@lid", "1", &bob7, true));
	f->trace[0] = '\0';
	assert_true(ask_again(f, id, "99:7@lid", "1", &bob7, true));
	expect(f, "message ack message ack message ack message ack message ack message ack"
	          " message ack message ack message ack ack ack ack");
}

static void test_an_unchanged_session_is_given_up(void **state)
{
	struct fixture *f = *state;
	const char *id = send_text(f, "stuck");

	assert_true(ask_again(f, id, BOB, "2", &bob, false));
	expect(f, "message ack");
	restart(f);
	expect(f, "message"); /* never answered */
	assert_true(ask_again(f, id, BOB, "3", &bob, false));
	expect(f, "keys?"); /* the same session as the second time: another */
	tell_keys(f);
	expect(f, "message ack");
	assert_string_equal(wa_node_attr(again_enc(f), "type"), "pkmsg");
	assert_non_null(wa_node_child(f->sent[f->sent_n - 2], "device-identity"));
	assert_true(ask_again(f, id, BOB, "4", &bob, false));
	expect(f, "message ack"); /* it has changed */
}

static void test_another_registration_is_another_session(void **state)
{
	struct fixture *f = *state;
	const char *id = send_text(f, "moved");

	sigpeer_clear(&bob);
	sigpeer_init(&bob, 0x66, "99_1", 0);
	assert_true(ask_again(f, id, BOB, "1", &bob, false));
	expect(f, "keys?");
	tell_keys(f);
	expect(f, "message ack");
	check_text(&bob, again_enc(f), "moved");
	/* an own device does not become another one */
	sigpeer_clear(&phone);
	sigpeer_init(&phone, 0x67, SF_LID "_1", 0);
	assert_true(ask_again(f, id, OWN, "1", &phone, true));
	expect(f, "ack");
	/* and without keys there is nothing to be had */
	assert_true(ask_again(f, id, "99:7@lid", "1", &bob, false));
	expect(f, "keys?");
	wk_sessions_answer(f->sessions, NULL);
	wk_send_sessions(f->send);
	expect(f, "ack");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_text_is_sealed_for_every_device),
		T(test_what_was_sent_is_stored),
		T(test_nothing_is_sealed_twice),
		T(test_nothing_leaves_before_it_is_on_disk),
		T(test_what_is_not_on_disk_does_not_leave),
		T(test_no_answer_means_the_same_bytes_again),
		T(test_one_text_an_hour),
		T(test_number_becomes_a_lid),
		T(test_unknown_users_get_nothing),
		T(test_devices_that_were_missed_get_it_too),
		T(test_the_hash_is_over_all_devices),
		T(test_the_hash_is_without_hosted_devices),
		T(test_refusals),
		T(test_a_stale_session_is_tried_anew_once),
		T(test_lists_of_devices_are_read),
		T(test_the_recipients_token_goes_along),
		T(test_without_a_token_the_salt_speaks),
		T(test_who_asks_again_gets_it),
		T(test_an_unchanged_session_is_given_up),
		T(test_another_registration_is_another_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
