/* simulator/appstate/sim_appstate_keys.c - app state: the phone's keys, and how they are shared */
#include <string.h>

#include "common/err.h"
#include "simulator/appstate/sim_appstate_priv.h"
#include "worker/wa/crypto/wa_keys.h"

#define KEYS_INFO "WhatsApp Mutation Keys"

int sim_as_expand(const uint8_t data[32], struct sim_as_keys *out)
{
	return wa_hkdf(data, 32, NULL, 0, KEYS_INFO, strlen(KEYS_INFO), out, sizeof(*out));
}

int sim_as_add_key(struct sim_appstate *as, const uint8_t id[SIM_AS_KEY_ID_LEN],
                   const uint8_t data[32], int64_t unix_ms)
{
	struct sim_as_key *k = &as->keys[as->keys_n];
	int rc;

	if (as->keys_n == SIM_AS_KEYS_MAX)
		return WA_ELIMIT;
	memcpy(k->id, id, SIM_AS_KEY_ID_LEN);
	memcpy(k->data, data, sizeof(k->data));
	k->unix_ms = unix_ms;
	rc = sim_as_expand(k->data, &k->keys);
	if (rc == 0)
		as->keys_n++;
	return rc;
}

int sim_as_rotate(struct sim_appstate *as, int64_t unix_ms)
{
	uint32_t epoch = (uint32_t)as->keys_n + 1;
	uint8_t id[SIM_AS_KEY_ID_LEN] = { 0 }, data[32]; /* device 0, then the epoch */
	int rc = sim_rand_bytes(&as->rnd, data, sizeof(data));

	for (int i = 0; i < 4; i++)
		id[2 + i] = (uint8_t)(epoch >> (24 - 8 * i));
	return rc < 0 ? rc : sim_as_add_key(as, id, data, unix_ms);
}

size_t sim_as_keys_count(const struct sim_appstate *as)
{
	return as->keys_n;
}

const struct sim_as_key *sim_as_key_at(const struct sim_appstate *as, size_t index)
{
	return &as->keys[index];
}

const struct sim_as_key *sim_as_key_find(const struct sim_appstate *as, const uint8_t *id,
                                         size_t id_len)
{
	for (size_t i = 0; id_len == SIM_AS_KEY_ID_LEN && i < as->keys_n; i++) {
		if (memcmp(as->keys[i].id, id, id_len) == 0)
			return &as->keys[i];
	}
	return NULL;
}

/* AppStateSyncKey; k NULL: we have none of that id. */
static void put_key(struct sim_pbw *w, const struct sim_appstate *as, const uint8_t *id,
                    size_t id_len, const struct sim_as_key *k)
{
	size_t at = sim_pbw_begin(w, 1), in, fingerprint;

	in = sim_pbw_begin(w, 1);
	sim_pbw_bytes(w, 1, id, id_len);
	sim_pbw_end(w, in);
	if (k != NULL) {
		in = sim_pbw_begin(w, 2);
		sim_pbw_bytes(w, 1, k->data, sizeof(k->data));
		fingerprint = sim_pbw_begin(w, 2);
		sim_pbw_uint(w, 1, as->raw_id);
		sim_pbw_uint(w, 2, 1);
		sim_pbw_bytes(w, 3, "\0\1", 2); /* device indexes 0 and 1 */
		sim_pbw_end(w, fingerprint);
		sim_pbw_uint(w, 3, (uint64_t)k->unix_ms);
		sim_pbw_end(w, in);
	}
	sim_pbw_end(w, at);
}

static size_t begin_share(struct sim_pbw *w, size_t *protocol)
{
	*protocol = sim_pbw_begin(w, 12);
	sim_pbw_uint(w, 2, 6); /* APP_STATE_SYNC_KEY_SHARE */
	return sim_pbw_begin(w, 7);
}

int sim_as_share(const struct sim_appstate *as, struct buf *out)
{
	struct sim_pbw w;
	size_t protocol, share;

	sim_pbw_init(&w, out);
	share = begin_share(&w, &protocol);
	for (size_t i = 0; i < as->keys_n; i++)
		put_key(&w, as, as->keys[i].id, SIM_AS_KEY_ID_LEN, &as->keys[i]);
	sim_pbw_end(&w, share);
	sim_pbw_end(&w, protocol);
	return w.err;
}

int sim_as_share_asked(const struct sim_appstate *as, const uint8_t *request, size_t request_len,
                       struct buf *out)
{
	struct sim_pb_field id, inner;
	struct sim_pbw w;
	struct rd r, in;
	size_t protocol, share;

	sim_pbw_init(&w, out);
	share = begin_share(&w, &protocol);
	rd_init(&r, request, request_len);
	while (sim_pb_next(&r, &id)) {
		rd_init(&in, id.data, id.len);
		if (id.number == 1 && id.type == SIM_PB_BYTES && sim_pb_next(&in, &inner) &&
		    inner.number == 1 && inner.type == SIM_PB_BYTES)
			put_key(&w, as, inner.data, inner.len,
			        sim_as_key_find(as, inner.data, inner.len));
	}
	sim_pbw_end(&w, share);
	sim_pbw_end(&w, protocol);
	return w.err;
}
