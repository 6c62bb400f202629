/* worker/wa/signal/wa_signal_wire.c - names, addresses, padding and the wire forms of Signal messages */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/rd.h"
#include "worker/wa/signal/wa_signal_priv.h"

/* ---- names --------------------------------------------------------------------------------------
 */

const char *wa_signal_err_name(int rc)
{
	switch (rc) {
#define X(id, num, name) \
	case num: \
		return name;
		WA_SIGNAL_ERR_LIST(X)
#undef X
	}
	return NULL;
}

unsigned wa_signal_retry_reason(int rc)
{
	switch (rc) {
	case WA_SIG_ENOSESSION:
		return 1;
	case WA_SIG_ENOPREKEY:
		return 3;
	case WA_SIG_EMALFORMED:
	case WA_SIG_EVERSION:
		return 4;
	case WA_SIG_ETOOFAR:
		return 6;
	case WA_SIG_EMAC:
		return 7;
	}
	return 0;
}

static const char *const enc_names[] = {
	[WA_ENC_UNKNOWN] = "",    [WA_ENC_MSG] = "msg",     [WA_ENC_PKMSG] = "pkmsg",
	[WA_ENC_SKMSG] = "skmsg", [WA_ENC_MSMSG] = "msmsg",
};

enum wa_enc wa_enc_parse(const char *type)
{
	for (size_t i = WA_ENC_MSG; type != NULL && i < ARRAY_LEN(enc_names); i++) {
		if (strcmp(type, enc_names[i]) == 0)
			return (enum wa_enc)i;
	}
	return WA_ENC_UNKNOWN;
}

const char *wa_enc_name(enum wa_enc type)
{
	return enc_names[type];
}

/* ---- addresses ----------------------------------------------------------------------------------
 */

static const struct {
	const char *server, *suffix;
} spaces[] = {
	{ "s.whatsapp.net", "" }, { "c.us", "" },           { "lid", "_1" },
	{ "hosted", "_128" },     { "hosted.lid", "_129" }, { "bot", "" },
};

int wa_signal_addr_from_jid(const struct wa_jid *jid, struct wa_signal_addr *addr_out)
{
	struct wa_signal_addr a = { .device = jid->device };
	const char *suffix = NULL;
	size_t n = strlen(jid->user);

	for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
		if (strcmp(jid->server, spaces[i].server) == 0)
			suffix = spaces[i].suffix;
	}
	if (suffix == NULL || n == 0 || strspn(jid->user, "0123456789") != n)
		return WA_EPROTO;
	if (strcmp(jid->server, "bot") == 0)
		a.device = 0;
	snprintf(a.name, sizeof(a.name), "%s%s", jid->user, suffix);
	*addr_out = a;
	return 0;
}

size_t wa_signal_addr_format(const struct wa_signal_addr *addr, char *out)
{
	return (size_t)snprintf(out, WA_SIGNAL_ADDR_TEXT_CAP, "%s:%u", addr->name, addr->device);
}

/* ---- padding ------------------------------------------------------------------------------------
 */

int wa_unpad(const uint8_t *data, size_t data_len, size_t *len_out)
{
	uint8_t n;

	if (data_len == 0)
		return WA_SIG_EMALFORMED;
	n = data[data_len - 1];
	if (n == 0 || n > data_len)
		return WA_SIG_EMALFORMED;
	for (size_t i = data_len - n; i < data_len; i++) {
		if (data[i] != n)
			return WA_SIG_EMALFORMED;
	}
	*len_out = data_len - n;
	return 0;
}

int wa_pad(struct buf *b, uint8_t rnd)
{
	uint8_t pad[16], n = (uint8_t)((rnd & 15) + 1);

	memset(pad, n, sizeof(pad));
	return buf_append(b, pad, n);
}

/* ---- wire forms ---------------------------------------------------------------------------------
 */

#define WIRE_VARINT 0
#define WIRE_BYTES 2
#define FIELDS_MAX 16 /* known and unknown together */

struct field {
	uint8_t number, wire_type;
	size_t len; /* of bytes; 0: any */
	bool required;
};

#define KEY33 (WA_KEY_LEN + 1)

