/* tests/unit/appstate_fixture.c - app state over a store, with a phone and a server of its own */
#include "appstate_fixture.h"

#include "test.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/store/wk_batch.h"

static void on_ask(void *arg)
{
	struct appstate_fixture *f = arg;

	f->asked++;
}

static int on_send_phone(const void *message, size_t message_len, const char *priority,
                         char *id_out, void *arg)
{
	struct appstate_fixture *f = arg;

	buf_reset(&f->to_phone);
	assert_int_equal(buf_append(&f->to_phone, message, message_len), 0);
	f->phone_asked++;
	f->priority = priority;
	(void)snprintf(id_out, WK_APPSTATE_ASK_ID_CAP, "ASK%u", f->phone_asked);
	return f->phone_rc;
}

static int on_push_name(const char *name, void *arg)
{
	struct appstate_fixture *f = arg;

	(void)snprintf(f->push_name, sizeof(f->push_name), "%s", name);
	return 0;
}

static void on_failed(int rc, void *arg)
{
	struct appstate_fixture *f = arg;

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

void af_make(struct appstate_fixture *f)
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

int af_setup(void **state)
{
	struct appstate_fixture *f = calloc(1, sizeof(*f));
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
	af_make(f);
	*state = f;
	return 0;
}

int af_teardown(void **state)
{
	struct appstate_fixture *f = *state;
	void *emit = f->e;

	wk_appstate_free(f->a);
	wk_media_free(f->media);
	http_server_free(f->server);
	ap_clear(&f->phone);
	buf_free(&f->patch);
	buf_free(&f->reference);
	buf_free(&f->stored);
	buf_free(&f->plain);
	buf_free(&f->to_phone);
	ef_teardown(&emit);
	free(f);
	return 0;
}

/* ---- steps --------------------------------------------------------------------------------------
 */

void af_run(struct appstate_fixture *f)
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

void af_give_keys(struct appstate_fixture *f)
{
	struct Wa__ProtocolMessage *m = ap_share(&f->phone);

	ef_enter(f->e);
	assert_int_equal(wk_appstate_keys(f->a, m), 0);
	ef_leave(f->e);
	ap_share_free(m);
}

void af_tell(struct appstate_fixture *f, const char *collection_attrs)
{
	struct wa_node *n = ef_node("notification", "id=N type=server_sync");

	ef_add(n, "collection", collection_attrs);
	ef_enter(f->e);
	assert_int_equal(wk_appstate_told(f->a, n), 0);
	ef_leave(f->e);
	wa_node_free(n);
	af_run(f);
}

void af_expect_request(struct appstate_fixture *f, const char *wanted)
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

void af_answer(struct appstate_fixture *f, const char *attrs, const struct buf *snapshot,
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
	af_run(f);
	assert_int_equal(f->failed_rc, 0);
	assert_int_equal(f->e->failed_rc, 0);
}

struct wk_appstate_row af_row_of(struct appstate_fixture *f, enum wk_collection c)
{
	struct wk_appstate_row row;

	assert_int_equal(wk_store_appstate_load(f->e->store.st, c, &row), 0);
	return row;
}

void af_begin(struct appstate_fixture *f)
{
	af_give_keys(f);
	wk_appstate_start(f->a);
	af_run(f);
	assert_int_equal(f->asked, 1);
	af_expect_request(f, AF_ALL);
}

void af_set_label(struct appstate_phone *p, const char *index, const char *name)
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
