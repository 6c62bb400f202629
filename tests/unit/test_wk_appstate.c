/* tests/unit/test_wk_appstate.c - app state: keys, snapshots, patches; what does not fit */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appstate_phone.h"
#include "common/clock.h"
#include "common/err.h"
#include "emit_fixture.h"
#include "http_server.h"
#include "proto/ipc.pb-c.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/history/wk_media.h"
#include "worker/net/wk_url.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_name.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/store/wk_store_signal.h"
#include "worker/wa/signal/wa_signal.h"

#define LABEL IPC__EVENT__KIND__LABEL_UPDATE

struct fixture {
	struct emit_fixture *e;
	struct http_server *server;
	struct wk_url chat;
	struct wk_media *media;
	struct wk_appstate *a;
	struct appstate_phone phone;
	unsigned asked, phone_asked, speed;
	int phone_rc, failed_rc;
	char push_name[64];
	struct buf patch, reference, stored, plain;
};

static void on_ask(void *arg)
{
	struct fixture *f = arg;

	f->asked++;
}

static int on_send_phone(const void *message, size_t message_len, void *arg)
{
	struct fixture *f = arg;

	assert_true(message != NULL && message_len > 0);
	f->phone_asked++;
	return f->phone_rc;
}

static int on_push_name(const char *name, void *arg)
{
	struct fixture *f = arg;

	(void)snprintf(f->push_name, sizeof(f->push_name), "%s", name);
	return 0;
}

static void on_failed(int rc, void *arg)
{
	struct fixture *f = arg;

	f->failed_rc = rc;
}

static const struct wk_proxy *no_proxy(void *arg)
{
	(void)arg;
	return NULL;
}

static bool ask_hosts(void *arg)
{
	(void)arg;
	return true;
}

