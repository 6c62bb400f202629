/* tests/unit/test_wk_recv.c - messages in: opened, told of and answered, each exactly once */
#include "test.h"

#include "faulty_vfs.h"
#include "recv_fixture.h"

#include <errno.h>
#include <event2/event.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/receive/wk_recv_priv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/wa/stanza/wa_receipt.h"

#define BOB_PN "4477@s.whatsapp.net"
#define BOB "99@lid"
#define GROUP "120363021033254949@g.us"
#define OWN_PN SF_PN "@s.whatsapp.net"
#define OWN_LID SF_LID "@lid"

static struct sigpeer bob, phone;

static int setup(void **state)
{
	sigpeer_init(&bob, 0x22, "99_1", 0);
	sigpeer_init(&phone, 0x33, SF_LID "_1", 0);
	return rf_setup(state);
}

static int teardown(void **state)
{
	sigpeer_clear(&bob);
	sigpeer_clear(&phone);
	return rf_teardown(state);
}

static void give(struct recv_fixture *f, struct wa_node *n)
{
	rf_give(f, n);
	rf_turn(f);
}

/* The same stanza, any number of times. */
static struct wa_node *copy_of(struct wa_node *n)
{
	struct buf wire = { 0 };
	struct wa_node *copy = NULL;

	assert_int_equal(wa_stanza_encode(n, &wire), 0);
	assert_int_equal(wa_stanza_decode(wire.p, wire.len, &copy), 0);
	buf_free(&wire);
	return copy;
}

static struct buf packed(const Wa__Message *m)
{
	struct buf b = { 0 };

	assert_int_equal(buf_reserve(&b, wa__message__get_packed_size(m) + 1), 0);
	b.len = wa__message__pack(m, b.p);
	return b;
}

static void spoil(struct wa_node *n)
{
	struct wa_node *enc = n->first_child;

	while (strcmp(enc->tag, "enc") != 0)
		enc = enc->next;
	/* in the ciphertext or its MAC, also where fields of a pkmsg follow */
	((uint8_t *)(uintptr_t)enc->bytes)[enc->bytes_len - 12] ^= 1;
}

/* ---- 1:1 ---------------------------------------------------------------------------------------
 */

static void test_first_message_opens_and_uses_its_key_up(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n;
	uint8_t pub[WA_KEY_LEN];

	rf_meet(f, &bob);
	n = rf_text(&bob, "A1", BOB, "hello");
	assert_int_equal(wk_store_prekey_pub(f->sf.st, 1, pub), 0);
	rf_give(f, n);
	rf_expect(f, "text:A1=hello"); /* told within the batch, answered after it */
	rf_turn(f);
	rf_expect(f, "inactive");
	assert_int_equal(wk_store_prekey_pub(f->sf.st, 1, pub), -ENOENT);
	f->shown = true;
	give(f, rf_text(&bob, "A2", BOB, "again"));
	rf_expect(f, "text:A2=again delivered");
	assert_string_equal(wa_node_attr(rf_sent(f, "delivered"), "to"), BOB);
	assert_string_equal(wa_node_attr(rf_sent(f, "delivered"), "id"), "A2");
}

static void test_message_is_received_before_it_is_read(void **state)
{
	struct recv_fixture *f = *state;

	f->settings.auto_read_messages = true;
	rf_meet(f, &bob);
	give(f, rf_text(&bob, "M1", BOB, "hi"));
	rf_expect(f, "text:M1=hi inactive read");
}

static void test_redelivered_message_is_answered_only(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n, *again;

	rf_meet(f, &bob);
	n = rf_text(&bob, "A1", BOB, "hello");
	again = copy_of(n);
	give(f, n);
	rf_expect(f, "text:A1=hello inactive");
	rf_restart(f, 1);
	give(f, copy_of(again));
	rf_expect(f, "inactive");
	/* Sealed anew under the same id, as after a retry. */
	give(f, rf_text(&bob, "A1", BOB, "hello"));
	rf_expect(f, "inactive");
	give(f, again);
	rf_expect(f, "inactive");
}

static void test_hundred_messages_are_one_commit(void **state)
{
	struct recv_fixture *f = *state;
	uint64_t before;
	char id[16];

	rf_meet(f, &bob);
	give(f, rf_text(&bob, "A", BOB, "first"));
	rf_expect(f, "text:A=first inactive");
	before = wk_store_generation(f->sf.st);
	f->quiet = true;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "N%u", i);
		rf_give(f, rf_text(&bob, id, BOB, "text"));
	}
	rf_turn(f);
	/* 10 ms may pass in between on a busy machine */
	assert_in_range(wk_store_generation(f->sf.st) - before, 1, 20);
	assert_int_equal(f->events, 101);
	assert_int_equal(f->answers, 101);
	rf_restart(f, 1);
	f->quiet = false;
	give(f, rf_text(&bob, "LAST", BOB, "goes on"));
	rf_expect(f, "text:LAST=goes on inactive");
}

static void test_nothing_is_answered_when_the_disk_fails(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n, *again;

	faulty_vfs_install();
	store_remove(&f->sf); /* begin anew, on that disk */
	wk_recv_free(f->recv);
	wk_batch_free(f->batch);
	event_base_free(f->base);
	wk_settings_clear(&f->settings);
	rf_make(f, NULL, 1);
	rf_meet(f, &bob);
	n = rf_text(&bob, "A1", BOB, "hello");
	again = copy_of(n);
	rf_give(f, n);
	faulty_vfs_fail(1, SQLITE_IOERR, true);
	rf_turn(f);
	rf_expect(f, "text:A1=hello FAILED:storage");
	faulty_vfs_fail(0, 0, false);
	rf_restart(f, 1);
	give(f, again); /* ratchet and event were undone together */
	rf_expect(f, "text:A1=hello inactive");
	faulty_vfs_remove();
}

