/* simulator/phone/sim_chains.c - which chain keys a client has used for what it sent */
#include "simulator/phone/sim_chains.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "simulator/base/sim_pb.h"
#include "simulator/phone/sim_keep.h"
#include "worker/wa/crypto/wa_keys.h"

#define VERSION 0x33
#define MAC_LEN 8
#define KEY_LEN 33
#define SIG_LEN 64

struct chain {
	char name[SIM_CHAIN_NAME_CAP];
	uint64_t *prints; /* owned; of the ciphertext of each counter, 0: not seen */
	uint32_t next, cap;
};

struct sim_chains {
	struct chain *list; /* owned */
	size_t n, cap;
	struct sim_keep names; /* to an index in list */
	struct sim_chains_sum sum;
};

/* What a ciphertext says of itself. */
struct head {
	const uint8_t *key; /* NULL: a sender key's */
	uint32_t key_id, counter;
};

void sim_chains_free(struct sim_chains *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++)
		free(c->list[i].prints);
	free(c->list);
	sim_keep_clear(&c->names);
	free(c);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* The protobuf between the version and what is at the end. */
static bool body(const uint8_t *data, size_t len, size_t tail, struct rd *r)
{
	if (len < 1 + tail || data[0] != VERSION)
		return false;
	rd_init(r, data + 1, len - 1 - tail);
	return true;
}

static bool read_msg(const uint8_t *data, size_t len, struct head *h)
{
	struct sim_pb_field f;
	struct rd r;

	if (!body(data, len, MAC_LEN, &r))
		return false;
	while (sim_pb_next(&r, &f)) {
		if (sim_pb_is_bytes(&f, 1, KEY_LEN))
			h->key = f.data;
		if (f.number == 2 && f.type == SIM_PB_VARINT)
			h->counter = (uint32_t)f.value;
	}
	return r.err == 0 && h->key != NULL;
}

static bool read_pkmsg(const uint8_t *data, size_t len, struct head *h)
{
	struct sim_pb_field f;
	struct rd r;

	if (!body(data, len, 0, &r))
		return false;
	while (sim_pb_next(&r, &f)) {
		if (f.number == 4 && f.type == SIM_PB_BYTES)
			return read_msg(f.data, f.len, h);
	}
	return false;
}

static bool read_skmsg(const uint8_t *data, size_t len, struct head *h)
{
	struct sim_pb_field f;
	struct rd r;

	if (!body(data, len, SIG_LEN, &r))
		return false;
	while (sim_pb_next(&r, &f)) {
		if (f.number == 1 && f.type == SIM_PB_VARINT)
			h->key_id = (uint32_t)f.value;
		if (f.number == 2 && f.type == SIM_PB_VARINT)
			h->counter = (uint32_t)f.value;
	}
	return r.err == 0;
}

static bool read_head(enum wa_enc type, const uint8_t *data, size_t len, struct head *h)
{
	switch (type) {
	case WA_ENC_MSG:
		return read_msg(data, len, h);
	case WA_ENC_PKMSG:
		return read_pkmsg(data, len, h);
	case WA_ENC_SKMSG:
		return read_skmsg(data, len, h);
	case WA_ENC_MSMSG:
	case WA_ENC_UNKNOWN:
		break;
	}
	return false;
}

/* ---- chains ------------------------------------------------------------------------------------
 */

static int add_chain(struct sim_chains *c, const char *name, struct chain **chain_out)
{
	size_t cap = c->cap == 0 ? 16 : c->cap * 2;
	struct chain *list;

	if (c->n >= SIM_CHAINS_MAX)
		return WA_ELIMIT;
	if (c->n == c->cap) {
		list = realloc(c->list, cap * sizeof(*list));
		if (list == NULL)
			return -ENOMEM;
		c->list = list;
		c->cap = cap;
	}
	if (sim_keep_put(&c->names, name, &c->n, sizeof(c->n)) < 0)
		return -ENOMEM;
	c->list[c->n] = (struct chain){ .next = 0 };
	snprintf(c->list[c->n].name, sizeof(c->list[c->n].name), "%s", name);
	*chain_out = &c->list[c->n++];
	return 0;
}

