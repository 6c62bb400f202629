/* tests/unit/test_ipc_chan.c - two ends of a channel on one loop */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"
#include "proto/ipc.pb-c.h"

struct end {
	struct ipc_chan *chan;
	unsigned msgs_n;
	enum ipc_type last_type;
	uint32_t last_req_id;
	char text[64];
	int fd;
	bool closed;
	int close_rc;
	int answer_rc;
	bool free_on_msg;
};

struct pair {
	struct event_base *base;
	struct end gateway, worker;
	int raw; /* the worker's socket while it has no channel; -1 otherwise */
};

static int on_msg(struct ipc_chan *c, struct ipc_msg *m, void *arg)
{
	struct end *e = arg;

	e->msgs_n++;
	e->last_type = m->type;
	e->last_req_id = m->req_id;
	if (m->type == IPC_QR)
		snprintf(e->text, sizeof(e->text), "%s", ((Ipc__Qr *)m->body)->code);
	if (m->fd >= 0) {
		e->fd = m->fd;
		m->fd = -1;
	}
	if (e->free_on_msg) {
		ipc_chan_free(c);
		e->chan = NULL;
	}
	return e->answer_rc;
}

static void on_close(struct ipc_chan *c, int rc, void *arg)
{
	struct end *e = arg;

	e->closed = true;
	e->close_rc = rc;
	ipc_chan_free(c);
	e->chan = NULL;
}

static const struct ipc_chan_ops ops = { on_msg, on_close };

static void pair_open(struct pair *p, bool worker_chan)
{
	int fds[2];

	memset(p, 0, sizeof(*p));
	p->gateway.fd = p->worker.fd = p->raw = -1;
	p->base = event_base_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(ipc_chan_new(p->base, fds[0], IPC_FROM_WORKER | IPC_FROM_ZYGOTE, &ops,
	                              &p->gateway, &p->gateway.chan),
	                 0);
	if (worker_chan)
		assert_int_equal(ipc_chan_new(p->base, fds[1], IPC_FROM_GATEWAY, &ops, &p->worker,
		                              &p->worker.chan),
		                 0);
	else
		p->raw = fds[1];
}

static void pair_run(struct pair *p)
{
	for (int i = 0; i < 100; i++)
		event_base_loop(p->base, EVLOOP_NONBLOCK);
}

static void pair_close(struct pair *p)
{
	ipc_chan_free(p->gateway.chan);
	ipc_chan_free(p->worker.chan);
	if (p->raw >= 0)
		close(p->raw);
	event_base_free(p->base);
}

static void send_qr(struct ipc_chan *c, uint32_t req_id, const char *code)
{
	Ipc__Qr qr = IPC__QR__INIT;

	qr.code = (char *)(uintptr_t)code;
	assert_int_equal(ipc_chan_send(c, IPC_QR, req_id, &qr.base, -1), 0);
}

static void test_message_arrives_with_its_request_id(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, true);
	send_qr(p.worker.chan, 42, "2@x");
	pair_run(&p);
	assert_int_equal(p.gateway.msgs_n, 1);
	assert_int_equal(p.gateway.last_type, IPC_QR);
	assert_int_equal(p.gateway.last_req_id, 42);
	assert_string_equal(p.gateway.text, "2@x");
	pair_close(&p);
}

static void test_descriptor_travels(void **state)
{
	Ipc__Spawn spawn = IPC__SPAWN__INIT;
	int pipe_fds[2];
	struct pair p;
	char c;

	(void)state;
	pair_open(&p, true);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(ipc_chan_send(p.gateway.chan, IPC_SPAWN, 1, &spawn.base, pipe_fds[1]), 0);
	close(pipe_fds[1]);
	pair_run(&p);
	assert_true(p.worker.fd >= 0);
	assert_int_equal(write(p.worker.fd, "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], &c, 1), 1);
	close(p.worker.fd);
	close(pipe_fds[0]);
	pair_close(&p);
}

static void test_closed_peer_is_told_once_after_its_last_words(void **state)
{
	Ipc__Ping ping = IPC__PING__INIT;
	struct pair p;

	(void)state;
	pair_open(&p, true);
	/* unread mail at the worker's end makes the kernel say "reset" before its last words */
	assert_int_equal(ipc_chan_send(p.gateway.chan, IPC_PING, 1, &ping.base, -1), 0);
	send_qr(p.worker.chan, 1, "last");
	ipc_chan_free(p.worker.chan);
	p.worker.chan = NULL;
	(void)!ipc_chan_send(p.gateway.chan, IPC_PING, 2, &ping.base, -1);
	pair_run(&p);
	assert_int_equal(p.gateway.msgs_n, 1);
	assert_string_equal(p.gateway.text, "last");
	assert_true(p.gateway.closed);
	assert_int_equal(p.gateway.close_rc, 0);
	pair_close(&p);
}

static void test_malformed_packet_closes_the_channel(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, false);
	assert_int_equal(write(p.raw, "garbage that is no frame", 24), 24);
	pair_run(&p);
	assert_true(p.gateway.closed);
	assert_int_equal(p.gateway.close_rc, WA_EPROTO);
	assert_int_equal(p.gateway.msgs_n, 0);
	pair_close(&p);
}

static void test_body_that_is_no_protobuf_closes_the_channel(void **state)
{
	const struct ipc_header h = { .type = IPC_QR, .req_id = 1, .body_len = 2 };
	uint8_t packet[IPC_HDR_LEN + 2] = { 0 };
	struct pair p;

	(void)state;
	pair_open(&p, false);
	ipc_header_encode(&h, packet);
	packet[IPC_HDR_LEN] = 0x0a;     /* field 1, length-delimited ... */
	packet[IPC_HDR_LEN + 1] = 0x7f; /* ... 127 bytes that aren't there */
	assert_int_equal(write(p.raw, packet, sizeof(packet)), sizeof(packet));
	pair_run(&p);
	assert_true(p.gateway.closed);
	assert_int_equal(p.gateway.close_rc, WA_ETRUNC);
	pair_close(&p);
}

/* It looks like the end of the channel; the descriptor must not be forgotten over that. */
static void test_empty_packet_with_a_descriptor_leaks_none(void **state)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr mh = { .msg_control = control.bytes,
		             .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	int pipe_fds[2];
	struct pair p;
	char byte;

	(void)state;
	pair_open(&p, false);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &pipe_fds[1], sizeof(int));
	assert_int_equal(sendmsg(p.raw, &mh, 0), 0);
	close(pipe_fds[1]);
	pair_run(&p);
	assert_true(p.gateway.closed);
	assert_int_equal(p.gateway.close_rc, WA_EPROTO);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0); /* the end: nobody holds the other side */
	close(pipe_fds[0]);
	pair_close(&p);
}