/* ---- identities --------------------------------------------------------------------------------
 */

static void test_session_follows_to_the_lid(void **state)
{
	struct recv_fixture *f = *state;
	char lid[WK_USER_CAP];
	struct wa_node *n;

	rf_meet(f, &bob);
	give(f, rf_text(&bob, "A1", BOB_PN, "from a number"));
	rf_expect(f, "text:A1=from a number inactive");
	n = rf_text(&bob, "A2", BOB_PN, "with its lid");
	wa_node_set_jid(n, "sender_lid", BOB);
	give(f, n);
	rf_expect(f, "text:A2=with its lid inactive");
	assert_int_equal(wk_store_lid_of(f->sf.st, "4477", lid), 0);
	assert_string_equal(lid, "99");
	give(f, rf_text(&bob, "A3", BOB, "from the lid"));
	rf_expect(f, "text:A3=from the lid inactive");
	give(f, rf_text(&bob, "A3", BOB_PN, "known by the other name"));
	rf_expect(f, "inactive");
}

static void test_nobody_takes_our_own_lid(void **state)
{
	struct recv_fixture *f = *state;
	char user[WK_USER_CAP];
	struct wa_node *n;

	rf_meet(f, &bob);
	n = rf_text(&bob, "A1", BOB, "hello");
	wa_node_set_jid(n, "sender_pn", OWN_PN);
	give(f, n);
	rf_expect(f, "text:A1=hello inactive");
	assert_int_equal(wk_store_lid_of(f->sf.st, SF_PN, user), 0);
	assert_string_equal(user, SF_LID);
}

static void test_new_identity_is_trusted(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n;

	rf_meet(f, &bob);
	give(f, rf_text(&bob, "A1", BOB, "old phone"));
	sigpeer_clear(&bob);
	sigpeer_init(&bob, 0x44, "99_1", 0);
	rf_meet(f, &bob);
	give(f, rf_text(&bob, "A2", BOB, "new phone"));
	rf_expect(f, "text:A1=old phone inactive text:A2=new phone inactive");
	/* Told so by the server: what is sealed in the old session is asked for again, with keys */
	n = wa_node_new("notification");
	wa_node_set(n, "id", "N1");
	wa_node_set(n, "type", "encrypt");
	wa_node_set_jid(n, "from", BOB);
	wk_recv_identity(f->recv, n);
	wa_node_free(n);
	rf_turn(f);
	rf_expect(f, "ack");
	n = rf_text(&bob, "A3", BOB, "x");
	wa_node_set(n->last_child, "type", "msg");
	give(f, n);
	rf_expect(f, "retry1 ack");
}

/* ---- groups ------------------------------------------------------------------------------------
 */

static struct wa_node *group_message(const char *id)
{
	struct wa_node *n = rf_message(id, GROUP);

	wa_node_set_jid(n, "participant", BOB);
	wa_node_set(n, "addressing_mode", "lid");
	return n;
}

static void seal_group(struct wa_node *n, const char *text)
{
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_node *enc = wa_node_add(n, "enc");
	struct buf plain, sealed = { 0 };

	m.conversation = (char *)(uintptr_t)text;
	plain = packed(&m);
	assert_int_equal(
	    wa_signal_group_encrypt(bob.signal, GROUP, &bob.addr, plain.p, plain.len, &sealed), 0);
	wa_node_set(enc, "v", "2");
	wa_node_set(enc, "type", "skmsg");
	wa_node_set_bytes(enc, sealed.p, sealed.len);
	buf_free(&plain);
	buf_free(&sealed);
}

static void seal_sender_key(struct wa_node *n)
{
	Wa__SenderKeyDistributionMessage d = WA__SENDER_KEY_DISTRIBUTION_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	struct buf skdm = { 0 }, plain;

	assert_int_equal(wa_signal_skdm_make(bob.signal, GROUP, &bob.addr, &skdm, NULL), 0);
	d.group_id = (char *)(uintptr_t)GROUP;
	d.has_axolotl_sender_key_distribution_message = true;
	d.axolotl_sender_key_distribution_message.data = skdm.p;
	d.axolotl_sender_key_distribution_message.len = skdm.len;
	m.sender_key_distribution_message = &d;
	plain = packed(&m);
	rf_seal(n, &bob, plain.p, plain.len);
	buf_free(&plain);
	buf_free(&skdm);
}

static void test_group_message_with_its_key(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n = group_message("G1"), *again;

	rf_meet(f, &bob);
	seal_sender_key(n);
	seal_group(n, "to all");
	again = copy_of(n);
	give(f, n);
	rf_expect(f, "text:G1=to all inactive");
	assert_string_equal(wa_node_attr(rf_sent(f, "inactive"), "participant"), BOB);
	n = group_message("G2");
	seal_group(n, "next");
	give(f, n);
	rf_expect(f, "text:G2=next inactive");
	give(f, again);
	rf_expect(f, "inactive");
	/* A key alone is no event. */
	n = group_message("G3");
	seal_sender_key(n);
	give(f, n);
	rf_expect(f, "inactive");
}

static void test_group_message_without_a_key_is_asked_for(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n = group_message("G1");

	rf_meet(f, &bob);
	seal_sender_key(n); /* never given */
	wa_node_free(n);
	n = group_message("G1");
	seal_group(n, "to all");
	give(f, n);
	rf_expect(f, "retry1+keys ack");
	assert_string_equal(wa_node_attr(rf_sent(f, "retry1+keys"), "participant"), BOB);
	assert_string_equal(wa_node_attr(rf_sent(f, "retry1+keys"), "to"), GROUP);
}

