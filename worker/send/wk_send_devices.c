/* worker/send/wk_send_devices.c - the devices of both accounts: asked for, read, counted, picked */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/send/wk_send_priv.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_lid.h"
#include "worker/wa/message/wa_msg_secret.h"
#include "worker/wa/stanza/wa_source.h"
#include "worker/wa/stanza/wa_stanza.h"
#include "worker/wa/stanza/wa_usync.h"

#define TARGETS_MAX (2 * WA_USYNC_DEVICES_MAX)

int wk_send_self(const struct wk_send *s, const struct wa_jid *to, struct wa_jid *out)
{
	const struct wk_creds *c = s->p.creds;
	bool lid = strcmp(to->server, "lid") == 0 && c->lid[0] != '\0';
	const char *text = lid ? c->lid : c->jid;
	int rc = wa_jid_parse(text, strlen(text), out);

	if (rc == 0)
		out->device = 0;
	return rc;
}

bool wk_send_is_own(const struct wk_send *s, const struct wa_jid *jid)
{
	struct wa_own_users own = { .pn = "" };
	struct wa_jid self;

	if (wa_jid_parse(s->p.creds->jid, strlen(s->p.creds->jid), &self) == 0)
		memcpy(own.pn, self.user, sizeof(own.pn));
	if (s->p.creds->lid[0] != '\0' &&
	    wa_jid_parse(s->p.creds->lid, strlen(s->p.creds->lid), &self) == 0)
		memcpy(own.lid, self.user, sizeof(own.lid));
	return wa_jid_is_own(jid, &own);
}

struct wa_node *wk_send_build(struct wk_send *s, const char *id)
{
	struct wa_node *iq = wa_usync_devices(id, "message");
	char text[WA_JID_TEXT_CAP];
	struct wa_jid self;

	(void)wa_jid_format(&s->cur.to, text);
	wa_usync_devices_add(iq, text);
	if (wk_send_self(s, &s->cur.to, &self) == 0) {
		(void)wa_jid_format(&self, text);
		wa_usync_devices_add(iq, text);
	}
	return iq;
}

static int add_target(struct wk_send *s, const struct wa_jid *jid, bool own)
{
	struct wk_send_target *more;
	size_t cap;

	if (s->targets_n == TARGETS_MAX)
		return 0;
	if (s->targets_n == s->targets_cap) {
		cap = s->targets_cap == 0 ? 8 : s->targets_cap * 2;
		more = realloc(s->targets, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		s->targets = more;
		s->targets_cap = cap;
	}
	s->targets[s->targets_n++] = (struct wk_send_target){ *jid, own };
	return 0;
}

static int on_user(void *arg, const struct wa_usync_user *u)
{
	struct wk_send *s = arg;
	bool own = wk_send_is_own(s, &u->user);
	int rc = 0;

	if (!own && !wa_jid_same_user(&u->user, &s->cur.to))
		return 0;
	if (!own && strcmp(s->cur.to.server, WA_SERVER_JID) == 0 && u->lid.user[0] != '\0') {
		rc = wk_store_lid_learn(s->p.store, s->cur.to.user, u->lid.user, NULL);
		s->cur.to = u->lid; /* its devices are asked for under that */
		return rc;
	}
	if (own)
		s->told_own = u->known;
	else
		s->told_peer = u->known;
	for (size_t i = 0; rc == 0 && i < u->devices_n; i++)
		rc = add_target(s, &u->devices[i], own);
	return rc;
}

static bool is_hosted(const struct wa_jid *jid)
{
	return strcmp(jid->server, "hosted") == 0 || strcmp(jid->server, "hosted.lid") == 0;
}

/* Over all devices, ours too, as the server lists them; without hosted ones (notes 05, 2.3). */
static int hash_targets(struct wk_send *s)
{
	size_t n = 0;
	const char **list = calloc(s->targets_n + 1, sizeof(*list));
	char(*texts)[WA_JID_TEXT_CAP] = calloc(s->targets_n + 1, sizeof(*texts));
	int rc = list == NULL || texts == NULL ? -ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < s->targets_n; i++) {
		if (is_hosted(&s->targets[i].jid))
			continue;
		(void)wa_jid_format(&s->targets[i].jid, texts[n]);
		list[n] = texts[n];
		n++;
	}
	if (rc == 0)
		rc = wa_phash(list, n, s->phash);
	free(list);
	free(texts);
	return rc;
}

static bool is_us(const struct wk_send *s, const struct wk_send_target *t)
{
	struct wa_jid self;

	return t->own && wa_jid_parse(s->p.creds->jid, strlen(s->p.creds->jid), &self) == 0 &&
	       self.device == t->jid.device;
}

/* Without us; when it has been taken already, without those that have it. */
static int drop_targets(struct wk_send *s)
{
	struct wk_sent_device d;
	char text[WA_JID_TEXT_CAP];
	size_t kept = 0;
	int rc;

	for (size_t i = 0; i < s->targets_n; i++) {
		if (is_us(s, &s->targets[i]))
			continue;
		if (s->extra) {
			(void)wa_jid_format(&s->targets[i].jid, text);
			rc = wk_store_sent_device(s->p.store, s->cur.id, text, &d);
			if (rc == 0)
				continue;
			if (rc != -ENOENT)
				return rc;
		}
		s->targets[kept++] = s->targets[i];
	}
	s->targets_n = kept;
	return 0;
}

int wk_send_read_devices(struct wk_send *s, const struct wa_node *result)
{
	return wa_usync_each(result, on_user, s);
}

int wk_send_pick(struct wk_send *s)
{
	int rc = hash_targets(s);

	return rc < 0 ? rc : drop_targets(s);
}
