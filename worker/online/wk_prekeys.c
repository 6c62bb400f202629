/* worker/online/wk_prekeys.c - keeping one-time pre-keys on the server */
#include "worker/online/wk_prekeys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_prekey.h"

void wk_prekeys_init(struct wk_prekeys *p, struct wk_store *store, const struct wk_creds *creds)
{
	memset(p, 0, sizeof(*p));
	p->store = store;
	p->creds = creds;
}

void wk_prekeys_lost(struct wk_prekeys *p)
{
	free(p->sent);
	p->sent = NULL;
	p->sent_n = 0;
}

void wk_prekeys_clear(struct wk_prekeys *p)
{
	wk_prekeys_lost(p);
	p->want = 0;
}

static void want(struct wk_prekeys *p, unsigned n)
{
	if (p->want < n)
		p->want = n;
}

void wk_prekeys_told(struct wk_prekeys *p, uint32_t count)
{
	if (count < WK_PREKEYS_LOW)
		want(p, count == 0 ? WK_PREKEYS_ALL : WK_PREKEYS_MORE);
}

void wk_prekeys_want_upload(struct wk_prekeys *p)
{
	want(p, WK_PREKEYS_MORE);
}

int wk_prekeys_counted(struct wk_prekeys *p, const struct wa_node *result)
{
	uint32_t count = 0;
	int rc = wa_prekey_count_read(result, &count);

	if (rc == 0)
		wk_prekeys_told(p, count);
	return rc;
}

int wk_prekeys_upload(struct wk_prekeys *p, const char *id, struct wa_node **upload_out)
{
	struct wa_node *upload;
	int rc;

	wk_prekeys_lost(p);
	p->sent = calloc(p->want, sizeof(*p->sent));
	if (p->sent == NULL)
		return -ENOMEM;
	rc = wk_store_prekeys(p->store, p->want, p->sent);
	if (rc < 0)
		goto fail;
	p->sent_n = p->want;
	upload = wa_prekey_upload(&p->creds->device, id);
	rc = upload == NULL ? -ENOMEM : 0;
	if (rc < 0)
		goto fail;
	for (size_t i = 0; i < p->sent_n; i++)
		wa_prekey_upload_add(upload, p->sent[i].id, p->sent[i].pub);
	p->sent_signed_id = p->creds->device.signed_prekey_id;
	*upload_out = upload;
	return 0;
fail:
	wk_prekeys_lost(p);
	return rc;
}

int wk_prekeys_uploaded(struct wk_prekeys *p, const struct wa_node *result)
{
	int rc = wk_store_prekeys_uploaded(p->store, p->sent, p->sent_n);

	wk_prekeys_lost(p);
	if (rc < 0)
		return rc;
	/* What was told while it was on its way is a number from before it. */
	p->want = 0;
	if (wa_node_attr_is(wa_node_child(result, "list"), "count_low", "true"))
		want(p, WK_PREKEYS_MORE);
	return 0;
}

int64_t wk_prekeys_signed_due_s(const struct wk_creds *creds, int64_t now_unix_s)
{
	int64_t made =
	    creds->signed_prekey_unix_s != 0 ? creds->signed_prekey_unix_s : creds->linked_unix_s;
	int64_t left = made + WK_SIGNED_AGE_S - now_unix_s;

	/* A clock that went back makes nothing due, nor keeps it from ever being so. */
	return left <= 0 ? 0 : left > WK_SIGNED_AGE_S ? WK_SIGNED_AGE_S : left;
}

struct lookup {
	struct wk_store *store;
	int rc; /* the store's own failure */
};

static int pub_of(uint32_t id, uint8_t pub[WA_KEY_LEN], void *arg)
{
	struct lookup *l = arg;
	int rc = l->rc < 0 ? l->rc : wk_store_prekey_pub(l->store, id, pub);

	if (rc != 0 && rc != -ENOENT)
		l->rc = rc;
	return rc;
}

int wk_prekeys_digest(struct wk_prekeys *p, const struct wa_node *result)
{
	struct lookup l = { .store = p->store };
	int rc = WA_EAUTH;

	if (result != NULL)
		rc = wa_prekey_digest_check(result, &p->creds->device, pub_of, &l);
	if (l.rc < 0)
		return l.rc;
	if (rc != WA_EAUTH)
		return rc;
	want(p, WK_PREKEYS_ALL);
	return 1;
}
