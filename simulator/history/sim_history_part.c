/* simulator/history/sim_history_part.c - one blob of history */
#include "simulator/history/sim_history_part.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "simulator/base/sim_zip.h"

#define LEVEL 6
#define STATUSES 3
#define MORE_REMAIN 0
#define NO_MORE 1
#define MORE_ON_DEMAND 2

struct writing {
	const struct sim_history *h;
	const struct sim_history_part *part;
	struct sim_zip zip;
	struct buf piece; /* what is made next */
	struct sim_pbw w; /* into piece */
	struct sim_history_written *out;
};

const char *sim_history_type_word(enum sim_history_type type)
{
	static const char *const words[] = {
		[SIM_HISTORY_BOOTSTRAP] = "initial_bootstrap",
		[SIM_HISTORY_STATUS] = "initial_status",
		[SIM_HISTORY_FULL] = "full",
		[SIM_HISTORY_RECENT] = "recent",
		[SIM_HISTORY_PUSH_NAME] = "push_name",
		[SIM_HISTORY_NON_BLOCKING] = "non_blocking_data",
		[SIM_HISTORY_ON_DEMAND] = "on_demand",
	};

	return (size_t)type < ARRAY_LEN(words) ? words[type] : "unknown";
}

bool sim_history_type_find(const char *word, enum sim_history_type *type_out)
{
	for (int i = SIM_HISTORY_BOOTSTRAP; i <= SIM_HISTORY_ON_DEMAND; i++) {
		if (strcmp(sim_history_type_word((enum sim_history_type)i), word) == 0) {
			*type_out = (enum sim_history_type)i;
			return true;
		}
	}
	return false;
}

/* What was made goes through deflate, and is forgotten. */
static int flush(struct writing *x)
{
	int rc = x->w.err;

	if (rc == 0)
		rc = sim_zip_add(&x->zip, x->piece.p, x->piece.len);
	buf_reset(&x->piece);
	return rc;
}

/* ---- conversations -----------------------------------------------------------------------------
 */

static int put_participants(struct writing *x, const struct sim_chat *c)
{
	struct sim_person p;
	int rc = 0;
	size_t at;

	for (uint32_t i = 0; rc == 0 && i <= c->members; i++) {
		if (i < c->members)
			rc = sim_history_member(x->h, c, i, &p);
		at = sim_pbw_begin(&x->w, 20);
		if (i == c->members)
			sim_pbw_text(&x->w, 1, c->by_lid ? x->h->lid : x->h->jid);
		else
			sim_pbw_text(&x->w, 1, c->by_lid ? p.lid : p.pn);
		sim_pbw_uint(&x->w, 2, i == 0 ? 2 : i == 1);
		sim_pbw_end(&x->w, at);
	}
	return rc;
}

static int put_about(struct writing *x, const struct sim_chat *c, uint32_t end_type)
{
	int64_t last = c->messages == 0 ? x->h->until_unix_s
	                                : sim_history_time(x->h, c->number, c->messages - 1);
	int rc = 0;

	if (c->messages > 0)
		sim_pbw_uint(&x->w, 5, (uint64_t)last);
	if (c->unread > 0)
		sim_pbw_uint(&x->w, 6, c->unread);
	sim_pbw_uint(&x->w, 8, end_type == NO_MORE);
	sim_pbw_uint(&x->w, 11, end_type);
	sim_pbw_uint(&x->w, 12, (uint64_t)last);
	sim_pbw_text(&x->w, 13, c->name);
	sim_pbw_uint(&x->w, 15, 1);
	if (c->archived)
		sim_pbw_uint(&x->w, 16, 1);
	if (c->group)
		rc = put_participants(x, c);
	if (c->pinned)
		sim_pbw_uint(&x->w, 24, (uint64_t)x->h->until_unix_s);
	if (c->muted)
		sim_pbw_uint(&x->w, 25, (uint64_t)x->h->until_unix_s + 604800);
	if (!c->group)
		sim_pbw_text(&x->w, 38, c->name);
	if (c->form == SIM_CHAT_LID || c->form == SIM_CHAT_LID_2)
		sim_pbw_text(&x->w, 39, c->pn);
	if (c->form == SIM_CHAT_PN_LID)
		sim_pbw_text(&x->w, 42, c->lid);
	return rc;
}

/* Messages of numbers below `below`, n of them, the newest first. */
static int put_messages(struct writing *x, const struct sim_chat *c, uint32_t below, uint32_t n)
{
	struct sim_history_msg m;
	size_t at, in;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		rc = sim_history_msg(x->h, c, below - 1 - i, &m);
		if (rc < 0)
			break;
		at = sim_pbw_begin(&x->w, 2);
		in = sim_pbw_begin(&x->w, 1);
		rc = sim_history_put(x->h, c, &m, &x->w);
		sim_pbw_end(&x->w, in);
		sim_pbw_uint(&x->w, 2, m.order);
		sim_pbw_end(&x->w, at);
		if (x->out->oldest_unix_s == 0 || m.unix_s < x->out->oldest_unix_s)
			x->out->oldest_unix_s = m.unix_s;
		x->out->messages++;
	}
	return rc;
}

