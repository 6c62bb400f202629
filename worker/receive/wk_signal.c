/* worker/receive/wk_signal.c - the session's Signal state */
#include "worker/receive/wk_signal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_lid.h"
#include "worker/wa/stanza/wa_source.h"

void wk_signal_init(struct wk_signal *s, struct wk_store *st, const struct wk_creds *creds)
{
	*s = (struct wk_signal){ .store = { st, creds } };
}

void wk_signal_idle(struct wk_signal *s)
{
	wa_signal_free(s->signal);
	s->signal = NULL;
}

int wk_signal_get(struct wk_signal *s, struct wa_signal **signal_out)
{
	const struct wa_device *d = &s->store.creds->device;
	struct wa_signal_own own = { .identity = d->identity,
		                     .registration_id = d->registration_id };
	int rc = 0;

	if (s->signal == NULL)
		rc = wa_signal_new(&own, &wk_store_signal_ops, &s->store, &s->signal);
	wa_keypair_wipe(&own.identity);
	if (rc == 0)
		*signal_out = s->signal;
	return rc;
}

int wk_signal_addr(struct wk_signal *s, const struct wa_jid *device, const struct wa_jid *alt,
                   struct wa_signal_addr *addr_out)
{
	struct wa_jid jid = *device;
	char lid[WK_USER_CAP];
	int rc;

	if (strcmp(jid.server, "s.whatsapp.net") != 0 || wa_jid_is_bot(&jid))
		return wa_signal_addr_from_jid(&jid, addr_out);
	if (alt != NULL && strcmp(alt->server, "lid") == 0) {
		jid = *alt;
		jid.device = device->device;
		return wa_signal_addr_from_jid(&jid, addr_out);
	}
	rc = wk_store_lid_of(s->store.st, jid.user, lid);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0) {
		(void)snprintf(jid.user, sizeof(jid.user), "%s", lid);
		(void)snprintf(jid.server, sizeof(jid.server), "lid");
	}
	return wa_signal_addr_from_jid(&jid, addr_out);
}

int wk_signal_own_phone(struct wk_signal *s, struct wa_signal_addr *addr_out)
{
	const struct wk_creds *c = s->store.creds;
	const char *text = c->lid[0] != '\0' ? c->lid : c->jid;
	struct wa_jid jid;
	int rc = wa_jid_parse(text, strlen(text), &jid);

	if (rc < 0)
		return rc;
	jid.device = 0;
	return wa_signal_addr_from_jid(&jid, addr_out);
}
