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
#include <sys/prctl.h>
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

static void say_linked(int sock, const char *jid)
{
	Ipc__Account a = IPC__ACCOUNT__INIT;

	a.jid = (char *)(uintptr_t)jid;
	a.push_name = (char *)(uintptr_t) "Ana\n";
	say(sock, IPC_LINKED, &a.base);
}

static void say_online(int sock)
{
	Ipc__Account a = IPC__ACCOUNT__INIT;
	Ipc__Online online = IPC__ONLINE__INIT;

	a.jid = (char *)(uintptr_t) "5511999999999:7@s.whatsapp.net";
	online.account = &a;
	say(sock, IPC_ONLINE, &online.base);
}

static void say_steps(int sock, unsigned n)
{
	Ipc__Step step = IPC__STEP__INIT;

	step.has_name = true;
	step.name = IPC__STEP__NAME__TCP;
	while (n-- > 0)
		say(sock, IPC_STEP, &step.base);
}

/* What the gateway must have put into CONNECT. */
static void check_connect(const char *id, size_t n)
{
	ProtobufCMessage *m;
	Ipc__Connect *c;

	if (pb_unpack(&ipc__connect__descriptor, packet + IPC_HDR_LEN, n - IPC_HDR_LEN,
	              &pb_limits_small, &m) < 0)
		_exit(94);
	c = (Ipc__Connect *)m;
	if (c->instance_key.len != 32 || !c->has_key_epoch || c->key_epoch != 1)
		_exit(93);
	if (c->settings == NULL || !c->settings->disable_history_sync)
		_exit(92);
	if (c->has_mode && c->mode != IPC__CONNECT__MODE__LINK && !id_is(id, "saved"))
		_exit(91);
	if (id_is(id, "proxy") &&
	    (c->proxy == NULL || strcmp(c->proxy->password, "secret") != 0 || c->proxy->port != 1))
		_exit(90);
	if (!id_is(id, "proxy") && c->proxy != NULL)
		_exit(89);
	if (id_is(id, "number") && (c->number == NULL || strcmp(c->number, "5511911111111") != 0))
		_exit(88);
	pb_free(m);
}

/* A worker that talks to the gateway about more than one pairing. True: this one does. */
static bool on_connect_more(int sock, const char *id)
{
	Ipc__PairingCode code = IPC__PAIRING_CODE__INIT;
	Ipc__DialAsk dial = IPC__DIAL_ASK__INIT;
	Ipc__VersionAsk version = IPC__VERSION_ASK__INIT;

	if (id_is(id, "saved")) {
		say_online(sock);
	} else if (id_is(id, "link") || id_is(id, "jid")) {
		say_qr(sock);
		say_linked(sock, id_is(id, "jid") ? "55@evil" : "5511999999999:7@s.whatsapp.net");
		say(sock, IPC_DIAL_ASK, &dial.base);
	} else if (id_is(id, "twice")) { /* asks again without waiting for the answer */
		for (int i = 0; i < 100; i++)
			say(sock, IPC_DIAL_ASK, &dial.base);
	} else if (id_is(id, "number")) {
		code.code = (char *)(uintptr_t) "ABCD-EFGH";
		code.has_valid_ms = true;
		code.valid_ms = 60000;
		say(sock, IPC_PAIRING_CODE, &code.base);
	} else if (id_is(id, "vers")) {
		say(sock, IPC_VERSION_ASK, &version.base);
	} else if (id_is(id, "flood")) {
		say_steps(sock, 2000);
	} else if (id_is(id, "codes")) {
		for (int i = 0; i < 100; i++)
			say_qr(sock);
	} else {
		return false;
	}
	return true;
}

/* Sent out to find out about WhatsApp: the host of the proxy says what it does wrong. */
static ATTR_NORETURN void probe(int sock, size_t n)
{
	Ipc__ProbeDone done = IPC__PROBE_DONE__INIT;
	Ipc__Timing timing = IPC__TIMING__INIT;
	Ipc__Bye bye = IPC__BYE__INIT;
	ProtobufCMessage *m;
	Ipc__Connect *c;
	const char *host;

	if (pb_unpack(&ipc__connect__descriptor, packet + IPC_HDR_LEN, n - IPC_HDR_LEN,
	              &pb_limits_small, &m) < 0)
		_exit(94);
	c = (Ipc__Connect *)m;
	if (c->mode != IPC__CONNECT__MODE__PROBE || c->has_instance_key || c->number != NULL)
		_exit(93);
	host = c->proxy != NULL ? c->proxy->host : "";
	if (id_is(host, "mute"))
		wait_for_the_end();
	if (id_is(host, "die"))
		_exit(7);
	if (id_is(host, "code"))
		say_qr(sock);
	done.has_rc = true;
	done.rc = id_is(host, "number") ? 4711 : id_is(host, "refused") ? WA_EPROXY_AUTH : 0;
	done.detail = (char *)(uintptr_t)host;
	timing.has_tcp_us = timing.has_handshake_us = true;
	timing.tcp_us = 1000;
	timing.handshake_us = 2000;
	done.timing = &timing;
	done.has_server_unix_s = done.has_unix_s = true;
	done.server_unix_s = 100;
	done.unix_s = 101;
	say(sock, IPC_PROBE_DONE, &done.base);
	if (id_is(host, "stay")) /* it has answered, and does not leave */
		wait_for_the_end();
	say(sock, IPC_BYE, &bye.base);
	_exit(0);
}

static void on_version(int sock, size_t n)
{
	Ipc__VersionFound found = IPC__VERSION_FOUND__INIT;
	ProtobufCMessage *m;
	Ipc__VersionTell *tell;

	if (pb_unpack(&ipc__version_tell__descriptor, packet + IPC_HDR_LEN, n - IPC_HDR_LEN,
	              &pb_limits_small, &m) < 0)
		_exit(87);
	tell = (Ipc__VersionTell *)m;
	found.has_rc = found.has_revision = true;
	found.revision = 4711;
	if (tell->look_up)
		say(sock, IPC_VERSION_FOUND, &found.base);
	else if (tell->revision != 4711)
		_exit(86);
	pb_free(m);
	say_qr(sock);
}

static ATTR_NORETURN void on_logout(int sock)
{
	Ipc__LogoutDone done = IPC__LOGOUT_DONE__INIT;
	Ipc__Bye bye = IPC__BYE__INIT;

	done.has_rc = true;
	say(sock, IPC_LOGOUT_DONE, &done.base);
	say(sock, IPC_BYE, &bye.base);
	_exit(0);
}

static void on_connect(int sock, const char *id)
{
	Ipc__Qr bad = IPC__QR__INIT;

	if (on_connect_more(sock, id))
		return;
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
			if (id_is(id, "wardenprobe"))
				probe(sock, (size_t)n);
			check_connect(id, (size_t)n);
			on_connect(sock, id);
			break;
		case IPC_DIAL_GO:
			say_online(sock);
			break;
		case IPC_VERSION_TELL:
			on_version(sock, (size_t)n);
			break;
		case IPC_LOGOUT:
			on_logout(sock);
		case IPC_SETTINGS:
		case IPC_ROUTE:
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

/* Both are children of the test, which may be ended at any time. */
static void end_with_the_test(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
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
		end_with_the_test();
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
	end_with_the_test();
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