static void make(struct fixture *f)
{
	static const struct wk_appstate_ops ops = { on_ask, on_send_phone, on_push_name,
		                                    on_failed };
	const struct wk_appstate_params p = {
		.base = f->e->base,
		.store = f->e->store.st,
		.batch = f->e->batch,
		.emit = f->e->emit,
		.media = f->media,
		.log = &f->e->log,
		.speed = f->speed,
		.ops = &ops,
		.arg = f,
	};

	wk_appstate_free(f->a);
	assert_int_equal(wk_appstate_new(&p, &f->a), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct wk_media_params p = { .log = NULL, .speed = 100 };
	void *emit;
	char url[64];

	assert_int_equal(ef_setup(&emit), 0);
	f->e = emit;
	f->server = http_server_new(f->e->base);
	(void)snprintf(url, sizeof(url), "ws://127.0.0.1:%u/ws/chat", http_server_port(f->server));
	assert_int_equal(wk_url_parse(url, &f->chat), 0);
	p.base = f->e->base;
	p.chat = &f->chat;
	p.origin = "https://web.whatsapp.com";
	p.proxy = no_proxy;
	p.ask_hosts = ask_hosts;
	p.arg = f;
	assert_int_equal(wk_media_new(&p, &f->media), 0);
	ap_init(&f->phone, "regular", 5);
	f->speed = 1; /* what comes to nothing stays away for the test */
	make(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *emit = f->e;

	wk_appstate_free(f->a);
	wk_media_free(f->media);
	http_server_free(f->server);
	ap_clear(&f->phone);
	buf_free(&f->patch);
	buf_free(&f->reference);
	buf_free(&f->stored);
	buf_free(&f->plain);
	ef_teardown(&emit);
	free(f);
	return 0;
}

/* ---- steps --------------------------------------------------------------------------------------
 */

/* Run the loop until it is asked for more often than `asked`; or, with busy, until all is applied.
 */
static void run(struct fixture *f)
{
	for (unsigned i = 0; i < 20000; i++) {
		(void)event_base_loop(f->e->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		if (!wk_appstate_is_busy(f->a) && i > 20)
			return;
		if (i > 100) {
			struct timeval tv = { 0, 1000 };

			(void)event_base_loopexit(f->e->base, &tv);
			(void)event_base_loop(f->e->base, EVLOOP_ONCE);
		}
	}
}

static void give_keys(struct fixture *f)
{
	struct Wa__ProtocolMessage *m = ap_share(&f->phone);

	ef_enter(f->e);
	assert_int_equal(wk_appstate_keys(f->a, m), 0);
	ef_leave(f->e);
	ap_share_free(m);
}

static void tell(struct fixture *f, const char *collection_attrs)
{
	struct wa_node *n = ef_node("notification", "id=N type=server_sync");

	ef_add(n, "collection", collection_attrs);
	ef_enter(f->e);
	assert_int_equal(wk_appstate_told(f->a, n), 0);
	ef_leave(f->e);
	wa_node_free(n);
	run(f);
}

/* What the request asks for: "name:version ..." */
static void expect_request(struct fixture *f, const char *wanted)
{
	struct wa_node *iq = wk_appstate_build(f->a, "ID");
	char got[256] = "";

	assert_non_null(iq);
	for (const struct wa_node *c = wa_node_child(wa_node_child(iq, "sync"), "collection");
	     c != NULL; c = wa_node_next(c, "collection")) {
		size_t len = strlen(got);

		(void)snprintf(got + len, sizeof(got) - len, "%s%s:%s%s", len == 0 ? "" : " ",
		               wa_node_attr(c, "name"), wa_node_attr(c, "version"),
		               wa_node_attr_is(c, "return_snapshot", "true") ? "!" : "");
	}
	assert_string_equal(got, wanted);
	wa_node_free(iq);
}

/* An answer of one collection; then what is done with it. */
static void answer(struct fixture *f, const char *attrs, const struct buf *snapshot,
                   const struct buf *patch)
{
	struct wa_node *iq = ef_node("iq", "type=result id=ID");
	struct wa_node *c = ef_add(ef_add(iq, "sync", ""), "collection", attrs);

	if (snapshot != NULL)
		wa_node_set_bytes(wa_node_add(c, "snapshot"), snapshot->p, snapshot->len);
	if (patch != NULL)
		wa_node_set_bytes(wa_node_add(ef_add(c, "patches", ""), "patch"), patch->p,
		                  patch->len);
	wk_appstate_answer(f->a, iq);
	wa_node_free(iq);
	run(f);
	assert_int_equal(f->failed_rc, 0);
	assert_int_equal(f->e->failed_rc, 0);
}

static struct wk_appstate_row row_of(struct fixture *f, enum wk_collection c)
{
	struct wk_appstate_row row;

	assert_int_equal(wk_store_appstate_load(f->e->store.st, c, &row), 0);
	return row;
}

/* All five are asked for first; what is not answered is put off, so that "regular" stands alone. */
#define ALL "critical_block:0! critical_unblock_low:0! regular_high:0! regular:0! regular_low:0!"

static void begin(struct fixture *f)
{
	give_keys(f);
	wk_appstate_start(f->a);
	run(f);
	assert_int_equal(f->asked, 1);
	expect_request(f, ALL);
}

/* ---- values -------------------------------------------------------------------------------------
 */

static void set_label(struct appstate_phone *p, const char *index, const char *name)
{
	Wa__LabelEditAction e = WA__LABEL_EDIT_ACTION__INIT;
	Wa__SyncActionValue v = WA__SYNC_ACTION_VALUE__INIT;

	e.name = (char *)(uintptr_t)name;
	e.has_color = 1;
	e.color = 3;
	v.has_timestamp = 1;
	v.timestamp = 1700000000000;
	v.label_edit_action = &e;
	ap_set(p, index, &v);
}

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
	struct fixture *f = *state;
	uint8_t data[32];

	f->speed = 1000;
	make(f);
	wk_appstate_start(f->a);
	run(f);
	assert_int_equal(f->asked, 0);
	assert_false(wk_appstate_renew(f->a));
	give_keys(f);
	run(f);
	assert_int_equal(f->asked, 1);
	expect_request(f, ALL);
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
	expect_request(f, ALL);
}

static void test_appstate_patches(void **state)
{
	struct fixture *f = *state;

	begin(f);
	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	set_labelled(&f->phone, "[\"label_jid\",\"7\",\"99@lid\"]", true);
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=1", NULL, &f->patch);
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
	assert_int_equal(row_of(f, WK_REGULAR).version, 1);
	assert_memory_equal(row_of(f, WK_REGULAR).hash, f->phone.hash, WA_APPSTATE_HASH_LEN);

	/* a change, told by the server, is news */
	tell(f, "name=regular version=1"); /* known */
	tell(f, "name=other version=9");   /* none of ours */
	f->asked = 0;
	tell(f, "name=regular version=2");
	assert_int_equal(f->asked, 1);
	expect_request(f, "regular:1");
	set_labelled(&f->phone, "[\"label_message\",\"7\",\"99@lid\",\"M1\",\"0\",\"0\"]", true);
	set_labelled(&f->phone, "[\"label_jid\",\"7\",\"99@lid\"]", false);
	ap_remove(&f->phone, "[\"label_edit\",\"7\"]");
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=2", NULL, &f->patch);
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
	assert_int_equal(row_of(f, WK_REGULAR).version, 2);
}

/* Nothing was there when we came: what comes then is news, and nothing is asked for at the next
 * start.
 */
static void test_appstate_empty_collection(void **state)
{
	struct fixture *f = *state;

	begin(f);
	answer(f, "name=regular version=0", NULL, NULL);
	assert_true(row_of(f, WK_REGULAR).synced);
	tell(f, "name=regular version=1");
	expect_request(f, "regular:0!");
	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=1", NULL, &f->patch);
	json_decref(ef_event(f->e, LABEL, 0));
	make(f);
	f->asked = 0;
	wk_appstate_start(f->a);
	run(f);
	expect_request(f,
	               "critical_block:0! critical_unblock_low:0! regular_high:0! regular_low:0!");
}

/* What the server spoke of is fetched by the next process when this one does not get to it. */
static void test_appstate_outlives_the_process(void **state)
{
	struct fixture *f = *state;

	begin(f);
	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=1", NULL, &f->patch);
	tell(f, "name=regular version=2");
	make(f);
	f->asked = 0;
	wk_appstate_start(f->a);
	run(f);
	assert_int_equal(f->asked, 1);
	expect_request(f, "critical_block:0! critical_unblock_low:0! regular_high:0! regular:1 "
	                  "regular_low:0!");
}

static void answer_hosts(struct fixture *f)
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
	struct fixture *f = *state;
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
	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	ap_snapshot(&f->phone, &f->plain);
	ap_file(&f->plain, &f->reference, &f->stored);
	begin(f);
	answer_hosts(f);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	answer(f, "name=regular version=1", &f->reference, NULL);
	assert_int_equal(row_of(f, WK_REGULAR).version, 1);
	assert_memory_equal(row_of(f, WK_REGULAR).hash, f->phone.hash, WA_APPSTATE_HASH_LEN);
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
	tell(f, "name=regular version=2");
	expect_request(f, "regular:1");
	ap_remove(&f->phone, "[\"contact\",\"551199@s.whatsapp.net\"]");
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=2", NULL, &f->patch);
	assert_int_equal(wk_store_name(f->e->store.st, &lid, &pn, &called), -ENOENT);
}

/* A patch that does not fit what is here: nothing of it stays, and a snapshot replaces it all. */
static void test_appstate_heals_by_a_snapshot(void **state)
{
	struct fixture *f = *state;

	begin(f);
	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=1", NULL, &f->patch);
	json_decref(ef_event(f->e, LABEL, WK_EVENT_FROM_HISTORY));

	f->asked = 0;
	tell(f, "name=regular version=2");
	expect_request(f, "regular:1");
	set_label(&f->phone, "[\"label_edit\",\"8\"]", "New");
	ap_patch(&f->phone, &f->patch);
	f->patch.p[f->patch.len / 2] ^= 1; /* a record's ciphertext or MAC */
	answer(f, "name=regular version=2", NULL, &f->patch);
	ef_no_event(f->e);
	assert_int_equal(row_of(f, WK_REGULAR).version, 1);
	assert_int_equal(f->asked, 2); /* at once */
	expect_request(f, "regular:0!");
	ap_snapshot(&f->phone, &f->plain);
	ap_file(&f->plain, &f->reference, &f->stored);
	answer_hosts(f);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	answer(f, "name=regular version=2", &f->reference, NULL);
	assert_int_equal(row_of(f, WK_REGULAR).version, 2);
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
	struct fixture *f = *state;

	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	set_label(&f->phone, "[\"label_edit\",\"8\"]", "New");
	ap_patch(&f->phone, &f->patch);
	f->phone.live[0].blob.p[20] ^= 1;
	ap_snapshot(&f->phone, &f->plain);
	ap_file(&f->plain, &f->reference, &f->stored);
	begin(f);
	answer_hosts(f);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(row_of(f, WK_REGULAR).version, 0);
		assert_int_equal(f->asked, i + 1);
		if (i > 0)
			expect_request(f, "regular:0!");
		http_server_say_body(f->server, f->stored.p, f->stored.len);
		answer(f, "name=regular version=1", &f->reference, NULL);
	}
	assert_int_equal(row_of(f, WK_REGULAR).version, 1);
	assert_memory_equal(row_of(f, WK_REGULAR).hash, f->phone.hash, WA_APPSTATE_HASH_LEN);
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
	struct fixture *f = *state;
	struct wk_store_signal ss = { f->e->store.st, &f->e->store.creds };
	Wa__ContactAction c = WA__CONTACT_ACTION__INIT;
	Wa__SyncActionValue v = WA__SYNC_ACTION_VALUE__INIT, none = v;
	char user[WK_USER_CAP];
	struct buf record = { 0 };
	bool is_new = false;

	begin(f);
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
	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	f->phone.next[2].blob.p[20] ^= 1;
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=1", NULL, &f->patch);
	assert_int_equal(row_of(f, WK_REGULAR).version, 0);
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

static void expect_salt(struct fixture *f, const char *wanted)
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
	struct fixture *f = *state;
	struct wk_store *st = f->e->store.st;

	begin(f);
	assert_int_equal(wk_store_nct_salt_put(st, (const uint8_t *)"history", 7), 0);
	set_salt(&f->phone, "first");
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=1", NULL, &f->patch);
	expect_salt(f, "first");
	assert_int_equal(wk_store_nct_salt_put(st, (const uint8_t *)"history", 7), 0);
	expect_salt(f, "first");
	tell(f, "name=regular version=2");
	expect_request(f, "regular:1");
	set_salt(&f->phone, "second");
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=2", NULL, &f->patch);
	expect_salt(f, "second");
	tell(f, "name=regular version=3");
	expect_request(f, "regular:2");
	ap_remove(&f->phone, "[\"nct_salt_sync\"]");
	ap_patch(&f->phone, &f->patch);
	answer(f, "name=regular version=3", NULL, &f->patch);
	expect_salt(f, NULL);
	assert_int_equal(wk_store_nct_salt_put(st, (const uint8_t *)"history", 7), 0);
	expect_salt(f, "history");
}

