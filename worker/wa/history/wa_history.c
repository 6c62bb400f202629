/* worker/wa/history/wa_history.c - a history blob: inflated and decoded piece by piece */
#include "worker/wa/history/wa_history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_history.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/wa/message/wa_pb_walk.h"

#define WINDOW_FIRST 65536u
#define INFLATE_MIN 16384u /* room that inflate gets at least */
#define POOL_FIRST 32768u

const struct wa_history_limits wa_history_limits_default = {
	.inflated_max = WA_HISTORY_INFLATED_MAX,
	.ratio_max = WA_HISTORY_RATIO_MAX,
};

static const struct pb_limits unit_limits = {
	.bytes_max = WA_HISTORY_MESSAGE_MAX,
	.memory_max = WA_HISTORY_MEMORY_MAX,
	.depth_max = 34, /* of a Message, and WebMessageInfo around it */
};

/*
 * The window holds inflated bytes that are not read yet: parsed up to pos, filled up to end. A
 * field that is decoded as a whole waits until all of it is there; what is not wanted is skipped as
 * it comes. Two levels are open at most: the HistorySync, and inside it a conversation.
 */
struct wa_history {
	const struct wa_history_ops *ops;
	void *arg;
	struct wa_history_limits limits;
	struct wa_history_counts counts;
	z_stream z;
	bool inflating, ended; /* inflateInit was called; the stream's end was seen */
	uint8_t *window;
	size_t window_cap, pos, end;
	size_t need; /* bytes from pos that must be there to go on */
	uint64_t skip;
	bool in_chat;
	uint64_t chat_left;
	char *chat_id;
	struct buf chat_meta; /* fields of the conversation but its messages */
	uint64_t chat_messages_n;
	int type;
	struct wa_pool *pool;
};

const char *wa_history_type_name(int type)
{
	static const char *const names[] = {
#define X(id, name) [id] = name,
		WA_HISTORY_TYPE_LIST(X)
#undef X
	};

	return type < 0 || type >= (int)ARRAY_LEN(names) ? "unknown" : names[type];
}

/* ---- messages -----------------------------------------------------------------------------------
 */

/* What is needed of a WebMessageInfo before it is worth decoding. */
static int peek(const uint8_t *p, size_t left, struct wa_history_msg *m)
{
	const uint8_t *content;
	struct wa_pb_field f;
	int rc;

	while ((rc = wa_pb_next(&p, &left, &f, &content)) == 0) {
		if (f.number == 3 && f.wire_type == 0)
			m->unix_s = f.value;
		else if (f.number == 2 && f.wire_type == 2)
			m->message = (struct wa_bytes){ content, (size_t)f.len };
	}
	return rc == -ENOENT ? 0 : rc;
}

static void fill(struct wa_history_msg *m, const Wa__WebMessageInfo *info, const char *chat)
{
	m->info = info;
	m->key = wa_msg_key_view(info->key);
	m->chat = chat != NULL ? chat : m->key.chat;
	m->sender = m->key.participant != NULL ? m->key.participant : info->participant;
	if (m->sender == NULL && !m->key.from_me)
		m->sender = m->chat;
	if (info->has_message_secret)
		m->secret =
		    (struct wa_bytes){ info->message_secret.data, info->message_secret.len };
	else if (m->has_view)
		m->secret = m->view.message_secret;
	if (m->secret.len != 32)
		m->secret = (struct wa_bytes){ 0 };
}

/* p: a WebMessageInfo. What can't be read is counted; only callbacks and memory end the whole. */
static int take_message(struct wa_history *h, const uint8_t *p, size_t len, uint64_t order,
                        bool status)
{
	int (*on)(void *, const struct wa_history_msg *) =
	    status ? h->ops->on_status : h->ops->on_message;
	struct wa_history_msg m = { .order = order };
	const Wa__WebMessageInfo *info = NULL;
	ProtobufCMessage *msg;
	int rc;

	if (peek(p, len, &m) < 0) {
		h->counts.unreadable++;
		return 0;
	}
	if (h->limits.oldest_unix_s > 0 && m.unix_s < (uint64_t)h->limits.oldest_unix_s) {
		h->counts.dropped_old++;
		return 0;
	}
	wa_pool_reset(h->pool);
	rc = wa_pool_unpack(h->pool, &wa__web_message_info__descriptor, p, len, &unit_limits, &msg);
	if (rc == 0) {
		info = (const Wa__WebMessageInfo *)msg;
		m.has_view = info->message != NULL;
		if (m.has_view)
			rc = wa_msg_view(info->message, &m.view);
	}
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0) {
		h->counts.unreadable++;
		return 0;
	}
	fill(&m, info, status ? NULL : h->chat_id);
	if (status)
		h->counts.statuses++;
	else
		h->counts.messages++;
	h->chat_messages_n += !status;
	return on == NULL ? 0 : on(h->arg, &m);
}

