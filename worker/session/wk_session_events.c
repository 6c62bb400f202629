/* worker/session/wk_session_events.c - the outbox of a session: there as long as its store is open
 */
#include <errno.h>

#include "worker/events/wk_outbox.h"
#include "worker/net/wk_conn.h"
#include "worker/online/wk_online.h"
#include "worker/session/wk_session_priv.h"
#include "worker/store/wk_store.h"

static int on_send(const Ipc__Event *msg, int fd, void *arg)
{
	struct wk_session *s = arg;

	return s->p.ops->on_event != NULL ? s->p.ops->on_event(msg, fd, s->p.arg) : -ENOTCONN;
}

static int on_send_many(const Ipc__Events *msg, void *arg)
{
	struct wk_session *s = arg;
	int rc = 0;

	if (s->p.ops->on_events != NULL)
		return s->p.ops->on_events(msg, s->p.arg);
	for (size_t i = 0; rc == 0 && i < msg->n_events; i++)
		rc = on_send(msg->events[i], -1, s);
	return rc;
}

static void on_room(void *arg)
{
	struct wk_session *s = arg;

	if (!s->paused)
		return;
	s->paused = false;
	if (s->conn != NULL)
		wk_conn_pause(s->conn, false);
}

void wk_session_events_open(struct wk_session *s)
{
	static const struct wk_outbox_ops ops = { .send = on_send,
		                                  .send_many = on_send_many,
		                                  .on_room = on_room };

	if (s->store == NULL || s->outbox != NULL)
		return;
	if (wk_outbox_new(s->p.base, s->store, s->p.log, &ops, s, &s->outbox) < 0)
		LOG(s->p.log, LOG_ERR, "no_outbox", LF_ERR("err", -ENOMEM));
	else
		wk_outbox_poke(s->outbox); /* what was left by the life before */
}

void wk_session_events_left(struct wk_session *s)
{
	static const struct wk_outbox_ops ops = { .send = on_send, .on_room = on_room };
	int rc;

	if (s->left != NULL)
		return;
	rc = wk_outbox_of_left(s->p.base, s->p.dir, s->p.instance_id, &s->target.key, s->p.log,
	                       &ops, s, &s->left);
	if (rc == 0)
		wk_outbox_poke(s->left);
	else if (rc != -ENOENT)
		LOG(s->p.log, LOG_ERR, "events_lost", LF_ERR("err", rc));
}

/* All that writes into the store. */
static void writers_end(struct wk_session *s)
{
	wk_session_asks_end(s);
	wk_session_history_close(s);
	wk_online_free(s->online); /* its batch, too, is in the store */
	s->online = NULL;
}

void wk_session_events_close(struct wk_session *s)
{
	writers_end(s);
	wk_outbox_free(s->outbox);
	s->outbox = NULL;
}

void wk_session_events_end(struct wk_session *s)
{
	wk_session_events_close(s);
	wk_outbox_free(s->left);
	s->left = NULL;
}

void wk_session_events_outlive(struct wk_session *s)
{
	writers_end(s);
	if (s->outbox == NULL)
		return;
	wk_outbox_outlive(s->outbox);
	wk_outbox_poke(s->outbox);
}

bool wk_session_events_heard(struct wk_session *s)
{
	return (s->outbox == NULL || wk_outbox_is_empty(s->outbox)) &&
	       (s->left == NULL || wk_outbox_is_empty(s->left));
}

void wk_session_events_tell(struct wk_session *s)
{
	if (s->left != NULL)
		wk_outbox_rewind(s->left);
	if (s->outbox != NULL)
		wk_outbox_rewind(s->outbox);
}

void wk_session_event_commit(struct wk_session *s, const Ipc__EventCommit *msg)
{
	if (s->left != NULL)
		wk_outbox_commit(s->left, msg);
	if (s->outbox != NULL)
		wk_outbox_commit(s->outbox, msg);
}
