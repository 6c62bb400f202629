/* tests/unit/test_wk_appstate.c - app state: keys, snapshots, patches; what does not fit */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appstate_fixture.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/ipc.pb-c.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_name.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/store/wk_store_signal.h"
#include "worker/wa/signal/wa_signal.h"

#define LABEL IPC__EVENT__KIND__LABEL_UPDATE

/* ---- values -------------------------------------------------------------------------------------
 */

static void set_labelled(struct appstate_phone *p, const char *index, bool on)
{
	Wa__LabelAssociationAction s = WA__LABEL_ASSOCIATION_ACTION__INIT;
	Wa__SyncActionValue v = WA__SYNC_ACTION_VALUE__INIT;

	s.has_labeled = 1;
	s.labeled = on;
	v.has_timestamp = 1;
	v.timestamp = 1700000000000;
	v.label_association_action = &s;
	ap_set(p, index, &v);
}

#define AT "\"timestamp\":\"2023-11-14T22:13:20.000Z\""

/* ---- tests --------------------------------------------------------------------------------------
 */

/* Nothing is asked for before there is a key; then everything is, in its order. */
static void test_appstate_begins_with_keys(void **state)
{
	struct appstate_fixture *f = *state;
	uint8_t data[32];

	f->speed = 1000;
	af_make(f);
	wk_appstate_start(f->a);
	af_run(f);
	assert_int_equal(f->asked, 0);
	assert_false(wk_appstate_renew(f->a));
	af_give_keys(f);
	af_run(f);
	assert_int_equal(f->asked, 1);
	af_expect_request(f, AF_ALL);
	assert_int_equal(
	    wk_store_appstate_key(f->e->store.st, (struct wa_bytes){ f->phone.key_id, 6 }, data),
	    0);
	assert_memory_equal(data, f->phone.key_data, 32);
	/* an answer that never comes is asked for again */
	wk_appstate_answer(f->a, NULL);
	assert_int_equal(f->asked, 1);
	for (unsigned i = 0; i < 4000 && f->asked == 1; i++) {
		struct timeval tv = { 0, 5000 };

		(void)event_base_loopexit(f->e->base, &tv);
		(void)event_base_dispatch(f->e->base);
	}
	assert_int_equal(f->asked, 2);
	af_expect_request(f, AF_ALL);
}

static void test_appstate_patches(void **state)
{
	struct appstate_fixture *f = *state;

	af_begin(f);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	set_labelled(&f->phone, "[\"label_jid\",\"7\",\"99@lid\"]", true);
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	/* how it stood when we came */
	{
		json_t *data = ef_event(f->e, LABEL, WK_EVENT_FROM_HISTORY);

		ef_equal(data, NULL,
		         "{\"labelId\":\"7\",\"name\":\"Paid\",\"added\":true,\"color\":3," AT
		         ",\"fromHistory\":true}");
		json_decref(data);
		data = ef_event(f->e, LABEL, WK_EVENT_FROM_HISTORY);
		ef_equal(data, NULL,
		         "{\"labelId\":\"7\",\"name\":\"Paid\",\"chat\":{\"jid\":\"99@lid\","
		         "\"lid\":\"99@lid\",\"type\":\"private\"},\"added\":true," AT
		         ",\"fromHistory\":true}");
		json_decref(data);
	}
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 1);
	assert_memory_equal(af_row_of(f, WK_REGULAR).hash, f->phone.hash, WA_APPSTATE_HASH_LEN);

	/* a change, told by the server, is news */
	af_tell(f, "name=regular version=1"); /* known */
	af_tell(f, "name=other version=9");   /* none of ours */
	f->asked = 0;
	af_tell(f, "name=regular version=2");
	assert_int_equal(f->asked, 1);
	af_expect_request(f, "regular:1");
	set_labelled(&f->phone, "[\"label_message\",\"7\",\"99@lid\",\"M1\",\"0\",\"0\"]", true);
	set_labelled(&f->phone, "[\"label_jid\",\"7\",\"99@lid\"]", false);
	ap_remove(&f->phone, "[\"label_edit\",\"7\"]");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=2", NULL, &f->patch);
	ef_expect(f->e, LABEL,
	          "{\"labelId\":\"7\",\"name\":\"Paid\",\"chat\":{\"jid\":\"99@lid\","
	          "\"lid\":\"99@lid\",\"type\":\"private\"},\"messageId\":\"M1\",\"added\":true," AT
	          "}");
	ef_expect(f->e, LABEL,
	          "{\"labelId\":\"7\",\"name\":\"Paid\",\"chat\":{\"jid\":\"99@lid\","
	          "\"lid\":\"99@lid\",\"type\":\"private\"},\"added\":false," AT "}");
	{
		json_t *data = ef_event(f->e, LABEL, 0);

		ef_equal(data, "added", "false");
		ef_equal(data, "chat", NULL);
		json_decref(data);
	}
	ef_no_event(f->e);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 2);
}