static void test_sender_key_outside_groups_is_nothing(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n = rf_message("D1", BOB);

	rf_meet(f, &bob);
	seal_sender_key(n);
	give(f, n);
	rf_expect(f, "inactive");
	n = group_message("G1");
	seal_group(n, "to all");
	give(f, n);
	rf_expect(f, "retry1+keys ack");
}

static void test_settings_keep_groups_out(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n = group_message("G1");
	uint64_t stored = 1;

	f->settings.ignore_group_messages = true;
	rf_meet(f, &bob);
	seal_sender_key(n);
	seal_group(n, "to all");
	give(f, n);
	rf_expect(f, "inactive");
	assert_int_equal(wk_store_msg_count(f->sf.st, &stored), 0);
	assert_int_equal(stored, 0);
}

/* ---- own devices -------------------------------------------------------------------------------
 */

static void test_sent_from_the_phone(void **state)
{
	struct recv_fixture *f = *state;
	Wa__DeviceSentMessage sent = WA__DEVICE_SENT_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT, inner = WA__MESSAGE__INIT;
	struct wa_node *n = rf_message("P1", OWN_PN);
	struct buf plain;

	rf_meet(f, &phone);
	inner.conversation = (char *)(uintptr_t) "mine";
	sent.destination_jid = (char *)(uintptr_t)BOB;
	sent.message = &inner;
	m.device_sent_message = &sent;
	plain = packed(&m);
	wa_node_set_jid(n, "recipient", BOB);
	rf_seal(n, &phone, plain.p, plain.len);
	buf_free(&plain);
	give(f, n);
	rf_expect(f, "text:P1=mine sender");
	assert_string_equal(wa_node_attr(rf_sent(f, "sender"), "recipient"), BOB);
}

struct handled {
	unsigned n;
	int type;
	bool from_phone;
	int rc;
};

static int on_own(void *arg, const struct wk_recv_own *own)
{
	struct handled *h = arg;

	h->n++;
	h->type = own->protocol->type;
	h->from_phone = own->from_phone;
	return h->rc;
}

static struct wa_node *protocol_message(const char *id, const char *from, struct sigpeer *peer,
                                        int type)
{
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_node *n = rf_message(id, from);
	struct buf plain;

	p.has_type = true;
	p.type = type;
	m.protocol_message = &p;
	plain = packed(&m);
	wa_node_set(n, "category", "peer");
	rf_seal(n, peer, plain.p, plain.len);
	buf_free(&plain);
	return n;
}

static void test_account_state_is_believed_from_own_devices_only(void **state)
{
	struct recv_fixture *f = *state;
	struct handled h = { 0 };

	rf_meet(f, &phone);
	rf_meet(f, &bob);
	wk_recv_handle(f->recv, WK_OWN_HISTORY, (struct wk_recv_handler){ on_own, &h });
	wk_recv_handle(f->recv, WK_OWN_KEY_SHARE, (struct wk_recv_handler){ on_own, &h });
	give(f, protocol_message("H1", OWN_PN, &phone, WA_PROTO_HISTORY_SYNC_NOTIFICATION));
	rf_expect(f, "peer_msg");
	assert_string_equal(wa_node_attr(rf_sent(f, "peer_msg"), "to"), OWN_PN);
	assert_int_equal(h.n, 1);
	assert_true(h.from_phone);
	/* by the other identity, the receipt goes to that one */
	give(f, protocol_message("H5", OWN_LID, &phone, 999));
	rf_expect(f, "peer_msg");
	assert_string_equal(wa_node_attr(rf_sent(f, "peer_msg"), "to"), OWN_LID);
	give(f, protocol_message("H2", BOB, &bob, WA_PROTO_HISTORY_SYNC_NOTIFICATION));
	give(f, protocol_message("H3", BOB, &bob, WA_PROTO_APP_STATE_SYNC_KEY_SHARE));
	rf_expect(f, "inactive inactive");
	assert_int_equal(h.n, 1);
	give(f, protocol_message("H4", OWN_PN, &phone, WA_PROTO_APP_STATE_SYNC_KEY_SHARE));
	assert_int_equal(h.n, 2);
	assert_int_equal(h.type, WA_PROTO_APP_STATE_SYNC_KEY_SHARE);
	f->trace[0] = '\0';
	/* A handler that can't keep it: no answer. */
	h.rc = WA_ESTORAGE;
	give(f, protocol_message("H5", OWN_PN, &phone, WA_PROTO_HISTORY_SYNC_NOTIFICATION));
	rf_expect(f, "FAILED:storage");
}

/* ---- what does not open ------------------------------------------------------------------------
 */

static void test_bad_message_is_asked_for_then_given_up(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n;
	char word[32];

	rf_restart(f, 50); /* a second is 20 ms: on a busy machine, too, less than 60 s pass */
	rf_meet(f, &bob);
	give(f, rf_text(&bob, "A0", BOB, "first"));
	f->trace[0] = '\0';
	for (unsigned i = 1; i <= WA_RETRY_COUNT_MAX; i++) {
		n = rf_text(&bob, "A1", BOB, "bad");
		spoil(n);
		rf_give(f, n);
		while (strstr(f->trace, "retry") == NULL) {
			f->trace[0] = '\0';
			rf_wait(f);
		}
		snprintf(word, sizeof(word), "retry%u%s", i, i == 1 ? "" : "+keys");
		assert_non_null(strstr(f->trace, word));
		assert_null(strstr(f->trace, "unopened")); /* that takes 60 s */
		f->trace[0] = '\0';
	}
	n = rf_text(&bob, "A1", BOB, "bad");
	spoil(n);
	give(f, n);
	rf_expect(f, "unopened:A1 ack");
	n = rf_text(&bob, "A1", BOB, "bad");
	spoil(n);
	give(f, n);
	rf_expect(f, "ack"); /* said once */
	give(f, rf_text(&bob, "A1", BOB, "good"));
	rf_expect(f, "text:A1=good inactive");
	n = rf_text(&bob, "A1", BOB, "bad");
	spoil(n);
	give(f, n);
	rf_expect(f, "ack"); /* it is there */
}

