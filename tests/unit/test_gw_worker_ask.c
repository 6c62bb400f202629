/* tests/unit/test_gw_worker_ask.c - questions to a worker, and answers of every kind to them */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/ipc_memfd.h"
#include "gateway/gw.h"
#include "gateway/supervision/gw_worker_ask.h"
#include "gateway/supervision/gw_worker_priv.h"
#include "proto/ipc.pb-c.h"

struct fixture {
	struct gw gw;
	struct gw_worker w;
	struct gw_instance inst;
	int peer;    /* the worker's end */
	int chan_rc; /* what gw_worker_on_answer() said last */
	unsigned answers;
	struct gw_ask_result r;
	char data[4096], text[256];
};

static int on_msg(struct ipc_chan *c, struct ipc_msg *m, void *arg)
{
	struct fixture *f = arg;

	(void)c;
	f->chan_rc = gw_worker_on_answer(&f->w, m);
	return 0;
}

static void on_close(struct ipc_chan *c, int rc, void *arg)
{
	(void)c;
	(void)rc;
	(void)arg;
}

static int setup(void **state)
{
	static const struct ipc_chan_ops ops = { .on_msg = on_msg, .on_close = on_close };
	struct fixture *f = calloc(1, sizeof(*f));
	int sv[2];

	f->gw.base = event_base_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	f->peer = sv[1];
	assert_int_equal(ipc_chan_new(f->gw.base, sv[0], IPC_FROM_WORKER, &ops, f, &f->w.chan), 0);
	f->w.gw = &f->gw;
	f->w.phase = GW_W_READY;
	TAILQ_INIT(&f->w.asks);
	f->inst.worker = &f->w;
	*state = f;
	return 0;
}

/* Nobody is called from inside the call. */
static void fail_all(struct fixture *f, int rc, const char *detail)
{
	unsigned before = f->answers;

	gw_worker_asks_fail(&f->w, rc, detail);
	assert_int_equal(f->answers, before);
	assert_int_equal(f->w.asks_n, 0);
	event_base_loop(f->gw.base, EVLOOP_NONBLOCK);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fail_all(f, WA_ESHUTTING_DOWN, NULL);
	ipc_chan_free(f->w.chan);
	close(f->peer);
	event_base_free(f->gw.base);
	free(f);
	return 0;
}

static void on_answer(const struct gw_ask_result *r, void *arg)
{
	struct fixture *f = arg;

	f->answers++;
	f->r = *r;
	f->data[0] = '\0';
	if (r->data != NULL && r->data_len < sizeof(f->data))
		(void)snprintf(f->data, sizeof(f->data), "%.*s", (int)r->data_len, r->data);
	(void)snprintf(f->text, sizeof(f->text), "%s|%s|%s",
	               r->mime_type != NULL ? r->mime_type : "",
	               r->file_name != NULL ? r->file_name : "", r->chat != NULL ? r->chat : "");
}

/* What the gateway has asked last, on the worker's side. */
static uint32_t asked(struct fixture *f, Ipc__Ask **m_out)
{
	static uint8_t packet[IPC_HDR_LEN + IPC_BODY_MAX];
	ssize_t n = recv(f->peer, packet, sizeof(packet), MSG_DONTWAIT);

	assert_true(n > IPC_HDR_LEN);
	*m_out = ipc__ask__unpack(NULL, (size_t)n - IPC_HDR_LEN, packet + IPC_HDR_LEN);
	assert_non_null(*m_out);
	return (uint32_t)packet[4] | (uint32_t)packet[5] << 8 | (uint32_t)packet[6] << 16 |
	       (uint32_t)packet[7] << 24;
}

static struct gw_ask *ask_media(struct fixture *f)
{
	struct gw_ask *a = NULL;

	assert_int_equal(gw_worker_ask_media(&f->inst, "ID", GW_ASK_MEDIA_MAX, on_answer, f, &a),
	                 0);
	return a;
}

static struct gw_ask *ask_messages(struct fixture *f)
{
	const struct gw_ask_messages q = { .chat = "5511999999999", .count = 10 };
	struct gw_ask *a = NULL;

	assert_int_equal(gw_worker_ask_messages(&f->inst, &q, on_answer, f, &a), 0);
	return a;
}

/* fd is taken. */
static void answer(struct fixture *f, uint32_t id, const Ipc__Answer *m, int fd)
{
	assert_int_equal(ipc_send_packet(f->peer, IPC_ANSWER, id, &m->base, fd), 0);
	if (fd >= 0)
		close(fd);
	(void)event_base_loop(f->gw.base, EVLOOP_NONBLOCK);
}

static void answer_data(struct fixture *f, uint32_t id, Ipc__Answer *m, const char *data)
{
	m->has_rc = m->has_data_len = true;
	m->data_len = strlen(data);
	answer(f, id, m, ipc_memfd_new(data, strlen(data)));
}

