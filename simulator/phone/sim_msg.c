/* simulator/phone/sim_msg.c - the Message protobuf, made and read by hand */
#include "simulator/phone/sim_msg.h"

#include <errno.h>
#include <string.h>

#include "simulator/base/sim_pb.h"

#define WRAP_MAX 8

/* ---- writing -----------------------------------------------------------------------------------
 */

static int put_head(struct buf *b, uint32_t number, unsigned type, uint64_t v, bool has_value)
{
	uint8_t head[2 * SIM_PB_VARINT_MAX];
	struct wr w;

	wr_init(&w, head, sizeof(head));
	sim_pb_varint(&w, (uint64_t)number << 3 | type);
	if (has_value)
		sim_pb_varint(&w, v);
	return buf_append(b, head, w.len);
}

int sim_msg_put(struct buf *b, uint32_t number, const void *data, size_t len)
{
	int rc = put_head(b, number, SIM_PB_BYTES, len, true);

	return rc < 0 ? rc : buf_append(b, data, len);
}

int sim_msg_put_text(struct buf *b, uint32_t number, const char *text)
{
	return text == NULL ? 0 : sim_msg_put(b, number, text, strlen(text));
}

int sim_msg_put_int(struct buf *b, uint32_t number, uint64_t v)
{
	return put_head(b, number, SIM_PB_VARINT, v, true);
}

static int put_le(struct buf *b, uint64_t v, unsigned bytes)
{
	uint8_t le[8];

	for (unsigned i = 0; i < bytes; i++)
		le[i] = (uint8_t)(v >> 8 * i);
	return buf_append(b, le, bytes);
}

int sim_msg_put_double(struct buf *b, uint32_t number, double v)
{
	uint64_t bits;
	int rc = put_head(b, number, SIM_PB_FIXED64, 0, false);

	memcpy(&bits, &v, sizeof(bits));
	return rc < 0 ? rc : put_le(b, bits, 8);
}

int sim_msg_put_fixed32(struct buf *b, uint32_t number, uint32_t v)
{
	int rc = put_head(b, number, SIM_PB_FIXED32, 0, false);

	return rc < 0 ? rc : put_le(b, v, 4);
}

int sim_msg_enclose(struct buf *b, uint32_t number)
{
	struct buf outer = { 0 };
	int rc = sim_msg_put(&outer, number, b->p, b->len);

	if (rc < 0) {
		buf_free(&outer);
		return rc;
	}
	buf_free(b);
	*b = outer;
	return 0;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

bool sim_msg_field(const uint8_t *msg, size_t len, uint32_t number, const uint8_t **data_out,
                   size_t *len_out)
{
	struct sim_pb_field f;
	struct rd r;

	rd_init(&r, msg, len);
	while (sim_pb_next_any(&r, &f)) {
		if (f.number != number || f.type != SIM_PB_BYTES)
			continue;
		*data_out = f.data;
		*len_out = f.len;
		return true;
	}
	return false;
}

/* Which field of Message makes it what it is, and which of its fields is its text. */
static const struct kind {
	uint32_t field, text;
	const char *type;
} kinds[] = {
	{ 1, 0, "text" },      { 6, 1, "text" },       { 3, 3, "image" },
	{ 9, 7, "video" },     { 8, 0, "audio" },      { 7, 20, "document" },
	{ 26, 0, "sticker" },  { 66, 7, "video" },     { 5, 3, "location" },
	{ 18, 6, "location" }, { 4, 1, "contact" },    { 13, 1, "contact" },
	{ 46, 2, "reaction" }, { 49, 2, "poll" },      { 60, 2, "poll" },
	{ 64, 2, "poll" },     { 50, 0, "poll_vote" }, { 12, 0, "protocol" },
	{ 63, 0, "pin" },      { 51, 0, "keep" },      { 28, 6, "group_invite" },
	{ 75, 3, "event" },    { 83, 0, "album" },     { 42, 0, "button_reply" },
};

/* Wrappers: FutureProofMessage{1 message}, and deviceSentMessage{2 message}. */
static const struct {
	uint32_t field, inner;
} wrappers[] = {
	{ 31, 2 }, { 40, 1 }, { 37, 1 }, { 55, 1 }, { 59, 1 },  { 53, 1 },
	{ 58, 1 }, { 74, 1 }, { 62, 1 }, { 96, 1 }, { 103, 1 },
};

static bool unwrap(const uint8_t **msg, size_t *len)
{
	const uint8_t *outer;
	size_t outer_len;

	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
		if (sim_msg_field(*msg, *len, wrappers[i].field, &outer, &outer_len))
			return sim_msg_field(outer, outer_len, wrappers[i].inner, msg, len);
	}
	return false;
}

static void take_text(struct sim_msg_info *info, const uint8_t *data, size_t len)
{
	if (len >= sizeof(info->text_buf)) {
		len = sizeof(info->text_buf) - 1;
		while (len > 0 && (data[len] & 0xc0) == 0x80) /* not within a character */
			len--;
	}
	memcpy(info->text_buf, data, len);
	info->text_buf[len] = '\0';
	info->text = info->text_buf;
}

void sim_msg_describe(const uint8_t *msg, size_t len, struct sim_msg_info *info_out)
{
	const uint8_t *part, *text;
	size_t part_len, text_len;

	info_out->type = "none";
	info_out->text = NULL;
	for (int i = 0; i < WRAP_MAX && unwrap(&msg, &len); i++) {
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];

		if (!sim_msg_field(msg, len, k->field, &part, &part_len))
			continue;
		info_out->type = k->type;
		if (k->field == 1)
			take_text(info_out, part, part_len);
		else if (k->text != 0 && sim_msg_field(part, part_len, k->text, &text, &text_len))
			take_text(info_out, text, text_len);
		return;
	}
}
