/* worker/main.c - warden-worker: one instance's process, or the zygote that forks them */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/pb_guard.h"
#include "worker/events/wk_outbox.h"
#include "worker/net/wk_tls.h"
#include "worker/process/wk_fds.h"
#include "worker/process/wk_heap.h"
#include "worker/process/wk_sandbox.h"
#include "worker/process/wk_zygote.h"
#include "worker/store/wk_store.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wk.h"

struct options {
	bool zygote;
	const char *instance_id, *dir;
	int log_level;
	enum log_format log_format;
};

static const char usage[] =
    "usage: warden-worker --instance ID --dir DIR [--log-level WORD] [--log-format WORD]\n"
    "       warden-worker --zygote [PADDING]\n"
    "\n"
    "One WhatsApp session of the Warden gateway. Started by wardend, never by hand.\n"
    "\n"
    "  --instance ID       serve this instance; its listening control socket is descriptor 3\n"
    "  --dir DIR           the instance's data directory\n"
    "  --zygote            fork workers for the gateway at the socket that is descriptor 3;\n"
    "                      PADDING is room for their command lines\n"
    "  --log-level WORD    err, warning, notice, info (default) or debug\n"
    "  --log-format WORD   auto (default), text, json or journal\n"
    "  --help, --version\n"
    "\n"
    "exit status: 0 done, 1 failed, 2 wrong usage, 3 no gateway came,\n"
    "4 no sandbox\n";

enum parsed { PARSED_RUN, PARSED_DONE, PARSED_BAD };

static enum parsed bad(const char *what)
{
	(void)fprintf(stderr, "warden-worker: %s (see --help)\n", what);
	return PARSED_BAD;
}

static enum parsed check_options(const struct options *o, int extra)
{
	if (o->zygote && o->instance_id == NULL && o->dir == NULL)
		return extra <= 1 ? PARSED_RUN : bad("too many arguments");
	if (extra > 0)
		return bad("unexpected argument");
	if (o->zygote || o->instance_id == NULL || o->dir == NULL)
		return bad("either --zygote, or --instance and --dir");
	if (!wk_instance_id_valid(o->instance_id))
		return bad("--instance: not an instance id");
	return PARSED_RUN;
}

static enum parsed parse_options(int argc, char **argv, struct options *o)
{
	enum { ZYGOTE = 1, INSTANCE, DIR, LEVEL, FORMAT, HELP, VERSION };
	static const struct option table[] = {
		{ "zygote", no_argument, NULL, ZYGOTE },
		{ "instance", required_argument, NULL, INSTANCE },
		{ "dir", required_argument, NULL, DIR },
		{ "log-level", required_argument, NULL, LEVEL },
		{ "log-format", required_argument, NULL, FORMAT },
		{ "help", no_argument, NULL, HELP },
		{ "version", no_argument, NULL, VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case ZYGOTE:
			o->zygote = true;
			break;
		case INSTANCE:
			o->instance_id = optarg;
			break;
		case DIR:
			o->dir = optarg;
			break;
		case LEVEL:
			o->log_level = log_level_parse(optarg);
			if (o->log_level < 0)
				return bad("--log-level: not a level");
			break;
		case FORMAT:
			if (log_format_parse(optarg, &o->log_format) < 0)
				return bad("--log-format: not a format");
			break;
		case HELP:
			(void)fputs(usage, stdout);
			return PARSED_DONE;
		case VERSION:
			(void)puts("warden-worker " WARDEN_VERSION);
			return PARSED_DONE;
		default:
			return PARSED_BAD; /* getopt has said what is wrong */
		}
	}
	return check_options(o, argc - optind);
}

/*
 * A worker is small and there are many: it keeps no spare. But TLS takes and gives 34 KiB with each
 * record, so the heap's end moves only when there is more; what is left goes back when a session
 * goes quiet (wk_heap_give_back()).
 */