static void test_a_file_is_asked_for_and_handed_over(void **state)
{
	struct fixture *f = *state;
	Ipc__Answer m = IPC__ANSWER__INIT;
	Ipc__Ask *ask;
	uint32_t id;

	(void)ask_media(f);
	id = asked(f, &ask);
	assert_int_equal(ask->what, IPC__ASK__WHAT__MEDIA);
	assert_string_equal(ask->message_id, "ID");
	assert_int_equal(ask->len_max, GW_ASK_MEDIA_MAX);
	ipc__ask__free_unpacked(ask, NULL);
	m.mime_type = (char *)(uintptr_t) "image/jpeg";
	m.file_name = (char *)(uintptr_t) "a\nb.jpg";
	answer_data(f, id, &m, "aGVsbG8=");
	assert_int_equal(f->chan_rc, 0);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->r.rc, 0);
	assert_string_equal(f->data, "aGVsbG8=");
	assert_string_equal(f->text, "image/jpeg|a b.jpg|");
	answer_data(f, id, &m, "aGVsbG8="); /* twice */
	assert_int_equal(f->chan_rc, 0);
	assert_int_equal(f->answers, 1);
}

static void test_messages_are_asked_for_and_handed_over(void **state)
{
	struct fixture *f = *state;
	Ipc__Answer m = IPC__ANSWER__INIT;
	Ipc__Ask *ask;
	uint32_t id;

	(void)ask_messages(f);
	id = asked(f, &ask);
	assert_int_equal(ask->what, IPC__ASK__WHAT__MESSAGES);
	assert_int_equal(ask->count, 10);
	assert_false(ask->has_from_unix_s);
	ipc__ask__free_unpacked(ask, NULL);
	m.has_count = m.has_has_more = true;
	m.count = 2;
	m.has_more = true;
	m.chat = (char *)(uintptr_t) "5511999999999@s.whatsapp.net";
	answer_data(f, id, &m, "[{},{}]");
	assert_int_equal(f->r.rc, 0);
	assert_int_equal(f->r.count, 2);
	assert_true(f->r.has_more);
	assert_string_equal(f->data, "[{},{}]");
	assert_string_equal(f->text, "||5511999999999@s.whatsapp.net");
}

static void test_why_not_is_passed_on_if_it_is_known(void **state)
{
	static const struct {
		int said, heard;
	} codes[] = { { -ENOENT, -ENOENT },
		      { WA_EMEDIA_GONE, WA_EMEDIA_GONE },
		      { WA_ELIMIT, WA_ELIMIT },
		      { WA_ETIMEOUT, WA_ETIMEOUT },
		      { -EPERM, WA_EWORKER_CRASHED },
		      { 17, WA_EWORKER_CRASHED },
		      { WA_ESTATE, WA_EWORKER_CRASHED } };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		Ipc__Answer m = IPC__ANSWER__INIT;
		Ipc__Ask *ask;
		uint32_t id;

		(void)ask_media(f);
		id = asked(f, &ask);
		ipc__ask__free_unpacked(ask, NULL);
		m.has_rc = true;
		m.rc = codes[i].said;
		answer(f, id, &m, -1);
		assert_int_equal(f->answers, i + 1);
		assert_int_equal(f->r.rc, codes[i].heard);
	}
}

/* Each ends the worker; the ask is answered when it has. */
static void test_answers_that_are_none_are_refused(void **state)
{
	static const struct {
		bool media;
		const char *data;
		int64_t len; /* said; -1: as it is */
	} wrong[] = {
		{ true, "not base64!!", -1 },
		{ true, "abc", -1 },             /* no whole group */
		{ true, "ab=c", -1 },            /* padding inside */
		{ true, "aGVsbG8=", 4 },         /* another length */
		{ true, "aGVsbG8=", INT64_MAX }, /* far too long */
		{ false, "{}", -1 },             /* no array */
		{ false, "[{},{}", -1 },         /* no end */
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct fixture *f = *state;
		Ipc__Answer m = IPC__ANSWER__INIT;
		Ipc__Ask *ask;
		uint32_t id;

		(void)(wrong[i].media ? ask_media(f) : ask_messages(f));
		id = asked(f, &ask);
		ipc__ask__free_unpacked(ask, NULL);
		m.has_rc = m.has_data_len = m.has_count = true;
		m.chat = (char *)(uintptr_t) "1@lid";
		m.data_len = wrong[i].len < 0 ? strlen(wrong[i].data) : (uint64_t)wrong[i].len;
		answer(f, id, &m, ipc_memfd_new(wrong[i].data, strlen(wrong[i].data)));
		assert_int_equal(f->chan_rc, WA_EPROTO);
		assert_int_equal(f->answers, 0);
		fail_all(f, WA_EWORKER_CRASHED, NULL);
		assert_int_equal(f->r.rc, WA_EWORKER_CRASHED);
		f->answers = 0;
	}
}

static void test_more_messages_than_were_asked_for_are_refused(void **state)
{
	struct fixture *f = *state;
	Ipc__Answer m = IPC__ANSWER__INIT;
	Ipc__Ask *ask;
	uint32_t id;

	(void)ask_messages(f);
	id = asked(f, &ask);
	ipc__ask__free_unpacked(ask, NULL);
	m.has_count = true;
	m.count = 11;
	m.chat = (char *)(uintptr_t) "1@lid";
	answer_data(f, id, &m, "[]");
	assert_int_equal(f->chan_rc, WA_EPROTO);
}