static int put_conversation(struct writing *x, const struct sim_chat *c, uint32_t below, uint32_t n,
                            uint32_t end_type)
{
	size_t at = sim_pbw_begin(&x->w, 2);
	int rc;

	sim_pbw_text(&x->w, 1, c->id);
	rc = put_messages(x, c, below, n);
	if (rc == 0)
		rc = put_about(x, c, end_type);
	sim_pbw_end(&x->w, at);
	x->out->conversations++;
	return rc == 0 ? flush(x) : rc;
}

/* RECENT and FULL: chat after chat, until the part is full. */
static int put_range(struct writing *x)
{
	const struct sim_history_part *p = x->part;
	uint32_t left = p->max, chat = p->chat, done = p->done;
	struct sim_chat c;
	int rc = 0;

	while (rc == 0 && chat < x->h->chats) {
		uint32_t low, high, n;

		rc = sim_history_chat(x->h, chat, &c);
		if (rc < 0)
			break;
		low = sim_history_before(x->h, &c, p->from_unix_s);
		high = sim_history_before(x->h, &c, p->to_unix_s);
		n = high - low - done;
		if (n > 0 && left == 0)
			break;
		if (n > left)
			n = left;
		if (n > 0)
			rc = put_conversation(x, &c, high - done, n,
			                      high - done - n == 0 ? NO_MORE : MORE_REMAIN);
		left -= n;
		done += n;
		if (low + done == high) {
			chat++;
			done = 0;
		}
	}
	x->out->chat = chat;
	x->out->done = done;
	return rc;
}

int sim_history_count(const struct sim_history *h, int64_t from_unix_s, int64_t to_unix_s,
                      uint64_t *n_out)
{
	struct sim_chat c;
	uint64_t n = 0;

	for (uint32_t i = 0; i < h->chats; i++) {
		int rc = sim_history_chat(h, i, &c);

		if (rc < 0)
			return rc;
		n += sim_history_before(h, &c, to_unix_s) - sim_history_before(h, &c, from_unix_s);
	}
	*n_out = n;
	return 0;
}

/* ---- the other kinds ---------------------------------------------------------------------------
 */

static void put_mapping(struct writing *x, const char *pn, const char *lid)
{
	size_t at = sim_pbw_begin(&x->w, 15);

	sim_pbw_text(&x->w, 1, pn);
	sim_pbw_text(&x->w, 2, lid);
	sim_pbw_end(&x->w, at);
}

static int put_mappings(struct writing *x)
{
	struct sim_chat c;
	int rc = 0;

	put_mapping(x, x->h->jid, x->h->lid);
	for (uint32_t i = 0; rc == 0 && i < x->h->chats; i++) {
		rc = sim_history_chat(x->h, i, &c);
		if (rc == 0 && !c.group && c.form != SIM_CHAT_SELF && c.lid[0] != '\0')
			put_mapping(x, c.pn, c.lid);
	}
	return rc == 0 ? flush(x) : rc;
}

static void put_push_name(struct writing *x, const char *jid, const char *name)
{
	size_t at = sim_pbw_begin(&x->w, 7);

	sim_pbw_text(&x->w, 1, jid);
	sim_pbw_text(&x->w, 2, name);
	sim_pbw_end(&x->w, at);
}

/* The list of chats, with the newest message of each. */
static int put_bootstrap(struct writing *x)
{
	struct sim_chat c;
	size_t at;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < x->h->chats; i++) {
		rc = sim_history_chat(x->h, i, &c);
		if (rc == 0)
			rc = put_conversation(x, &c, c.messages, c.messages > 0, MORE_REMAIN);
	}
	if (x->h->name[0] != '\0')
		put_push_name(x, x->h->jid, x->h->name);
	at = sim_pbw_begin(&x->w, 8); /* globalSettings */
	sim_pbw_uint(&x->w, 13, 1);
	sim_pbw_uint(&x->w, 14, 1);
	sim_pbw_uint(&x->w, 20, (uint64_t)x->h->until_unix_s - 8640000);
	sim_pbw_end(&x->w, at);
	return rc == 0 ? put_mappings(x) : rc;
}

