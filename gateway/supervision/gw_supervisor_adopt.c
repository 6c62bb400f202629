/* gateway/supervision/gw_supervisor_adopt.c - workers that a gateway before this one has left: all
 * found, met and waited for, or told to leave */
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/metrics/gw_metrics.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/supervision/gw_supervisor_priv.h"
#include "gateway/supervision/gw_worker_priv.h"

/* "w-ID.sock" as ID; NULL: another name. out has GW_ID_LEN + 1 bytes. */
static const char *id_of_socket(const char *name, char *out)
{
	if (strlen(name) != GW_ID_LEN + 7 || strncmp(name, "w-", 2) != 0 ||
	    strcmp(name + 2 + GW_ID_LEN, ".sock") != 0)
		return NULL;
	memcpy(out, name + 2, GW_ID_LEN);
	out[GW_ID_LEN] = '\0';
	return out;
}

struct socket_id {
	char id[GW_ID_LEN + 1];
	bool known;
};

static int socket_id_cmp(const void *a, const void *b)
{
	return strcmp(((const struct socket_id *)a)->id, ((const struct socket_id *)b)->id);
}

/* All control sockets in run_dir, sorted; the caller frees. Without memory: those that fit. */
static struct socket_id *list_sockets(const struct gw_supervisor *sup, size_t *n_out)
{
	int fd = fcntl(sup->run_dir_fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct socket_id *all = NULL;
	size_t n = 0, cap = 0;
	struct dirent *e;

	if (dir == NULL && fd >= 0)
		close(fd);
	if (dir != NULL)
		rewinddir(dir);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		struct socket_id s = { .known = false };

		if (id_of_socket(e->d_name, s.id) == NULL)
			continue;
		if (n == cap) {
			size_t more = cap == 0 ? 64 : cap * 2;
			struct socket_id *grown = reallocarray(all, more, sizeof(*all));

			if (grown == NULL)
				break;
			all = grown;
			cap = more;
		}
		all[n++] = s;
	}
	if (dir != NULL)
		closedir(dir);
	if (n > 1)
		qsort(all, n, sizeof(*all), socket_id_cmp);
	*n_out = n;
	return all;
}

/* Nobody listens: the worker is gone, and what is wanted is started in its turn. */
static void adopt_one(struct gw_supervisor *sup, struct gw_instance *inst)
{
	const struct gw_attempt as = { .mode = GW_MODE_RESUME };
	struct gw_worker *w;
	int rc = gw_worker_new(sup, sup->gw, inst, &as, ++sup->last_spawn_id, &w);

	if (rc == 0) {
		rc = gw_worker_adopt(w);
		if (rc < 0 &&
		    rc != -ECONNREFUSED) /* memory may have come back; its session is worth it */
			rc = gw_worker_adopt(w);
		if (rc == 0)
			rc = gw_instance_adopt(inst, w);
		if (rc < 0)
			gw_worker_free(w);
	}
	if (rc == 0) {
		TAILQ_INSERT_TAIL(&sup->workers, w, in_all);
		sup->workers_n++;
		sup->adopt.waiting_n++;
		gw_metrics_worker_start(sup->gw->metrics, GW_START_ADOPTED);
	} else if (rc != -ECONNREFUSED) {
		LOG(gw_instance_log(inst), LOG_WARNING, "worker_not_adopted", LF_ERR("err", rc));
	}
}

static void dismiss(const struct gw_supervisor *sup, const char *id)
{
	char path[GW_WORKER_SOCK_CAP];

	if (snprintf(path, sizeof(path), "%s/w-%s.sock", sup->gw->cfg.run_dir, id) >=
	    (int)sizeof(path))
		return;
	LOG(NULL, LOG_NOTICE, "worker_dismissed", LF_STR("instance", id),
	    LF_STR("why", "there is no such instance"));
	gw_worker_dismiss(path, id);
}

static void adopt_over(struct gw_supervisor *sup)
{
	void (*on_done)(void *) = sup->adopt.on_done;

	if (on_done == NULL)
		return;
	sup->adopt.on_done = NULL;
	(void)event_del(sup->adopt.ev);
	LOG(NULL, LOG_NOTICE, "workers_adopted",
	    LF_INT("workers", sup->workers_n - sup->adopt.waiting_n),
	    LF_INT("silent", sup->adopt.waiting_n));
	on_done(sup->adopt.arg);
}

void gw_supervisor_on_adopt_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	adopt_over(arg);
}

/* From the loop, always: the last word of a worker may have been its end. */
void gw_supervisor_settled(struct gw_supervisor *sup)
{
	if (--sup->adopt.waiting_n == 0 && sup->adopt.on_done != NULL)
		event_active(sup->adopt.ev, EV_TIMEOUT, 0);
}

void gw_supervisor_adopt(struct gw_supervisor *sup, uint32_t at_most_ms, void (*on_done)(void *arg),
                         void *arg)
{
	const struct timeval tv = { .tv_sec = (time_t)(at_most_ms / 1000),
		                    .tv_usec = (suseconds_t)(at_most_ms % 1000 * 1000) };
	struct gw_instance *inst = NULL;
	size_t n;
	struct socket_id *all = list_sockets(sup, &n);

	sup->adopt.on_done = on_done;
	sup->adopt.arg = arg;
	while (n > 0 && sup->gw->registry != NULL &&
	       (inst = gw_registry_next_any(sup->gw->registry, inst)) != NULL) {
		struct socket_id key = { .known = false }, *found;

		snprintf(key.id, sizeof(key.id), "%s", gw_instance_id(inst));
		found = bsearch(&key, all, n, sizeof(*all), socket_id_cmp);
		if (found == NULL)
			continue;
		found->known = true;
		adopt_one(sup, inst);
	}
	for (size_t i = 0; i < n; i++)
		if (!all[i].known)
			dismiss(sup, all[i].id);
	free(all);
	if (sup->adopt.waiting_n == 0 || event_add(sup->adopt.ev, &tv) < 0)
		event_active(sup->adopt.ev, EV_TIMEOUT, 0);
}
