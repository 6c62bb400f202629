/* gateway/process/gw_notify.c - what systemd hears of this gateway: ready, alive, about to end */
#include "gateway/process/gw_notify.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/log.h"

#define STATUS_EVERY_US (5 * UINT64_C(1000000))
#define TEXT_CAP (GW_NOTIFY_STATUS_CAP + 128)

struct gw_notify {
	int fd; /* connected */
	struct event *tick;
	uint64_t tick_us;
	bool watched; /* systemd kills us when it hears nothing */
	gw_notify_status_cb *status;
	void *arg;
	uint64_t told_us;                /* monotonic, when the status was last asked for */
	char told[GW_NOTIFY_STATUS_CAP]; /* the status last told */
};

/* ---- saying it ------------------------------------------------------------------------------- */

/* Nothing waits for systemd: what its queue has no room for is lost, and comes again at a tick. */
static void say(struct gw_notify *n, const char *text)
{
	if (send(n->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		LOG(NULL, LOG_DEBUG, "notify_failed", LF_ERR("err", -errno));
}

static void put_status(struct gw_notify *n, char *text, size_t cap)
{
	char status[GW_NOTIFY_STATUS_CAP] = "";
	size_t len = strlen(text);

	n->told_us = clock_us();
	n->status(status, n->arg);
	if (strcmp(status, n->told) == 0)
		return;
	memcpy(n->told, status, sizeof(n->told));
	snprintf(text + len, cap - len, "STATUS=%s\n", status);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct gw_notify *n = arg;
	char text[TEXT_CAP] = "";

	(void)fd;
	(void)what;
	if (n->watched)
		strcpy(text, "WATCHDOG=1\n");
	if (clock_us() - n->told_us >= STATUS_EVERY_US)
		put_status(n, text, sizeof(text));
	if (text[0] != '\0')
		say(n, text);
}

void gw_notify_ready(struct gw_notify *n)
{
	char text[TEXT_CAP] = "READY=1\n";
	struct timeval every;

	if (n == NULL)
		return;
	put_status(n, text, sizeof(text));
	say(n, text);
	every = (struct timeval){ .tv_sec = (time_t)(n->tick_us / 1000000),
		                  .tv_usec = (suseconds_t)(n->tick_us % 1000000) };
	if (event_add(n->tick, &every) < 0)
		LOG(NULL, LOG_WARNING, "watchdog_not_fed", LF_ERR("err", -ENOMEM));
}

/* Type=notify-reload wants to know that this is the answer to its signal. */
void gw_notify_reloading(struct gw_notify *n)
{
	char text[TEXT_CAP];

	if (n == NULL)
		return;
	n->told[0] = '\0'; /* what comes next is news, whatever it is */
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Being replaced\n",
	         (unsigned long long)clock_us());
	say(n, text);
}

void gw_notify_stopping(struct gw_notify *n)
{
	if (n != NULL)
		say(n, "STOPPING=1\nSTATUS=Stopping\n");
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* "/path", or "@name" in the abstract namespace. A connected descriptor or -errno. */
static int dial(const char *where)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(where);
	int fd, rc;

	if ((where[0] != '/' && where[0] != '@') || len < 2 || len >= sizeof(sun.sun_path))
		return -EINVAL;
	memcpy(sun.sun_path, where, len);
	if (where[0] == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sun,
	            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* How often systemd wants to hear from us, in us; 0: it does not watch, or watches another. */
static uint64_t watchdog_us(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid_text = getenv("WATCHDOG_PID");
	uint64_t us = 0, pid = 0;

	if (usec == NULL || dec_decode(usec, INT64_MAX, &us) < 0)
		return 0;
	if (pid_text != NULL &&
	    (dec_decode(pid_text, INT64_MAX, &pid) < 0 || pid != (uint64_t)getpid()))
		return 0;
	return us;
}

int gw_notify_new(struct event_base *base, gw_notify_status_cb *status, void *arg,
                  struct gw_notify **out)
{
	const char *where = getenv("NOTIFY_SOCKET");
	struct gw_notify *n;
	uint64_t us = watchdog_us();
	int fd;

	*out = NULL;
	if (where == NULL || *where == '\0')
		return 0;
	fd = dial(where);
	if (fd < 0)
		return fd;
	n = calloc(1, sizeof(*n));
	if (n == NULL) {
		close(fd);
		return -ENOMEM;
	}
	n->fd = fd;
	n->status = status;
	n->arg = arg;
	n->watched = us > 0;
	/* three times as often as it must, so that one lost datagram is no death */
	n->tick_us = us > 0 && us / 3 < STATUS_EVERY_US ? us / 3 : STATUS_EVERY_US;
	n->tick = event_new(base, -1, EV_PERSIST, on_tick, n);
	if (n->tick == NULL) {
		gw_notify_free(n);
		return -ENOMEM;
	}
	*out = n;
	return 0;
}

void gw_notify_free(struct gw_notify *n)
{
	if (n == NULL)
		return;
	if (n->tick != NULL)
		event_free(n->tick);
	close(n->fd);
	free(n);
}
