/* tests/fuzz/mutate_pb.c - protobuf messages changed by their fields */
#include "mutate.h"

#include <string.h>

#include "fuzz.h"

#define FIELDS_MAX 256
#define DEPTH_MAX 12
#define FRESH_DEPTH_MAX 3

enum wire { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

struct field {
	const uint8_t *p; /* with its tag */
	size_t len;
	uint32_t number;
	enum wire wire;
	uint64_t varint;     /* VARINT */
	const uint8_t *body; /* LENGTH */
	size_t body_len;
};

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Bytes it takes; 0: it is none. */
static size_t read_varint(const uint8_t *p, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len && i < 10; i++) {
		v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (p[i] < 0x80) {
			*out = v;
			return i + 1;
		}
	}
	return 0;
}

static bool read_field(const uint8_t *p, size_t len, struct field *f)
{
	uint64_t tag, v = 0;
	size_t n = read_varint(p, len, &tag), more;

	if (n == 0 || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
		return false;
	*f = (struct field){ .p = p, .number = (uint32_t)(tag >> 3), .wire = tag & 7 };
	switch (f->wire) {
	case VARINT:
		more = read_varint(p + n, len - n, &f->varint);
		f->len = n + more;
		return more > 0;
	case FIXED64:
	case FIXED32:
		f->len = n + (f->wire == FIXED64 ? 8 : 4);
		return f->len <= len;
	case LENGTH:
		more = read_varint(p + n, len - n, &v);
		if (more == 0 || v > len - n - more)
			return false;
		f->body = p + n + more;
		f->body_len = (size_t)v;
		f->len = n + more + f->body_len;
		return true;
	}
	return false;
}

/* The fields up to what is none; *rest_out: where that begins. */
static size_t read_fields(const uint8_t *p, size_t len, struct field *fields, size_t *rest_out)
{
	size_t n = 0, at = 0;

	while (at < len && n < FIELDS_MAX && read_field(p + at, len - at, &fields[n]))
		at += fields[n++].len;
	*rest_out = at;
	return n;
}

static bool is_message(const uint8_t *p, size_t len)
{
	struct field f;
	size_t at = 0;

	while (at < len && read_field(p + at, len - at, &f))
		at += f.len;
	return len > 1 && at == len;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void put_varint(uint64_t v, struct buf *out)
{
	uint8_t c;

	do {
		c = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		mut_put(out, &c, 1);
		v >>= 7;
	} while (v > 0);
}

static void put_tag(uint32_t number, enum wire wire, struct buf *out)
{
	put_varint((uint64_t)number << 3 | wire, out);
}

static void put_length(uint32_t number, const struct buf *body, struct buf *out)
{
	put_tag(number, LENGTH, out);
	put_varint(body->len, out);
	mut_put(out, body->p, body->len);
}

static void fresh_message(struct mut *m, const ProtobufCMessageDescriptor *desc, unsigned depth,
                          struct buf *out);

static void fresh_text(struct mut *m, struct buf *out)
{
	static const char *const texts[] = {
		"",
		"a",
		"\xc3\xa9\xe2\x82\xac",
		"1@s.whatsapp.net",
		"99@lid",
		"120363021033254949@g.us",
		"status@broadcast",
		"https://mmg.whatsapp.net/v/t62?a=1",
		"/v/t62.7118-24/1_n.enc?ccb=11-4",
		"3EB0",
		"text/plain",
		"{\"a\":1}",
		"\xff\xfe",
		"-1",
		"0",
		"BEGIN:VCARD\nEND:VCARD",
	};

	if (mut_chance(m, 8))
		mut_fresh_bytes(m, out);
	else
		mut_put_text(out, MUT_PICK(m, texts));
}

static void fresh_field(struct mut *m, const ProtobufCFieldDescriptor *f, unsigned depth,
                        struct buf *out)
{
	const ProtobufCEnumDescriptor *e;
	struct buf body = { 0 };
	uint64_t any = mut_rand(m);

	switch (f->type) {
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		put_tag(f->id, FIXED32, out);
		mut_put(out, &any, 4);
		return;
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		put_tag(f->id, FIXED64, out);
		mut_put(out, &any, 8);
		return;
	case PROTOBUF_C_TYPE_ENUM:
		e = f->descriptor;
		put_tag(f->id, VARINT, out);
		put_varint((uint64_t)e->values[mut_below(m, e->n_values)].value, out);
		return;
	case PROTOBUF_C_TYPE_STRING:
		fresh_text(m, &body);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		mut_fresh_bytes(m, &body);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		fresh_message(m, f->descriptor, depth + 1, &body);
		break;
	default:
		put_tag(f->id, VARINT, out);
		put_varint(mut_number(m), out);
		return;
	}
	put_length(f->id, &body, out);
	buf_free(&body);
}

static void fresh_message(struct mut *m, const ProtobufCMessageDescriptor *desc, unsigned depth,
                          struct buf *out)
{
	size_t n = depth > FRESH_DEPTH_MAX || desc->n_fields == 0 ? 0 : 1 + mut_below(m, 4);

	while (n-- > 0)
		fresh_field(m, &desc->fields[mut_below(m, desc->n_fields)], depth, out);
}

/* ---- changing ---------------------------------------------------------------------------------
 */

static void change_message(struct mut *m, const ProtobufCMessageDescriptor *desc,
                           const uint8_t *data, size_t len, unsigned depth, struct buf *out);

static const ProtobufCMessageDescriptor *sub_schema(const ProtobufCMessageDescriptor *desc,
                                                    uint32_t number)
{
	const ProtobufCFieldDescriptor *f =
	    desc == NULL ? NULL : protobuf_c_message_descriptor_get_field(desc, number);

	return f != NULL && f->type == PROTOBUF_C_TYPE_MESSAGE ? f->descriptor : NULL;
}

/* Its value; the tag stays right. */
static void change_value(struct mut *m, const ProtobufCMessageDescriptor *desc,
                         const struct field *f, unsigned depth, struct buf *out)
{
	const ProtobufCMessageDescriptor *sub = sub_schema(desc, f->number);
	struct buf body = { 0 };
	uint64_t any = mut_rand(m);

	if (f->wire == VARINT) {
		put_tag(f->number, VARINT, out);
		put_varint(mut_chance(m, 3) ? f->varint + 1 - mut_below(m, 3) : mut_number(m), out);
		return;
	}
	if (f->wire != LENGTH) {
		put_tag(f->number, f->wire, out);
		mut_put(out, &any, f->wire == FIXED64 ? 8 : 4);
		return;
	}
	if (depth < DEPTH_MAX && (sub != NULL || is_message(f->body, f->body_len)))
		change_message(m, sub, f->body, f->body_len, depth + 1, &body);
	else if (mut_chance(m, 3))
		fresh_text(m, &body);
	else
		mut_bytes(m, f->body, f->body_len, &body);
	put_length(f->number, &body, out);
	buf_free(&body);
}

/* Its wire type, its number, or the way its tag is written. */
static void change_tag(struct mut *m, const struct field *f, struct buf *out)
{
	static const enum wire wires[] = { VARINT, FIXED64, LENGTH, FIXED32 };
	struct buf body = { 0 };

	if (f->wire == LENGTH && mut_chance(m, 2)) { /* a length that lies */
		put_tag(f->number, LENGTH, out);
		put_varint(mut_chance(m, 2) ? f->body_len + 1 : mut_number(m), out);
		mut_put(out, f->body, f->body_len);
		return;
	}
	put_tag(mut_chance(m, 2) ? f->number : (uint32_t)(1 + mut_below(m, 130)),
	        wires[mut_below(m, 4)], out);
	mut_fresh_bytes(m, &body);
	mut_put(out, body.p, body.len);
	buf_free(&body);
}

/* A message of the kind of one that is in it, once more inside: as deep as it goes. */
static void nest(struct mut *m, const struct field *f, struct buf *out)
{
	struct buf inner = { 0 }, outer = { 0 };

	mut_put(&inner, f->p, f->len);
	for (size_t n = 1 + mut_below(m, 24); n > 0 && inner.len < 4096; n--) {
		put_length(f->number, &inner, &outer);
		buf_reset(&inner);
		mut_put(&inner, outer.p, outer.len);
		buf_reset(&outer);
	}
	mut_put(out, inner.p, inner.len);
	buf_free(&inner);
	buf_free(&outer);
}

static void change_field(struct mut *m, const ProtobufCMessageDescriptor *desc,
                         const struct field *f, const struct field *other, unsigned depth,
                         struct buf *out)
{
	switch (mut_below(m, 12)) {
	case 0: /* left out */
		return;
	case 1:
		mut_put(out, f->p, f->len);
		mut_put(out, f->p, f->len);
		return;
	case 2:
		mut_put(out, other->p, other->len);
		mut_put(out, f->p, f->len);
		return;
	case 3:
		change_tag(m, f, out);
		return;
	case 4:
		if (mut_chance(m, 4)) {
			nest(m, f, out);
			return;
		}
		break;
	default:
		break;
	}
	change_value(m, desc, f, depth, out);
}

static void change_message(struct mut *m, const ProtobufCMessageDescriptor *desc,
                           const uint8_t *data, size_t len, unsigned depth, struct buf *out)
{
	struct field fields[FIELDS_MAX];
	size_t rest, n = read_fields(data, len, fields, &rest);
	size_t wanted = mut_below(m, n);
	bool adds = desc != NULL && desc->n_fields > 0 && (n == 0 || mut_chance(m, 4));

	for (size_t i = 0; i < n; i++) {
		if (i == wanted && adds)
			fresh_field(m, &desc->fields[mut_below(m, desc->n_fields)], depth, out);
		if (i == wanted && !adds)
			change_field(m, desc, &fields[i], &fields[mut_below(m, n)], depth, out);
		else
			mut_put(out, fields[i].p, fields[i].len);
	}
	if (n == 0 && adds)
		fresh_message(m, desc, 0, out);
	if (rest < len && !mut_chance(m, 3))
		mut_put(out, data + rest, len - rest);
}

void mut_pb(struct mut *m, const ProtobufCMessageDescriptor *desc, const uint8_t *data, size_t len,
            struct buf *out)
{
	change_message(m, desc, data, len, 0, out);
}