static void test_lost_message_is_told_of_by_the_next_process(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n;

	rf_meet(f, &bob);
	give(f, rf_text(&bob, "A0", BOB, "first"));
	n = rf_text(&bob, "A1", BOB, "bad");
	spoil(n);
	give(f, n);
	rf_expect(f, "text:A0=first inactive retry1 ack");
	rf_restart(f, 2000);
	wk_recv_resume(f->recv);
	rf_wait(f);
	rf_expect(f, "unopened:A1");
	rf_restart(f, 5000);
	wk_recv_resume(f->recv);
	give(f, rf_text(&bob, "A2", BOB, "more"));
	rf_expect(f, "text:A2=more inactive");
}

static unsigned said(const struct recv_fixture *f, const char *word)
{
	unsigned n = 0;

	for (const char *p = f->trace; (p = strstr(p, word)) != NULL; p++)
		n++;
	return n;
}

/* Its message was acknowledged: nobody else would ask. Also for what becomes no event. */
static void test_a_receipt_that_was_owed_is_given_by_the_next_process(void **state)
{
	static const char *const ids[] = { "A1", "A2" };
	struct recv_fixture *f = *state;
	struct wa_node *n;

	rf_meet(f, &bob);
	give(f, rf_text(&bob, "A0", BOB, "first"));
	rf_expect(f, "text:A0=first inactive");
	for (unsigned i = 0; i < 4; i++) {
		n = rf_text(&bob, ids[i / 2], BOB, "bad");
		if (i / 2 == 1)
			wa_node_set(n->last_child, "decrypt-fail", "hide");
		spoil(n);
		give(f, n);
		rf_expect(f, i % 2 == 0 ? "retry1 ack" : "ack");
	}
	rf_restart(f, 50);
	wk_recv_resume(f->recv);
	while (said(f, "retry2+keys") < 2) /* fails when nothing waits any more */
		assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0);
	assert_int_equal(said(f, "retry"), 2);
}

static void test_sender_answers_a_retry_receipt(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n;
	struct wa_retry ask;

	rf_meet(f, &bob);
	n = rf_text(&bob, "A1", BOB, "lost session");
	wa_node_set(n->last_child, "type", "msg"); /* we have none */
	give(f, n);
	rf_expect(f, "retry1 ack"); /* unreadable as a msg: no word about sessions */
	n = rf_text(&bob, "A1", BOB, "lost session");
	spoil(n);
	rf_restart(f, 1000);
	rf_give(f, n);
	rf_wait(f);
	while (strstr(f->trace, "retry2+keys") == NULL) {
		f->trace[0] = '\0';
		rf_wait(f);
	}
	f->trace[0] = '\0';
	n = copy_of((struct wa_node *)(uintptr_t)rf_sent(f, "retry2+keys"));
	wa_node_set_jid(n, "from", "1@lid"); /* as the server hands it on */
	assert_int_equal(wa_retry_read(n, &ask), 0);
	assert_true(ask.has_keys);
	assert_int_equal(ask.device_identity_len, 7);
	assert_int_equal(wa_signal_take_bundle(bob.signal, &rf_own_addr, &ask.keys, NULL), 0);
	wa_node_free(n);
	n = rf_text(&bob, "A1", BOB, "here it is");
	wa_node_set(n->last_child, "count", "2");
	give(f, n);
	rf_expect(f, "text:A1=here it is inactive");
}

static void test_reaction_that_does_not_open_is_hidden(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n;

	rf_restart(f, 5000);
	rf_meet(f, &bob);
	give(f, rf_text(&bob, "A0", BOB, "first"));
	for (unsigned i = 0; i <= WA_RETRY_COUNT_MAX; i++) {
		n = rf_text(&bob, "A1", BOB, "bad");
		wa_node_set(n->last_child, "decrypt-fail", "hide");
		spoil(n);
		give(f, n);
	}
	for (unsigned i = 0; i < 20; i++)
		rf_turn(f);
	assert_null(strstr(f->trace, "unopened"));
}

static void test_refusals(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n;

	give(f, rf_message("N1", BOB));
	rf_expect(f, "ack!488");
	n = rf_message("N2", GROUP); /* of nobody */
	wa_node_add(n, "enc");
	give(f, n);
	rf_expect(f, "ack!487");
	n = rf_message("N3", BOB);
	wa_node_set(wa_node_add(n, "enc"), "type", "quantum");
	give(f, n);
	rf_expect(f, "ack!488");
	n = rf_message("N4", BOB);
	wa_node_set(wa_node_add(n, "enc"), "v", "3");
	give(f, n);
	rf_expect(f, "ack");
	rf_meet(f, &bob);
	n = rf_message("N5", BOB);
	rf_seal(n, &bob, "\xff\xff\xff", 3);
	give(f, n);
	rf_expect(f, "ack!491");
	n = rf_message("N6", BOB);
	wa_node_set(n, "type", "medianotify");
	give(f, n);
	rf_expect(f, "ack");
	n = rf_message(NULL, BOB); /* can't even be refused */
	give(f, n);
	rf_expect(f, "");
	n = rf_message("N7", BOB);
	wa_node_set(wa_node_add(n, "enc"), "type", "msmsg");
	give(f, n);
	rf_expect(f, "retry1 ack");
}