/* Nothing was there when we came: what comes then is news, and nothing is asked for at the next
 * start.
 */
static void test_appstate_empty_collection(void **state)
{
	struct appstate_fixture *f = *state;

	af_begin(f);
	af_answer(f, "name=regular version=0", NULL, NULL);
	assert_true(af_row_of(f, WK_REGULAR).synced);
	af_tell(f, "name=regular version=1");
	af_expect_request(f, "regular:0!");
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	json_decref(ef_event(f->e, LABEL, 0));
	af_make(f);
	f->asked = 0;
	wk_appstate_start(f->a);
	af_run(f);
	af_expect_request(
	    f, "critical_block:0! critical_unblock_low:0! regular_high:0! regular_low:0!");
}

/* What the server spoke of is fetched by the next process when this one does not get to it. */
static void test_appstate_outlives_the_process(void **state)
{
	struct appstate_fixture *f = *state;

	af_begin(f);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	af_tell(f, "name=regular version=2");
	af_make(f);
	f->asked = 0;
	wk_appstate_start(f->a);
	af_run(f);
	assert_int_equal(f->asked, 1);
	af_expect_request(f, "critical_block:0! critical_unblock_low:0! regular_high:0! regular:1 "
	                     "regular_low:0!");
}

static void answer_hosts(struct appstate_fixture *f)
{
	struct wa_node *iq = ef_node("iq", "type=result");
	struct wa_node *conn = ef_add(iq, "media_conn", "auth=A ttl=3600 auth_ttl=3600");
	char host[64];

	(void)snprintf(host, sizeof(host), "hostname=127.0.0.1:%u", http_server_port(f->server));
	ef_add(conn, "host", host);
	wk_media_hosts(f->media, iq);
	wa_node_free(iq);
}

/* Contacts, marks and a name, in a snapshot that stands in a file. */
static void test_appstate_snapshot(void **state)
{
	struct appstate_fixture *f = *state;
	Wa__ContactAction c = WA__CONTACT_ACTION__INIT;
	Wa__MuteAction mute = WA__MUTE_ACTION__INIT;
	Wa__PushNameSetting name = WA__PUSH_NAME_SETTING__INIT;
	Wa__SyncActionValue v = WA__SYNC_ACTION_VALUE__INIT, m = v, n = v;
	struct wa_jid lid = ef_jid("99@lid"), pn = ef_jid("551199@s.whatsapp.net");
	int64_t marks[WK_CHAT_MARK_N];
	const char *called;
	char user[WK_USER_CAP];

	v.contact_action = &c;
	c.full_name = (char *)(uintptr_t) "Ana Book";
	c.lid_jid = (char *)(uintptr_t) "99@lid";
	ap_set(&f->phone, "[\"contact\",\"551199@s.whatsapp.net\"]", &v);
	m.mute_action = &mute;
	mute.has_muted = mute.muted = 1;
	mute.has_mute_end_timestamp = 1;
	mute.mute_end_timestamp = -1;
	ap_set(&f->phone, "[\"mute\",\"99@lid\"]", &m);
	n.push_name_setting = &name;
	name.name = (char *)(uintptr_t) "Shop";
	ap_set(&f->phone, "[\"setting_pushName\"]", &n);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	ap_snapshot(&f->phone, &f->plain);
	ap_file(&f->plain, &f->reference, &f->stored);
	af_begin(f);
	answer_hosts(f);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	af_answer(f, "name=regular version=1", &f->reference, NULL);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 1);
	assert_memory_equal(af_row_of(f, WK_REGULAR).hash, f->phone.hash, WA_APPSTATE_HASH_LEN);
	assert_string_equal(f->push_name, "Shop");
	assert_int_equal(wk_store_name(f->e->store.st, &lid, &pn, &called), 0);
	assert_string_equal(called, "Ana Book");
	assert_int_equal(wk_store_lid_of(f->e->store.st, "551199", user), 0);
	assert_string_equal(user, "99");
	assert_int_equal(wk_store_chat_marks(f->e->store.st, &pn, marks), 0);
	assert_int_equal(marks[WK_CHAT_MUTED], -1);
	json_decref(ef_event(f->e, LABEL, WK_EVENT_FROM_HISTORY));
	ef_no_event(f->e);
	/* the contact goes again */
	af_tell(f, "name=regular version=2");
	af_expect_request(f, "regular:1");
	ap_remove(&f->phone, "[\"contact\",\"551199@s.whatsapp.net\"]");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=2", NULL, &f->patch);
	assert_int_equal(wk_store_name(f->e->store.st, &lid, &pn, &called), -ENOENT);
}

