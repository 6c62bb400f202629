/* tests/unit/appstate_fixture.h - app state over a store, with a phone and a server of its own */
#ifndef APPSTATE_FIXTURE_H
#define APPSTATE_FIXTURE_H

#include "appstate_phone.h"
#include "common/buf.h"
#include "emit_fixture.h"
#include "http_server.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/history/wk_media.h"
#include "worker/net/wk_url.h"

struct appstate_fixture {
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
	struct buf to_phone; /* the last message */
	const char *priority;
};

int af_setup(void **state);
int af_teardown(void **state);
/* Another process, or connection, over the same store. */
void af_make(struct appstate_fixture *f);

/* Run the loop until nothing is being worked on. */
void af_run(struct appstate_fixture *f);
void af_give_keys(struct appstate_fixture *f);
/* A <collection> of a notification. */
void af_tell(struct appstate_fixture *f, const char *collection_attrs);
/* What the request asks for: "name:version ..." */
void af_expect_request(struct appstate_fixture *f, const char *wanted);
/* An answer of one collection; then what is done with it. */
void af_answer(struct appstate_fixture *f, const char *attrs, const struct buf *snapshot,
               const struct buf *patch);
struct wk_appstate_row af_row_of(struct appstate_fixture *f, enum wk_collection c);

/* All five are asked for first; what is not answered is put off, so that "regular" stands alone. */
#define AF_ALL "critical_block:0! critical_unblock_low:0! regular_high:0! regular:0! regular_low:0!"
void af_begin(struct appstate_fixture *f);

void af_set_label(struct appstate_phone *p, const char *index, const char *name);

#endif
