/* worker/receive/wk_recv_aside.c - a message that three workers died of */
#include "common/clock.h"
#include "worker/receive/wk_recv_priv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_aside.h"
#include "worker/wa/stanza/wa_stanza.h"

#define NACK_UNHANDLED 500

/* In a batch: one event, however often the stanza comes. */
static int tell_once(struct wk_recv *r, const struct wa_node *n)
{
	struct wk_msg row = { 0 };
	struct wa_source src;
	bool is_new;
	int rc;

	if (wa_source_read(n, &r->own, &src) < 0)
		return 0;
	wk_recv_row(&src, &row);
	row.flags |= WK_MSG_PLACEHOLDER;
	rc = wk_store_msg_put(r->p.store, &row, &is_new);
	if (rc < 0)
		return wk_batch_is_fatal(rc) ? rc : 0;
	return is_new ? wk_recv_tell_unopened(r, &src) : 0;
}

static int keep(struct wk_recv *r, const struct wa_node *n, uint64_t key)
{
	struct buf b = { 0 };
	int rc = wa_stanza_encode(n, &b);

	if (rc == 0)
		rc = wk_store_aside_put(r->p.store, key, clock_unix_ms() / 1000, b.p, b.len);
	buf_wipe(&b);
	return rc;
}

void wk_recv_set_aside(struct wk_recv *r, const struct wa_node *n, uint64_t key)
{
	int rc = wk_batch_enter(r->p.batch);

	if (rc < 0)
		return;
	r->counts.messages++;
	wk_recv_know_self(r);
	rc = keep(r, n, key);
	if (rc == 0)
		rc = tell_once(r, n);
	if (rc == 0)
		wk_batch_after(r->p.batch, wa_ack(n, r->p.creds->jid, NACK_UNHANDLED));
	wk_batch_leave(r->p.batch, rc);
}
