/* simulator/phone/sim_peer_store.c - a phone's Signal keys and records, in memory */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "simulator/phone/sim_peer_priv.h"

void sim_peer_name(char out[SIM_PEER_NAME_CAP], char kind, const char *group,
                   const struct wa_signal_addr *addr)
{
	char text[WA_SIGNAL_ADDR_TEXT_CAP];

	wa_signal_addr_format(addr, text);
	if (group == NULL)
		snprintf(out, SIM_PEER_NAME_CAP, "%c %s", kind, text);
	else
		snprintf(out, SIM_PEER_NAME_CAP, "%c %.60s %s", kind, group, text);
}

static int load(const struct sim_peer *p, const char *name, struct buf *out)
{
	const uint8_t *data;
	size_t len;
	int rc = sim_keep_get(&p->keep, name, &data, &len);

	return rc < 0 ? rc : buf_append(out, data, len);
}

static int session_load(void *arg, const struct wa_signal_addr *addr, struct buf *out)
{
	char name[SIM_PEER_NAME_CAP];

	sim_peer_name(name, 's', NULL, addr);
	return load(arg, name, out);
}

static int session_save(void *arg, const struct wa_signal_addr *addr, const uint8_t *record,
                        size_t record_len)
{
	struct sim_peer *p = arg;
	char name[SIM_PEER_NAME_CAP];

	sim_peer_name(name, 's', NULL, addr);
	return sim_keep_put(&p->keep, name, record, record_len);
}

static int identity_load(void *arg, const struct wa_signal_addr *addr, uint8_t out[WA_KEY_LEN])
{
	const struct sim_peer *p = arg;
	const uint8_t *data;
	char name[SIM_PEER_NAME_CAP];
	size_t len;
	int rc;

	sim_peer_name(name, 'i', NULL, addr);
	rc = sim_keep_get(&p->keep, name, &data, &len);
	if (rc == 0)
		memcpy(out, data, WA_KEY_LEN);
	return rc;
}

static int identity_save(void *arg, const struct wa_signal_addr *addr,
                         const uint8_t key[WA_KEY_LEN])
{
	struct sim_peer *p = arg;
	char name[SIM_PEER_NAME_CAP];

	sim_peer_name(name, 'i', NULL, addr);
	return sim_keep_put(&p->keep, name, key, WA_KEY_LEN);
}

void sim_peer_prekey_name(char out[SIM_PEER_NAME_CAP], uint32_t id)
{
	snprintf(out, SIM_PEER_NAME_CAP, "p %" PRIu32, id);
}

static int prekey_load(void *arg, uint32_t id, struct wa_keypair *out)
{
	const struct sim_peer *p = arg;
	const uint8_t *data;
	char name[SIM_PEER_NAME_CAP];
	size_t len;
	int rc;

	sim_peer_prekey_name(name, id);
	rc = sim_keep_get(&p->keep, name, &data, &len);
	if (rc == 0)
		memcpy(out, data, sizeof(*out));
	return rc;
}

static int prekey_remove(void *arg, uint32_t id)
{
	struct sim_peer *p = arg;
	char name[SIM_PEER_NAME_CAP];

	sim_peer_prekey_name(name, id);
	(void)sim_keep_drop(&p->keep, name);
	return 0;
}

static int signed_prekey_load(void *arg, uint32_t id, struct wa_keypair *out,
                              uint8_t sig_out[WA_SIG_LEN])
{
	const struct sim_peer *p = arg;

	if (id != SIM_PEER_SIGNED_ID)
		return -ENOENT;
	*out = p->phone->signed_prekey;
	memcpy(sig_out, p->phone->signed_prekey_sig, WA_SIG_LEN);
	return 0;
}

static int sender_key_load(void *arg, const char *group, const struct wa_signal_addr *addr,
                           struct buf *out)
{
	char name[SIM_PEER_NAME_CAP];

	sim_peer_name(name, 'g', group, addr);
	return load(arg, name, out);
}

static int sender_key_save(void *arg, const char *group, const struct wa_signal_addr *addr,
                           const uint8_t *record, size_t record_len)
{
	struct sim_peer *p = arg;
	char name[SIM_PEER_NAME_CAP];

	sim_peer_name(name, 'g', group, addr);
	return sim_keep_put(&p->keep, name, record, record_len);
}

const struct wa_signal_store_ops sim_peer_store_ops = {
	.session_load = session_load,
	.session_save = session_save,
	.identity_load = identity_load,
	.identity_save = identity_save,
	.prekey_load = prekey_load,
	.prekey_remove = prekey_remove,
	.signed_prekey_load = signed_prekey_load,
	.sender_key_load = sender_key_load,
	.sender_key_save = sender_key_save,
};
