/*
 * worker/history/wk_media_priv.h - the inside of wk_media, shared by its files
 *
 *	wk_media.c        files that are wanted, in their order
 *	wk_media_hosts.c  which servers there are
 *	wk_media_get.c    one file: its tries, one after the other
 */
#ifndef WK_MEDIA_PRIV_H
#define WK_MEDIA_PRIV_H

#include <event2/util.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "worker/history/wk_media.h"
#include "worker/session/wk_failure.h"
#include "worker/wa/history/wa_media.h"

#define WK_MEDIA_HOST_CAP 300

struct event;
struct wk_http;

struct wk_media_get {
	TAILQ_ENTRY(wk_media_get) link;
	struct wk_media *m;
	bool running; /* in m->running, else in m->waiting */
	enum wa_media_kind kind;
	uint64_t hand; /* of whose work it is part; 0: nobody's */
	uint8_t key[WA_MEDIA_KEY_LEN];
	uint8_t sha256[WA_MEDIA_HASH_LEN], enc_sha256[WA_MEDIA_HASH_LEN];
	struct wa_media_expect expect; /* its hashes are the ones above */
	char *path, *url;              /* NULL: none */
	const struct wk_media_ops *ops;
	void *arg;
	uint64_t end_ms;     /* monotonic */
	struct event *timer; /* the next try, or the end */
	struct wk_http *http;
	struct wa_media *media;
	size_t host;     /* index of the one that is tried */
	unsigned tries;  /* at this host */
	unsigned status; /* of the answer; 0: none yet */
	uint32_t retry_after_s;
	bool paused; /* until the next try */
	struct wk_failure last;
};
TAILQ_HEAD(get_list, wk_media_get);

struct wk_media {
	struct wk_media_params p;
	char hosts[WK_MEDIA_HOSTS_MAX][WK_MEDIA_HOST_CAP];
	size_t hosts_n;
	uint64_t hosts_until_ms; /* monotonic */
	bool asking;
	struct get_list waiting, running;
	size_t waiting_n, running_n;
	struct event *kick; /* work through what waits */
	struct event *hosts_timer;
};

/* A wait, by the speed of tests. */
uint32_t wk_media_scaled(const struct wk_media *m, uint32_t ms);
/* Something has changed for what waits. */
void wk_media_poke(struct wk_media *m);

/* True: there are hosts to try. Else they are asked for, which may end the session and this with
 * it. */
bool wk_media_have_hosts(struct wk_media *m);
/* hosts_timer's callback: nobody has answered. */
void wk_media_on_hosts_timer(evutil_socket_t fd, short what, void *arg);

/* A new one's timer, of which wk_media_get.c has the callback. NULL without memory. */
struct event *wk_media_get_timer(struct wk_media_get *g);
/* Its end, unless something happens before. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_media_get_arm(struct wk_media_get *g, uint64_t ms);
/* It is one of those that run: try, until its last call. */
void wk_media_get_begin(struct wk_media_get *g);
/* What a try has is dropped; another may begin. */
void wk_media_get_drop_try(struct wk_media_get *g);
/* Out of its list and memory, without a call. */
void wk_media_get_free(struct wk_media_get *g);
/* The last call. */
void wk_media_get_finish(struct wk_media_get *g, int rc, const char *detail);

#endif
