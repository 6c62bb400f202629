/* gateway/events/gw_events_db_read.c - events.db: stored events, as clients see them */
#include "gateway/events/gw_events_db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "gateway/events/gw_events.h"

static void id_text(const uint8_t *id, char out[GW_EVENT_ID_LEN + 1])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned acc = 0, bits = 0;
	char *p = out + 4;

	memcpy(out, "evt_", 4);
	for (int i = 0; i < GW_EVENTS_ID_BYTES; i++) {
		acc = (acc << 8 | id[i]) & 0xffff;
		for (bits += 8; bits >= 5; bits -= 5)
			*p++ = digits[acc >> (bits - 5) & 31];
	}
	*p = '\0';
}

static int take_row(sqlite3_stmt *s, const struct gw_events_query *q, struct gw_event *e,
                    struct buf *texts)
{
	const struct sealed_place at = gw_events_db_where(q->owner, e->sequence);
	const uint8_t *id = sqlite3_column_blob(s, 4);
	struct gw_event_source src = {
		.sequence = e->sequence,
		.kind = e->kind,
		.unix_ms = e->unix_ms,
		.id = e->id,
		.base_url = q->base_url,
		.instance = q->instance,
	};
	struct buf data = { 0 };
	size_t begin = texts->len;
	int rc;

	if (sqlite3_column_bytes(s, 4) != GW_EVENTS_ID_BYTES)
		return WA_ESTORE_CORRUPT;
	id_text(id, e->id);
	rc = sealed_open(q->key, &at, sqlite3_column_blob(s, 5), (size_t)sqlite3_column_bytes(s, 5),
	                 &data);
	if (rc < 0 && rc != -ENOMEM)
		rc = WA_ESTORE_CORRUPT;
	src.data = data.p;
	src.data_len = data.len;
	if (rc == 0)
		rc = gw_event_text(&src, texts, &e->data_at);
	e->data_at -= begin;
	e->data_len = data.len;
	e->text_len = texts->len - begin;
	buf_wipe(&data);
	return rc;
}

/* Pointers are set when the buffer moves no more. */
static void set_texts(struct gw_events_found *f)
{
	const char *p = (const char *)f->texts.p;

	for (size_t i = 0; i < f->n; i++) {
		f->events[i].text = p;
		p += f->events[i].text_len;
	}
}

static int read_rows(sqlite3_stmt *s, const struct gw_events_query *q, struct gw_events_found *f)
{
	unsigned scanned = 0;
	int rc = 0;

	while (rc == 0 && f->n < q->n_max && f->texts.len < q->bytes_max) {
		struct gw_event *e = &f->events[f->n];
		int step = sqlite3_step(s);

		if (step == SQLITE_DONE) {
			if (scanned < GW_EVENTS_SCAN && f->next <= q->place->seq)
				f->next = q->place->seq + 1;
			return 0;
		}
		if (step != SQLITE_ROW)
			return db_err(step) < 0 ? db_err(step) : WA_ESTORAGE;
		scanned++;
		*e = (struct gw_event){
			.sequence = (uint64_t)sqlite3_column_int64(s, 0),
			.kind = (unsigned)sqlite3_column_int64(s, 1),
			.flags = (uint32_t)sqlite3_column_int64(s, 2),
			.unix_ms = sqlite3_column_int64(s, 3),
		};
		f->next = e->sequence + 1;
		if (gw_event_kind_name(e->kind) == NULL ||
		    !gw_event_wanted(&q->filter, e->kind, e->flags))
			continue;
		rc = take_row(s, q, e, &f->texts);
		f->n += rc == 0;
	}
	return rc;
}

int gw_events_db_read(struct gw_events_tx *tx, const struct gw_events_query *q,
                      struct gw_events_found *found_out)
{
	static const char sql[] = "SELECT seq, kind, flags, unix_ms, id, data FROM log "
	                          "WHERE inst = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
	struct gw_events_found *f = found_out;
	sqlite3_stmt *s;
	int rc;

	f->next = q->from;
	f->newest = q->place->seq;
	if (q->from > q->place->seq) { /* GW_EVENTS_NEW, or all was read */
		if (q->from == GW_EVENTS_NEW)
			f->next = q->place->seq + 1;
		return 0;
	}
	rc = gw_events_tx_stmt(tx, sql, &s);
	if (rc < 0)
		return rc;
	f->events = calloc(q->n_max, sizeof(*f->events));
	if (f->events == NULL)
		return -ENOMEM;
	(void)sqlite3_bind_int64(s, 1, q->place->key);
	(void)sqlite3_bind_int64(s, 2, (int64_t)q->from);
	(void)sqlite3_bind_int64(s, 3, GW_EVENTS_SCAN);
	rc = read_rows(s, q, f);
	(void)sqlite3_reset(s);
	set_texts(f);
	return rc;
}

void gw_events_found_clear(struct gw_events_found *f)
{
	free(f->events);
	buf_wipe(&f->texts);
	*f = (struct gw_events_found){ 0 };
}