/* p: a HistorySyncMsg. */
static int take_history_msg(struct wa_history *h, const uint8_t *p, size_t len)
{
	struct wa_bytes info = { 0 };
	const uint8_t *content;
	uint64_t order = 0;
	struct wa_pb_field f;
	int rc;

	while ((rc = wa_pb_next(&p, &len, &f, &content)) == 0) {
		if (f.number == 1 && f.wire_type == 2)
			info = (struct wa_bytes){ content, (size_t)f.len };
		else if (f.number == 2 && f.wire_type == 0)
			order = f.value;
	}
	if (rc != -ENOENT || info.p == NULL) {
		h->counts.unreadable++;
		return 0;
	}
	return take_message(h, info.p, info.len, order, false);
}

/* Decode p into the pool. 0 with *out NULL: unreadable, counted. -ENOMEM. */
static int decode(struct wa_history *h, const ProtobufCMessageDescriptor *desc, const uint8_t *p,
                  size_t len, const void **out)
{
	ProtobufCMessage *msg = NULL;
	int rc;

	wa_pool_reset(h->pool);
	rc = wa_pool_unpack(h->pool, desc, p, len, &unit_limits, &msg);
	*out = rc == 0 ? msg : NULL;
	h->counts.unreadable += rc < 0 && rc != -ENOMEM;
	return rc == -ENOMEM ? rc : 0;
}

/* ---- conversations ------------------------------------------------------------------------------
 */

static int chat_begin(struct wa_history *h, uint64_t len)
{
	h->in_chat = true;
	h->chat_left = len;
	h->chat_messages_n = 0;
	buf_reset(&h->chat_meta);
	free(h->chat_id);
	h->chat_id = NULL;
	return 0;
}

static int chat_end(struct wa_history *h)
{
	const void *msg;
	int rc;

	h->in_chat = false;
	rc = decode(h, &wa__conversation__descriptor, h->chat_meta.p, h->chat_meta.len, &msg);
	if (rc < 0 || msg == NULL)
		return rc;
	if (((const Wa__Conversation *)msg)->id == NULL) {
		h->counts.unreadable++;
		return 0;
	}
	h->counts.conversations++;
	if (h->ops->on_conversation != NULL)
		rc = h->ops->on_conversation(h->arg, msg, h->chat_messages_n);
	return rc;
}

/* A field that is there as a whole, head and all. */
static int chat_field(struct wa_history *h, const struct wa_pb_field *f, const uint8_t *p)
{
	size_t len = (size_t)f->len;

	if (f->number == 2 && f->wire_type == 2)
		return take_history_msg(h, p + f->head_len, len);
	if (f->number == 1 && f->wire_type == 2 && len > 0) {
		free(h->chat_id);
		h->chat_id = malloc(len + 1);
		if (h->chat_id == NULL)
			return -ENOMEM;
		memcpy(h->chat_id, p + f->head_len, len);
		h->chat_id[len] = '\0';
	}
	/* A group with members beyond the limit keeps those that fit. */
	if (f->head_len + len > WA_HISTORY_FIELD_MAX - h->chat_meta.len)
		return 0;
	return buf_append(&h->chat_meta, p, f->head_len + len);
}

/* ---- the rest of a HistorySync ------------------------------------------------------------------
 */

static int take_push_name(struct wa_history *h, const uint8_t *p, size_t len)
{
	const Wa__Pushname *m;
	const void *msg;
	int rc;

	rc = decode(h, &wa__pushname__descriptor, p, len, &msg);
	m = msg;
	if (m == NULL || m->id == NULL || m->pushname == NULL || m->pushname[0] == '\0' ||
	    strcmp(m->pushname, "-") == 0)
		return rc;
	h->counts.push_names++;
	return h->ops->on_push_name == NULL ? 0 : h->ops->on_push_name(h->arg, m->id, m->pushname);
}

static int take_mapping(struct wa_history *h, const uint8_t *p, size_t len)
{
	const Wa__PhoneNumberToLidMapping *m;
	const void *msg;
	int rc;

	rc = decode(h, &wa__phone_number_to_lid_mapping__descriptor, p, len, &msg);
	m = msg;
	if (m == NULL || m->pn_jid == NULL || m->lid_jid == NULL)
		return rc;
	h->counts.mappings++;
	return h->ops->on_mapping == NULL ? 0 : h->ops->on_mapping(h->arg, m->pn_jid, m->lid_jid);
}