/* A patch that does not fit what is here: nothing of it stays, and a snapshot replaces it all. */
static void test_appstate_heals_by_a_snapshot(void **state)
{
	struct appstate_fixture *f = *state;

	af_begin(f);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	json_decref(ef_event(f->e, LABEL, WK_EVENT_FROM_HISTORY));

	f->asked = 0;
	af_tell(f, "name=regular version=2");
	af_expect_request(f, "regular:1");
	af_set_label(&f->phone, "[\"label_edit\",\"8\"]", "New");
	ap_patch(&f->phone, &f->patch);
	f->patch.p[f->patch.len / 2] ^= 1; /* a record's ciphertext or MAC */
	af_answer(f, "name=regular version=2", NULL, &f->patch);
	ef_no_event(f->e);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 1);
	assert_int_equal(f->asked, 2); /* at once */
	af_expect_request(f, "regular:0!");
	ap_snapshot(&f->phone, &f->plain);
	ap_file(&f->plain, &f->reference, &f->stored);
	answer_hosts(f);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	af_answer(f, "name=regular version=2", &f->reference, NULL);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 2);
	/* the label that was known is no news */
	{
		json_t *data = ef_event(f->e, LABEL, 0);

		ef_equal(data, "labelId", "\"8\"");
		json_decref(data);
	}
	ef_no_event(f->e);
}

/* A record that is wrong wherever it is read costs nothing but itself, in the end. */
static void test_appstate_passes_over_a_bad_record(void **state)
{
	struct appstate_fixture *f = *state;

	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	af_set_label(&f->phone, "[\"label_edit\",\"8\"]", "New");
	ap_patch(&f->phone, &f->patch);
	f->phone.live[0].blob.p[20] ^= 1;
	ap_snapshot(&f->phone, &f->plain);
	ap_file(&f->plain, &f->reference, &f->stored);
	af_begin(f);
	answer_hosts(f);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(af_row_of(f, WK_REGULAR).version, 0);
		assert_int_equal(f->asked, i + 1);
		if (i > 0)
			af_expect_request(f, "regular:0!");
		http_server_say_body(f->server, f->stored.p, f->stored.len);
		af_answer(f, "name=regular version=1", &f->reference, NULL);
	}
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 1);
	assert_memory_equal(af_row_of(f, WK_REGULAR).hash, f->phone.hash, WA_APPSTATE_HASH_LEN);
	{
		json_t *data = ef_event(f->e, LABEL, WK_EVENT_FROM_HISTORY);

		ef_equal(data, "labelId", "\"8\"");
		json_decref(data);
	}
	ef_no_event(f->e);
}

/* What is undone with a piece is the piece alone: what messages of the same batch have changed of
 * Signal's records stays, and no pair is taken for known that is not on disk. */
