/* gateway/supervision/gw_worker_ask.c - questions to a worker that wait for their answers */
#include "gateway/supervision/gw_worker_ask.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/ipc_memfd.h"
#include "gateway/gw.h"
#include "gateway/supervision/gw_worker_check.h"
#include "gateway/supervision/gw_worker_priv.h"

#define LATE_MS 2000 /* the worker's own deadline is so much earlier than ours */
#define BASE64_LEN(n) (((size_t)(n) + 2) / 3 * 4)

struct gw_ask {
	TAILQ_ENTRY(gw_ask) link;
	struct gw_worker *worker; /* NULL: it says no more */
	int rc;                   /* why, then */
	const char *detail;
	uint32_t id; /* req_id of its frame */
	Ipc__Ask__What what;
	uint32_t count;   /* MESSAGES: asked for */
	uint64_t len_max; /* of the answer's data */
	struct event *timer;
	gw_ask_cb *cb;
	void *arg;
};

static void leave_worker(struct gw_ask *a)
{
	if (a->worker == NULL)
		return;
	TAILQ_REMOVE(&a->worker->asks, a, link);
	a->worker->asks_n--;
	a->worker = NULL;
}

static void ask_free(struct gw_ask *a)
{
	leave_worker(a);
	if (a->timer != NULL)
		event_free(a->timer);
	free(a);
}

/* The last call. */
static void finish(struct gw_ask *a, const struct gw_ask_result *r)
{
	gw_ask_cb *cb = a->cb;
	void *arg = a->arg;

	ask_free(a);
	cb(r, arg);
}

static void fail(struct gw_ask *a, int rc, const char *detail)
{
	const struct gw_ask_result r = { .rc = rc, .detail = detail };

	finish(a, &r);
}

/* Out of time, or its worker says no more. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gw_ask *a = arg;

	(void)fd;
	(void)what;
	if (a->worker == NULL)
		fail(a, a->rc, a->detail);
	else
		fail(a, WA_ETIMEOUT, "the worker did not answer in time");
}

/* ---- asking ------------------------------------------------------------------------------------
 */

static int start_timer(struct gw_ask *a, uint32_t ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	a->timer = evtimer_new(a->worker->gw->base, on_timer, a);
	return a->timer == NULL || evtimer_add(a->timer, &tv) < 0 ? -ENOMEM : 0;
}

/* m is complete but for its deadline. */
static int ask(struct gw_instance *inst, Ipc__Ask *m, const struct gw_ask *proto, uint32_t ms,
               struct gw_ask **ask_out)
{
	struct gw_worker *w = inst->worker;
	struct gw_ask *a;
	int rc;