/* A patch that nobody can have made is given up after three tries, until there is news. */
static void test_appstate_gives_up(void **state)
{
	struct fixture *f = *state;

	begin(f);
	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	f->patch.p[f->patch.len - 12] ^= 1; /* its MAC, in front of the key's id */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(f->asked, i + 1);
		if (i > 0)
			expect_request(f, "regular:0!");
		answer(f, "name=regular version=1", NULL, &f->patch);
	}
	assert_int_equal(f->asked, 3);
	assert_int_equal(row_of(f, WK_REGULAR).version, 0);
	tell(f, "name=regular version=2");
	assert_int_equal(f->asked, 4);
	expect_request(f, "regular:0!");
}

/* One that can't be opened waits for its key, which the phone is asked for once. */
static void test_appstate_waits_for_a_key(void **state)
{
	struct fixture *f = *state;
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
	run(f);
	expect_request(f, ALL);
	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	f->phone_rc = WA_SIG_ENOSESSION; /* not fatal */
	answer(f, "name=regular version=1", NULL, &f->patch);
	assert_int_equal(f->phone_asked, 1);
	assert_int_equal(row_of(f, WK_REGULAR).waits_len, 6);
	ef_no_event(f->e);
	/* nothing more is asked for meanwhile, also not by the next process */
	make(f);
	f->asked = 0;
	wk_appstate_start(f->a);
	run(f);
	assert_int_equal(f->asked, 1);
	expect_request(f,
	               "critical_block:0! critical_unblock_low:0! regular_high:0! regular_low:0!");
	wk_appstate_answer(f->a, NULL);
	give_keys(f);
	run(f);
	assert_int_equal(row_of(f, WK_REGULAR).waits_len, 0);
	assert_int_equal(f->asked, 2);
	{
		struct wa_node *iq = wk_appstate_build(f->a, "ID");

		assert_non_null(iq);
		wa_node_free(iq);
	}
	answer(f, "name=regular version=1", NULL, &f->patch);
	json_decref(ef_event(f->e, LABEL, WK_EVENT_FROM_HISTORY));
	assert_int_equal(f->phone_asked, 1);
	ap_clear(&first);
}

