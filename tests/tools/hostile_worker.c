/*
 * tests/tools/hostile_worker.c - a worker in the hands of an attacker, for a gateway to adopt
 *
 *     warden-worker --instance ID KIND SOCKET [ARGUMENT]     (argv[0] is what makes it look like
 * one)
 *
 * It listens at SOCKET as the worker of instance ID does and, once a gateway has said HELLO to it,
 * does what KIND says. It goes on until it is killed: that is the gateway's part.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/ipc.h"
#include "common/log_tail.h"
#include "common/proc_stat.h"
#include "proto/ipc.pb-c.h"

#define LIFE_S 120 /* what a failed test leaves behind ends by itself */

static const char *argument = "";
static uint8_t packet[IPC_HDR_LEN + IPC_BODY_MAX];

static ATTR_NORETURN void wait_for_the_end(void)
{
	for (;;)
		pause();
}

static void say(int sock, enum ipc_type type, const ProtobufCMessage *body, int fd)
{
	if (ipc_send_packet(sock, type, 0, body, fd) < 0)
		wait_for_the_end(); /* the channel was closed: all that is left is to be killed */
}

/* A frame as it is, whatever it is. */
static void say_bytes(int sock, const void *bytes, size_t len)
{
	(void)!send(sock, bytes, len, MSG_NOSIGNAL);
	wait_for_the_end();
}

/* ---- first words ------------------------------------------------------------------------------
 */

static Ipc__HelloReply honest(void)
{
	Ipc__HelloReply r = IPC__HELLO_REPLY__INIT;

	r.has_pid = r.has_start_ticks = r.has_connected = r.has_linked = true;
	r.pid = (uint32_t)getpid();
	r.start_ticks = proc_start_ticks(0);
	r.connected = r.linked = true;
	return r;
}

static void reply(int sock, const Ipc__HelloReply *r)
{
	say(sock, IPC_HELLO_REPLY, &r->base, -1);
}

static void reply_honest(int sock)
{
	const Ipc__HelloReply r = honest();

	reply(sock, &r);
}

/* ---- what it says -----------------------------------------------------------------------------
 */

static void flood(int sock)
{
	Ipc__Step step = IPC__STEP__INIT;

	step.has_name = true;
	step.name = IPC__STEP__NAME__TCP;
	for (;;)
		say(sock, IPC_STEP, &step.base, -1);
}

static void empty_packets(int sock)
{
	for (;;)
		if (send(sock, "", 0, MSG_NOSIGNAL) < 0)
			wait_for_the_end();
}

static void garbage(int sock)
{
	memset(packet, 0xa5, sizeof(packet));
	say_bytes(sock, packet, 64);
}

static void short_header(int sock)
{
	say_bytes(sock, "\1\0\7\0", 4);
}

static void wrong_length(int sock)
{
	const struct ipc_header h = { .type = IPC_STEP, .body_len = 60 };

	ipc_header_encode(&h, packet);
	say_bytes(sock, packet, IPC_HDR_LEN + 2);
}

static void huge(int sock)
{
	const struct ipc_header h = { .type = IPC_STEP, .body_len = IPC_BODY_MAX };

	ipc_header_encode(&h, packet);
	say_bytes(sock, packet, sizeof(packet));
}

static void unknown_type(int sock)
{
	const struct ipc_header h = { .type = 999 };

	ipc_header_encode(&h, packet);
	say_bytes(sock, packet, IPC_HDR_LEN);
}

/* A type that only a gateway, or only a zygote, may send. */
static void gateways_type(int sock)
{
	const Ipc__Resume m = IPC__RESUME__INIT;

	say(sock, IPC_RESUME, &m.base, -1);
}

static void zygotes_type(int sock)
{
	Ipc__SpawnReply m = IPC__SPAWN_REPLY__INIT;

	m.has_pid = true;
	m.pid = 1;
	say(sock, IPC_SPAWN_REPLY, &m.base, -1);
}

static void fd_uncalled_for(int sock)
{
	const Ipc__Pong m = IPC__PONG__INIT;

	say(sock, IPC_PONG, &m.base, STDERR_FILENO);
}

static void code_out_of_turn(int sock)
{
	Ipc__Qr m = IPC__QR__INIT;

	m.code = (char *)(uintptr_t) "2@somebody,else,is,to,scan";
	m.has_valid_ms = true;
	m.valid_ms = 60000;
	say(sock, IPC_QR, &m.base, -1);
}

/* Online as somebody else: argument is whose device. */
static void others_jid(int sock)
{
	Ipc__Account a = IPC__ACCOUNT__INIT;
	Ipc__Online m = IPC__ONLINE__INIT;

	a.jid = (char *)(uintptr_t)argument;
	m.account = &a;
	say(sock, IPC_ONLINE, &m.base, -1);
}

static void hello_twice(int sock)
{
	reply_honest(sock);
}

