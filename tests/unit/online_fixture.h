/*
 * tests/unit/online_fixture.h - a live session without a network: real store, fake send, a trace
 *
 * Whatever the session sends or calls is written to the trace as words: "count", "upload:812",
 * "ack:notification", "ONLINE", ... A test says what the trace must be, which empties it.
 */
#ifndef ONLINE_FIXTURE_H
#define ONLINE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/online/wk_online.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store.h"
#include "worker/wa/node/wa_node.h"

#define FX_SENT_MAX 64
#define FX_JID "5511999999999:3@s.whatsapp.net"
#define FX_LID "123456789:3@lid"
#define FX_BRINGUP_END "ONLINE props blocklist privacy digest unavailable"

struct fx {
	const char *display_name; /* in <success>; NULL: none */
	struct event_base *base;
	char dir[64];
	struct sealed_key key;
	struct wk_store *store;
	struct wk_creds creds;
	struct wk_settings settings;
	struct log_ctx log;
	struct wk_online *online;
	unsigned speed;
	bool batches;          /* what comes in waits for its batch; else it is committed at once */
	int send_rc;           /* what send returns */
	const char *free_at;   /* free the session when this word is written to the trace */
	bool saved_when_count; /* the login was on disk when the count was asked for */
	char trace[1024];
	struct wa_node *sent[FX_SENT_MAX]; /* as they went over the wire; the oldest leave */
	size_t sent_n;
	struct wk_failure failure;
	int64_t expires_unix_s;
};

int fx_setup(void **state);
int fx_teardown(void **state);

/* A session that has not begun; speed divides its deadlines. Ends the one before. */
void fx_new(struct fx *f, unsigned speed);
/* wk_online_start() with <success>; lid may be NULL. */
void fx_start(struct fx *f, const char *lid);
/* fx_new(), then everything up to online with enough pre-keys; the trace is empty then. */
void fx_online(struct fx *f, unsigned speed);
/* The four queries after ONLINE answered: nothing is waited for any more. */
void fx_settle(struct fx *f);

/* The trace is exactly these words; empties it. */
#define fx_expect(f, words) fx_expect_at((f), (words), __FILE__, __LINE__)
void fx_expect_at(struct fx *f, const char *words, const char *file, int line);
/* Run the loop until the trace has something; fails after 2 s. */
void fx_wait(struct fx *f);

/* The request of that word that was sent last. */
const struct wa_node *fx_sent(struct fx *f, const char *word);
/* Hand a stanza over, encoded and decoded as on the wire. Takes n. */
void fx_give(struct fx *f, struct wa_node *n);
/* A result for the request of that word; children may be added, then fx_give(). */
struct wa_node *fx_result(struct fx *f, const char *word);
void fx_ok(struct fx *f, const char *word);
void fx_error(struct fx *f, const char *word, int code);
void fx_count(struct fx *f, const char *n);
void fx_ib(struct fx *f, const char *child);

/* <tag id from type> from the service (or, with from, from somebody). */
struct wa_node *fx_stanza(const char *tag, const char *id, const char *from, const char *type);

/* A digest result that matches the upload: change something, then fx_give(). */
struct wa_node *fx_digest(struct fx *f, const struct wa_node *upload, const char *type);
/* Id of key i of an upload. */
unsigned fx_key_id(const struct wa_node *upload, size_t i);

/* No byte can be written to a file any more, or again. */
void fx_disk_full(bool full);

#endif
