/*
 * tests/unit/gw_fake_worker.c - a warden-worker that behaves as its instance's id says
 *
 * Run as the gateway runs the real one: a zygote on descriptor 3 that forks workers. The first
 * letters of an instance id choose what its worker does wrong.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/pb_guard.h"
#include "proto/ipc.pb-c.h"

#define ZYGOTE_FD 3
#define LIFE_S 60 /* what a failed test leaves behind ends by itself */

static uint8_t packet[IPC_HDR_LEN + IPC_BODY_MAX];

static bool id_is(const char *id, const char *prefix)
{
	return strncmp(id, prefix, strlen(prefix)) == 0;
}

static unsigned type_of(void)
{
	return (unsigned)(packet[2] | packet[3] << 8);
}

static uint32_t req_id_of(void)
{
	return (uint32_t)packet[4] | (uint32_t)packet[5] << 8 | (uint32_t)packet[6] << 16 |
	       (uint32_t)packet[7] << 24;
}

static ATTR_NORETURN void wait_for_the_end(void)
{
	for (;;)
		pause();
}

/* ---- the worker ------------------------------------------------------------- */

static void say(int sock, enum ipc_type type, const ProtobufCMessage *body)
{
	if (ipc_send_packet(sock, type, 0, body, -1) < 0)
		_exit(99);
}

static void say_qr(int sock)
{
	Ipc__Step step = IPC__STEP__INIT;
	Ipc__Qr qr = IPC__QR__INIT;

	step.has_name = true;
	step.name = IPC__STEP__NAME__PAIRING;
	say(sock, IPC_STEP, &step.base);
	qr.code = (char *)(uintptr_t) "2@ref,a,b,c,d";
	qr.has_valid_ms = true;
	qr.valid_ms = 60000;
	say(sock, IPC_QR, &qr.base);
}

static void say_failed(int sock)
{
	Ipc__Failed failed = IPC__FAILED__INIT;
	Ipc__Bye bye = IPC__BYE__INIT;

	failed.has_rc = true;
	failed.rc = WA_ENETWORK;
	failed.detail = (char *)(uintptr_t) "refused\nby \xff";
	say(sock, IPC_FAILED, &failed.base);
	say(sock, IPC_BYE, &bye.base);
}

static void on_connect(int sock, const char *id)
{
	Ipc__Qr bad = IPC__QR__INIT;

	if (id_is(id, "fail")) {
		say_failed(sock);
		_exit(0);
	}
	if (id_is(id, "bad")) {
		(void)!write(sock, "this is no frame", 16);
		wait_for_the_end();
	}
	if (id_is(id, "empty")) { /* a frame that is sound, with a code that is not */
		say(sock, IPC_QR, &bad.base);
		wait_for_the_end();
	}
	say_qr(sock);
	if (id_is(id, "die"))
		_exit(7);
	if (id_is(id, "segv"))
		raise(SIGKILL);
	if (id_is(id, "hang"))
		wait_for_the_end();
}

static void on_hello(int sock, const char *id)
{
	Ipc__HelloReply reply = IPC__HELLO_REPLY__INIT;

	if (id_is(id, "mute"))
		wait_for_the_end();
	if (id_is(id, "turn"))
		say_qr(sock);
	reply.has_pid = true;
	reply.pid = (uint32_t)getpid();
	say(sock, IPC_HELLO_REPLY, &reply.base);
}

static ATTR_NORETURN void on_stop(int sock, const char *id)
{
	Ipc__Bye bye = IPC__BYE__INIT;

	if (id_is(id, "deaf"))
		wait_for_the_end();
	say(sock, IPC_BYE, &bye.base);
	_exit(0);
}

static ATTR_NORETURN void worker(const char *id, int listen_fd)
{
	Ipc__Pong pong = IPC__PONG__INIT;
	struct pollfd p = { .fd = listen_fd, .events = POLLIN };
	int sock, fd, n;

	alarm(LIFE_S);
	if (id_is(id, "early"))
		_exit(5);
	(void)poll(&p, 1, -1);
	sock = accept(listen_fd, NULL, NULL);
	while ((n = ipc_recv_packet(sock, packet, sizeof(packet), &fd)) > 0) {
		switch (type_of()) {
		case IPC_HELLO:
			on_hello(sock, id);
			break;
		case IPC_CONNECT:
			on_connect(sock, id);
			break;
		case IPC_PING:
			if (ipc_send_packet(sock, IPC_PONG, req_id_of(), &pong.base, -1) < 0)
				_exit(98);
			break;
		case IPC_STOP:
			on_stop(sock, id);
		default:
			_exit(97);
		}
	}
	_exit(96);
}

/* ---- the zygote ------------------------------------------------------------- */

static void answer(uint32_t req_id, int rc, int pid, int pidfd)
{
	Ipc__SpawnReply reply = IPC__SPAWN_REPLY__INIT;

	reply.has_rc = true;
	reply.rc = rc;
	reply.has_pid = rc == 0;
	reply.pid = (uint32_t)pid;
	if (ipc_send_packet(ZYGOTE_FD, IPC_SPAWN_REPLY, req_id, &reply.base, pidfd) < 0)
		_exit(95);
}

/* As the real zygote: the worker is the gateway's child. */
static void spawn(const char *id, uint32_t req_id, int listen_fd)
{
	int pidfd = -1;
	long pid;

	if (id_is(id, "zdie"))
		_exit(1);
	if (id_is(id, "zhang"))
		wait_for_the_end();
	if (id_is(id, "nofork")) {
		answer(req_id, -EAGAIN, 0, -1);
		return;
	}
	pid = syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD, NULL, &pidfd, NULL, NULL);
	if (pid == 0) {
		close(ZYGOTE_FD);
		worker(id, listen_fd);
	}
	if (pid < 0)
		answer(req_id, -errno, 0, -1);
	else
		answer(req_id, 0, (int)pid, pidfd);
	close(pidfd);
}

int main(int argc, char **argv)
{
	int listen_fd, n;

	if (argc < 2 || strcmp(argv[1], "--zygote") != 0)
		return 2;
	if (getenv("HOME") != NULL || getenv("PATH") != NULL)
		return 3; /* the environment is not the gateway's */
	while ((n = ipc_recv_packet(ZYGOTE_FD, packet, sizeof(packet), &listen_fd)) > 0) {
		ProtobufCMessage *m;

		if (type_of() != IPC_SPAWN ||
		    pb_unpack(&ipc__spawn__descriptor, packet + IPC_HDR_LEN,
		              (size_t)n - IPC_HDR_LEN, &pb_limits_small, &m) < 0)
			return 4;
		spawn(((Ipc__Spawn *)m)->instance_id, req_id_of(), listen_fd);
		pb_free(m);
		close(listen_fd);
	}
	return 0;
}
