/* simulator/api/sim_build_bad.c - messages that nobody should send */
#include <errno.h>
#include <string.h>

#include "simulator/api/sim_build.h"
#include "simulator/base/sim_pb.h"
#include "simulator/phone/sim_msg.h"
#include "simulator/sim.h"

#define NEST_MAX 100000
#define GIANT_MAX (3u * 1024 * 1024)
#define LEVEL_ROOM 16 /* of one level: two tags, two lengths */

/* Write the tag and length of what begins at *at, of len bytes, before it. */
static void put_before(uint8_t **at, uint32_t number, size_t len)
{
	uint8_t head[2 * SIM_PB_VARINT_MAX];
	struct wr w;

	wr_init(&w, head, sizeof(head));
	sim_pb_varint(&w, (uint64_t)number << 3 | SIM_PB_BYTES);
	sim_pb_varint(&w, len);
	*at -= w.len;
	memcpy(*at, head, w.len);
}

/* A text inside so many ephemeralMessages: {40: {1: {40: {1: ...}}}}, written from its end. */
void sim_build_nest(struct sim_build *b, const json_t *spec)
{
	json_int_t depth = json_integer_value(spec);
	size_t room = depth < 1 || depth > NEST_MAX ? 0 : (size_t)depth * LEVEL_ROOM + LEVEL_ROOM;
	uint8_t *at, *end;

	if (room == 0)
		sim_build_refuse(b, "nest must be a depth");
	if (b->err == 0)
		b->err = buf_reserve(&b->msg, room);
	if (b->err != 0)
		return;
	end = at = b->msg.p + room;
	*--at = 'x';
	put_before(&at, 1, 1);
	for (json_int_t i = 0; i < depth; i++) {
		put_before(&at, 1, (size_t)(end - at));
		put_before(&at, 40, (size_t)(end - at));
	}
	b->msg.len = (size_t)(end - at);
	memmove(b->msg.p, at, b->msg.len);
	b->no_secret = true;
}

/* A text of so many bytes. */
void sim_build_giant(struct sim_build *b, const json_t *spec)
{
	json_int_t len = json_integer_value(spec);
	struct buf text = { 0 };

	if (len < 1 || len > (json_int_t)GIANT_MAX)
		sim_build_refuse(b, "giant must be a length, 3 MiB at most");
	if (b->err == 0)
		b->err = buf_reserve(&text, (size_t)len);
	if (b->err == 0) {
		memset(text.p, 'x', (size_t)len);
		text.len = (size_t)len;
	}
	sim_build_part(b, &b->msg, 1, &text);
}

/* So many bytes that are no protobuf: a field that is longer than what there is, then noise. */
void sim_build_garbage(struct sim_build *b, const json_t *spec)
{
	static const uint8_t head[] = { 0x0a, 0xff, 0xff, 0xff, 0x7f };
	json_int_t len = json_integer_value(spec);

	b->no_secret = true;
	if (len < 0 || len > (json_int_t)GIANT_MAX)
		sim_build_refuse(b, "garbage must be a length, 3 MiB at most");
	if (b->err == 0)
		b->err = buf_append(&b->msg, head, sizeof(head));
	if (b->err == 0)
		b->err = buf_reserve(&b->msg, (size_t)len);
	if (b->err == 0)
		b->err = sim_rand_bytes(&b->from->rnd, b->msg.p + b->msg.len, (size_t)len);
	if (b->err == 0)
		b->msg.len += (size_t)len;
}
