/* worker/wa/stanza/wa_usync.c - device lists of users */
#include "worker/wa/stanza/wa_usync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/stanza/wa_stanza.h"

struct wa_node *wa_usync_devices(const char *id, const char *context)
{
	struct wa_node *iq = wa_iq("get", "usync", id);
	struct wa_node *usync = wa_node_add(iq, "usync");
	struct wa_node *query;

	wa_node_set(usync, "sid", id);
	wa_node_set(usync, "mode", "query");
	wa_node_set(usync, "last", "true");
	wa_node_set(usync, "index", "0");
	wa_node_set(usync, "context", context);
	query = wa_node_add(usync, "query");
	wa_node_set(wa_node_add(query, "devices"), "version", "2");
	wa_node_add(query, "lid");
	wa_node_add(usync, "list");
	return iq;
}

void wa_usync_devices_add(struct wa_node *iq, const char *user_jid)
{
	char text[WA_JID_TEXT_CAP];
	struct wa_jid jid;

	if (iq == NULL || iq->first_child == NULL ||
	    wa_jid_parse(user_jid, strlen(user_jid), &jid) < 0 || jid.user[0] == '\0')
		return;
	jid.device = 0;
	(void)wa_jid_format(&jid, text);
	wa_node_set_jid(wa_node_add(iq->first_child->last_child, "user"), "jid", text);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static int read_jid(const struct wa_node *n, const char *name, struct wa_jid *out)
{
	const char *text = wa_node_attr(n, name);
	int rc = text == NULL ? WA_EPROTO : wa_jid_parse(text, strlen(text), out);

	if (rc == 0 && out->user[0] == '\0')
		rc = WA_EPROTO;
	if (rc == 0)
		out->device = 0;
	return rc;
}

static void add_device(const struct wa_node *n, struct wa_usync_user *u)
{
	struct wa_jid *jid = &u->devices[u->devices_n];
	uint64_t id;

	if (u->devices_n == WA_USYNC_DEVICES_MAX ||
	    wa_node_attr_u64(n, "id", UINT16_MAX, &id) < 0 ||
	    (id != 0 && wa_node_attr(n, "key-index") == NULL))
		return;
	*jid = u->user;
	jid->device = (uint16_t)id;
	if (wa_node_attr_is(n, "is_hosted", "true"))
		snprintf(jid->server, sizeof(jid->server), "%s",
		         strcmp(u->user.server, "lid") == 0 ? "hosted.lid" : "hosted");
	for (size_t i = 0; i < u->devices_n; i++) {
		if (u->devices[i].device == jid->device)
			return; /* named twice */
	}
	u->devices_n++;
}

static bool read_user(const struct wa_node *n, struct wa_usync_user *u)
{
	const struct wa_node *devices = wa_node_child(n, "devices");
	const struct wa_node *list = devices == NULL ? NULL : wa_node_child(devices, "device-list");
	const struct wa_node *lid = wa_node_child(n, "lid");

	memset(u, 0, sizeof(*u));
	if (read_jid(n, "jid", &u->user) < 0)
		return false;
	if (lid == NULL || read_jid(lid, "val", &u->lid) < 0 || strcmp(u->lid.server, "lid") != 0)
		memset(&u->lid, 0, sizeof(u->lid));
	u->known = list != NULL;
	for (n = u->known ? wa_node_child(list, "device") : NULL; n != NULL;
	     n = wa_node_next(n, "device"))
		add_device(n, u);
	return true;
}

int wa_usync_each(const struct wa_node *result,
                  int (*on_user)(void *arg, const struct wa_usync_user *u), void *arg)
{
	const struct wa_node *usync = wa_node_child(result, "usync");
	const struct wa_node *list = usync == NULL ? NULL : wa_node_child(usync, "list");
	struct wa_usync_user *u;
	int rc = 0;

	if (list == NULL)
		return WA_EPROTO;
	u = malloc(sizeof(*u));
	if (u == NULL)
		return -ENOMEM;
	for (const struct wa_node *n = wa_node_child(list, "user"); rc >= 0 && n != NULL;
	     n = wa_node_next(n, "user")) {
		if (read_user(n, u))
			rc = on_user(arg, u);
	}
	free(u);
	return rc < 0 ? rc : 0;
}
