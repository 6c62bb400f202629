/*
 * tests/unit/history_blob.h - history of known content: chats and messages by number
 *
 * For unit tests, fuzz seeds and benches. Whatever can't go wrong ends the program when it does.
 */
#ifndef HISTORY_BLOB_H
#define HISTORY_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define HISTORY_BLOB_FIRST_S 1700000000 /* message 0 of every chat; each later one a minute after \
	                                 */

/*
 * Append a serialized HistorySync: type RECENT, chats conversations ("1000000000000NN@lid") of
 * messages each, newest first, every kind of usual message in turn; a push name and a mapping for
 * each chat; ids "3EB0" and chat and message number as 8 hex digits each.
 */
void history_blob(unsigned chats, unsigned messages, struct buf *out);
/* zlib at the level phones use. */
void history_deflate(const struct buf *in, struct buf *out);

#endif
