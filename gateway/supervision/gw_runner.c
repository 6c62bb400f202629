/* gateway/supervision/gw_runner.c - the runner that the settings name */
#include "gateway/supervision/gw_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"

struct gw_runner {
	const struct gw_runner_class *class;
	void *self;
};

static const struct gw_runner_class *const classes[] = {
	[GW_RUNNER_ZYGOTE] = &gw_runner_zygote,
	[GW_RUNNER_EXEC] = &gw_runner_exec,
#ifdef HAVE_LIBSYSTEMD
	[GW_RUNNER_SYSTEMD] = &gw_runner_systemd,
#else
	[GW_RUNNER_SYSTEMD] = NULL,
#endif
};

int gw_runner_new(struct gw *gw, const struct gw_runner_ops *ops, void *arg,
                  struct gw_runner **runner_out)
{
	const struct gw_runner_class *class = classes[gw->cfg.worker_runner];
	struct gw_runner *r;
	int rc;

	if (class == NULL) {
		LOG(NULL, LOG_ERR, "worker_runner_missing",
		    LF_STR("why", "this build has no systemd runner"));
		return -ENOSYS;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	r->class = class;
	rc = class->open(gw, ops, arg, &r->self);
	if (rc < 0) {
		free(r);
		return rc;
	}
	*runner_out = r;
	return 0;
}

void gw_runner_free(struct gw_runner *r)
{
	if (r == NULL)
		return;
	r->class->close(r->self);
	free(r);
}

int gw_runner_start(struct gw_runner *r, const struct gw_runner_request *req)
{
	return r->class->start(r->self, req);
}

bool gw_runner_is_up(const struct gw_runner *r)
{
	return r->class->is_up(r->self);
}

bool gw_runner_is_ok(const struct gw_runner *r)
{
	return r->class->is_ok(r->self);
}

void gw_runner_unstick(struct gw_runner *r)
{
	if (r->class->unstick != NULL)
		r->class->unstick(r->self);
}

bool gw_runner_makes_sockets(const struct gw_runner *r)
{
	return r->class->makes_sockets;
}

bool gw_runner_outlives(const struct gw_runner *r)
{
	return r->class->outlives;
}

int gw_runner_kill(struct gw_runner *r, const char *instance_id)
{
	return r->class->kill != NULL ? r->class->kill(r->self, instance_id) : -ENOSYS;
}

void gw_runner_release(struct gw_runner *r, const char *instance_id)
{
	if (r->class->release != NULL)
		r->class->release(r->self, instance_id);
}

uint64_t gw_runner_binary(const struct gw_runner *r)
{
	return r->class->binary != NULL ? r->class->binary(r->self) : 0;
}

int gw_runner_open_binary(const struct gw *gw)
{
	const char *path = gw->cfg.worker_path;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EACCES;
	else if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	LOG(NULL, LOG_ERR, "worker_path_unusable", LF_STR("worker_path", path), LF_ERR("err", rc));
	if (fd >= 0)
		close(fd);
	return rc;
}
