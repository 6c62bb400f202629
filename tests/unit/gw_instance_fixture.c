/* tests/unit/gw_instance_fixture.c - one instance with a fake supervisor and a clock that stands
 * still */
#include "gw_instance_fixture.h"

#include "gateway/instance/gw_numbers.h"

/* ---- fixture ---------------------------------------------------------------- */

bool test_is_over;

void on_watch(struct gw_instance *inst, enum gw_watch_event ev, const struct gw_reason *reason,
              void *arg)
{
	struct watcher *wr = arg;

	if (test_is_over)
		return;
	assert_int_equal(reason != NULL, ev == GW_WATCH_TIMEOUT || ev == GW_WATCH_FAILED);
	switch (ev) {
	case GW_WATCH_CODE:
		wr->qr_n++;
		assert_non_null(gw_instance_code(inst));
		snprintf(wr->code, sizeof(wr->code), "%s", gw_instance_code(inst)->text);
		return;
	case GW_WATCH_PASSKEY:
		wr->passkey_n++;
		return;
	case GW_WATCH_CONNECTING:
		wr->connecting_n++;
		return;
	case GW_WATCH_CONNECTED:
		wr->connected_n++;
		break;
	case GW_WATCH_TIMEOUT:
		wr->timeout_n++;
		break;
	case GW_WATCH_FAILED:
		wr->failed_n++;
		break;
	}
	if (reason != NULL)
		wr->reason = *reason;
	wr->w = NULL;
}

unsigned told_n(const struct watcher *wr)
{
	return wr->qr_n + wr->passkey_n + wr->connecting_n + wr->connected_n + wr->timeout_n +
	       wr->failed_n;
}

void make_instance_from(struct fixture *f, bool linked, bool has_session)
{
	struct gw_instance_row row = { .id = "aaaaaaaaaaaaaaaa",
		                       .name = "sales",
		                       .created_unix_ms = 1700000000000,
		                       .updated_unix_ms = 1700000000001,
		                       .settings = "{\"autoReadMessages\":true}" };

	row.link.linked = linked;
	row.has_session = has_session;
	if (linked)
		gw_device_jid_set(&row.link, TEST_JID);
	gw_instance_free(f->inst);
	assert_int_equal(gw_instance_new(&f->gw, &f->acc, &row, NULL, NULL, f, &f->inst), 0);
}

int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	memset(&fake, 0, sizeof(fake));
	test_is_over = false;
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	test_dir_make(f->dir);
	f->gw.base = event_base_new();
	f->gw.cfg.connect_timeout_s = 60;
	f->gw.cfg.data_dir = f->dir;
	assert_int_equal(gw_numbers_new(&f->gw.numbers), 0);
	make_instance_from(f, false, false);
	*state = f;
	return 0;
}

int teardown(void **state)
{
	struct fixture *f = *state;

	test_is_over = true;
	gw_instance_free(f->inst);
	gw_numbers_free(f->gw.numbers);
	event_base_free(f->gw.base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void connect_with(struct fixture *f, struct watcher *wr, const struct gw_connect_params *p)
{
	unsigned before = told_n(wr);

	assert_int_equal(gw_instance_connect(f->inst, p, on_watch, wr, &wr->w), 0);
	assert_int_equal(told_n(wr), before); /* not from inside */
}

void connect_ok(struct fixture *f, struct watcher *wr, uint32_t history_days)
{
	const struct gw_connect_params p = { .history_days = history_days, .request_id = "req-1" };

	connect_with(f, wr, &p);
}

void connect_number_ok(struct fixture *f, struct watcher *wr, const char *number)
{
	const struct gw_connect_params p = { .number = number, .request_id = "req-1" };

	connect_with(f, wr, &p);
}

int event(struct fixture *f, enum gw_inst_event ev)
{
	return gw_instance_event(f->inst, ev, NULL);
}

int event_reason(struct fixture *f, enum gw_inst_event ev, int rc, const char *detail)
{
	struct gw_reason r = { .rc = rc, .at_unix_ms = clock_unix_ms() };
	const struct gw_inst_input in = { .reason = &r };

	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	return gw_instance_event(f->inst, ev, &in);
}

int event_step(struct fixture *f, const char *step)
{
	const struct gw_inst_input in = { .step = step };

	return gw_instance_event(f->inst, GW_EV_STEP, &in);
}

int event_login(struct fixture *f)
{
	const struct gw_inst_input in = { .step = "login", .step_is_login = true };

	return gw_instance_event(f->inst, GW_EV_STEP, &in);
}

static int code_event(struct fixture *f, bool pairing, const char *text, uint32_t valid_ms)
{
	struct gw_inst_input in = { 0 };

	in.code.pairing = pairing;
	in.code.text = text;
	in.code.valid_ms = valid_ms;
	in.code.total = pairing ? 0 : 6;
	return gw_instance_event(f->inst, GW_EV_CODE, &in);
}

int event_code(struct fixture *f, const char *text, uint32_t valid_ms)
{
	return code_event(f, false, text, valid_ms);
}

int event_pairing_code(struct fixture *f, const char *text, uint32_t valid_ms)
{
	return code_event(f, true, text, valid_ms);
}

int event_passkey(struct fixture *f, enum gw_passkey_status st, const char *code)
{
	struct gw_inst_input in = { 0 };
	int rc;

	in.passkey.status = st;
	in.passkey.public_key = json_pack("{s:s}", "challenge", "AAAA");
	in.passkey.code = code;
	rc = gw_instance_event(f->inst, GW_EV_PASSKEY, &in);
	json_decref(in.passkey.public_key);
	return rc;
}

static struct gw_inst_input account(void)
{
	return (struct gw_inst_input){ .account = { .jid = TEST_JID,
		                                    .lid = "1234567890:7@lid",
		                                    .platform = "android",
		                                    .push_name = "Ana" } };
}

int event_linked(struct fixture *f)
{
	const struct gw_inst_input in = account();

	return gw_instance_event(f->inst, GW_EV_LINKED, &in);
}

int event_online(struct fixture *f)
{
	const struct gw_inst_input in = account();

	return gw_instance_event(f->inst, GW_EV_ONLINE, &in);
}

int event_down(struct fixture *f, int rc, uint64_t retry_ms)
{
	struct gw_reason r = { .rc = rc, .at_unix_ms = clock_unix_ms() };
	const struct gw_inst_input in = { .reason = &r, .attempt = 2, .retry_ms = retry_ms };

	return gw_instance_event(f->inst, GW_EV_DOWN, &in);
}

void run_due(struct fixture *f)
{
	test_run_due(f->gw.base);
}

void change_setting(struct fixture *f, const char *partial, int64_t unix_ms)
{
	json_t *given = NULL;

	assert_int_equal(gw_settings_begin(f->inst, partial, &given), 0);
	gw_instance_settings_changed(f->inst, given, unix_ms);
	json_decref(given);
}

void begin(struct fixture *f, struct watcher *wr)
{
	connect_ok(f, wr, 0);
	assert_int_equal(event(f, GW_EV_READY), 0);
}

void link_up(struct fixture *f, struct watcher *wr)
{
	begin(f, wr);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_int_equal(event_linked(f), 0);
	assert_int_equal(event_login(f), 0);
	assert_int_equal(event_online(f), 0);
	run_due(f);
}