/* A phone that did not answer is asked again the next day. */
static void test_appstate_asks_for_a_key_again(void **state)
{
	struct fixture *f = *state;
	struct wk_appstate_row row = row_of(f, WK_REGULAR);
	const struct wa_bytes id = { f->phone.key_id, sizeof(f->phone.key_id) };

	memcpy(row.waits, id.p, id.len);
	row.waits_len = id.len;
	assert_int_equal(wk_store_appstate_save(f->e->store.st, WK_REGULAR, &row), 0);
	assert_int_equal(wk_store_appstate_key_ask(f->e->store.st, id, clock_unix_s() - 90000), 1);
	wk_appstate_start(f->a);
	run(f);
	assert_int_equal(f->phone_asked, 1);
	make(f);
	wk_appstate_start(f->a);
	run(f);
	tell(f, "name=regular version=2");
	assert_int_equal(f->phone_asked, 1);
	assert_int_equal(row_of(f, WK_REGULAR).waits_len, 6);
}

static void test_appstate_errors(void **state)
{
	struct fixture *f = *state;
	struct wa_node *iq, *sync;

	begin(f);
	/* refused for good, and an answer that is none */
	iq = ef_node("iq", "type=result id=ID");
	sync = ef_add(iq, "sync", "");
	ef_add(ef_add(sync, "collection", "name=regular type=error"), "error", "code=404");
	ef_add(sync, "collection", "name=nonsense");
	ef_add(sync, "collection", "version=3");
	wk_appstate_answer(f->a, iq);
	wa_node_free(iq);
	run(f);
	assert_int_equal(row_of(f, WK_REGULAR).version, 0);
	f->asked = 0;
	assert_true(wk_appstate_renew(f->a)); /* a dirty bit asks again */
	expect_request(f, ALL);
	wk_appstate_answer(f->a, NULL);
	/* has_more_patches: on with the version that is reached */
	assert_true(wk_appstate_renew(f->a));
	expect_request(f, ALL);
	set_label(&f->phone, "[\"label_edit\",\"7\"]", "Paid");
	ap_patch(&f->phone, &f->patch);
	f->asked = 0;
	answer(f, "name=regular version=2 has_more_patches=true", NULL, &f->patch);
	assert_int_equal(f->asked, 1);
	expect_request(f, "regular:1");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
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