static int take_contact(struct wa_history *h, const uint8_t *p, size_t len)
{
	const Wa__InlineContact *m;
	const void *msg;
	int rc;

	rc = decode(h, &wa__inline_contact__descriptor, p, len, &msg);
	m = msg;
	if (m == NULL)
		return rc;
	h->counts.contacts++;
	return h->ops->on_contact == NULL ? 0 : h->ops->on_contact(h->arg, m);
}

static int take_nonce(struct wa_history *h, const uint8_t *p, size_t len)
{
	char *text;

	if (h->ops->on_companion_nonce == NULL)
		return 0;
	wa_pool_reset(h->pool);
	text = wa_pool_alloc(h->pool, len + 1); /* zeroed */
	if (text == NULL)
		return wa_pool_error(h->pool);
	memcpy(text, p, len);
	return h->ops->on_companion_nonce(h->arg, text);
}

static int top_field(struct wa_history *h, const struct wa_pb_field *f, const uint8_t *p)
{
	size_t len = (size_t)f->len;

	p += f->head_len;
	if (f->wire_type == 0 && f->number == 1)
		h->type = f->value > INT32_MAX ? INT32_MAX : (int)f->value;
	if (f->wire_type != 2)
		return 0;
	switch (f->number) {
	case 3:
		return take_message(h, p, len, 0, true);
	case 7:
		return take_push_name(h, p, len);
	case 15:
		return take_mapping(h, p, len);
	case 16:
		return take_nonce(h, p, len);
	case 19:
		return h->ops->on_nct_salt == NULL || len == 0
		           ? 0
		           : h->ops->on_nct_salt(h->arg, p, len);
	case 20:
		return take_contact(h, p, len);
	}
	return 0;
}

/* ---- the walk -----------------------------------------------------------------------------------
 */

/* Is this field of any use? Others are skipped without waiting for all of them. */
static bool is_wanted(const struct wa_history *h, const struct wa_pb_field *f)
{
	if (f->wire_type != 2)
		return true; /* small, and part of a conversation's state */
	if (h->in_chat)
		return f->number == 2 || protobuf_c_message_descriptor_get_field(
		                             &wa__conversation__descriptor, f->number) != NULL;
	return f->number == 2 || f->number == 3 || f->number == 7 || f->number == 15 ||
	       f->number == 16 || f->number == 19 || f->number == 20;
}

static bool is_message(const struct wa_history *h, const struct wa_pb_field *f)
{
	return f->number == (h->in_chat ? 2u : 3u);
}

static void consume(struct wa_history *h, size_t n)
{
	h->pos += n;
	if (h->in_chat)
		h->chat_left -= n;
}

/* One field at pos. 0: done, or skipping; WA_PB_MORE: h->need says how much must be there. */
static int step(struct wa_history *h)
{
	size_t left = h->end - h->pos;
	const uint8_t *p = h->window + h->pos;
	struct wa_pb_field f;
	uint64_t whole;
	int rc;

	rc = wa_pb_head(p, left, &f);
	if (rc != 0) {
		h->need = WA_PB_HEAD_MAX;
		return rc;
	}
	if (f.len > h->limits.inflated_max)
		return WA_ELIMIT;
	whole = f.head_len + f.len;
	if (h->in_chat && whole > h->chat_left)
		return WA_EPROTO;
	if (!h->in_chat && f.number == 2 && f.wire_type == 2) {
		h->pos += f.head_len;
		return chat_begin(h, f.len);
	}
	if (f.wire_type == 2 &&
	    f.len > (is_message(h, &f) ? WA_HISTORY_MESSAGE_MAX : WA_HISTORY_FIELD_MAX)) {
		h->counts.too_large += is_wanted(h, &f);
		h->skip = whole;
		return 0;
	}
	if (!is_wanted(h, &f)) {
		h->skip = whole;
		return 0;
	}
	if (whole > left) {
		h->need = (size_t)whole;
		return WA_PB_MORE;
	}
	rc = h->in_chat ? chat_field(h, &f, p) : top_field(h, &f, p);
	consume(h, (size_t)whole);
	return rc;
}