static int put_statuses(struct writing *x)
{
	struct sim_person p;
	char id[SIM_HISTORY_ID_CAP], text[60];
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < STATUSES; i++) {
		size_t at = sim_pbw_begin(&x->w, 3), in;

		rc = sim_history_person(x->h, i, &p);
		snprintf(id, sizeof(id), "3A57A705%08" PRIX32, i);
		snprintf(text, sizeof(text), "status %" PRIu32, i);
		in = sim_pbw_begin(&x->w, 1);
		sim_pbw_text(&x->w, 1, "status@broadcast");
		sim_pbw_uint(&x->w, 2, 0);
		sim_pbw_text(&x->w, 3, id);
		sim_pbw_text(&x->w, 4, p.lid);
		sim_pbw_end(&x->w, in);
		in = sim_pbw_begin(&x->w, 2);
		sim_pbw_text(&x->w, 1, text);
		sim_pbw_end(&x->w, in);
		sim_pbw_uint(&x->w, 3, (uint64_t)x->h->until_unix_s - 600 - i);
		sim_pbw_text(&x->w, 5, p.lid);
		sim_pbw_text(&x->w, 19, p.name);
		sim_pbw_end(&x->w, at);
	}
	return rc == 0 ? flush(x) : rc;
}

static int put_push_names(struct writing *x)
{
	struct sim_chat c;
	int rc = 0;

	if (x->h->name[0] != '\0')
		put_push_name(x, x->h->jid, x->h->name);
	for (uint32_t i = 0; rc == 0 && i < x->h->chats; i++) {
		rc = sim_history_chat(x->h, i, &c);
		if (rc == 0 && !c.group && c.form != SIM_CHAT_SELF)
			put_push_name(x, c.id, c.name);
		if (rc == 0)
			rc = flush(x);
	}
	return rc;
}

/* Who has left a group. */
static int put_non_blocking(struct writing *x)
{
	struct sim_chat c;
	struct sim_person p;
	size_t at, in;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < x->h->chats; i++) {
		rc = sim_history_chat(x->h, i, &c);
		if (rc < 0 || !c.group)
			continue;
		rc = sim_history_person(x->h, i, &p);
		at = sim_pbw_begin(&x->w, 12);
		sim_pbw_text(&x->w, 1, c.id);
		in = sim_pbw_begin(&x->w, 2);
		sim_pbw_text(&x->w, 1, c.by_lid ? p.lid : p.pn);
		sim_pbw_uint(&x->w, 2, i & 1);
		sim_pbw_uint(&x->w, 3, (uint64_t)x->h->until_unix_s - 3600);
		sim_pbw_end(&x->w, in);
		sim_pbw_end(&x->w, at);
	}
	return rc == 0 ? flush(x) : rc;
}

static int put_on_demand(struct writing *x)
{
	const struct sim_history_part *p = x->part;
	uint32_t n = p->before < p->max ? p->before : p->max;
	struct sim_chat c;
	int rc = sim_history_chat(x->h, p->chat, &c);

	if (rc < 0)
		return rc;
	return put_conversation(x, &c, p->before, n, n == p->before ? NO_MORE : MORE_ON_DEMAND);
}

static int put_body(struct writing *x)
{
	switch (x->part->type) {
	case SIM_HISTORY_BOOTSTRAP:
		return put_bootstrap(x);
	case SIM_HISTORY_STATUS:
		return put_statuses(x);
	case SIM_HISTORY_FULL:
	case SIM_HISTORY_RECENT:
		return put_range(x);
	case SIM_HISTORY_PUSH_NAME:
		return put_push_names(x);
	case SIM_HISTORY_NON_BLOCKING:
		return put_non_blocking(x);
	case SIM_HISTORY_ON_DEMAND:
		return put_on_demand(x);
	}
	return WA_ESTATE;
}

static uint32_t progress(const struct sim_history_part *part,
                         const struct sim_history_written *written, uint32_t chats)
{
	uint64_t done = part->sent + written->messages;

	if (written->chat == chats || part->total == 0)
		return 100;
	return done * 100 / part->total > 99 ? 99 : (uint32_t)(done * 100 / part->total);
}

int sim_history_write(const struct sim_history *h, const struct sim_history_part *part,
                      struct buf *out, struct sim_history_written *written_out)
{
	struct sim_history_written written = { .chat = h->chats };
	struct writing x = { .h = h, .part = part, .out = &written };
	size_t from = out->len;
	int rc = sim_zip_begin(&x.zip, LEVEL, out), end;

	if (rc < 0)
		return rc;
	sim_pbw_init(&x.w, &x.piece);
	sim_pbw_uint(&x.w, 1, (uint64_t)part->type);
	rc = flush(&x);
	if (rc == 0)
		rc = put_body(&x);
	if (part->type == SIM_HISTORY_FULL || part->type == SIM_HISTORY_RECENT) {
		written.progress = progress(part, &written, h->chats);
		sim_pbw_uint(&x.w, 5, part->order);
		sim_pbw_uint(&x.w, 6, written.progress);
	}
	if (rc == 0)
		rc = flush(&x);
	written.plain_len = x.zip.len;
	end = sim_zip_end(&x.zip);
	if (rc == 0)
		rc = end;
	buf_free(&x.piece);
	if (rc < 0)
		out->len = from;
	else
		*written_out = written;
	return rc;
}
