/* gateway/instance/gw_version.c - which client version to be: one look-up serves the whole host */
#include "gateway/instance/gw_version.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/json_text.h"
#include "common/log.h"

#define FILE_MAX 4096

TAILQ_HEAD(asker_list, gw_version_asker);

struct gw_version {
	const char *data_dir;
	uint32_t revision;               /* newest known; 0: none */
	int64_t at_unix_ms;              /* when it was found */
	uint64_t looked_ms;              /* monotonic: end of the last look-up; 0: none yet */
	bool failed;                     /* that one */
	struct gw_version_asker *looker; /* NULL: nobody looks */
	struct asker_list waiting;
	struct event *ev_late; /* the looker takes too long */
	struct event *ev_next; /* those who wait may look again */
};

/* ---- the file: a cache, so what can't be read or written is only looked up again ------------- */

static void file_path(const struct gw_version *v, const char *suffix, char *out, size_t out_cap)
{
	snprintf(out, out_cap, "%s/client_version.json%s", v->data_dir, suffix);
}

static void file_read(struct gw_version *v)
{
	char path[4096], text[FILE_MAX];
	json_int_t revision, at;
	ssize_t n = -1;
	json_t *o;
	int fd;

	file_path(v, "", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text));
		close(fd);
	}
	o = n > 0 ? json_text_read(text, (size_t)n, 0) : NULL;
	revision = json_integer_value(json_object_get(o, "revision"));
	at = json_integer_value(json_object_get(o, "foundAt"));
	json_decref(o);
	if (revision <= 0 || revision > UINT32_MAX || at <= 0 || at > INT64_MAX / 1000)
		return;
	v->revision = (uint32_t)revision;
	v->at_unix_ms = at * 1000;
}

/* Replaced in one step: a reader, or a crash, finds the old text or the new one. */
static void file_write(const struct gw_version *v)
{
	char path[4096], next[4096], text[128];
	int fd, n;
	bool ok;

	file_path(v, "", path, sizeof(path));
	file_path(v, ".new", next, sizeof(next));
	n = snprintf(text, sizeof(text), "{\"revision\":%lu,\"foundAt\":%lld}\n",
	             (unsigned long)v->revision, (long long)v->at_unix_ms / 1000);
	fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ok = fd >= 0 && write(fd, text, (size_t)n) == n;
	if (fd >= 0 && close(fd) < 0)
		ok = false;
	if (!ok || rename(next, path) < 0)
		LOG(NULL, LOG_WARNING, "client_version_not_kept", LF_ERR("err", -errno));
}

/* ---- what is known ---------------------------------------------------------- */

/* A clock that was set back makes it stale, too. */
static bool is_fresh(const struct gw_version *v)
{
	int64_t age = clock_unix_ms() - v->at_unix_ms;

	return v->revision != 0 && age >= 0 && age < GW_VERSION_FRESH_MS;
}

/* May it be looked up? refused: WhatsApp said no to ours. */
static bool may_look(const struct gw_version *v, bool refused)
{
	uint64_t age = clock_ms() - v->looked_ms;

	if (v->looked_ms == 0)
		return true;
	return age >= (refused ? GW_VERSION_REFUSED_MS : v->failed ? GW_VERSION_REST_MS : 0);
}

void gw_version_get(const struct gw_version *v, uint32_t *revision_out, bool *stale_out)
{
	*revision_out = v->revision;
	*stale_out = !is_fresh(v) && (v->looker != NULL || may_look(v, false));
}

/* ---- asking ----------------------------------------------------------------- */

static void look(struct gw_version *v, struct gw_version_asker *a)
{
	static const struct timeval late = { .tv_sec = GW_VERSION_LOOK_UP_MS / 1000 };

	v->looker = a;
	a->state = GW_VERSION_LOOKS;
	(void)!event_add(v->ev_late, &late); /* without it: the worker's own limit, or its end */
	a->tell(a, v->revision, true);
}

static void tell_waiting(struct gw_version *v)
{
	struct gw_version_asker *a;

	while ((a = TAILQ_FIRST(&v->waiting)) != NULL) {
		TAILQ_REMOVE(&v->waiting, a, link);
		a->state = GW_VERSION_QUIET;
		a->tell(a, v->revision, false);
	}
}