/* ---- bots --------------------------------------------------------------------------------------
 */

#define BOT "867051314767696@bot"
#define OWN_LID SF_LID "@lid"

/* We have asked the bot something. */
static void ask_bot(struct recv_fixture *f, const uint8_t secret[WA_MSG_SECRET_LEN])
{
	struct wk_msg m = { .id = "Q1", .flags = WK_MSG_FROM_ME, .unix_s = 1, .secret = secret };
	bool is_new;

	assert_int_equal(wa_jid_parse(BOT, strlen(BOT), &m.chat), 0);
	assert_int_equal(wa_jid_parse(OWN_LID, strlen(OWN_LID), &m.sender), 0);
	m.message = (const uint8_t *)"";
	assert_int_equal(wk_batch_enter(f->batch), 0);
	assert_int_equal(wk_store_msg_put(f->sf.st, &m, &is_new), 0);
	wk_batch_leave(f->batch, 0);
}

/* Its answer, sealed as bots do: under a key of the question's secret, for answer_id. */
static struct wa_node *bot_answer(const uint8_t secret[WA_MSG_SECRET_LEN], const char *id,
                                  const char *answer_id, const char *text)
{
	static const uint8_t iv[WA_IV_LEN] = { 7 };
	Wa__MessageSecretMessage sealed = WA__MESSAGE_SECRET_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_node *n = rf_message(id, BOT), *child;
	uint8_t base[32], key[32], payload[256], wire[400];
	char info[256], aad[256];
	int aad_len;
	struct buf plain;

	m.conversation = (char *)(uintptr_t)text;
	plain = packed(&m);
	snprintf(info, sizeof(info), "%s%s%s", answer_id, OWN_LID, BOT);
	aad_len = snprintf(aad, sizeof(aad), "%s%c%s", answer_id, 0, BOT);
	assert_int_equal(wa_hkdf(secret, 32, NULL, 0, "Bot Message", 11, base, 32), 0);
	assert_int_equal(wa_hkdf(base, 32, NULL, 0, info, strlen(info), key, 32), 0);
	assert_int_equal(wa_gcm_seal_iv(key, iv, aad, (size_t)aad_len, plain.p, plain.len, payload),
	                 0);
	sealed.has_enc_iv = sealed.has_enc_payload = true;
	sealed.enc_iv = (ProtobufCBinaryData){ sizeof(iv), (uint8_t *)(uintptr_t)iv };
	sealed.enc_payload = (ProtobufCBinaryData){ plain.len + WA_TAG_LEN, payload };
	child = wa_node_add(n, "meta");
	wa_node_set(child, "target_id", "Q1");
	wa_node_set_jid(child, "target_sender_jid", OWN_LID);
	child = wa_node_add(n, "enc");
	wa_node_set(child, "v", "2");
	wa_node_set(child, "type", "msmsg");
	wa_node_set_bytes(child, wire, wa__message_secret_message__pack(&sealed, wire));
	buf_free(&plain);
	return n;
}

static void test_bots_answer_under_the_secret_of_the_question(void **state)
{
	struct recv_fixture *f = *state;
	uint8_t secret[WA_MSG_SECRET_LEN] = { 1, 2, 3 };
	struct wa_node *n, *bot;

	/* what it answers to is not known here */
	give(f, bot_answer(secret, "B0", "B0", "who?"));
	rf_expect(f, "ack!495");
	ask_bot(f, secret);
	give(f, bot_answer(secret, "B1", "B1", "42"));
	rf_expect(f, "text:B1=42 inactive");
	give(f, bot_answer(secret, "B1", "B1", "42"));
	rf_expect(f, "inactive");
	/* it goes on with the first part: sealed for that one's id */
	n = bot_answer(secret, "B2", "B1", "42 and more");
	bot = wa_node_add(n, "bot");
	wa_node_set(bot, "edit", "inner");
	wa_node_set(bot, "edit_target_id", "B1");
	give(f, n);
	rf_expect(f, "text:B2=42 and more inactive");
	/* another secret, or changed on the way */
	secret[0] ^= 1;
	give(f, bot_answer(secret, "B3", "B3", "forged"));
	rf_expect(f, "ack!495");
	/* nobody else may use it */
	n = bot_answer(secret, "B4", "B4", "no bot");
	wa_node_set_jid(n, "from", BOB);
	give(f, n);
	rf_expect(f, "retry1 ack");
}

static void test_newsletter_is_in_the_clear(void **state)
{
	struct recv_fixture *f = *state;
	Wa__Message m = WA__MESSAGE__INIT;
	struct buf plain;

	m.conversation = (char *)(uintptr_t) "news";
	plain = packed(&m);
	for (unsigned i = 0; i < 2; i++) {
		struct wa_node *n = rf_message("L1", "120363@newsletter");

		wa_node_set_bytes(wa_node_add(n, "plaintext"), plain.p, plain.len);
		give(f, n);
		rf_expect(f, i == 0 ? "text:L1=news ack" : "ack");
	}
	buf_free(&plain);
}