static void tune_memory(void)
{
	wk_heap_init();
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TOP_PAD, 16 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
	(void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}

/* What every worker needs; in the zygote, once for all of them. */
static int init_libraries(bool warm, struct wk_tls **tls_out)
{
	int rc;

	pb_check_version();
	rc = wk_store_init();
	if (rc < 0)
		return rc;
	rc = wk_tls_new(tls_out);
	if (rc == 0)
		rc = wa_keys_init();
	if (rc == 0 && warm && wk_tls_warm(*tls_out) < 0)
		LOG(NULL, LOG_WARNING, "tls_not_warm");
	return rc;
}

static int run_zygote(struct wk_title *title, const struct wk_tls *tls, const struct wk_sandbox *sb)
{
	struct wk_zygote z = {
		.sock = WK_ZYGOTE_FD,
		.title = *title,
		.tls = tls,
		.sandbox = sb,
		.speed = wk_test_speed(),
		.packet = malloc(IPC_HDR_LEN + IPC_BODY_MAX),
	};
	int status;

#ifdef WARDEN_TEST_HOOKS
	z.plain_fork = getenv("WARDEN_TEST_FORK") != NULL;
	wk_outbox_test_max();
#endif
	if (z.packet == NULL)
		return WK_EXIT_FAILED;
#ifndef WARDEN_SANITIZERS
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* who traces it has every worker to come */
#endif
	(void)clearenv();
	(void)signal(SIGINT, SIG_IGN); /* a terminal's keys are for the gateway */
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	wk_heap_share();
	status = wk_zygote_run(&z);
	free(z.packet);
	return status;
}

/* Whoever starts a worker must hand it a listening SOCK_SEQPACKET socket. */
static bool is_control_socket(int fd)
{
	int type = 0, listening = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

static int run_worker(const struct options *o, const struct wk_tls *tls,
                      const struct wk_sandbox *sb, uint64_t start_us)
{
	struct wk_params params = {
		.instance_id = o->instance_id,
		.dir = o->dir,
		.listen_fd = WK_CONTROL_FD,
		.tls = tls,
		.sandbox = sb,
		.start_us = start_us,
		.speed = wk_test_speed(),
	};

	if (!is_control_socket(WK_CONTROL_FD)) {
		LOG(NULL, LOG_ERR, "no_control_socket", LF_INT("fd", WK_CONTROL_FD));
		return WK_EXIT_FAILED;
	}
	params.log_tail_fd = wk_log_tail_start();
	params.memory_fd = wk_memory_open();
	return wk_run(&params);
}

int main(int argc, char **argv)
{
	struct options o = { .log_level = LOG_INFO, .log_format = LOG_FMT_AUTO };
	uint64_t start_us = clock_us();
	struct wk_sandbox *sandbox = NULL;
	struct wk_tls *tls = NULL;
	struct wk_title title;
	int status = WK_EXIT_FAILED;
	int rc;

	wk_title_init(&title, argc, argv); /* before getopt moves the arguments around */
	switch (parse_options(argc, argv, &o)) {
	case PARSED_RUN:
		break;
	case PARSED_DONE:
		return WK_EXIT_DONE;
	case PARSED_BAD:
		return WK_EXIT_USAGE;
	}
	wk_close_from(WK_CONTROL_FD + 1);
	tune_memory();
	log_init("warden-worker", o.log_level, o.log_format);
	if (!o.zygote) /* whose children have their own */
		log_open_journal();
	rc = init_libraries(o.zygote, &tls);
	if (rc == 0)
		rc = wk_sandbox_new(wk_sandbox_test_layers(), &sandbox);
	if (rc < 0) {
		LOG(NULL, LOG_ERR, "start", LF_ERR("err", rc));
		goto out;
	}
	status =
	    o.zygote ? run_zygote(&title, tls, sandbox) : run_worker(&o, tls, sandbox, start_us);
out:
	wk_sandbox_free(sandbox);
	wk_tls_free(tls);
	libevent_global_shutdown();
	return status;
}
