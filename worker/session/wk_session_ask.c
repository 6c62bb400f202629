/* worker/session/wk_session_ask.c - questions of the gateway about what is stored, and files */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "worker/history/wk_ask_media.h"
#include "worker/history/wk_ask_messages.h"
#include "worker/session/wk_session_priv.h"

#define PHONE_ASKS_MAX 3 /* in flight */

/* Files are fetched for one ask at a time: each is in memory as a whole. */
struct wk_ask {
	TAILQ_ENTRY(wk_ask) link;
	struct wk_session *s;
	uint32_t id;
	struct wk_ask_media *media;
	struct wk_ask_messages *messages;
	Ipc__Ask *waits; /* a file that waits for its turn: a copy; else NULL */
};

static void ask_free(struct wk_ask *a)
{
	TAILQ_REMOVE(&a->s->asks, a, link);
	wk_ask_media_free(a->media);
	wk_ask_messages_free(a->messages);
	if (a->waits != NULL)
		ipc__ask__free_unpacked(a->waits, NULL);
	free(a);
}

static void say(struct wk_session *s, uint32_t id, const Ipc__Answer *m, int fd)
{
	if (s->p.ops->on_answer != NULL)
		s->p.ops->on_answer(id, m, fd, s->p.arg);
}

static void refuse(struct wk_session *s, uint32_t id, int rc, const char *detail)
{
	Ipc__Answer m = IPC__ANSWER__INIT;

	m.has_rc = true;
	m.rc = rc;
	m.detail = (char *)(uintptr_t)detail;
	say(s, id, &m, -1);
}

static void next_file(struct wk_session *s);

static void on_answer(const Ipc__Answer *m, int fd, void *arg)
{
	struct wk_ask *a = arg;
	struct wk_session *s = a->s;
	uint32_t id = a->id;
	bool file = a->media != NULL;

	a->media = NULL; /* each has freed itself */
	a->messages = NULL;
	ask_free(a);
	say(s, id, m, fd);
	if (file)
		next_file(s);
}

static int start_file(struct wk_ask *a, const Ipc__Ask *m)
{
	struct wk_session *s = a->s;
	const struct wk_ask_media_params params = {
		.base = s->p.base,
		.media = wk_session_media(s),
		.store = s->store,
		.creds = &s->creds,
		.online = s->online_ms != 0 ? s->online : NULL,
		.speed = s->p.speed,
	};

	return params.media == NULL ? -ENOMEM
	                            : wk_ask_media_new(&params, m, on_answer, a, &a->media);
}

static void start_failed(struct wk_ask *a, int rc)
{
	struct wk_session *s = a->s;
	uint32_t id = a->id;

	ask_free(a);
	refuse(s, id, rc,
	       rc == -ENOENT ? "no such message, or it has no file" : "it could not be looked for");
}

static void next_file(struct wk_session *s)
{
	struct wk_ask *a, *next;

	for (a = TAILQ_FIRST(&s->asks); a != NULL; a = next) {
		int rc;

		next = TAILQ_NEXT(a, link);
		if (a->media != NULL)
			return;
		if (a->waits == NULL)
			continue;
		rc = start_file(a, a->waits);
		ipc__ask__free_unpacked(a->waits, NULL);
		a->waits = NULL;
		if (rc == 0)
			return;
		start_failed(a, rc);
	}
}

static int put_off(struct wk_ask *a, const Ipc__Ask *m)
{
	uint8_t packed[1024];
	size_t len = ipc__ask__get_packed_size(m);

	if (len > sizeof(packed))
		return WA_ELIMIT;
	(void)ipc__ask__pack(m, packed);
	a->waits = ipc__ask__unpack(NULL, len, packed);
	return a->waits == NULL ? -ENOMEM : 0;
}

static bool fetches_one(const struct wk_session *s)
{
	const struct wk_ask *a;

	TAILQ_FOREACH(a, &s->asks, link)
	if (a->media != NULL)
		return true;
	return false;
}

/* A phone that is asked too much at once answers nothing at all. */
static bool may_ask_phone(const struct wk_session *s)
{
	const struct wk_ask *a;
	unsigned n = 0;

	TAILQ_FOREACH(a, &s->asks, link)
	n += a->messages != NULL && wk_ask_messages_waits(a->messages);
	return s->online != NULL && s->online_ms != 0 && n < PHONE_ASKS_MAX;
}

static int start_messages(struct wk_ask *a, const Ipc__Ask *m)
{
	struct wk_session *s = a->s;
	const struct wk_ask_messages_params params = {
		.base = s->p.base,
		.log = s->p.log,
		.store = s->store,
		.creds = &s->creds,
		.settings = &s->target.settings,
		.online = may_ask_phone(s) ? s->online : NULL,
		.speed = s->p.speed,
	};

	return wk_ask_messages_new(&params, m, on_answer, a, &a->messages);
}

void wk_session_ask(struct wk_session *s, uint32_t id, const Ipc__Ask *m)
{
	struct wk_ask *a;
	unsigned n = 0;
	int rc;

	TAILQ_FOREACH(a, &s->asks, link)
	n++;
	if (s->store == NULL || !s->linked) {
		refuse(s, id, WA_ENO_SESSION, "there is no saved session");
		return;
	}
	a = n < WK_ASKS_MAX ? calloc(1, sizeof(*a)) : NULL;
	if (a == NULL) {
		refuse(s, id, WA_EAT_CAPACITY, "too many questions wait");
		return;
	}
	a->s = s;
	a->id = id;
	TAILQ_INSERT_TAIL(&s->asks, a, link);
	if (m->has_what && m->what == IPC__ASK__WHAT__MESSAGES)
		rc = start_messages(a, m);
	else if (m->has_what && m->what == IPC__ASK__WHAT__MEDIA)
		rc = fetches_one(s) ? put_off(a, m) : start_file(a, m);
	else
		rc = -EINVAL;
	if (rc < 0)
		start_failed(a, rc);
}

void wk_session_asks_drop(struct wk_session *s)
{
	struct wk_ask *a;

	while (s != NULL && (a = TAILQ_FIRST(&s->asks)) != NULL)
		ask_free(a);
}

void wk_session_asks_end(struct wk_session *s)
{
	struct wk_ask *a;

	while ((a = TAILQ_FIRST(&s->asks)) != NULL) {
		uint32_t id = a->id;

		ask_free(a);
		refuse(s, id, WA_ENO_SESSION, "the session has ended");
	}
}

void wk_session_asks_answered(struct wk_session *s, const char *request_id)
{
	struct wk_ask *a, *next;

	for (a = TAILQ_FIRST(&s->asks); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		if (a->messages != NULL && wk_ask_messages_is(a->messages, request_id)) {
			wk_ask_messages_answered(a->messages);
			return;
		}
	}
}

/* One that could answer no more without the phone. */
static bool give_one_up(struct wk_session *s)
{
	struct wk_ask *a;

	TAILQ_FOREACH(a, &s->asks, link)
	{
		if (a->messages != NULL && wk_ask_messages_waits(a->messages)) {
			wk_ask_messages_offline(a->messages);
			return true;
		}
		if (a->media != NULL && wk_ask_media_offline(a->media))
			return true;
	}
	return false;
}

/* An answer may be the beginning of another ask: so from the first one each time. */
void wk_session_asks_offline(struct wk_session *s)
{
	while (give_one_up(s))
		;
}

void wk_session_asks_retry(struct wk_session *s, const struct wa_node *n)
{
	struct wk_ask *a;

	TAILQ_FOREACH(a, &s->asks, link)
	if (a->media != NULL && wk_ask_media_retry(a->media, n))
		return;
}