/* Its secret may stand beside the message: votes and edits that come later need it. */
static void test_what_the_phone_sends_again_keeps_its_secret(void **state)
{
	struct recv_fixture *f = *state;
	uint8_t secret[WA_MSG_SECRET_LEN], got[WA_MSG_SECRET_LEN];
	Wa__WebMessageInfo info = WA__WEB_MESSAGE_INFO__INIT;
	Wa__MessageKey key = WA__MESSAGE_KEY__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	struct buf b = { 0 };
	struct wa_jid chat;

	memset(secret, 5, sizeof(secret));
	m.conversation = (char *)(uintptr_t) "late";
	key.remote_jid = (char *)(uintptr_t)BOB;
	key.id = (char *)(uintptr_t) "R1";
	info.key = &key;
	info.message = &m;
	info.has_message_secret = 1;
	info.message_secret = (ProtobufCBinaryData){ sizeof(secret), secret };
	assert_int_equal(buf_reserve(&b, wa__web_message_info__get_packed_size(&info)), 0);
	b.len = wa__web_message_info__pack(&info, b.p);
	assert_int_equal(wk_batch_enter(f->batch), 0);
	assert_int_equal(wk_recv_take_resent(f->recv, b.p, b.len), 0);
	wk_batch_leave(f->batch, 0);
	rf_turn(f);
	rf_expect(f, "text:R1=late");
	assert_int_equal(wa_jid_parse(BOB, strlen(BOB), &chat), 0);
	assert_int_equal(wk_store_msg_secret(f->sf.st, &chat, "R1", got), 0);
	assert_memory_equal(got, secret, sizeof(got));
	buf_free(&b);
}

static void test_unavailable_is_asked_of_the_phone(void **state)
{
	struct recv_fixture *f = *state;
	struct wa_node *n = rf_message("U1", BOB);

	rf_restart(f, 100);
	rf_meet(f, &phone);
	give(f, protocol_message("H1", OWN_PN, &phone, 999));
	rf_expect(f, "peer_msg");
	wa_node_add(n, "unavailable");
	rf_give(f, n);
	rf_wait(f);
	rf_turn(f);
	rf_expect(f, "ack peer");
	rf_wait(f);
	rf_expect(f, "unopened:U1"); /* a minute later */
	n = rf_message("U2", BOB);
	wa_node_set(wa_node_add(n, "unavailable"), "type", "view_once");
	give(f, n);
	rf_expect(f, "unopened:U2 ack");
}

/* ---- to the phone ------------------------------------------------------------------------------
 */

static int open_at_phone(const struct wa_node *n, struct buf *out)
{
	const struct wa_node *enc = wa_node_child(n, "enc");

	buf_reset(out);
	return wa_signal_decrypt(phone.signal, &rf_own_addr,
	                         wa_enc_parse(wa_node_attr(enc, "type")), enc->bytes,
	                         enc->bytes_len, out, NULL);
}

static void send_phone(struct recv_fixture *f, int want_rc, char id[WK_MSG_ID_CAP])
{
	assert_int_equal(wk_batch_enter(f->batch), 0);
	assert_int_equal(wk_recv_send_phone(f->recv, "message", 7, "high", id), want_rc);
	wk_batch_leave(f->batch, 0);
	rf_turn(f);
}

static struct wa_node *retry_of(const char *id, const char *from, const char *count)
{
	static const uint8_t registration[4] = { 0, 0, 4, 0x1b }; /* 1051: the phone's */
	struct wa_node *n = wa_node_new("receipt"), *retry;

	wa_node_set(n, "id", id);
	wa_node_set_jid(n, "from", from);
	wa_node_set(n, "type", "retry");
	retry = wa_node_add(n, "retry");
	wa_node_set(retry, "id", id);
	wa_node_set(retry, "count", count);
	wa_node_set_bytes(wa_node_add(n, "registration"), registration, 4);
	return n;
}

static void test_phone_gets_a_message_and_asks_again(void **state)
{
	struct recv_fixture *f = *state;
	char id[WK_MSG_ID_CAP];
	struct buf out = { 0 };
	struct wa_node *n;

	send_phone(f, WA_SIG_ENOSESSION, id);
	rf_meet(f, &phone);
	give(f, protocol_message("H1", OWN_PN, &phone, 999));
	rf_expect(f, "peer_msg");
	send_phone(f, 0, id);
	rf_expect(f, "peer");
	assert_string_equal(wa_node_attr(rf_sent(f, "peer"), "to"), OWN_PN);
	assert_string_equal(wa_node_attr(rf_sent(f, "peer"), "push_priority"), "high");
	assert_int_equal(open_at_phone(rf_sent(f, "peer"), &out), 0);
	assert_memory_equal(out.p, "message", 7);
	n = retry_of(id, OWN_PN, "1");
	assert_true(wk_recv_retry(f->recv, n));
	rf_turn(f);
	rf_expect(f, "peer ack");
	assert_int_equal(open_at_phone(rf_sent(f, "peer"), &out), 0);
	assert_memory_equal(out.p, "message", 7);
	assert_string_equal(wa_node_attr(rf_sent(f, "peer"), "id"), id);
	assert_string_equal(wa_node_attr(wa_node_child(rf_sent(f, "peer"), "enc"), "count"), "1");
	wa_node_free(n);
	/* Too often, of an unknown message: an ack. Of somebody else: not ours. */
	n = retry_of(id, OWN_PN, "5");
	assert_true(wk_recv_retry(f->recv, n));
	wa_node_free(n);
	n = retry_of("NEVER", OWN_PN, "1");
	assert_true(wk_recv_retry(f->recv, n));
	wa_node_free(n);
	rf_turn(f);
	rf_expect(f, "ack ack");
	n = retry_of(id, BOB, "1");
	assert_false(wk_recv_retry(f->recv, n));
	wa_node_free(n);
	buf_free(&out);
}