/* It could be changed, or shortened, while it is read. */
static void test_memory_that_is_not_sealed_is_refused(void **state)
{
	struct fixture *f = *state;
	Ipc__Answer m = IPC__ANSWER__INIT;
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	Ipc__Ask *ask;
	uint32_t id;

	(void)ask_media(f);
	id = asked(f, &ask);
	ipc__ask__free_unpacked(ask, NULL);
	assert_int_equal(write(fd, "aGVsbG8=", 8), 8);
	m.has_rc = m.has_data_len = true;
	m.data_len = 8;
	answer(f, id, &m, fd);
	assert_int_equal(f->chan_rc, WA_EPROTO);
	answer(f, id, &m, -1); /* none at all */
	assert_int_equal(f->chan_rc, WA_EPROTO);
	assert_int_equal(f->answers, 0);
}

static void test_an_empty_file_needs_no_memory(void **state)
{
	struct fixture *f = *state;
	Ipc__Answer m = IPC__ANSWER__INIT;
	Ipc__Ask *ask;
	uint32_t id;

	(void)ask_media(f);
	id = asked(f, &ask);
	ipc__ask__free_unpacked(ask, NULL);
	m.has_rc = true;
	answer(f, id, &m, -1);
	assert_int_equal(f->chan_rc, 0);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->r.data_len, 0);
}

static void test_who_left_gets_no_answer(void **state)
{
	struct fixture *f = *state;
	Ipc__Answer m = IPC__ANSWER__INIT;
	struct gw_ask *a = ask_media(f);
	Ipc__Ask *ask;
	uint32_t id = asked(f, &ask);

	ipc__ask__free_unpacked(ask, NULL);
	gw_ask_cancel(a);
	answer_data(f, id, &m, "aGVsbG8=");
	assert_int_equal(f->chan_rc, 0);
	assert_int_equal(f->answers, 0);
	assert_int_equal(f->w.asks_n, 0);
}

static void test_only_so_many_wait(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < GW_ASK_PER_INSTANCE; i++)
		(void)ask_media(f);
	assert_int_equal(gw_worker_ask_media(&f->inst, "ID", 1, on_answer, f, NULL),
	                 WA_EAT_CAPACITY);
	fail_all(f, WA_EWORKER_CRASHED, "it is gone");
	assert_int_equal(f->answers, GW_ASK_PER_INSTANCE);
	(void)ask_media(f);
}

/* Who is told may ask again at once, or may be gone before it is told. */
static void on_answer_again(const struct gw_ask_result *r, void *arg)
{
	struct fixture *f = arg;

	f->answers++;
	f->r = *r;
	if (f->answers == 1)
		(void)ask_media(f);
}

static void test_who_is_told_that_the_worker_ended_asks_again(void **state)
{
	struct fixture *f = *state;
	struct gw_ask *gone = ask_media(f);

	assert_int_equal(gw_worker_ask_media(&f->inst, "ID", 1, on_answer_again, f, NULL), 0);
	gw_worker_asks_fail(&f->w, WA_EWORKER_CRASHED, "it is gone");
	gw_ask_cancel(gone);
	event_base_loop(f->gw.base, EVLOOP_NONBLOCK);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->r.rc, WA_EWORKER_CRASHED);
	assert_string_equal(f->r.detail, "it is gone");
	assert_int_equal(f->w.asks_n, 1); /* the new one waits for the next worker's answer */
}

static void test_without_a_worker_nobody_is_asked(void **state)
{
	struct fixture *f = *state;

	f->w.phase = GW_W_LEAVING;
	assert_int_equal(gw_worker_ask_media(&f->inst, "ID", 1, on_answer, f, NULL),
	                 WA_ENO_SESSION);
	f->inst.worker = NULL;
	assert_int_equal(gw_worker_ask_media(&f->inst, "ID", 1, on_answer, f, NULL),
	                 WA_ENO_SESSION);
}

static void test_what_is_too_long_is_not_asked(void **state)
{
	struct fixture *f = *state;
	char id[GW_ASK_ID_MAX + 2];

	memset(id, 'A', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	assert_int_equal(gw_worker_ask_media(&f->inst, id, 1, on_answer, f, NULL), -EINVAL);
	assert_int_equal(gw_worker_ask_media(&f->inst, "", 1, on_answer, f, NULL), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_file_is_asked_for_and_handed_over),
		T(test_messages_are_asked_for_and_handed_over),
		T(test_why_not_is_passed_on_if_it_is_known),
		T(test_answers_that_are_none_are_refused),
		T(test_more_messages_than_were_asked_for_are_refused),
		T(test_memory_that_is_not_sealed_is_refused),
		T(test_an_empty_file_needs_no_memory),
		T(test_who_left_gets_no_answer),
		T(test_only_so_many_wait),
		T(test_who_is_told_that_the_worker_ended_asks_again),
		T(test_without_a_worker_nobody_is_asked),
		T(test_what_is_too_long_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
