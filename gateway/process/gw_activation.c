/* gateway/process/gw_activation.c - listening sockets that whoever started us hands over */
#include "gateway/process/gw_activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec.h"

#define FIRST_FD 3

/* ---- the environment ------------------------------------------------------------------------- */

static void forget_variables(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* Names are separated by colons; there may be fewer than descriptors. */
static void take_names(struct gw_activation *a, const char *names)
{
	for (size_t i = 0; i < a->n && names != NULL; i++) {
		size_t len = strcspn(names, ":");

		if (len < GW_ACTIVATION_NAME_CAP) {
			memcpy(a->sockets[i].name, names, len);
			a->sockets[i].name[len] = '\0';
		}
		names = names[len] == ':' ? names + len + 1 : NULL;
	}
}

static int take_descriptors(struct gw_activation *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int fd = FIRST_FD + (int)i;
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
			return -errno;
		a->sockets[i].fd = fd;
	}
	a->n = n;
	return 0;
}

int gw_activation_init(struct gw_activation *out)
{
	struct gw_activation a = { .n = 0 };
	const char *pid_text = getenv("LISTEN_PID"), *n_text = getenv("LISTEN_FDS");
	uint64_t pid, n;
	int rc = 0;

	out->n = 0;
	if (pid_text == NULL || n_text == NULL) {
		forget_variables();
		return 0;
	}
	if (dec_decode(pid_text, INT64_MAX, &pid) < 0 || dec_decode(n_text, INT64_MAX, &n) < 0)
		rc = -EINVAL;
	else if (pid != (uint64_t)getpid())
		n = 0; /* meant for another process */
	else if (n > GW_ACTIVATION_MAX)
		rc = -E2BIG;
	if (rc == 0)
		rc = take_descriptors(&a, (size_t)n);
	if (rc == 0) {
		take_names(&a, getenv("LISTEN_FDNAMES"));
		*out = a;
	}
	forget_variables();
	return rc;
}

/* ---- taking ---------------------------------------------------------------------------------- */

static bool has_name(const struct gw_activated *s, const char *name)
{
	return strcmp(s->name, name) == 0;
}

/* What systemd calls a socket whose unit doesn't say. */
static bool has_no_name(const struct gw_activated *s)
{
	size_t len = strlen(s->name);

	return len == 0 || has_name(s, "unknown") ||
	       (len > 7 && strcmp(s->name + len - 7, ".socket") == 0);
}

int gw_activation_take(struct gw_activation *a, const char *name)
{
	bool any = strcmp(name, GW_ACTIVATION_HTTP) == 0;

	for (size_t i = 0; i < a->n; i++) {
		struct gw_activated *s = &a->sockets[i];
		int fd = s->fd;

		if (fd < 0 || !(has_name(s, name) || (any && has_no_name(s))))
			continue;
		s->fd = -1;
		return fd;
	}
	return -1;
}

size_t gw_activation_clear(struct gw_activation *a)
{
	size_t left = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (a->sockets[i].fd < 0)
			continue;
		close(a->sockets[i].fd);
		a->sockets[i].fd = -1;
		left++;
	}
	a->n = 0;
	return left;
}
