/* worker/history/wk_ask_messages.c - stored messages for the gateway, and more of them from the
 * phone */
#include "worker/history/wk_ask_messages.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/io.h"
#include "common/ipc_memfd.h"
#include "common/secret.h"
#include "worker/events/wk_emit.h"
#include "worker/events/wk_event_msg.h"
#include "worker/online/wk_online.h"
#include "worker/receive/wk_recv.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/wa/history/wa_history.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/signal/wa_signal.h"
#include "worker/wa/stanza/wa_source.h"

#define ASK_PHONE_N 50             /* messages; a phone sends no more at once */
#define LEN_MAX (6u * 1024 * 1024) /* of the answer; the gateway takes 8 MiB */
#define COUNT_MAX 500

struct wk_ask_messages {
	struct wk_ask_messages_params p;
	wk_ask_answer_fn *on_answer;
	void *arg;
	struct wa_jid chat;
	int64_t from_unix_s, to_unix_s;
	uint32_t count;
	bool asked;      /* the phone was */
	bool late;       /* ... and did not answer */
	bool busy, dead; /* in a call that may free it; freed in it */
	uint64_t had;    /* in the store before it was */
	char request_id[WK_MSG_ID_CAP];
	struct event *timer;
};

void wk_ask_messages_free(struct wk_ask_messages *a)
{
	if (a == NULL)
		return;
	a->dead = true;
	if (a->busy)
		return;
	if (a->timer != NULL)
		event_free(a->timer);
	free(a);
}

/* ---- reading back ------------------------------------------------------------------------------
 */

/* Newest first, as they come from the store; turned round when they are written. */
struct reader {
	struct wk_emit *emit;
	struct wa_pool *pool, *parts;
	struct buf out;
	size_t at[COUNT_MAX + 1]; /* where each begins; at[n]: the end */
	uint32_t n, max;
	bool more; /* there was one beyond them */
};

static int render(struct reader *r, const struct wk_msg *m)
{
	char chat[WA_JID_TEXT_CAP], sender[WA_JID_TEXT_CAP];
	struct Wa__Message *msg = NULL;
	struct wa_msg_view view;
	struct wk_event_msg em;
	int rc;

	wa_pool_reset(r->pool);
	rc = wa_msg_parse(r->pool, m->message, m->message_len, &msg);
	if (rc == 0)
		rc = wa_msg_view(msg, &view);
	if (rc < 0)
		return rc;
	(void)wa_jid_format(&m->chat, chat);
	(void)wa_jid_format(&m->sender, sender);
	rc = wk_event_msg_of_row(&em, chat, sender, (m->flags & WK_MSG_FROM_ME) != 0, m->id,
	                         m->unix_s, &view);
	if (rc < 0)
		return rc;
	em.from_history = (m->flags & WK_MSG_HISTORY) != 0;
	em.push_name = m->push_name;
	if (!wk_event_msg_shows(&em, NULL))
		return -ENOENT;
	wa_pool_reset(r->parts);
	return wk_event_message(&em, wk_emit_lookup(r->emit), r->parts, &r->out);
}

static int on_msg(void *arg, const struct wk_msg *m)
{
	struct reader *r = arg;
	size_t before = r->out.len;
	int rc;

	if (r->n == r->max || before > LEN_MAX) {
		r->more = true;
		return 1;
	}
	rc = render(r, m);
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0 || r->out.len - before > LEN_MAX) {
		r->out.len = before; /* one that can't be shown */
		return 0;
	}
	r->at[r->n++] = before;
	return 0;
}

static int read_back(struct wk_ask_messages *a, struct reader *r)
{
	const struct wk_emit_params emit = {
		.store = a->p.store, .creds = a->p.creds, .settings = a->p.settings, .log = a->p.log
	};
	const struct wk_store_msg_each each = { on_msg, r };
	int rc = wk_emit_new(&emit, &r->emit);

	r->max = a->count;
	r->pool = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX);
	r->parts = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX);
	if (rc == 0 && (r->pool == NULL || r->parts == NULL))
		rc = -ENOMEM;
	/* some more than are wanted: not every one can be shown */
	if (rc == 0)
		rc = wk_store_msg_list(a->p.store, &a->chat, a->from_unix_s, a->to_unix_s,
		                       (size_t)a->count * 2 + 1, &each);
	r->at[r->n] = r->out.len;
	return rc < 0 ? rc : 0;
}

