/*
 * worker/wk_ask_media.h - the gateway asks for a message's file: fetched, opened, as base64 text
 *
 * The text grows in a memfd while the file comes, so that the worker never holds all of it in its
 * own memory; it is sealed and handed over once the file has been verified.
 */
#ifndef WK_ASK_MEDIA_H
#define WK_ASK_MEDIA_H

#include "common/attr.h"
#include "proto/ipc.pb-c.h"

struct wk_ask_media;
struct wk_media;
struct wk_store;

/* The last call; what asks is freed by itself. m and fd (-1: none) are borrowed. */
typedef void wk_ask_answer_fn(const Ipc__Answer *m, int fd, void *arg);

/*
 * 0: on_answer will be called, from the event loop. -ENOENT: no such message, or none with a file;
 * -EINVAL; WA_EAT_CAPACITY; -ENOMEM; codes of the store.
 */
ATTR_NODISCARD int wk_ask_media_new(struct wk_media *media, struct wk_store *store,
                                    const Ipc__Ask *m, wk_ask_answer_fn *on_answer, void *arg,
                                    struct wk_ask_media **ask_out);
/* Without an answer. NULL is fine. */
void wk_ask_media_free(struct wk_ask_media *a);

#endif
