/* gateway/gw_worker_info.c - what a worker costs, for `wardenctl worker list` */
#include "gateway/gw_worker.h"

#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "gateway/gw_runner.h"
#include "gateway/gw_worker_priv.h"

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

static void read_shares(pid_t pid, struct gw_worker_memory *mem)
{
	char line[128];
	FILE *f;
	long kib;

	snprintf(line, sizeof(line), "/proc/%ld/smaps_rollup", (long)pid);
	f = fopen(line, "re");
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "Pss: %ld kB", &kib) == 1)
			mem->pss_kib = kib;
		else if (sscanf(line, "Private_Clean: %ld kB", &kib) == 1 ||
		         sscanf(line, "Private_Dirty: %ld kB", &kib) == 1)
			mem->private_kib = (mem->private_kib < 0 ? 0 : mem->private_kib) + kib;
	}
	fclose(f);
}

void gw_worker_memory(pid_t pid, struct gw_worker_memory *mem_out)
{
	*mem_out = (struct gw_worker_memory){ .pss_kib = -1, .rss_kib = -1, .private_kib = -1 };
	read_resident(pid, mem_out);
	read_shares(pid, mem_out);
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

void gw_worker_info(const struct gw_worker *w, struct gw_worker_info *info_out)
{
	struct gw_worker_memory mem = { .pss_kib = -1, .rss_kib = -1, .private_kib = -1 };

	if (w->proc == GW_P_RUNS)
		gw_worker_memory(w->pid, &mem);
	*info_out = (struct gw_worker_info){
		.pid = w->pid,
		.inst = w->inst,
		.outdated = gw_worker_is_outdated(w),
		.state = gw_worker_phase_name(w->phase),
		.uptime_ms = (clock_us() - w->born_us) / 1000,
		.pss_kib = mem.pss_kib,
		.rss_kib = mem.rss_kib,
		.private_kib = mem.private_kib,
	};
}