static void reader_clear(struct reader *r)
{
	wk_emit_free(r->emit);
	wa_pool_free(r->pool);
	wa_pool_free(r->parts);
	buf_wipe(&r->out);
}

/* A JSON array, oldest first. A descriptor, or a negative code. */
static int write_out(const struct reader *r, uint64_t *len_out)
{
	int fd = ipc_memfd_begin();
	int rc = fd < 0 ? fd : io_write_all(fd, "[", 1);

	*len_out = 2;
	for (uint32_t i = r->n; rc == 0 && i > 0; i--) {
		size_t len = r->at[i] - r->at[i - 1];

		rc = io_write_all(fd, r->out.p + r->at[i - 1], len);
		if (rc == 0 && i > 1)
			rc = io_write_all(fd, ",", 1);
		*len_out += len + (i > 1);
	}
	if (rc == 0)
		rc = io_write_all(fd, "]", 1);
	if (rc == 0)
		rc = ipc_memfd_seal(fd);
	if (rc < 0 && fd >= 0)
		(void)close(fd);
	return rc < 0 ? rc : fd;
}

/* As events name it: by the number where that is known. */
static void chat_text(struct wk_ask_messages *a, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid pn;

	if (strcmp(a->chat.server, "lid") != 0 || wk_store_jid_alt(a->p.store, &a->chat, &pn) < 0)
		pn = a->chat;
	(void)wa_jid_format(&pn, out);
}

/* Has it not said that there are none, and given some when it was asked? */
static bool phone_has_more(struct wk_ask_messages *a)
{
	char phone_jid[WA_JID_TEXT_CAP];
	bool none = true;
	uint64_t now = 0;

	if (a->from_unix_s > 0 ||
	    wk_store_history_chat_get(a->p.store, &a->chat, phone_jid, &none) < 0 || none)
		return false;
	return !a->asked || (!a->late && wk_store_msg_count(a->p.store, &now) == 0 && now > a->had);
}

/* The last call. */
static void answer(struct wk_ask_messages *a)
{
	struct reader *r = calloc(1, sizeof(*r));
	char chat[WA_JID_TEXT_CAP];
	Ipc__Answer m = IPC__ANSWER__INIT;
	uint64_t len = 0;
	int rc, fd = -1;

	rc = r == NULL ? -ENOMEM : read_back(a, r);
	if (rc == 0)
		fd = write_out(r, &len);
	m.has_rc = true;
	m.rc = rc < 0 ? rc : fd < 0 ? fd : 0;
	if (m.rc == 0) {
		chat_text(a, chat);
		m.has_data_len = m.has_count = m.has_has_more = true;
		m.data_len = len;
		m.count = r->n;
		m.chat = chat;
		m.has_more = r->more || phone_has_more(a);
	}
	a->on_answer(&m, fd, a->arg);
	if (fd >= 0)
		(void)close(fd);
	if (r != NULL)
		reader_clear(r);
	free(r);
	wk_ask_messages_free(a);
}

/* ---- asking the phone --------------------------------------------------------------------------
 */

struct anchor {
	char id[WK_MSG_ID_MAX + 1];
	bool from_me;
	int64_t unix_s;
	size_t n;                   /* messages of the chat that fit */
	char chat[WA_JID_TEXT_CAP]; /* as the phone names it */
};

static int on_oldest(void *arg, const struct wk_msg *m)
{
	struct anchor *o = arg;

	memcpy(o->id, m->id, strlen(m->id) + 1); /* fits: the store sees to that */
	o->from_me = (m->flags & WK_MSG_FROM_ME) != 0;
	o->unix_s = m->unix_s;
	return 0;
}

static int on_count(void *arg, const struct wk_msg *m)
{
	struct anchor *o = arg;

	(void)m;
	o->n++;
	return 0;
}

/* Is there a reason to ask, and something to ask by? */
static bool find_anchor(struct wk_ask_messages *a, struct anchor *o)
{
	const struct wk_store_msg_each oldest = { on_oldest, o }, each = { on_count, o };
	bool none = false;

	if (wk_store_msg_list(a->p.store, &a->chat, a->from_unix_s, a->to_unix_s, a->count, &each) <
	        0 ||
	    o->n >= a->count)
		return false;
	if (wk_store_msg_oldest(a->p.store, &a->chat, &oldest) < 0 || o->unix_s <= a->from_unix_s)
		return false;
	if (wk_store_history_chat_get(a->p.store, &a->chat, o->chat, &none) < 0)
		(void)wa_jid_format(&a->chat, o->chat);
	return !none;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_ask_messages *a = arg;

	(void)fd;
	(void)what;
	a->late = true;
	answer(a);
}

