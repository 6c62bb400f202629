/* tests/unit/test_wk_appstate_phone.c - a collection that is given up: the phone's own copy of it
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "appstate_fixture.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/ipc.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/wa/signal/wa_signal.h"

#define LABEL IPC__EVENT__KIND__LABEL_UPDATE
#define DAY_S (24 * 3600)

/* ---- steps --------------------------------------------------------------------------------------
 */

/* The server's patch of what is set is wrong in every form it comes in. */
static void give_up(struct appstate_fixture *f)
{
	unsigned asked = f->asked;

	ap_patch(&f->phone, &f->patch);
	f->patch.p[f->patch.len - 12] ^= 1; /* its MAC, in front of the key's id */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(f->asked, asked + i);
		if (i > 0)
			af_expect_request(f, "regular:0!");
		af_answer(f, "name=regular version=9", NULL, &f->patch);
	}
	assert_int_equal(f->asked, asked + 2);
}

static void give_up_first(struct appstate_fixture *f)
{
	af_begin(f);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	give_up(f);
}

static struct wk_appstate_ask ask_of(struct appstate_fixture *f, enum wk_collection c)
{
	struct wk_appstate_ask asks[WK_COLLECTION_N];

	assert_int_equal(wk_store_appstate_asks(f->e->store.st, asks), 0);
	return asks[c];
}

/* The request that was made last. */
static void expect_asked(struct appstate_fixture *f, const char *collection)
{
	Wa__Message *m = wa__message__unpack(NULL, f->to_phone.len, f->to_phone.p);
	const Wa__PeerDataOperationRequestMessage *r;
	const Wa__SyncDCollectionFatalRecoveryRequest *ask;

	assert_non_null(m);
	assert_null(f->priority);
	assert_non_null(m->protocol_message);
	assert_int_equal(m->protocol_message->type, WA_PROTO_PEER_DATA_REQUEST);
	r = m->protocol_message->peer_data_operation_request_message;
	assert_non_null(r);
	assert_int_equal(r->peer_data_operation_request_type, 8);
	ask = r->syncd_collection_fatal_recovery_request;
	assert_non_null(ask);
	assert_string_equal(ask->collection_name, collection);
	assert_true(ask->timestamp > (clock_unix_s() - 3600) * 1000 &&
	            ask->timestamp < (clock_unix_s() + 3600) * 1000);
	wa__message__free_unpacked(m, NULL);
}

/* The phone's answer, within a batch. */
static void take(struct appstate_fixture *f, const struct buf *whole, bool gzip)
{
	struct Wa__ProtocolMessage *m = ap_whole_answer(whole, gzip);

	ef_enter(f->e);
	assert_int_equal(wk_appstate_whole(f->a, m), 0);
	ef_leave(f->e);
	ap_share_free(m);
	af_run(f);
	assert_int_equal(f->failed_rc, 0);
}

static void next_process(struct appstate_fixture *f)
{
	af_make(f);
	wk_appstate_start(f->a);
	af_run(f);
}

/* ---- asking -------------------------------------------------------------------------------------
 */

/* Once; the next connection asks again when WhatsApp may not have got it, and else the next day. */
static void test_phone_is_asked_once(void **state)
{
	struct appstate_fixture *f = *state;
	struct wk_appstate_ask q;

	give_up_first(f);
	assert_int_equal(f->phone_asked, 1);
	expect_asked(f, "regular");
	q = ask_of(f, WK_REGULAR);
	assert_true(q.wanted && !q.has_left);
	assert_int_equal(q.tries, 1);
	assert_string_equal(q.message_id, "ASK1");
	/* given up again: nothing new to say */
	af_tell(f, "name=regular version=10");
	af_expect_request(f, "regular:0!");
	f->asked = 0;
	af_answer(f, "name=regular version=10", NULL, &f->patch);
	af_expect_request(f, "regular:0!");
	af_answer(f, "name=regular version=10", NULL, &f->patch);
	assert_int_equal(f->asked, 1);
	assert_int_equal(f->phone_asked, 1);

	next_process(f);
	assert_int_equal(f->phone_asked, 2);
	expect_asked(f, "regular");
	wk_appstate_has_left(f->a, "ASK1"); /* of no request that counts */
	wk_appstate_has_left(f->a, NULL);
	assert_false(ask_of(f, WK_REGULAR).has_left);
	wk_appstate_has_left(f->a, "ASK2");
	assert_true(ask_of(f, WK_REGULAR).has_left);
	next_process(f);
	assert_int_equal(f->phone_asked, 2);

	q = ask_of(f, WK_REGULAR);
	q.asked_unix_s -= 2 * DAY_S - 60; /* it was the second one */
	assert_int_equal(wk_store_appstate_ask_put(f->e->store.st, WK_REGULAR, &q), 0);
	next_process(f);
	assert_int_equal(f->phone_asked, 2);
	q.asked_unix_s -= 60;
	assert_int_equal(wk_store_appstate_ask_put(f->e->store.st, WK_REGULAR, &q), 0);
	next_process(f);
	assert_int_equal(f->phone_asked, 3);
	assert_int_equal(ask_of(f, WK_REGULAR).tries, 3);
}