/* Asking for a chat's messages says that it is private; asking for keys does not. */
static void test_request_for_a_chat_is_private(void **state)
{
	static const char *const priority[] = { "high", "high_force" };
	struct recv_fixture *f = *state;
	char id[WK_MSG_ID_CAP];

	rf_meet(f, &phone);
	give(f, protocol_message("H1", OWN_PN, &phone, 999));
	rf_expect(f, "peer_msg");
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(wk_batch_enter(f->batch), 0);
		assert_int_equal(wk_recv_send_phone(f->recv, "m", 1, priority[i], id), 0);
		wk_batch_leave(f->batch, 0);
		rf_turn(f);
		rf_expect(f, "peer");
		assert_string_equal(wa_node_attr(rf_sent(f, "peer"), "push_priority"), priority[i]);
		if (i == 0)
			assert_null(wa_node_attr(rf_sent(f, "peer"), "privacy_sensitive"));
		else
			assert_true(wa_node_attr_is(rf_sent(f, "peer"), "privacy_sensitive", "1"));
	}
}

/* The server has told its keys. */
static void take_phone_keys(struct recv_fixture *f)
{
	static const struct wa_signal_addr at = { SF_LID "_1", 0 };
	struct wa_prekey_bundle b;
	struct wa_signal *s;

	sigpeer_bundle(&phone, &b);
	assert_int_equal(wk_batch_enter(f->batch), 0);
	assert_int_equal(wk_signal_get(wk_recv_signal(f->recv), &s), 0);
	assert_int_equal(wa_signal_take_bundle(s, &at, &b, NULL), 0);
	wk_batch_leave(f->batch, 0);
	wk_recv_sessions(f->recv);
	rf_turn(f);
}

static void test_what_the_phone_is_to_get_waits_for_a_session(void **state)
{
	struct recv_fixture *f = *state;
	char id[WK_MSG_ID_CAP];
	struct buf out = { 0 };
	struct wa_node *n;

	f->keys = true;
	send_phone(f, 0, id);
	rf_expect(f, "keys?");
	rf_restart(f, 1); /* it waits on disk */
	wk_recv_resume(f->recv);
	rf_turn(f);
	rf_expect(f, "keys?");
	take_phone_keys(f);
	rf_expect(f, "peer");
	assert_string_equal(wa_node_attr(rf_sent(f, "peer"), "id"), id);
	assert_string_equal(wa_node_attr(rf_sent(f, "peer"), "push_priority"), "high");
	assert_string_equal(wa_node_attr(wa_node_child(rf_sent(f, "peer"), "enc"), "type"),
	                    "pkmsg");
	assert_non_null(wa_node_child(rf_sent(f, "peer"), "device-identity"));
	assert_int_equal(open_at_phone(rf_sent(f, "peer"), &out), 0);
	assert_memory_equal(out.p, "message", 7);
	wk_recv_resume(f->recv);
	wk_recv_sessions(f->recv);
	rf_turn(f);
	rf_expect(f, ""); /* once */
	/* Asked twice, and a third time on the same session: another one is fetched first. */
	for (unsigned i = 2; i < 4; i++) {
		n = retry_of(id, OWN_PN, i == 2 ? "2" : "3");
		assert_true(wk_recv_retry(f->recv, n));
		rf_turn(f);
		rf_expect(f, i == 2 ? "peer ack" : "keys?");
		wa_node_free(n);
	}
	sigpeer_clear(&phone);
	sigpeer_init(&phone, 0x33, SF_LID "_1", 0);
	take_phone_keys(f);
	rf_expect(f, "peer ack");
	assert_int_equal(open_at_phone(rf_sent(f, "peer"), &out), 0);
	assert_string_equal(wa_node_attr(wa_node_child(rf_sent(f, "peer"), "enc"), "count"), "3");
	/* The keys don't come: what waited is let go, and the asking gets its ack. */
	n = retry_of(id, OWN_PN, "1");
	((uint8_t *)(uintptr_t)wa_node_child(n, "registration")->bytes)[3] ^= 1;
	assert_true(wk_recv_retry(f->recv, n));
	rf_turn(f);
	rf_expect(f, "keys?");
	wk_recv_sessions(f->recv);
	rf_turn(f);
	rf_expect(f, "ack");
	wa_node_free(n);
	buf_free(&out);
}

/* ---- another signed pre-key --------------------------------------------------------------------
 */

static void test_former_signed_pre_keys_open_for_a_while(void **state)
{
	struct recv_fixture *f = *state;
	struct wk_creds *c = &f->sf.creds;
	const uint32_t id = c->device.signed_prekey_id;
	const int64_t now = 1800000000;
	struct wa_keypair former = c->device.signed_prekey;

	rf_meet(f, &bob); /* with what the server has told before */
	rf_meet(f, &phone);
	assert_int_equal(wk_store_rotate_signed(f->sf.st, c, now), 0);
	assert_int_equal(c->device.signed_prekey_id, id + 1);
	assert_memory_not_equal(c->device.signed_prekey.pub, former.pub, WA_KEY_LEN);
	assert_true(c->signed_prekey_waits);
	rf_restart(f, 1); /* it was durable before anybody could hear of it */
	assert_int_equal(c->device.signed_prekey_id, id + 1);
	assert_int_equal(c->signed_prekey_unix_s, now);
	assert_true(c->signed_prekey_waits);
	assert_int_equal(wk_store_rotate_signed(f->sf.st, c, now + WK_SIGNED_KEPT_S), 0);
	give(f, rf_text(&bob, "A1", BOB, "sealed for the key before last"));
	rf_expect(f, "text:A1=sealed for the key before last inactive");
	/* too old now: it is asked for again, with the new keys */
	assert_int_equal(wk_store_rotate_signed(f->sf.st, c, now + WK_SIGNED_KEPT_S + 1), 0);
	give(f, protocol_message("H1", OWN_PN, &phone, 999));
	rf_expect(f, "retry1+keys ack");
	c->device.signed_prekey_id = 0xFFFFFE;
	assert_int_equal(wk_store_rotate_signed(f->sf.st, c, now), 0);
	assert_int_equal(c->device.signed_prekey_id, 1);
	wa_keypair_wipe(&former);
}