/* As soon as the last look-up is long enough ago. */
static void look_soon(struct gw_version *v)
{
	uint64_t age = clock_ms() - v->looked_ms;
	uint64_t ms = age < GW_VERSION_REFUSED_MS ? GW_VERSION_REFUSED_MS - age : 0;
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		                    .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	/* without memory for the timer: too early is better than never */
	if (event_add(v->ev_next, &tv) < 0)
		event_active(v->ev_next, EV_TIMEOUT, 0);
}

void gw_version_ask(struct gw_version *v, struct gw_version_asker *a, uint32_t used)
{
	bool refused = used != 0;

	if (is_fresh(v) && v->revision != used) {
		a->tell(a, v->revision, false);
	} else if (v->looker == NULL && may_look(v, refused)) {
		look(v, a);
	} else if (v->looker != NULL || refused) {
		a->state = GW_VERSION_WAITS;
		TAILQ_INSERT_TAIL(&v->waiting, a, link);
		if (v->looker == NULL)
			look_soon(v);
	} else {
		a->tell(a, v->revision, false);
	}
}

static void looked(struct gw_version *v, bool failed)
{
	event_del(v->ev_late);
	v->looker->state = GW_VERSION_QUIET;
	v->looker = NULL;
	v->looked_ms = clock_ms();
	v->failed = failed;
}

int gw_version_found(struct gw_version *v, struct gw_version_asker *a, int rc, uint32_t revision)
{
	if (a->state != GW_VERSION_LOOKS)
		return WA_ESTATE;
	looked(v, rc < 0);
	if (rc < 0) {
		LOG(NULL, LOG_WARNING, "client_version_unknown", LF_ERR("err", rc));
	} else {
		if (revision != v->revision)
			LOG(NULL, LOG_NOTICE, "client_version", LF_INT("revision", revision),
			    LF_INT("before", v->revision));
		v->revision = revision;
		v->at_unix_ms = clock_unix_ms();
		file_write(v);
	}
	tell_waiting(v);
	return 0;
}

/* The next one in line looks. */
static void pass_on(struct gw_version *v)
{
	struct gw_version_asker *a = TAILQ_FIRST(&v->waiting);

	if (a == NULL)
		return;
	TAILQ_REMOVE(&v->waiting, a, link);
	look(v, a);
}

void gw_version_leave(struct gw_version *v, struct gw_version_asker *a)
{
	if (a->state == GW_VERSION_WAITS) {
		TAILQ_REMOVE(&v->waiting, a, link);
	} else if (a->state == GW_VERSION_LOOKS) {
		event_del(v->ev_late);
		v->looker = NULL;
		pass_on(v);
	}
	a->state = GW_VERSION_QUIET;
}

static void on_next(evutil_socket_t fd, short what, void *arg)
{
	struct gw_version *v = arg;

	(void)fd;
	(void)what;
	if (v->looker == NULL)
		pass_on(v);
}

/* Its answer, should it come, is refused: a worker has 5 s for this. */
static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct gw_version *v = arg;

	(void)fd;
	(void)what;
	if (v->looker == NULL)
		return;
	LOG(NULL, LOG_WARNING, "client_version_late");
	looked(v, true);
	tell_waiting(v);
}

int gw_version_new(struct event_base *base, const char *data_dir, struct gw_version **v_out)
{
	struct gw_version *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	v->data_dir = data_dir;
	TAILQ_INIT(&v->waiting);
	v->ev_late = evtimer_new(base, on_late, v);
	v->ev_next = evtimer_new(base, on_next, v);
	if (v->ev_late == NULL || v->ev_next == NULL) {
		gw_version_free(v);
		return -ENOMEM;
	}
	file_read(v);
	*v_out = v;
	return 0;
}

void gw_version_free(struct gw_version *v)
{
	if (v == NULL)
		return;
	if (v->ev_late != NULL)
		event_free(v->ev_late);
	if (v->ev_next != NULL)
		event_free(v->ev_next);
	free(v);
}