static int send_request(struct wk_ask_messages *a, const struct anchor *o)
{
	struct wk_batch *batch = wk_online_batch(a->p.online);
	struct buf message = { 0 };
	int rc;

	rc = wa_history_ask_older(o->chat, o->id, o->from_me, o->unix_s, ASK_PHONE_N, &message);
	if (rc == 0)
		rc = wk_batch_enter(batch);
	if (rc == 0) {
		rc = wk_recv_send_phone(wk_online_recv(a->p.online), message.p, message.len,
		                        "high_force", a->request_id);
		wk_batch_leave(batch, rc == WA_SIG_ENOSESSION ? 0 : rc);
	}
	buf_wipe(&message);
	return rc;
}

/* False: the answer is made of what is there. */
static bool ask_phone(struct wk_ask_messages *a, uint64_t deadline_ms)
{
	uint64_t wait_ms = deadline_ms < WK_PHONE_MS ? deadline_ms : WK_PHONE_MS;
	struct anchor o = { .n = 0 };

	if (a->p.online == NULL || !find_anchor(a, &o) ||
	    wk_store_msg_count(a->p.store, &a->had) < 0)
		return false;
	a->timer = evtimer_new(a->p.base, on_timer, a);
	if (a->timer == NULL || wk_timer_set(a->timer, wait_ms / a->p.speed) < 0)
		return false;
	a->asked = send_request(a, &o) == 0;
	return a->asked;
}

bool wk_ask_messages_is(const struct wk_ask_messages *a, const char *request_id)
{
	return a->asked && strcmp(a->request_id, request_id) == 0;
}

void wk_ask_messages_answered(struct wk_ask_messages *a)
{
	answer(a);
}

bool wk_ask_messages_waits(const struct wk_ask_messages *a)
{
	return a->asked;
}

void wk_ask_messages_offline(struct wk_ask_messages *a)
{
	a->p.online = NULL;
	a->late = true;
	if (!a->busy)
		answer(a);
}

/* ---- the question ------------------------------------------------------------------------------
 */

static bool is_chat(const struct wa_jid *jid)
{
	static const char *const servers[] = { "s.whatsapp.net", "lid", "g.us",
		                               "broadcast",      "bot", "newsletter" };

	for (size_t i = 0; i < ARRAY_LEN(servers); i++)
		if (strcmp(jid->server, servers[i]) == 0)
			return jid->user[0] != '\0';
	return false;
}

static int take_chat(struct wk_ask_messages *a, const char *text)
{
	struct wa_jid jid = { .server = "s.whatsapp.net" };
	size_t len = text == NULL ? 0 : strlen(text);
	int rc = 0;

	if (len == 0 || len > WA_JID_USER_MAX)
		return -EINVAL;
	if (strchr(text, '@') != NULL)
		rc = wa_jid_parse(text, len, &jid);
	else
		memcpy(jid.user, text, len + 1);
	wa_jid_to_user(&jid);
	if (rc < 0 || !is_chat(&jid))
		return -EINVAL;
	return wk_store_jid(a->p.store, &jid, &a->chat);
}

int wk_ask_messages_new(const struct wk_ask_messages_params *params, const Ipc__Ask *m,
                        wk_ask_answer_fn *on_answer, void *arg, struct wk_ask_messages **ask_out)
{
	struct wk_ask_messages *a = calloc(1, sizeof(*a));
	bool waits;
	int rc;

	if (a == NULL)
		return -ENOMEM;
	a->p = *params;
	a->on_answer = on_answer;
	a->arg = arg;
	a->from_unix_s = m->has_from_unix_s ? m->from_unix_s : 0;
	a->to_unix_s = m->has_to_unix_s ? m->to_unix_s : INT64_MAX;
	a->count = m->count < 1 ? 1 : m->count > COUNT_MAX ? COUNT_MAX : m->count;
	rc = take_chat(a, m->chat);
	if (rc < 0) {
		wk_ask_messages_free(a);
		return rc;
	}
	*ask_out = a;
	a->busy = true; /* a batch that fails ends the session, and all that asks */
	waits = m->ask_phone && ask_phone(a, m->has_deadline_ms ? m->deadline_ms : WK_PHONE_MS);
	a->busy = false;
	if (a->dead)
		wk_ask_messages_free(a);
	else if (!waits || a->late)
		answer(a);
	return 0;
}
