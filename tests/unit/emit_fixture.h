/*
 * tests/unit/emit_fixture.h - an emitter over a real store and batch: events are read back from the
 * outbox, what is sent is a text
 */
#ifndef EMIT_FIXTURE_H
#define EMIT_FIXTURE_H

#include <jansson.h>
#include <stdint.h>

#include "common/log.h"
#include "store_fixture.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_emit.h"
#include "worker/store/wk_batch.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/node/wa_node.h"

struct emit_fixture {
	struct store_fixture store; /* own users: SF_PN, SF_LID */
	struct event_base *base;
	struct wk_batch *batch;
	struct wk_emit *emit;
	struct wk_settings settings;
	struct log_ctx log;
	uint64_t seen;      /* number of the last event that was looked at */
	char sent[2048];    /* "tag attr=value ...\n" of what left, bar times and our own ids */
	char declined[256]; /* "user@server " of each whose call was declined */
	int failed_rc;
	void (*at_failure)(void *arg); /* what a session would do then; NULL: nothing */
	void *at_failure_arg;
};

/* cmocka's; *state is the fixture. */
int ef_setup(void **state);
int ef_teardown(void **state);

struct wa_jid ef_jid(const char *text);
/* One stanza's work, committed at its end. */
void ef_enter(struct emit_fixture *f);
void ef_leave(struct emit_fixture *f);

/* The next event's data, which must be of that kind and flags. */
json_t *ef_event(struct emit_fixture *f, int kind, uint32_t flags);
void ef_no_event(struct emit_fixture *f);
/* A member is exactly that; member NULL: the whole; wanted NULL: it is absent. */
void ef_equal(const json_t *object, const char *member, const char *wanted);
/* The next event is of that kind, and exactly that. */
void ef_expect(struct emit_fixture *f, int kind, const char *wanted);

/* <tag> with the attributes in "name=value name=value"; to be freed. */
struct wa_node *ef_node(const char *tag, const char *attrs);
/* A child likewise. */
struct wa_node *ef_add(struct wa_node *parent, const char *tag, const char *attrs);

#endif