/* Requests that never leave are no loop, either. */
static void test_phone_that_can_not_be_told(void **state)
{
	struct appstate_fixture *f = *state;

	f->phone_rc = WA_SIG_ENOSESSION;
	give_up_first(f);
	assert_int_equal(f->failed_rc, 0);
	for (unsigned i = 0; i < 8; i++)
		next_process(f);
	assert_int_equal(f->phone_asked, 4);
	assert_string_equal(ask_of(f, WK_REGULAR).message_id, "");
}

/* It is the one collection that WhatsApp Web does not ask for. */
static void test_own_name_is_not_asked_for(void **state)
{
	struct appstate_fixture *f = *state;

	f->phone.collection = "critical_block";
	af_begin(f);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	f->patch.p[f->patch.len - 12] ^= 1;
	for (unsigned i = 0; i < 3; i++) {
		if (i > 0)
			af_expect_request(f, "critical_block:0!");
		af_answer(f, "name=critical_block version=9", NULL, &f->patch);
	}
	assert_int_equal(f->phone_asked, 0);
	assert_false(ask_of(f, WK_CRITICAL_BLOCK).wanted);
}

/* The server's data fits after all: the phone's is not wanted any more. */
static void test_server_heals_first(void **state)
{
	struct appstate_fixture *f = *state;

	give_up_first(f);
	f->patch.p[f->patch.len - 12] ^= 1;
	af_tell(f, "name=regular version=9");
	af_expect_request(f, "regular:0!");
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	json_decref(ef_event(f->e, LABEL, WK_EVENT_FROM_HISTORY));
	assert_false(ask_of(f, WK_REGULAR).wanted);
	af_set_label(&f->phone, "[\"label_edit\",\"8\"]", "Late");
	f->phone.version = 40;
	ap_whole(&f->phone, &f->plain);
	take(f, &f->plain, false);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 1);
	ef_no_event(f->e);
}

/* ---- the answer ---------------------------------------------------------------------------------
 */

static void expect_label(struct appstate_fixture *f, const char *id, unsigned flags)
{
	json_t *data = ef_event(f->e, LABEL, flags);

	ef_equal(data, "labelId", id);
	json_decref(data);
}

