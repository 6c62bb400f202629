/* simulator/base/sim_pbw.c - protobuf written into a growing buffer */
#include "simulator/base/sim_pbw.h"

#include <string.h>

#include "simulator/base/sim_pb.h"

void sim_pbw_init(struct sim_pbw *w, struct buf *out)
{
	w->out = out;
	w->err = 0;
}

static void append(struct sim_pbw *w, const void *data, size_t len)
{
	if (w->err == 0)
		w->err = buf_append(w->out, data, len);
}

static size_t varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	for (; v > 0x7f; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

static void head(struct sim_pbw *w, uint32_t number, unsigned type)
{
	uint8_t p[SIM_PB_VARINT_MAX];

	append(w, p, varint(p, (uint64_t)number << 3 | type));
}

void sim_pbw_uint(struct sim_pbw *w, uint32_t number, uint64_t v)
{
	uint8_t p[SIM_PB_VARINT_MAX];

	head(w, number, 0);
	append(w, p, varint(p, v));
}

void sim_pbw_bytes(struct sim_pbw *w, uint32_t number, const void *data, size_t len)
{
	uint8_t p[SIM_PB_VARINT_MAX];

	head(w, number, 2);
	append(w, p, varint(p, len));
	append(w, data, len);
}

void sim_pbw_text(struct sim_pbw *w, uint32_t number, const char *text)
{
	if (text != NULL)
		sim_pbw_bytes(w, number, text, strlen(text));
}

static void little_endian(struct sim_pbw *w, uint64_t v, unsigned n)
{
	uint8_t p[8];

	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
	append(w, p, n);
}

void sim_pbw_double(struct sim_pbw *w, uint32_t number, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	head(w, number, 1);
	little_endian(w, bits, 8);
}

size_t sim_pbw_begin(struct sim_pbw *w, uint32_t number)
{
	head(w, number, 2);
	return w->out->len;
}

void sim_pbw_end(struct sim_pbw *w, size_t begun)
{
	uint8_t p[SIM_PB_VARINT_MAX];
	size_t len = w->out->len - begun, n = varint(p, len);

	append(w, p, n); /* makes room */
	if (w->err != 0)
		return;
	memmove(w->out->p + begun + n, w->out->p + begun, len);
	memcpy(w->out->p + begun, p, n);
}
