/*
 * worker/history/wk_ask_media.h - the gateway asks for a message's file: fetched, opened, as base64 text
 *
 * The text grows in a memfd while the file comes, so that the worker never holds all of it in its
 * own memory; it is sealed and handed over once the file has been verified. A file that WhatsApp no
 * longer has is asked for at the phone, once: it uploads it again (protocol notes 09 section 7).
 */
#ifndef WK_ASK_MEDIA_H
#define WK_ASK_MEDIA_H

#include <stdbool.h>

#include "common/attr.h"
#include "proto/ipc.pb-c.h"

struct event_base;
struct wa_node;
struct wk_ask_media;
struct wk_creds;
struct wk_media;
struct wk_online;
struct wk_store;

#define WK_MEDIA_RETRY_MS 20000 /* for the phone's answer */

struct wk_ask_media_params {
	struct event_base *base; /* all borrowed for its life */
	struct wk_media *media;
	struct wk_store *store;
	const struct wk_creds *creds;
	struct wk_online *online; /* NULL: the phone can't be asked */
	unsigned speed;           /* divides every wait */
};

/* The last call; what asks is freed by itself. m and fd (-1: none) are borrowed. */
typedef void wk_ask_answer_fn(const Ipc__Answer *m, int fd, void *arg);

/*
 * 0: on_answer will be called, from the event loop. -ENOENT: no such message, or none with a file;
 * -EINVAL; WA_EAT_CAPACITY; -ENOMEM; codes of the store.
 */
ATTR_NODISCARD int wk_ask_media_new(const struct wk_ask_media_params *params, const Ipc__Ask *m,
                                    wk_ask_answer_fn *on_answer, void *arg,
                                    struct wk_ask_media **ask_out);
/* Without an answer. NULL is fine. */
void wk_ask_media_free(struct wk_ask_media *a);

/* <notification type="mediaretry">: true when it was for this one. */
bool wk_ask_media_retry(struct wk_ask_media *a, const struct wa_node *n);
/* The connection is going: the phone won't answer. True: so it has been answered. */
bool wk_ask_media_offline(struct wk_ask_media *a);

#endif