/* It replaces all there is; what was known is no news, and the server's next patch fits on it. */
static void test_answer_replaces_the_collection(void **state)
{
	struct appstate_fixture *f = *state;
	uint8_t mac[WA_APPSTATE_MAC_LEN], gone[WA_APPSTATE_MAC_LEN];

	af_begin(f);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	af_set_label(&f->phone, "[\"label_edit\",\"9\"]", "Gone");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	expect_label(f, "\"7\"", WK_EVENT_FROM_HISTORY);
	expect_label(f, "\"9\"", WK_EVENT_FROM_HISTORY);
	memcpy(gone, f->phone.live[1].index_mac, sizeof(gone));
	af_tell(f, "name=regular version=2");
	af_expect_request(f, "regular:1");
	af_set_label(&f->phone, "[\"label_edit\",\"8\"]", "New");
	ap_remove(&f->phone, "[\"label_edit\",\"9\"]");
	give_up(f);
	ef_no_event(f->e);
	assert_int_equal(f->phone_asked, 1);

	ap_whole(&f->phone, &f->plain);
	ap_gzip(&f->plain, &f->stored);
	f->asked = 0;
	take(f, &f->stored, true);
	expect_label(f, "\"8\"", 0);
	ef_no_event(f->e);
	assert_false(ask_of(f, WK_REGULAR).wanted);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 2);
	assert_memory_equal(af_row_of(f, WK_REGULAR).hash, f->phone.hash, WA_APPSTATE_HASH_LEN);
	assert_int_equal(
	    wk_store_appstate_mac(f->e->store.st, WK_REGULAR, f->phone.live[0].index_mac, mac), 0);
	assert_memory_equal(mac, f->phone.live[0].value_mac, sizeof(mac));
	assert_int_equal(wk_store_appstate_mac(f->e->store.st, WK_REGULAR, gone, mac), -ENOENT);
	/* on from there */
	assert_int_equal(f->asked, 1);
	af_expect_request(f, "regular:2");
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Settled");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=3", NULL, &f->patch);
	expect_label(f, "\"7\"", 0);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 3);
	assert_memory_equal(af_row_of(f, WK_REGULAR).hash, f->phone.hash, WA_APPSTATE_HASH_LEN);
}

/* Of a collection that was never here: how it stood when we came. */
static void test_answer_to_a_first_synchronisation(void **state)
{
	struct appstate_fixture *f = *state;

	give_up_first(f);
	ap_whole(&f->phone, &f->plain);
	take(f, &f->plain, false);
	expect_label(f, "\"7\"", WK_EVENT_FROM_HISTORY);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 1);
	af_expect_request(f, "regular:1");
	af_answer(f, "name=regular version=1", NULL, NULL);
	assert_true(af_row_of(f, WK_REGULAR).synced);
}

/* What the server is saying meanwhile began elsewhere: it is asked again, from there. */
static void test_answer_between_two_pieces(void **state)
{
	struct appstate_fixture *f = *state;
	struct Wa__ProtocolMessage *m;
	struct wa_node *iq, *c;

	give_up_first(f);
	af_tell(f, "name=regular version=10");
	af_expect_request(f, "regular:0!");
	iq = ef_node("iq", "type=result id=ID");
	c = ef_add(ef_add(iq, "sync", ""), "collection", "name=regular version=9");
	wa_node_set_bytes(wa_node_add(ef_add(c, "patches", ""), "patch"), f->patch.p, f->patch.len);
	wk_appstate_answer(f->a, iq); /* to be worked on in the next pass */
	wa_node_free(iq);
	assert_true(wk_appstate_is_busy(f->a));
	ap_whole(&f->phone, &f->plain);
	m = ap_whole_answer(&f->plain, false);
	ef_enter(f->e);
	assert_int_equal(wk_appstate_whole(f->a, m), 0);
	ef_leave(f->e);
	ap_share_free(m);
	f->asked = 0;
	af_run(f);
	expect_label(f, "\"7\"", WK_EVENT_FROM_HISTORY);
	assert_int_equal(f->phone_asked, 1);
	assert_int_equal(f->asked, 1);
	af_expect_request(f, "regular:1");
}

/* A batch that does not get to the disk takes it all back: the next process has asked, still. */
static void test_answer_that_is_not_committed(void **state)
{
	struct appstate_fixture *f = *state;
	struct Wa__ProtocolMessage *m;

	give_up_first(f);
	wk_appstate_has_left(f->a, "ASK1");
	assert_int_equal(wk_batch_flush(f->e->batch), 0);
	ap_whole(&f->phone, &f->plain);
	m = ap_whole_answer(&f->plain, false);
	ef_enter(f->e);
	assert_int_equal(wk_appstate_whole(f->a, m), 0);
	wk_batch_leave(f->e->batch, WA_ESTORAGE);
	ap_share_free(m);
	assert_int_equal(f->e->failed_rc, WA_ESTORAGE);
	f->e->failed_rc = 0;
	ef_no_event(f->e);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 0);
	assert_true(ask_of(f, WK_REGULAR).has_left);
	next_process(f);
	assert_int_equal(f->phone_asked, 1);
}