static void test_peer_that_never_reads_hits_the_queue_limit(void **state)
{
	Ipc__Connect connect = IPC__CONNECT__INIT;
	char big[4000];
	struct pair p;
	int rc = 0;
	int i;

	(void)state;
	pair_open(&p, false);
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	connect.wa_url = big;
	for (i = 0; i < 2000 && rc == 0; i++)
		rc = ipc_chan_send(p.gateway.chan, IPC_CONNECT, 1, &connect.base, -1);
	assert_int_equal(rc, WA_ELIMIT);
	assert_true(i > 200); /* the queue is ours: far more than the kernel holds */
	pair_run(&p);
	assert_true(p.gateway.closed);
	assert_int_equal(p.gateway.close_rc, WA_ELIMIT);
	pair_close(&p);
}

static void test_queued_messages_leave_in_order_when_the_peer_reads(void **state)
{
	struct pair p;
	char code[16];

	(void)state;
	pair_open(&p, true);
	for (int i = 0; i < 1000; i++) {
		snprintf(code, sizeof(code), "code-%d", i);
		send_qr(p.worker.chan, (uint32_t)i, code);
	}
	pair_run(&p);
	assert_int_equal(p.gateway.msgs_n, 1000);
	assert_string_equal(p.gateway.text, "code-999");
	pair_close(&p);
}

static void test_channel_may_be_freed_inside_its_callback(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, true);
	p.gateway.free_on_msg = true;
	send_qr(p.worker.chan, 1, "a");
	send_qr(p.worker.chan, 2, "b");
	pair_run(&p);
	assert_int_equal(p.gateway.msgs_n, 1);
	assert_false(p.gateway.closed);
	pair_close(&p);
}

static void test_handler_failure_closes_with_its_code(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, true);
	p.gateway.answer_rc = WA_ESTATE;
	send_qr(p.worker.chan, 1, "a");
	pair_run(&p);
	assert_true(p.gateway.closed);
	assert_int_equal(p.gateway.close_rc, WA_ESTATE);
	pair_close(&p);
}

static void test_sender_refuses_what_the_receiver_would(void **state)
{
	Ipc__Qr qr = IPC__QR__INIT;
	char big[4096];
	struct pair p;

	(void)state;
	pair_open(&p, true);
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	qr.code = big;
	assert_int_equal(ipc_chan_send(p.worker.chan, IPC_QR, 1, &qr.base, -1), WA_ELIMIT);
	assert_int_equal(ipc_chan_send(p.worker.chan, IPC_STEP, 1, &qr.base, -1), WA_EPROTO);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_arrives_with_its_request_id),
		cmocka_unit_test(test_descriptor_travels),
		cmocka_unit_test(test_closed_peer_is_told_once_after_its_last_words),
		cmocka_unit_test(test_malformed_packet_closes_the_channel),
		cmocka_unit_test(test_body_that_is_no_protobuf_closes_the_channel),
		cmocka_unit_test(test_empty_packet_with_a_descriptor_leaks_none),
		cmocka_unit_test(test_peer_that_never_reads_hits_the_queue_limit),
		cmocka_unit_test(test_queued_messages_leave_in_order_when_the_peer_reads),
		cmocka_unit_test(test_channel_may_be_freed_inside_its_callback),
		cmocka_unit_test(test_handler_failure_closes_with_its_code),
		cmocka_unit_test(test_sender_refuses_what_the_receiver_would),
	};

	return cmocka_run_group_tests_name("ipc_chan", tests, NULL, NULL);
}