/* Everything that can be read from the window. */
static int walk(struct wa_history *h)
{
	int rc = 0;

	h->need = 0;
	while (rc == 0) {
		size_t left = h->end - h->pos;

		if (h->skip > 0) {
			size_t n = h->skip < left ? (size_t)h->skip : left;

			consume(h, n);
			h->skip -= n;
			if (h->skip > 0)
				return 0;
			continue;
		}
		if (h->in_chat && h->chat_left == 0) {
			rc = chat_end(h);
			continue;
		}
		if (left == 0)
			return 0;
		rc = step(h);
	}
	return rc == WA_PB_MORE ? 0 : rc;
}

/* Room behind end: INFLATE_MIN at least, and enough for what step() waits for. */
static int make_room(struct wa_history *h)
{
	size_t left = h->end - h->pos, cap;
	uint8_t *p;

	if (h->pos > 0) {
		memmove(h->window, h->window + h->pos, left);
		h->pos = 0;
		h->end = left;
	}
	cap = (h->need > left ? h->need : left) + INFLATE_MIN;
	if (cap <= h->window_cap)
		return 0;
	p = realloc(h->window, cap);
	if (p == NULL)
		return -ENOMEM;
	h->window = p;
	h->window_cap = cap;
	return 0;
}

static int check_size(struct wa_history *h)
{
	h->counts.inflated_len = h->z.total_out;
	if (h->z.total_out > h->limits.inflated_max)
		return WA_ELIMIT;
	if (h->z.total_out > WA_HISTORY_RATIO_FREE &&
	    h->z.total_out / h->limits.ratio_max > h->z.total_in)
		return WA_ELIMIT;
	return 0;
}

int wa_history_feed(struct wa_history *h, const uint8_t *data, size_t data_len)
{
	int rc = 0;

	while (data_len > 0) {
		uInt n = data_len > 1u << 30 ? 1u << 30 : (uInt)data_len;
		bool full = true;

		if (h->ended)
			return WA_EPROTO; /* bytes behind the stream */
		h->z.next_in = (Bytef *)(uintptr_t)data;
		h->z.avail_in = n;
		while (rc == 0 && !h->ended && (h->z.avail_in > 0 || full)) {
			int zrc;

			rc = make_room(h);
			if (rc < 0)
				return rc;
			h->z.next_out = h->window + h->end;
			h->z.avail_out = (uInt)(h->window_cap - h->end);
			zrc = inflate(&h->z, Z_NO_FLUSH);
			if (zrc != Z_OK && zrc != Z_STREAM_END && zrc != Z_BUF_ERROR)
				return zrc == Z_MEM_ERROR ? -ENOMEM : WA_EPROTO;
			h->ended = zrc == Z_STREAM_END;
			full = h->z.avail_out == 0;
			h->end = h->window_cap - h->z.avail_out;
			rc = check_size(h);
			if (rc == 0)
				rc = walk(h);
		}
		if (rc < 0)
			return rc;
		n -= h->z.avail_in;
		data += n;
		data_len -= n;
	}
	return 0;
}

int wa_history_end(struct wa_history *h)
{
	if (!h->ended || h->pos != h->end || h->skip > 0 || h->in_chat)
		return WA_ETRUNC;
	return h->type < 0 ? WA_EPROTO : 0;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

int wa_history_new(const struct wa_history_ops *ops, void *arg,
                   const struct wa_history_limits *limits, struct wa_history **h_out)
{
	struct wa_history *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return -ENOMEM;
	h->ops = ops;
	h->arg = arg;
	h->limits = *limits;
	h->type = -1;
	h->window_cap = WINDOW_FIRST;
	h->window = malloc(h->window_cap);
	h->pool = wa_pool_new(POOL_FIRST, WA_HISTORY_MEMORY_MAX);
	h->inflating = inflateInit(&h->z) == Z_OK;
	if (h->inflating && limits->sum_checked)
		(void)inflateValidate(&h->z, 0);
	if (h->window == NULL || h->pool == NULL || !h->inflating) {
		wa_history_free(h);
		return -ENOMEM;
	}
	*h_out = h;
	return 0;
}

void wa_history_free(struct wa_history *h)
{
	if (h == NULL)
		return;
	if (h->inflating)
		inflateEnd(&h->z);
	if (h->window != NULL)
		secret_wipe(h->window, h->window_cap);
	free(h->window);
	free(h->chat_id);
	buf_wipe(&h->chat_meta);
	wa_pool_free(h->pool);
	free(h);
}

const struct wa_history_counts *wa_history_counts(const struct wa_history *h)
{
	return &h->counts;
}

int wa_history_type_of(const struct wa_history *h)
{
	return h->type;
}

size_t wa_history_memory(const struct wa_history *h)
{
	return sizeof(*h) + h->window_cap + h->chat_meta.cap;
}