/* Fields and what stands behind them (MAC or signature). */
static const struct shape {
	size_t tail_len;
	struct field fields[6];
} shapes[] = {
	[WA_WIRE_SIGNAL] = { WA_SIGNAL_MAC_LEN,
	                     { { 1, WIRE_BYTES, KEY33, true },
	                       { 2, WIRE_VARINT, 0, true },
	                       { 3, WIRE_VARINT, 0, false },
	                       { 4, WIRE_BYTES, 0, true } } },
	[WA_WIRE_PREKEY] = { 0,
	                     { { 1, WIRE_VARINT, 0, false },
	                       { 2, WIRE_BYTES, KEY33, true },
	                       { 3, WIRE_BYTES, KEY33, true },
	                       { 4, WIRE_BYTES, 0, true },
	                       { 5, WIRE_VARINT, 0, false },
	                       { 6, WIRE_VARINT, 0, true } } },
	[WA_WIRE_SENDER_KEY] = { WA_SIG_LEN,
	                         { { 1, WIRE_VARINT, 0, true },
	                           { 2, WIRE_VARINT, 0, true },
	                           { 3, WIRE_BYTES, 0, true } } },
	[WA_WIRE_DISTRIBUTION] = { 0,
	                           { { 1, WIRE_VARINT, 0, true },
	                             { 2, WIRE_VARINT, 0, true },
	                             { 3, WIRE_BYTES, 32, true },
	                             { 4, WIRE_BYTES, KEY33, true } } },
};

/* At most ten bytes; what does not fit 64 bits, or a cut one, sets r->err. */
static uint64_t rd_varint(struct rd *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t b = rd_u8(r);

		v |= (uint64_t)(b & 0x7f) << shift;
		if ((b & 0x80) == 0)
			return v;
	}
	r->err = WA_EPROTO;
	return 0;
}

static const struct field *find_field(const struct shape *shape, uint64_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(shape->fields); i++) {
		if (shape->fields[i].number == number && number != 0)
			return &shape->fields[i];
	}
	return NULL;
}

/* One field; its bit in *seen when it is a known one. */
static void check_field(struct rd *r, const struct shape *shape, unsigned *seen)
{
	uint64_t tag = rd_varint(r), n = 0;
	const struct field *f = find_field(shape, tag >> 3);
	unsigned wire_type = (unsigned)(tag & 7);

	if (wire_type == WIRE_VARINT) {
		rd_varint(r);
	} else if (wire_type == WIRE_BYTES) {
		n = rd_varint(r);
		if (n > r->left)
			r->err = WA_EPROTO;
		rd_bytes(r, (size_t)n);
	} else {
		r->err = WA_EPROTO;
	}
	if (tag >> 3 == 0 || tag >> 3 > 536870911)
		r->err = WA_EPROTO;
	if (f == NULL)
		return;
	if (f->wire_type != wire_type || (*seen & 1u << f->number) != 0 ||
	    (f->len != 0 && f->len != n))
		r->err = WA_EPROTO;
	*seen |= 1u << f->number;
}

int wa_signal_wire_check(enum wa_signal_wire kind, const uint8_t *data, size_t data_len)
{
	const struct shape *shape = &shapes[kind];
	unsigned seen = 0, n = 0;
	struct rd r;

	if (data_len > WA_SIGNAL_CIPHER_MAX)
		return WA_ELIMIT;
	if (data_len < 1 + shape->tail_len)
		return WA_SIG_EMALFORMED;
	if (data[0] >> 4 != WA_SIGNAL_VERSION)
		return WA_SIG_EVERSION;
	rd_init(&r, data + 1, data_len - 1 - shape->tail_len);
	while (r.err == 0 && r.left > 0) {
		if (++n > FIELDS_MAX)
			return WA_SIG_EMALFORMED;
		check_field(&r, shape, &seen);
	}
	if (r.err != 0)
		return WA_SIG_EMALFORMED;
	for (size_t i = 0; i < ARRAY_LEN(shape->fields); i++) {
		const struct field *f = &shape->fields[i];

		if (f->required && (seen & 1u << f->number) == 0)
			return WA_SIG_EMALFORMED;
	}
	return 0;
}
