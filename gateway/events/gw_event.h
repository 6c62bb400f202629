/*
 * gateway/events/gw_event.h - one event as clients see it (contract 4.1): kinds, filters, its text
 *
 * Pure: no I/O, no state; safe on any thread.
 */
#ifndef GW_EVENT_H
#define GW_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

/* On disk as these numbers, which are never reused. 1 to 6 are those of Ipc__Event__Kind. */
#define GW_EVENT_KIND_LIST(X) \
	X(GW_EVENT_MESSAGE_EXCHANGE, 1, "message.exchange") \
	X(GW_EVENT_MESSAGE_STATUS, 2, "message.status") \
	X(GW_EVENT_CALL_UPDATE, 3, "call.update") \
	X(GW_EVENT_GROUP_FLOW, 4, "group.flow") \
	X(GW_EVENT_LABEL_UPDATE, 5, "label.update") \
	X(GW_EVENT_HISTORY_SYNC, 6, "history.sync") \
	X(GW_EVENT_INSTANCE_STATE, 7, "instance.state")

enum gw_event_kind {
#define X(id, num, name) id = (num),
	GW_EVENT_KIND_LIST(X)
#undef X
	    GW_EVENT_KIND_END
};

/* "message.exchange"; NULL for a number that is none. Static. */
const char *gw_event_kind_name(unsigned kind);
/* 0: no kind has this name. */
unsigned gw_event_kind_find(const char *name, size_t name_len);

/* Of an event, on disk. */
#define GW_EVENT_FROM_HISTORY 1u
#define GW_EVENT_HAS_MEDIA 2u
#define GW_EVENT_FLAGS 3u /* all there are */

#define GW_EVENT_ID_LEN 28 /* "evt_" and 24 of a-z2-7 */

/* Which events a receiver wants. All zero: every kind, live only. */
struct gw_event_filter {
	uint32_t kinds; /* bit n: kind n; 0: all */
	bool history;   /* those marked as from history, too */
};
bool gw_event_wanted(const struct gw_event_filter *f, unsigned kind, uint32_t flags);
/* Kinds as bits from "a,b" (NULL or empty: 0, which is all). 0, or -EINVAL: a name that is none. */
ATTR_NODISCARD int gw_event_kinds_parse(const char *list, uint32_t *kinds_out);
/* As a JSON array of names; new reference; NULL without memory. */
json_t *gw_event_kinds_json(uint32_t kinds);

/* A stored event, ready to be sent. */
struct gw_event {
	uint64_t sequence;
	unsigned kind; /* enum gw_event_kind */
	uint32_t flags;
	int64_t unix_ms; /* when it happened */
	char id[GW_EVENT_ID_LEN + 1];
	const char *text; /* the whole of it: one JSON object without a line break; borrowed */
	size_t text_len;
	size_t data_at, data_len; /* where in text the object "data" is */
};

/* What the text is made of. All borrowed. */
struct gw_event_source {
	uint64_t sequence;
	unsigned kind;
	int64_t unix_ms;
	const char *id;
	const char *base_url, *instance; /* instanceData */
	const void *data;                /* a JSON object, as it is stored */
	size_t data_len;
};
/* Append the text to out; *data_at_out: where in out the data is. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_event_text(const struct gw_event_source *s, struct buf *out,
                                 size_t *data_at_out);
/*
 * Append e's text with one more member of "data": name and value, which is JSON text. 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_event_text_with(const struct gw_event *e, const char *name, const char *value,
                                      struct buf *out);

#endif