/* A record that makes no sense costs nothing but itself. */
static void test_answer_with_a_bad_record(void **state)
{
	static const char index[] = "no array";
	struct appstate_fixture *f = *state;
	struct buf *data;
	uint8_t *at;

	af_begin(f);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	af_set_label(&f->phone, "[\"label_edit\",\"8\"]", "New");
	give_up(f);
	data = &f->phone.live[0].data;
	at = memmem(data->p, data->len, "[\"label_", 8);
	assert_non_null(at);
	memcpy(at, index, sizeof(index) - 1);
	ap_whole(&f->phone, &f->plain);
	take(f, &f->plain, false);
	expect_label(f, "\"8\"", WK_EVENT_FROM_HISTORY);
	ef_no_event(f->e);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 1);
	assert_memory_equal(af_row_of(f, WK_REGULAR).hash, f->phone.hash, WA_APPSTATE_HASH_LEN);
}

/* Sealed under a key that we lack: that is asked for first, then the collection again. */
static void test_answer_under_an_unknown_key(void **state)
{
	struct appstate_fixture *f = *state;
	struct appstate_phone other = { 0 };

	give_up_first(f);
	wk_appstate_has_left(f->a, "ASK1");
	ap_init(&other, "regular", 9);
	af_set_label(&other, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&other, &f->stored);
	ap_whole(&other, &f->plain);
	take(f, &f->plain, false);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 0);
	assert_int_equal(af_row_of(f, WK_REGULAR).waits_len, 6);
	assert_int_equal(f->phone_asked, 2); /* for the key */
	next_process(f);
	assert_int_equal(f->phone_asked, 2);
	{
		struct Wa__ProtocolMessage *m = ap_share(&other);

		ef_enter(f->e);
		assert_int_equal(wk_appstate_keys(f->a, m), 0);
		ef_leave(f->e);
		ap_share_free(m);
	}
	af_run(f);
	assert_int_equal(f->phone_asked, 3);
	expect_asked(f, "regular");
	take(f, &f->plain, false);
	expect_label(f, "\"7\"", WK_EVENT_FROM_HISTORY);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 1);
	ap_clear(&other);
}

/* ---- what is refused ----------------------------------------------------------------------------
 */

/* Nothing of it stays, the session goes on, and the request stands. */
static void expect_refused(struct appstate_fixture *f, const struct buf *whole, bool gzip)
{
	uint64_t version = af_row_of(f, WK_REGULAR).version;
	unsigned asked = f->phone_asked;

	take(f, whole, gzip);
	ef_no_event(f->e);
	assert_int_equal(f->e->failed_rc, 0);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, version);
	assert_true(ask_of(f, WK_REGULAR).wanted);
	assert_int_equal(f->phone_asked, asked);
}

static void test_answer_for_others(void **state)
{
	struct appstate_fixture *f = *state;

	give_up_first(f);
	f->phone.collection = "regular_low"; /* not asked for */
	ap_whole(&f->phone, &f->plain);
	expect_refused(f, &f->plain, false);
	assert_int_equal(af_row_of(f, WK_REGULAR_LOW).version, 0);
	f->phone.collection = "no such collection";
	ap_whole(&f->phone, &f->plain);
	expect_refused(f, &f->plain, false);
}

static void test_answer_that_is_not_newer(void **state)
{
	struct appstate_fixture *f = *state;

	af_begin(f);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	expect_label(f, "\"7\"", WK_EVENT_FROM_HISTORY);
	af_tell(f, "name=regular version=2");
	af_expect_request(f, "regular:1");
	af_set_label(&f->phone, "[\"label_edit\",\"8\"]", "New");
	give_up(f);
	f->phone.version = 1;
	ap_whole(&f->phone, &f->plain);
	expect_refused(f, &f->plain, false);
	f->phone.version = 2;
	ap_whole(&f->phone, &f->plain);
	take(f, &f->plain, false);
	expect_label(f, "\"8\"", 0);
}

