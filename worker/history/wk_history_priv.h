/*
 * worker/history/wk_history_priv.h - the inside of wk_history, shared by its files
 *
 *	wk_history.c        one notice after the other
 *	wk_history_job.c    what one says
 *	wk_history_fetch.c  its file, as WhatsApp has it
 *	wk_history_read.c   read into the store, slice by slice
 *	wk_history_end.c    what it means for the whole; stored, of no interest, or broken
 *	wk_history_tell.c   what the user and the phone hear of it
 */
#ifndef WK_HISTORY_PRIV_H
#define WK_HISTORY_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"
#include "worker/history/wk_history.h"
#include "worker/history/wk_history_blob.h"
#include "worker/history/wk_history_job.h"
#include "worker/store/wk_store_history.h"

struct event;
struct wa_media;
struct wa_node;
struct wk_media_get;

#define WK_HISTORY_BROKEN_KEPT 8

enum wk_history_work {
	WK_HISTORY_IDLE,
	WK_HISTORY_FETCHING,
	WK_HISTORY_READING,
	WK_HISTORY_RESTING
};

struct wk_history {
	struct wk_history_params p;
	struct wk_history_state state;
	struct event *timer; /* the next slice, notice or try */
	struct event *quiet;
	unsigned depth; /* calls into it that run */
	bool freed, started, failed;
	bool bulk; /* the store is set for much */
	enum wk_history_work work;
	unsigned tries; /* to fetch this one, in a row */
	struct wk_history_job job;
	uint64_t hand; /* its key (wk_hand.h) */
	/* the file: closed, as WhatsApp has it */
	struct wk_media_get *get;
	int fd;
	off_t fd_len, fd_pos;
	/* being read */
	struct wk_history_blob *blob;
	struct wa_media *media;
	enum wk_history_pass pass;
	bool whole; /* all of its bytes were fed */
	struct {
		int type;
		uint32_t chunk;
		unsigned n;
	} broken[WK_HISTORY_BROKEN_KEPT];
	unsigned broken_at;
};

/* Around what may be called from outside: freed in between, it goes when the last one leaves. */
void wk_history_enter(struct wk_history *h);
void wk_history_leave(struct wk_history *h);
/* The session can't go on. */
void wk_history_fail(struct wk_history *h, int rc);
/* The next step in so many milliseconds. */
void wk_history_soon(struct wk_history *h, uint64_t ms);
/* A wait, by the speed of tests. */
uint64_t wk_history_scaled(const struct wk_history *h, uint64_t ms);
/* What is worked on is dropped, done or not. */
void wk_history_drop_work(struct wk_history *h);
/* The store is set for much, or no more. */
void wk_history_set_bulk(struct wk_history *h, bool on);
/* Nothing comes for long: then it is all. */
void wk_history_quiet_soon(struct wk_history *h);

/* The file of this notice; then it is read, or broken, or tried again. */
void wk_history_fetch(struct wk_history *h);

/* Begin with what has come; each slice goes on, until the notice is done. */
void wk_history_read(struct wk_history *h);
void wk_history_slice(struct wk_history *h);
void wk_history_drop_reader(struct wk_history *h);
/* Messages before it are passed over; 0: none are. */
int64_t wk_history_oldest(const struct wk_history *h);

/* Within the batch of the last slice, which the caller leaves; afterwards _finished(). */
ATTR_NODISCARD int wk_history_finish(struct wk_history *h, bool stored, bool ask_again);
void wk_history_finished(struct wk_history *h);
/* A notice whose blob is of no interest, or beyond repair. */
void wk_history_finish_unread(struct wk_history *h, bool ask_again);
/* It can't be read: the phone is asked for it again, but not for ever. */
void wk_history_broken(struct wk_history *h, int rc);

void wk_history_tell_state(struct wk_history *h);
bool wk_history_is_complete(const struct wk_history *h);
/* What the user knows a type by; NULL: not at all. */
const char *wk_history_phase(int type);
/* history.sync, within the batch. */
ATTR_NODISCARD int wk_history_add_event(struct wk_history *h, const char *phase, uint32_t progress,
                                        uint32_t chunk, uint64_t conversations, uint64_t messages);
ATTR_NODISCARD int wk_history_say_done(struct wk_history *h);
/* NULL without memory. */
struct wa_node *wk_history_stored_receipt(const struct wk_history *h, const char *message_id,
                                          bool by_lid);
struct wa_node *wk_history_broken_receipt(const struct wk_history *h);

#endif
