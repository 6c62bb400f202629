/*
 * worker/process/wk_hand.h - what this worker has in hand, told to the gateway should it die of it
 *
 * A stanza that kills the worker each time it comes would end the session: WhatsApp sends it again
 * until it is acknowledged. So its key is written down, in memory that the gateway holds too,
 * before it is worked on. The gateway counts deaths by key, and after the third the next worker is
 * told to set it aside. One of these a process, as with the log. Source: fault table, H3.
 */
#ifndef WK_HAND_H
#define WK_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_tail;
struct wa_node;

#define WK_HAND_ASIDE_MAX 8

/* Where it is written down; before that nothing is. */
void wk_hand_init(struct log_tail *tail);
/* What is to be set aside (CONNECT); the first WK_HAND_ASIDE_MAX of them. */
void wk_hand_set_aside(const uint64_t *keys, size_t n);
bool wk_hand_is_aside(uint64_t key);

/*
 * The same for a stanza that comes again: of its tag, id, from and participant. 0: it has no id, so
 * it does not come again.
 */
uint64_t wk_hand_key(const struct wa_node *n);
/* The same for something else that is tried again at the next start: a kind of work and its id. */
uint64_t wk_hand_key_of(const char *kind, const char *id);

/* From here on until the next call: key (0: nothing). What was there before. */
uint64_t wk_hand_take(uint64_t key);

#endif