static void test_appstate_undoes_the_piece_alone(void **state)
{
	static const struct wa_signal_addr addr = { .name = "777_1", .device = 3 };
	struct appstate_fixture *f = *state;
	struct wk_store_signal ss = { f->e->store.st, &f->e->store.creds };
	Wa__ContactAction c = WA__CONTACT_ACTION__INIT;
	Wa__SyncActionValue v = WA__SYNC_ACTION_VALUE__INIT, none = v;
	char user[WK_USER_CAP];
	struct buf record = { 0 };
	bool is_new = false;

	af_begin(f);
	wk_batch_set_quiet(f->e->batch, 60000); /* one batch */
	ef_enter(f->e);
	assert_int_equal(wk_store_signal_ops.session_save(&ss, &addr, (const uint8_t *)"old", 3),
	                 0);
	ef_leave(f->e);
	ef_enter(f->e);
	assert_int_equal(wk_store_signal_ops.session_save(&ss, &addr, (const uint8_t *)"new", 3),
	                 0);
	wk_batch_leave(f->e->batch, 0);
	v.contact_action = &c;
	c.full_name = (char *)(uintptr_t) "Ana Book";
	c.lid_jid = (char *)(uintptr_t) "99@lid";
	ap_set(&f->phone, "[\"contact\",\"551199@s.whatsapp.net\"]", &v);
	ap_set(&f->phone, "[\"mute\",\"551199@s.whatsapp.net\"]", &none);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	f->phone.next[2].blob.p[20] ^= 1;
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 0);
	assert_int_equal(wk_store_lid_of(f->e->store.st, "551199", user), -ENOENT);
	assert_int_equal(wk_batch_flush(f->e->batch), 0);
	assert_int_equal(wk_store_signal_ops.session_load(&ss, &addr, &record), 0);
	assert_int_equal(record.len, 3);
	assert_memory_equal(record.p, "new", 3);
	assert_int_equal(wk_store_lid_learn(f->e->store.st, "551199", "99", &is_new), 0);
	assert_true(is_new);
	buf_free(&record);
}

static void set_salt(struct appstate_phone *p, const char *salt)
{
	Wa__NctSaltSyncAction s = WA__NCT_SALT_SYNC_ACTION__INIT;
	Wa__SyncActionValue v = WA__SYNC_ACTION_VALUE__INIT;

	s.has_salt = 1;
	s.salt = (ProtobufCBinaryData){ strlen(salt), (uint8_t *)(uintptr_t)salt };
	v.nct_salt_sync_action = &s;
	ap_set(p, "[\"nct_salt_sync\"]", &v);
}

static void expect_salt(struct appstate_fixture *f, const char *wanted)
{
	struct buf salt = { 0 };
	int rc = wk_store_nct_salt_get(f->e->store.st, &salt);

	assert_int_equal(rc, wanted == NULL ? -ENOENT : 0);
	if (wanted != NULL) {
		assert_int_equal(salt.len, strlen(wanted));
		assert_memory_equal(salt.p, wanted, salt.len);
	}
	buf_free(&salt);
}

/* The phone may change the salt and take it back; history fills in where there is none. */
static void test_appstate_salt(void **state)
{
	struct appstate_fixture *f = *state;
	struct wk_store *st = f->e->store.st;

	af_begin(f);
	assert_int_equal(wk_store_nct_salt_put(st, (const uint8_t *)"history", 7), 0);
	set_salt(&f->phone, "first");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	expect_salt(f, "first");
	assert_int_equal(wk_store_nct_salt_put(st, (const uint8_t *)"history", 7), 0);
	expect_salt(f, "first");
	af_tell(f, "name=regular version=2");
	af_expect_request(f, "regular:1");
	set_salt(&f->phone, "second");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=2", NULL, &f->patch);
	expect_salt(f, "second");
	af_tell(f, "name=regular version=3");
	af_expect_request(f, "regular:2");
	ap_remove(&f->phone, "[\"nct_salt_sync\"]");
	ap_patch(&f->phone, &f->patch);
	af_answer(f, "name=regular version=3", NULL, &f->patch);
	expect_salt(f, NULL);
	assert_int_equal(wk_store_nct_salt_put(st, (const uint8_t *)"history", 7), 0);
	expect_salt(f, "history");
}

/* A patch that nobody can have made is given up after three tries, until there is news. */
static void test_appstate_gives_up(void **state)
{
	struct appstate_fixture *f = *state;

	af_begin(f);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	f->patch.p[f->patch.len - 12] ^= 1; /* its MAC, in front of the key's id */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(f->asked, i + 1);
		if (i > 0)
			af_expect_request(f, "regular:0!");
		af_answer(f, "name=regular version=1", NULL, &f->patch);
	}
	assert_int_equal(f->asked, 3);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 0);
	af_tell(f, "name=regular version=2");
	assert_int_equal(f->asked, 4);
	af_expect_request(f, "regular:0!");
}

