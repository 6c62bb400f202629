/* simulator/base/sim_pb.c - protobuf by hand */
#include "simulator/base/sim_pb.h"

static uint64_t read_varint(struct rd *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 7 * SIM_PB_VARINT_MAX; shift += 7) {
		uint8_t b = rd_u8(r);

		v |= (uint64_t)(b & 0x7f) << (shift < 64 ? shift : 63);
		if ((b & 0x80) == 0 || r->err != 0)
			return v;
	}
	r->err = WA_EPROTO;
	return 0;
}

static uint64_t read_fixed(struct rd *r, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)rd_u8(r) << 8 * i;
	return v;
}

static bool next(struct rd *r, bool any, struct sim_pb_field *f_out)
{
	struct sim_pb_field f = { .number = 0 };
	uint64_t key, len;

	if (r->err != 0 || r->left == 0)
		return false;
	key = read_varint(r);
	f.type = (unsigned)(key & 7);
	if (r->err == 0 && (key >> 3 == 0 || key >> 3 > 0x1fffffff))
		r->err = WA_EPROTO;
	f.number = (uint32_t)(key >> 3);
	if (f.type == SIM_PB_VARINT) {
		f.value = read_varint(r);
	} else if (f.type == SIM_PB_BYTES) {
		len = read_varint(r);
		if (r->err == 0 && len > r->left)
			r->err = WA_ETRUNC;
		f.len = r->err == 0 ? (size_t)len : 0;
		f.data = rd_bytes(r, f.len);
	} else if (any && (f.type == SIM_PB_FIXED32 || f.type == SIM_PB_FIXED64)) {
		f.value = read_fixed(r, f.type == SIM_PB_FIXED32 ? 4 : 8);
	} else if (r->err == 0) {
		r->err = WA_EPROTO;
	}
	if (r->err != 0)
		return false;
	*f_out = f;
	return true;
}

bool sim_pb_next(struct rd *r, struct sim_pb_field *f_out)
{
	return next(r, false, f_out);
}

bool sim_pb_next_any(struct rd *r, struct sim_pb_field *f_out)
{
	return next(r, true, f_out);
}

bool sim_pb_is_bytes(const struct sim_pb_field *f, uint32_t number, size_t len)
{
	return f->number == number && f->type == SIM_PB_BYTES && f->len == len;
}

void sim_pb_varint(struct wr *w, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		wr_u8(w, (uint8_t)(v | 0x80));
	wr_u8(w, (uint8_t)v);
}

void sim_pb_uint(struct wr *w, uint32_t number, uint64_t v)
{
	sim_pb_varint(w, (uint64_t)number << 3 | SIM_PB_VARINT);
	sim_pb_varint(w, v);
}

void sim_pb_bytes(struct wr *w, uint32_t number, const void *data, size_t len)
{
	sim_pb_varint(w, (uint64_t)number << 3 | SIM_PB_BYTES);
	sim_pb_varint(w, len);
	wr_bytes(w, data, len);
}