static void test_answer_with_a_bad_head(void **state)
{
	struct appstate_fixture *f = *state;
	Wa__SyncdSnapshotRecovery *w;

	give_up_first(f);
	ap_whole(&f->phone, &f->plain);
	for (unsigned i = 0; i < 6; i++) {
		w = wa__syncd_snapshot_recovery__unpack(NULL, f->plain.len, f->plain.p);
		assert_non_null(w);
		switch (i) {
		case 0:
			w->version->version = 0;
			break;
		case 1:
			w->version->version = (uint64_t)INT64_MAX + 1;
			break;
		case 2:
			w->collection_lthash.len--;
			break;
		case 3:
			w->has_collection_lthash = 0;
			break;
		case 4:
			w->mutation_records[0]->mac.len--;
			break;
		case 5:
			w->mutation_records[0]->has_key_id = 0;
			break;
		}
		f->stored.len = 0;
		assert_int_equal(
		    buf_reserve(&f->stored, wa__syncd_snapshot_recovery__get_packed_size(w)), 0);
		f->stored.len = wa__syncd_snapshot_recovery__pack(w, f->stored.p);
		wa__syncd_snapshot_recovery__free_unpacked(w, NULL);
		expect_refused(f, &f->stored, false);
	}
	f->plain.len -= 3; /* cut off */
	expect_refused(f, &f->plain, false);
	f->plain.len = 0;
	expect_refused(f, &f->plain, false);
}

static void test_answer_that_does_not_inflate(void **state)
{
	struct appstate_fixture *f = *state;

	give_up_first(f);
	ap_whole(&f->phone, &f->plain);
	expect_refused(f, &f->plain, true); /* no gzip at all */
	ap_gzip(&f->plain, &f->stored);
	expect_refused(f, &f->stored, false); /* or not said to be */
	f->stored.len--;
	expect_refused(f, &f->stored, true);
	f->stored.len++;
	assert_int_equal(buf_append_u8(&f->stored, 0), 0); /* bytes behind it */
	expect_refused(f, &f->stored, true);
	f->stored.len--;
	f->stored.p[f->stored.len - 6] ^= 1; /* its checksum */
	expect_refused(f, &f->stored, true);
}

/* A small one that becomes large: an unknown field of zeros behind what is sound. */
static void test_answer_that_is_a_bomb(void **state)
{
	static const uint8_t head[] = { 0x7a, 0x80, 0x80, 0x80, 0x08 }; /* field 15, 16 MiB */
	struct appstate_fixture *f = *state;
	struct buf large = { 0 };

	give_up_first(f);
	ap_whole(&f->phone, &large);
	assert_int_equal(buf_append(&large, head, sizeof(head)), 0);
	assert_int_equal(buf_reserve(&large, WA_APPSTATE_WHOLE_MAX), 0);
	memset(large.p + large.len, 0, WA_APPSTATE_WHOLE_MAX);
	large.len += WA_APPSTATE_WHOLE_MAX;
	ap_gzip(&large, &f->stored);
	assert_true(f->stored.len < 100000);
	expect_refused(f, &f->stored, true);
	buf_free(&large);
}

/* Nothing to read in it at all. */
static void test_answer_that_is_none(void **state)
{
	struct appstate_fixture *f = *state;
	Wa__ProtocolMessage m = WA__PROTOCOL_MESSAGE__INIT;
	Wa__PeerDataOperationRequestResponseMessage r =
	    WA__PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE__INIT;

	give_up_first(f);
	ef_enter(f->e);
	assert_int_equal(wk_appstate_whole(f->a, &m), 0);
	m.peer_data_operation_request_response_message = &r;
	assert_int_equal(wk_appstate_whole(f->a, &m), 0);
	ef_leave(f->e);
	assert_true(ask_of(f, WK_REGULAR).wanted);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, af_setup, af_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_phone_is_asked_once),
		TEST(test_phone_that_can_not_be_told),
		TEST(test_own_name_is_not_asked_for),
		TEST(test_server_heals_first),
		TEST(test_answer_replaces_the_collection),
		TEST(test_answer_to_a_first_synchronisation),
		TEST(test_answer_between_two_pieces),
		TEST(test_answer_that_is_not_committed),
		TEST(test_answer_with_a_bad_record),
		TEST(test_answer_under_an_unknown_key),
		TEST(test_answer_for_others),
		TEST(test_answer_that_is_not_newer),
		TEST(test_answer_with_a_bad_head),
		TEST(test_answer_that_does_not_inflate),
		TEST(test_answer_that_is_a_bomb),
		TEST(test_answer_that_is_none),
	};

	return cmocka_run_group_tests_name("wk_appstate_phone", tests, NULL, NULL);
}
