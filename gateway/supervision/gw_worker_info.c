/* gateway/supervision/gw_worker_info.c - what a worker costs, for `wardenctl worker list` */
#include "gateway/supervision/gw_worker.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "common/clock.h"
#include "gateway/supervision/gw_runner.h"
#include "gateway/supervision/gw_worker_priv.h"

#define ROLLUP_CAP 2048
#define GOOD_FOR_MS 5000

static void read_resident(pid_t pid, struct gw_worker_memory *mem)
{
	char path[64];
	long pages;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fscanf(f, "%*d %ld", &pages) == 1)
		mem->rss_kib = (int64_t)pages * (sysconf(_SC_PAGESIZE) / 1024);
	fclose(f);
}

/* One that it opened itself; what else a worker may have sent must not make us wait for it. */
static size_t read_rollup(int fd, char *out, size_t cap)
{
	struct statfs fs;
	ssize_t n = 0;

	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
		n = pread(fd, out, cap - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void read_shares(int fd, struct gw_worker_memory *mem)
{
	char text[ROLLUP_CAP], *save = NULL;
	long kib;

	if (read_rollup(fd, text, sizeof(text)) == 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "Rss: %ld kB", &kib) == 1)
			mem->rss_kib = kib;
		else if (sscanf(line, "Pss: %ld kB", &kib) == 1)
			mem->pss_kib = kib;
		else if (sscanf(line, "Private_Clean: %ld kB", &kib) == 1 ||
		         sscanf(line, "Private_Dirty: %ld kB", &kib) == 1)
			mem->private_kib = (mem->private_kib < 0 ? 0 : mem->private_kib) + kib;
	}
}

static void read_memory(const struct gw_worker *w, struct gw_worker_memory *mem)
{
	*mem = (struct gw_worker_memory){ .pss_kib = -1, .rss_kib = -1, .private_kib = -1 };
	if (w->proc != GW_P_RUNS)
		return;
	read_shares(w->memory_fd, mem);
	if (mem->rss_kib < 0)
		read_resident(w->pid, mem);
}

void gw_worker_memory(struct gw_worker *w, uint32_t max_age_ms, struct gw_worker_memory *out)
{
	uint64_t now_ms = clock_ms();

	if (w->memory_ms == 0 || now_ms - w->memory_ms >= max_age_ms) {
		read_memory(w, out);
		if (out->rss_kib < 0)
			return;
		w->memory = *out;
		w->memory_ms = now_ms;
	}
	*out = w->memory;
}

int64_t gw_worker_memory_bytes(struct gw_worker *w, bool look)
{
	struct gw_worker_memory mem;

	if (!look && w->memory_ms == 0)
		return -1;
	gw_worker_memory(w, look ? GOOD_FOR_MS : UINT32_MAX, &mem);
	if (mem.rss_kib < 0)
		return -1;
	return (mem.pss_kib >= 0 ? mem.pss_kib : mem.rss_kib) * 1024;
}

pid_t gw_worker_pid(const struct gw_worker *w)
{
	return w->proc == GW_P_RUNS ? w->pid : 0;
}

bool gw_worker_is_outdated(const struct gw_worker *w)
{
	uint64_t newest = gw_runner_binary(gw_supervisor_runner(w->sup));

	return w->phase == GW_W_READY && newest != 0 && w->binary != newest;
}

struct gw_instance *gw_worker_instance(const struct gw_worker *w)
{
	return w->inst;
}

void gw_worker_info(struct gw_worker *w, struct gw_worker_info *info_out)
{
	*info_out = (struct gw_worker_info){
		.pid = w->pid,
		.inst = w->inst,
		.outdated = gw_worker_is_outdated(w),
		.state = gw_worker_phase_name(w->phase),
		.uptime_ms = (clock_us() - w->born_us) / 1000,
	};
	gw_worker_memory(w, 0, &info_out->memory);
}