	if (w == NULL || !gw_worker_listens(w))
		return WA_ENO_SESSION;
	if (w->asks_n >= GW_ASK_PER_INSTANCE)
		return WA_EAT_CAPACITY;
	a = malloc(sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	*a = *proto;
	a->worker = w;
	a->id = ++w->ask_id;
	a->what = m->what;
	TAILQ_INSERT_TAIL(&w->asks, a, link);
	w->asks_n++;
	m->has_what = m->has_deadline_ms = true;
	m->deadline_ms = ms - LATE_MS;
	rc = start_timer(a, ms);
	if (rc == 0)
		rc = ipc_chan_send(w->chan, IPC_ASK, a->id, &m->base, -1);
	if (rc < 0) {
		ask_free(a);
		return rc;
	}
	if (ask_out != NULL)
		*ask_out = a;
	return 0;
}

int gw_worker_ask_media(struct gw_instance *inst, const char *message_id, uint64_t len_max,
                        gw_ask_cb *cb, void *arg, struct gw_ask **ask_out)
{
	struct gw_ask proto = { .cb = cb, .arg = arg };
	Ipc__Ask m = IPC__ASK__INIT;

	if (message_id[0] == '\0' || strlen(message_id) > GW_ASK_ID_MAX)
		return -EINVAL;
	m.what = IPC__ASK__WHAT__MEDIA;
	m.message_id = (char *)(uintptr_t)message_id;
	m.has_len_max = true;
	m.len_max = len_max < GW_ASK_MEDIA_MAX ? len_max : GW_ASK_MEDIA_MAX;
	proto.len_max = BASE64_LEN(m.len_max);
	return ask(inst, &m, &proto, GW_ASK_MEDIA_MS, ask_out);
}

int gw_worker_ask_messages(struct gw_instance *inst, const struct gw_ask_messages *q, gw_ask_cb *cb,
                           void *arg, struct gw_ask **ask_out)
{
	struct gw_ask proto = { .cb = cb, .arg = arg };
	Ipc__Ask m = IPC__ASK__INIT;

	if (q->chat[0] == '\0' || strlen(q->chat) > GW_ASK_CHAT_MAX)
		return -EINVAL;
	m.what = IPC__ASK__WHAT__MESSAGES;
	m.chat = (char *)(uintptr_t)q->chat;
	m.has_from_unix_s = q->has_from;
	m.from_unix_s = q->from_unix_s;
	m.has_to_unix_s = q->has_to;
	m.to_unix_s = q->to_unix_s;
	m.has_count = m.has_ask_phone = true;
	m.count = q->count < GW_ASK_MESSAGES_MAX ? q->count : GW_ASK_MESSAGES_MAX;
	m.ask_phone = q->ask_phone;
	proto.count = m.count;
	proto.len_max = GW_ASK_MESSAGES_LEN_MAX;
	return ask(inst, &m, &proto, GW_ASK_MESSAGES_MS, ask_out);
}

void gw_ask_cancel(struct gw_ask *a)
{
	if (a != NULL)
		ask_free(a); /* an answer that comes is for nobody */
}

void gw_worker_asks_fail(struct gw_worker *w, int rc, const char *detail)
{
	struct gw_ask *a;

	while ((a = TAILQ_FIRST(&w->asks)) != NULL) {
		leave_worker(a);
		a->rc = rc;
		a->detail = detail;
		event_active(a->timer, EV_TIMEOUT, 0);
	}
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static struct gw_ask *find(struct gw_worker *w, uint32_t id)
{
	struct gw_ask *a;

	TAILQ_FOREACH(a, &w->asks, link)
	if (a->id == id)
		return a;
	return NULL;
}

/* Codes that a worker may give; anything else it says counts as nonsense of its own. */
static int take_rc(int rc)
{
	if (rc == WA_ETRUNC || rc == WA_ECRYPTO) /* a file that is not what it should be */
		return WA_EPROTO;
	if (rc == -ENOENT || rc == -EINVAL || rc == WA_EMEDIA_GONE || rc == WA_ELIMIT ||
	    rc == WA_EAUTH || rc == WA_EAT_CAPACITY || wa_err_is_outcome(rc))
		return rc;
	return WA_EWORKER_CRASHED;
}

static bool is_base64(const char *p, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	bool ok[256] = { false };
	size_t pad = 0;

	for (size_t i = 0; i < sizeof(digits) - 1; i++)
		ok[(unsigned char)digits[i]] = true;
	while (pad < 2 && len > pad && p[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len - pad; i++)
		if (!ok[(unsigned char)p[i]])
			return false;
	return len % 4 == 0;
}

/* Printable, or not shown at all: a MIME type goes into headers and JSON alike. */
static const char *take_text(const char *text, size_t len_max)
{
	return text != NULL && gw_check_printable(text, len_max) ? text : NULL;
}

static int take_data(struct gw_ask *a, const Ipc__Answer *m, const struct gw_ask_result *r)
{
	if (a->what == IPC__ASK__WHAT__MEDIA)
		return is_base64(r->data, r->data_len) ? 0 : WA_EPROTO;
	if (m->count > a->count || r->chat == NULL || r->data_len < 2 || r->data[0] != '[' ||
	    r->data[r->data_len - 1] != ']')
		return WA_EPROTO;
	return 0;
}

/* An empty file has no memfd. */
static int answer(struct gw_ask *a, const Ipc__Answer *m, int fd)
{
	struct gw_ask_result r = {
		.data = "",
		.data_len = (size_t)(m->has_data_len ? m->data_len : 0),
		.mime_type = take_text(m->mime_type, 256),
		.chat = take_text(m->chat, GW_ASK_CHAT_MAX),
		.count = m->count,
		.has_more = m->has_more,
	};
	struct ipc_memfd_map map = { 0 };
	char file_name[1024];
	int rc = 0;

	if (gw_check_name(m->file_name, file_name, sizeof(file_name)) && file_name[0] != '\0')
		r.file_name = file_name;
	if (m->data_len > 0 && fd < 0)
		return WA_EPROTO;
	if (r.data_len > 0)
		rc = ipc_memfd_map(fd, a->len_max, &map);
	if (rc == -ENOMEM || rc == -EMFILE) { /* ours to bear */
		fail(a, -ENOMEM, NULL);
		return 0;
	}
	if (map.p != NULL)
		r.data = (const char *)map.p;
	if (map.len != r.data_len)
		rc = WA_EPROTO;
	if (rc == 0)
		rc = take_data(a, m, &r);
	if (rc == 0)
		finish(a, &r);
	ipc_memfd_unmap(&map);
	return rc < 0 ? WA_EPROTO : 0;
}

int gw_worker_on_answer(struct gw_worker *w, struct ipc_msg *msg)
{
	const Ipc__Answer *m = (const Ipc__Answer *)msg->body;
	struct gw_ask *a = find(w, msg->req_id);
	char detail[256];

	if (a == NULL)
		return 0; /* too late, or nobody waits any more */
	if (m->rc == 0)
		return answer(a, m, msg->fd);
	gw_check_detail(m->detail, detail, sizeof(detail));
	fail(a, take_rc(m->rc), detail);
	return 0;
}