/* One that can't be opened waits for its key, which the phone is asked for once. */
static void test_appstate_waits_for_a_key(void **state)
{
	struct appstate_fixture *f = *state;
	struct appstate_phone first = { 0 };

	ap_init(&first, "regular", 1);
	{
		struct Wa__ProtocolMessage *m = ap_share(&first);

		ef_enter(f->e);
		assert_int_equal(wk_appstate_keys(f->a, m), 0);
		ef_leave(f->e);
		ap_share_free(m);
	}
	wk_appstate_start(f->a);
	af_run(f);
	af_expect_request(f, AF_ALL);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	f->phone_rc = WA_SIG_ENOSESSION; /* not fatal */
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	assert_int_equal(f->phone_asked, 1);
	assert_int_equal(af_row_of(f, WK_REGULAR).waits_len, 6);
	ef_no_event(f->e);
	/* nothing more is asked for meanwhile, also not by the next process */
	af_make(f);
	f->asked = 0;
	wk_appstate_start(f->a);
	af_run(f);
	assert_int_equal(f->asked, 1);
	af_expect_request(
	    f, "critical_block:0! critical_unblock_low:0! regular_high:0! regular_low:0!");
	wk_appstate_answer(f->a, NULL);
	af_give_keys(f);
	af_run(f);
	assert_int_equal(af_row_of(f, WK_REGULAR).waits_len, 0);
	assert_int_equal(f->asked, 2);
	{
		struct wa_node *iq = wk_appstate_build(f->a, "ID");

		assert_non_null(iq);
		wa_node_free(iq);
	}
	af_answer(f, "name=regular version=1", NULL, &f->patch);
	json_decref(ef_event(f->e, LABEL, WK_EVENT_FROM_HISTORY));
	assert_int_equal(f->phone_asked, 1);
	ap_clear(&first);
}

/* A phone that did not answer is asked again the next day. */
static void test_appstate_asks_for_a_key_again(void **state)
{
	struct appstate_fixture *f = *state;
	struct wk_appstate_row row = af_row_of(f, WK_REGULAR);
	const struct wa_bytes id = { f->phone.key_id, sizeof(f->phone.key_id) };

	memcpy(row.waits, id.p, id.len);
	row.waits_len = id.len;
	assert_int_equal(wk_store_appstate_save(f->e->store.st, WK_REGULAR, &row), 0);
	assert_int_equal(wk_store_appstate_key_ask(f->e->store.st, id, clock_unix_s() - 90000), 1);
	wk_appstate_start(f->a);
	af_run(f);
	assert_int_equal(f->phone_asked, 1);
	af_make(f);
	wk_appstate_start(f->a);
	af_run(f);
	af_tell(f, "name=regular version=2");
	assert_int_equal(f->phone_asked, 1);
	assert_int_equal(af_row_of(f, WK_REGULAR).waits_len, 6);
}

static void test_appstate_errors(void **state)
{
	struct appstate_fixture *f = *state;
	struct wa_node *iq, *sync;

	af_begin(f);
	/* refused for good, and an answer that is none */
	iq = ef_node("iq", "type=result id=ID");
	sync = ef_add(iq, "sync", "");
	ef_add(ef_add(sync, "collection", "name=regular type=error"), "error", "code=404");
	ef_add(sync, "collection", "name=nonsense");
	ef_add(sync, "collection", "version=3");
	wk_appstate_answer(f->a, iq);
	wa_node_free(iq);
	af_run(f);
	assert_int_equal(af_row_of(f, WK_REGULAR).version, 0);
	f->asked = 0;
	assert_true(wk_appstate_renew(f->a)); /* a dirty bit asks again */
	af_expect_request(f, AF_ALL);
	wk_appstate_answer(f->a, NULL);
	/* has_more_patches: on with the version that is reached */
	assert_true(wk_appstate_renew(f->a));
	af_expect_request(f, AF_ALL);
	af_set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	f->asked = 0;
	af_answer(f, "name=regular version=2 has_more_patches=true", NULL, &f->patch);
	assert_int_equal(f->asked, 1);
	af_expect_request(f, "regular:1");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, af_setup, af_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_appstate_begins_with_keys),
		TEST(test_appstate_patches),
		TEST(test_appstate_empty_collection),
		TEST(test_appstate_outlives_the_process),
		TEST(test_appstate_snapshot),
		TEST(test_appstate_heals_by_a_snapshot),
		TEST(test_appstate_passes_over_a_bad_record),
		TEST(test_appstate_undoes_the_piece_alone),
		TEST(test_appstate_salt),
		TEST(test_appstate_gives_up),
		TEST(test_appstate_waits_for_a_key),
		TEST(test_appstate_asks_for_a_key_again),
		TEST(test_appstate_errors),
	};

	return cmocka_run_group_tests_name("wk_appstate", tests, NULL, NULL);
}