/* ---- what it may cost --------------------------------------------------------------------------
 */

static void test_costly_sender_waits_and_loses_nothing(void **state)
{
	struct recv_fixture *f = *state;
	struct wk_recv_counts counts;
	struct sigpeer eve;
	struct wa_node *n;
	char id[16];

	sigpeer_init(&eve, 0x55, "66_1", 0);
	rf_meet(f, &bob);
	rf_meet(f, &eve);
	give(f, rf_text(&eve, "E", "66@lid", "hello"));
	f->trace[0] = '\0';
	f->quiet = true;
	/* Far ahead, and forged: each costs some two thousand derivations. */
	for (unsigned i = 0; i < 1900; i++)
		wa_node_free(rf_text(&eve, "X", "66@lid", "skipped"));
	for (unsigned i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "F%u", i);
		n = rf_text(&eve, id, "66@lid", "forged");
		spoil(n);
		rf_give(f, n);
	}
	rf_turn(f);
	wk_recv_count(f->recv, &counts);
	assert_in_range(counts.unopened, 1, 39);
	assert_int_equal(counts.unopened + counts.waiting, 40);
	/* Others do not notice; her own true message waits its turn. */
	f->quiet = false;
	give(f, rf_text(&bob, "B", BOB, "hello"));
	rf_expect(f, "text:B=hello inactive");
	give(f, rf_text(&eve, "T", "66@lid", "true"));
	rf_expect(f, "");
	wk_recv_count(f->recv, &counts);
	assert_int_equal(counts.dropped, 0);
	sigpeer_clear(&eve);
}

static void test_ten_warnings_a_minute(void **state)
{
	struct recv_fixture *f = *state;
	unsigned loud = 0;

	for (unsigned i = 0; i < 1000; i++)
		loud += wk_recv_level(f->recv) == LOG_WARNING;
	assert_int_equal(loud, 10);
}

/* Every row of the budget: what was spent comes back with time, and never more than the burst. */
static void test_budget_refills(void **state)
{
	struct wk_recv_budget b;

	(void)state;
	wk_budget_init(&b, 1000);
	assert_int_equal(wk_budget_wait_ms(&b, 7, 1000), 0);
	wk_budget_spend(&b, 7, WK_BUDGET_BURST_US - 1, 1000);
	assert_int_equal(wk_budget_wait_ms(&b, 7, 1000), 0);
	wk_budget_spend(&b, 7, 50001, 1000);
	assert_in_range(wk_budget_wait_ms(&b, 7, 1000), 5000, 5001);
	assert_int_equal(wk_budget_wait_ms(&b, 8, 1000), 0);
	assert_int_equal(wk_budget_wait_ms(&b, 7, 7000), 0);
	assert_int_equal(wk_budget_wait_ms(&b, 7, 100000000), 0);
	wk_budget_spend(&b, 7, WK_BUDGET_BURST_US + 1000, 100000000);
	assert_in_range(wk_budget_wait_ms(&b, 7, 100000000), 100, 101);
	/* Many of them together: the share of all is the limit; more than there are places for. */
	for (uint64_t who = 100; who < 200; who++)
		wk_budget_spend(&b, who, WK_BUDGET_BURST_US, 200000000);
	assert_true(wk_budget_wait_ms(&b, 199, 200000000) > 1000);
	assert_int_equal(wk_budget_wait_ms(&b, 9999, 200000000), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_first_message_opens_and_uses_its_key_up),
		T(test_message_is_received_before_it_is_read),
		T(test_redelivered_message_is_answered_only),
		T(test_hundred_messages_are_one_commit),
		T(test_nothing_is_answered_when_the_disk_fails),
		T(test_session_follows_to_the_lid),
		T(test_nobody_takes_our_own_lid),
		T(test_new_identity_is_trusted),
		T(test_group_message_with_its_key),
		T(test_group_message_without_a_key_is_asked_for),
		T(test_sender_key_outside_groups_is_nothing),
		T(test_settings_keep_groups_out),
		T(test_sent_from_the_phone),
		T(test_account_state_is_believed_from_own_devices_only),
		T(test_bad_message_is_asked_for_then_given_up),
		T(test_lost_message_is_told_of_by_the_next_process),
		T(test_sender_answers_a_retry_receipt),
		T(test_a_receipt_that_was_owed_is_given_by_the_next_process),
		T(test_reaction_that_does_not_open_is_hidden),
		T(test_refusals),
		T(test_bots_answer_under_the_secret_of_the_question),
		T(test_newsletter_is_in_the_clear),
		T(test_what_the_phone_sends_again_keeps_its_secret),
		T(test_unavailable_is_asked_of_the_phone),
		T(test_request_for_a_chat_is_private),
		T(test_phone_gets_a_message_and_asks_again),
		T(test_former_signed_pre_keys_open_for_a_while),
		T(test_what_the_phone_is_to_get_waits_for_a_session),
		T(test_costly_sender_waits_and_loses_nothing),
		T(test_ten_warnings_a_minute),
		T(test_budget_refills),
	};

	return cmocka_run_group_tests_name("wk_recv", tests, NULL, NULL);
}
