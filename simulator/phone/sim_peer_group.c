/* simulator/phone/sim_peer_group.c - a phone as a Signal peer: sender keys, and a phone installed anew */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "simulator/phone/sim_peer_priv.h"
#include "simulator/sim.h"

#define NAME_CAP 256

static void own_addr(const struct sim_phone *phone, struct wa_signal_addr *addr)
{
	snprintf(addr->name, sizeof(addr->name), "%.*s_1", (int)strcspn(phone->lid, "@"),
	         phone->lid);
	addr->device = 0;
}

int sim_peer_skdm(struct sim *s, struct sim_phone *phone, const char *group, struct buf *out,
                  uint32_t *key_id_out)
{
	struct wa_signal_addr own;
	struct sim_peer *p;
	int rc = sim_peer_get(phone, &p);

	(void)s;
	if (rc < 0)
		return rc;
	own_addr(phone, &own);
	return wa_signal_skdm_make(p->signal, group, &own, out, key_id_out);
}

int sim_peer_seal_group(struct sim *s, struct sim_phone *phone, const char *group, const void *msg,
                        size_t msg_len, const struct sim_seal *how, struct buf *out)
{
	struct wa_signal_addr own;
	struct sim_peer *p;
	int rc = sim_peer_get(phone, &p);

	(void)s;
	if (rc < 0)
		return rc;
	own_addr(phone, &own);
	for (uint32_t i = 0; how->spoil == SIM_SPOIL_SKIP && rc == 0 && i < how->n; i++) {
		buf_reset(out);
		rc = wa_signal_group_encrypt(p->signal, group, &own, "", 0, out);
	}
	buf_reset(out);
	wa_signal_set_bad_padding(p->signal, how->spoil == SIM_SPOIL_PADDING);
	if (rc == 0)
		rc = wa_signal_group_encrypt(p->signal, group, &own, msg, msg_len, out);
	wa_signal_set_bad_padding(p->signal, false);
	if (rc == 0)
		sim_peer_spoil_after(how->spoil, WA_ENC_SKMSG, out);
	return rc;
}

int sim_peer_take_skdm(struct sim *s, struct sim_phone *phone, const struct sim_device *from,
                       const char *group, const uint8_t *skdm, size_t skdm_len)
{
	struct wa_signal_addr addr;
	struct sim_peer *p;
	int rc = sim_peer_get(phone, &p);

	(void)s;
	if (rc < 0)
		return rc;
	sim_peer_addr(from, &addr);
	return wa_signal_skdm_take(p->signal, group, &addr, skdm, skdm_len, NULL);
}

void sim_peer_rotate_group(struct sim_phone *phone, const char *group)
{
	struct wa_signal_addr own;
	char text[WA_SIGNAL_ADDR_TEXT_CAP], name[NAME_CAP];

	if (phone->peer == NULL)
		return;
	own_addr(phone, &own);
	wa_signal_addr_format(&own, text);
	snprintf(name, sizeof(name), "g %.60s %s", group, text);
	(void)sim_keep_drop(&phone->peer->keep, name);
}

/* ---- who has got which key ---------------------------------------------------------------------
 */

static void mark_name(char out[NAME_CAP], const char *group, const struct sim_device *device)
{
	snprintf(out, NAME_CAP, "m %.60s %s", group, device->lid);
}

bool sim_peer_mark_skdm(struct sim_phone *phone, const char *group, const struct sim_device *device,
                        uint32_t key_id)
{
	const uint8_t *data;
	char name[NAME_CAP];
	uint32_t held;
	size_t len;

	mark_name(name, group, device);
	if (sim_keep_get(&phone->peer->keep, name, &data, &len) == 0) {
		memcpy(&held, data, sizeof(held));
		if (held == key_id)
			return true;
	}
	/* Without memory it is sent again next time. */
	(void)!sim_keep_put(&phone->peer->keep, name, &key_id, sizeof(key_id));
	return false;
}

void sim_peer_unmark_skdm(struct sim_phone *phone, const char *group,
                          const struct sim_device *device)
{
	char name[NAME_CAP];

	if (phone->peer == NULL)
		return;
	mark_name(name, group, device);
	(void)sim_keep_drop(&phone->peer->keep, name);
}

/* ---- installed anew ----------------------------------------------------------------------------
 */

struct contacts {
	void (*on_contact)(const char *lid_user, void *arg);
	void *arg;
};

/* "i LIDUSER_1:DEVICE" */
static void on_record(const char *name, const uint8_t *data, size_t len, void *arg)
{
	const struct contacts *c = arg;
	char user[SIM_JID_CAP];
	size_t n = strcspn(name, "_");

	(void)data, (void)len;
	if (name[0] != 'i' || n < 3 || n - 2 >= sizeof(user))
		return;
	memcpy(user, name + 2, n - 2);
	user[n - 2] = '\0';
	c->on_contact(user, c->arg);
}

void sim_peer_each_contact(struct sim_phone *phone,
                           void (*on_contact)(const char *lid_user, void *arg), void *arg)
{
	struct contacts c = { on_contact, arg };

	if (phone->peer != NULL)
		sim_keep_each(&phone->peer->keep, on_record, &c);
}

int sim_peer_reinstall(struct sim *s, struct sim_phone *phone)
{
	int rc = sim_phone_rekey(phone);

	(void)s;
	phone->installs++;
	sim_peer_free(phone->peer);
	phone->peer = NULL;
	return rc;
}