static void log_tail_twice(int sock)
{
	const Ipc__LogTail m = IPC__LOG_TAIL__INIT;
	struct log_tail *t;
	int fd;

	if (log_tail_new(&t, &fd) < 0)
		exit(1);
	say(sock, IPC_LOG_TAIL, &m.base, fd);
	say(sock, IPC_LOG_TAIL, &m.base, fd);
}

/* ---- descriptors that are no log: read only when it has crashed, so it does
 * ----------------------
 */

static int fifo(void)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/fifo-%ld", argument, (long)getpid());
	if (mkfifo(path, 0600) < 0)
		return -1;
	return open(path, O_RDWR); /* who reads it waits for ever */
}

static int memory(off_t size, unsigned seals)
{
	int fd = memfd_create("warden-log", MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, size) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
		return -1;
	return fd;
}

static void tell_log_and_die(int sock, int fd)
{
	const Ipc__LogTail m = IPC__LOG_TAIL__INIT;

	if (fd < 0)
		exit(1);
	reply_honest(sock);
	say(sock, IPC_LOG_TAIL, &m.base, fd);
	(void)raise(SIGKILL);
}

/* ---- which kind -------------------------------------------------------------------------------
 */

static const struct {
	const char *kind;
	void (*act)(int sock);
} after_reply[] = {
	{ "flood", flood },
	{ "empty-packets", empty_packets },
	{ "garbage", garbage },
	{ "short-header", short_header },
	{ "wrong-length", wrong_length },
	{ "huge", huge },
	{ "unknown-type", unknown_type },
	{ "gateways-type", gateways_type },
	{ "zygotes-type", zygotes_type },
	{ "fd-uncalled-for", fd_uncalled_for },
	{ "code-out-of-turn", code_out_of_turn },
	{ "others-jid", others_jid },
	{ "hello-twice", hello_twice },
	{ "log-tail-twice", log_tail_twice },
};

/* Lies in HELLO_REPLY itself. */
static void lie(int sock, const char *kind)
{
	Ipc__HelloReply r = honest();

	if (strcmp(kind, "others-pid") == 0)
		r.pid = (uint32_t)strtoul(argument, NULL, 10);
	else if (strcmp(kind, "no-pid") == 0)
		r.has_pid = false;
	else if (strcmp(kind, "huge-pid") == 0)
		r.pid = UINT32_MAX;
	else if (strcmp(kind, "wrong-start") == 0)
		r.start_ticks++;
	else if (strcmp(kind, "bad-number") == 0)
		r.number = (char *)(uintptr_t) "55119\n0000";
	else if (strcmp(kind, "bad-days") == 0)
		r.has_history_days = true, r.history_days = 4000000000;
	else if (strcmp(kind, "bad-step") == 0)
		r.has_step = true, r.step = (Ipc__Step__Name)77;
	else
		exit(2);
	reply(sock, &r);
}

static void serve(int sock, const char *kind)
{
	if (strcmp(kind, "log-fifo") == 0)
		tell_log_and_die(sock, fifo());
	if (strcmp(kind, "log-zero") == 0)
		tell_log_and_die(sock, open("/dev/zero", O_RDONLY));
	if (strcmp(kind, "log-folder") == 0)
		tell_log_and_die(sock, open("/proc", O_RDONLY | O_DIRECTORY));
	if (strcmp(kind, "log-huge") == 0)
		tell_log_and_die(sock, memory((off_t)1 << 40, F_SEAL_SHRINK | F_SEAL_GROW));
	if (strcmp(kind, "log-unsealed") == 0)
		tell_log_and_die(sock, memory(LOG_TAIL_LEN + 16, 0));
	if (strcmp(kind, "deaf") == 0) {
		reply_honest(sock);
		wait_for_the_end(); /* and reads nothing any more */
	}
	if (strcmp(kind, "closes") == 0) {
		(void)close(sock);
		wait_for_the_end();
	}
	if (strcmp(kind, "mute") == 0)
		wait_for_the_end();
	for (size_t i = 0; i < ARRAY_LEN(after_reply); i++)
		if (strcmp(kind, after_reply[i].kind) == 0) {
			reply_honest(sock);
			after_reply[i].act(sock);
			wait_for_the_end();
		}
	lie(sock, kind);
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int sock, fd;

	if (argc < 5)
		return 2;
	(void)alarm(LIFE_S);
	argument = argc > 5 ? argv[5] : "";
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", argv[4]);
	(void)unlink(sa.sun_path);
	if (bind(listener, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(listener, 4) < 0)
		return 1;
	(void)printf("listens\n");
	(void)fflush(stdout);
	for (;;) {
		sock = accept(listener, NULL, NULL);
		if (sock >= 0 && ipc_recv_packet(sock, packet, sizeof(packet), &fd) > 0)
			serve(sock, argv[3]);
	}
}
