/*
 * tests/unit/recv_fixture.h - the receive path without a network: real store, real Signal peers
 *
 * What is sent and told is written to a trace as words, in order: "inactive", "retry1",
 * "retry2+keys", "ack", "ack!488", "peer" (a message to the phone), "text:ID=CONTENT" (an event),
 * "unopened:ID", "FAILED:name". A test says what the trace must be, which empties it.
 */
#ifndef RECV_FIXTURE_H
#define RECV_FIXTURE_H

#include <stdbool.h>

#include "signal_store.h"
#include "store_fixture.h"
#include "worker/control/wk_settings.h"
#include "worker/receive/wk_recv.h"
#include "worker/wa/node/wa_node.h"

#define RF_SENT_MAX 64

struct recv_fixture {
	struct store_fixture sf;
	struct event_base *base;
	struct wk_batch *batch;
	struct wk_recv *recv;
	struct wk_settings settings;
	struct log_ctx log;
	bool shown;
	bool keys; /* sessions with our phone can be begun: "keys?" when one is wanted */
	bool quiet; /* no trace: for benches */
	int failed_rc;
	char trace[4096];
	struct wa_node *sent[RF_SENT_MAX]; /* the newest; older ones leave */
	size_t sent_n;
	unsigned long events, answers; /* answers: all that was sent */
	unsigned long retries;         /* retry receipts and messages among them */
};

int rf_setup(void **state);
int rf_teardown(void **state);
void rf_make(struct recv_fixture *f, const char *parent, unsigned speed);
void rf_remove(struct recv_fixture *f);
/* A new process: what was not committed is gone. */
void rf_restart(struct recv_fixture *f, unsigned speed);

/* Let the loop go round until nothing is left to do at once. */
void rf_turn(struct recv_fixture *f);
/* Until the trace has something; fails after 5 s. */
void rf_wait(struct recv_fixture *f);
#define rf_expect(f, words) rf_expect_at((f), (words), __FILE__, __LINE__)
void rf_expect_at(struct recv_fixture *f, const char *words, const char *file, int line);
/* The stanza sent last with that word. */
const struct wa_node *rf_sent(struct recv_fixture *f, const char *word);

/* Hand a stanza over as it comes off the wire. Takes n. */
void rf_give(struct recv_fixture *f, struct wa_node *n);

/* Our Signal address, as peers know it. */
extern const struct wa_signal_addr rf_own_addr;
/* The peer begins a session with us, with a one-time key of ours. */
void rf_meet(struct recv_fixture *f, struct sigpeer *peer);
/* <message id from type t>; participant and others are the caller's. */
struct wa_node *rf_message(const char *id, const char *from);
/* Seal a serialised Message for us, pairwise, into the stanza. */
void rf_seal(struct wa_node *n, struct sigpeer *peer, const void *message, size_t message_len);
/* The same with {conversation: text}. */
void rf_seal_text(struct wa_node *n, struct sigpeer *peer, const char *text);
struct wa_node *rf_text(struct sigpeer *peer, const char *id, const char *from, const char *text);

#endif
