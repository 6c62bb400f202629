/* worker/wk_creds.c - what a completed pairing left */
#include "worker/wk_creds.h"

#include "common/secret.h"

void wk_creds_clear(struct wk_creds *c)
{
	buf_wipe(&c->account);
	secret_wipe(c, sizeof(*c));
}