static int find_chain(struct sim_chains *c, uint32_t device, const char *chat, const struct head *h,
                      struct chain **chain_out)
{
	char name[SIM_CHAIN_NAME_CAP], key[HEX_CAP(KEY_LEN - 1)];
	const uint8_t *data;
	size_t index, len;

	if (h->key != NULL) {
		hex_encode(h->key + 1, KEY_LEN - 1, key);
		snprintf(name, sizeof(name), "%" PRIu32 " %s", device, key);
	} else {
		snprintf(name, sizeof(name), "%" PRIu32 " %.48s %" PRIu32, device, chat, h->key_id);
	}
	if (sim_keep_get(&c->names, name, &data, &len) < 0)
		return add_chain(c, name, chain_out);
	memcpy(&index, data, sizeof(index));
	*chain_out = &c->list[index];
	return 0;
}

static int reach(struct chain *chain, uint32_t counter)
{
	uint32_t cap = chain->cap == 0 ? 4 : chain->cap;
	uint64_t *prints;

	if (counter < chain->cap)
		return 0;
	if (counter >= SIM_CHAIN_COUNTERS)
		return WA_ELIMIT;
	while (cap <= counter)
		cap *= 2;
	prints = realloc(chain->prints, cap * sizeof(*prints));
	if (prints == NULL)
		return -ENOMEM;
	memset(prints + chain->cap, 0, (cap - chain->cap) * sizeof(*prints));
	chain->prints = prints;
	chain->cap = cap;
	return 0;
}

static void judge(struct sim_chains *c, struct chain *chain, uint32_t counter, uint64_t print)
{
	uint64_t *at = &chain->prints[counter];

	c->sum.messages++;
	if (*at == print) {
		c->sum.repeated++;
	} else if (*at != 0) {
		c->sum.reused++;
		c->sum.reused_counter = counter;
		memcpy(c->sum.reused_chain, chain->name, sizeof(chain->name));
	}
	*at = print;
	if (counter >= chain->next) {
		c->sum.gaps += counter - chain->next;
		chain->next = counter + 1;
	}
}

int sim_chains_note(struct sim_chains **c_io, uint32_t device, const char *chat, enum wa_enc type,
                    const uint8_t *data, size_t len)
{
	struct head h = { .key = NULL };
	struct chain *chain = NULL;
	uint8_t hash[32];
	uint64_t print;
	int rc;

	if (!read_head(type, data, len, &h))
		return WA_EPROTO;
	if (*c_io == NULL)
		*c_io = calloc(1, sizeof(**c_io));
	if (*c_io == NULL)
		return -ENOMEM;
	rc = wa_sha256(data, len, hash);
	if (rc == 0)
		rc = find_chain(*c_io, device, chat, &h, &chain);
	if (rc == 0)
		rc = reach(chain, h.counter);
	if (rc < 0)
		return rc;
	memcpy(&print, hash, sizeof(print));
	judge(*c_io, chain, h.counter, print | 1);
	return 0;
}

/* ---- sums --------------------------------------------------------------------------------------
 */

void sim_chains_sum(const struct sim_chains *c, struct sim_chains_sum *sum_out)
{
	*sum_out = c == NULL ? (struct sim_chains_sum){ 0 } : c->sum;
	sum_out->chains = c == NULL ? 0 : c->n;
}

void sim_chains_each(const struct sim_chains *c,
                     void (*on_chain)(const char *name, uint32_t next, void *arg), void *arg)
{
	for (size_t i = 0; c != NULL && i < c->n; i++)
		on_chain(c->list[i].name, c->list[i].next, arg);
}
