/* tests/unit/emit_fixture.c - an emitter over a real store and batch */
#include "emit_fixture.h"

#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/store/wk_store_outbox.h"

/* ---- what is sent -------------------------------------------------------------------------------
 */

static void print(struct emit_fixture *f, const char *text)
{
	size_t len = strlen(f->sent);

	(void)snprintf(f->sent + len, sizeof(f->sent) - len, "%s", text);
}

static void print_node(struct emit_fixture *f, const struct wa_node *n, const char *before)
{
	print(f, before);
	print(f, n->tag);
	for (size_t i = 0; i < n->attrs_n; i++) {
		bool own_id = strcmp(n->attrs[i].name, "id") == 0 && wa_node_is(n, "call");

		if (strcmp(n->attrs[i].name, "t") == 0 || own_id)
			continue;
		print(f, " ");
		print(f, n->attrs[i].name);
		print(f, "=");
		print(f, n->attrs[i].value);
	}
	for (const struct wa_node *c = wa_node_child(n, NULL); c != NULL; c = wa_node_next(c, NULL))
		print_node(f, c, " / ");
}

static int on_send(const struct wa_node *n, void *arg)
{
	struct emit_fixture *f = arg;

	print_node(f, n, "");
	print(f, "\n");
	return 0;
}

static void on_committed(void *arg)
{
	(void)arg;
}

static void on_failed(int rc, void *arg)
{
	struct emit_fixture *f = arg;

	f->failed_rc = rc;
	if (f->at_failure != NULL)
		f->at_failure(f->at_failure_arg);
}

/* ---- set up and down ----------------------------------------------------------------------------
 */

static int on_declined(const struct wa_jid *caller, const struct wa_jid *alt, void *arg)
{
	struct emit_fixture *f = arg;
	size_t n = strlen(f->declined);

	(void)alt;
	snprintf(f->declined + n, sizeof(f->declined) - n, "%s@%s ", caller->user, caller->server);
	return 0;
}

int ef_setup(void **state)
{
	static const struct wk_batch_ops ops = { .send = on_send,
		                                 .on_committed = on_committed,
		                                 .on_failed = on_failed };
	struct emit_fixture *f = calloc(1, sizeof(*f));
	struct wk_emit_params p;

	assert_non_null(f);
	store_make(&f->store, NULL);
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(wk_batch_new(f->base, f->store.st, &ops, f, &f->batch), 0);
	p = (struct wk_emit_params){ .store = f->store.st,
		                     .batch = f->batch,
		                     .creds = &f->store.creds,
		                     .settings = &f->settings,
		                     .log = &f->log,
		                     .on_declined = on_declined,
		                     .arg = f };
	assert_int_equal(wk_emit_new(&p, &f->emit), 0);
	*state = f;
	return 0;
}

int ef_teardown(void **state)
{
	struct emit_fixture *f = *state;

	wk_emit_free(f->emit);
	wk_batch_free(f->batch);
	event_base_free(f->base);
	store_remove(&f->store);
	free(f);
	return 0;
}

struct wa_jid ef_jid(const char *text)
{
	struct wa_jid j;

	assert_int_equal(wa_jid_parse(text, strlen(text), &j), 0);
	return j;
}

void ef_enter(struct emit_fixture *f)
{
	assert_int_equal(wk_batch_enter(f->batch), 0);
}

void ef_leave(struct emit_fixture *f)
{
	wk_batch_leave(f->batch, 0);
	assert_int_equal(wk_batch_flush(f->batch), 0);
	assert_int_equal(f->failed_rc, 0);
}

/* ---- events -------------------------------------------------------------------------------------
 */

json_t *ef_event(struct emit_fixture *f, int kind, uint32_t flags)
{
	struct wk_outbox_row row = { 0 };
	json_error_t err;
	json_t *data;

	assert_int_equal(wk_store_outbox_next(f->store.st, f->seen, &row), 0);
	f->seen = row.number;
	assert_int_equal(row.kind, kind);
	assert_int_equal(row.flags, flags);
	data = json_loadb((const char *)row.data.p, row.data.len, JSON_REJECT_DUPLICATES, &err);
	if (data == NULL)
		fail_msg("%s: %.*s", err.text, (int)row.data.len, (char *)row.data.p);
	buf_wipe(&row.data);
	return data;
}

void ef_no_event(struct emit_fixture *f)
{
	struct wk_outbox_row row = { 0 };

	assert_int_equal(wk_store_outbox_next(f->store.st, f->seen, &row), -ENOENT);
}

void ef_equal(const json_t *object, const char *member, const char *wanted)
{
	const json_t *got = member == NULL ? object : json_object_get(object, member);
	json_t *w = wanted == NULL ? NULL : json_loads(wanted, JSON_DECODE_ANY, NULL);
	char *text = got == NULL ? NULL : json_dumps(got, JSON_ENCODE_ANY);

	assert_true((wanted == NULL) == (w == NULL));
	if ((got == NULL) != (w == NULL) || (w != NULL && !json_equal(got, w)))
		fail_msg("%s is %s", member == NULL ? "it" : member,
		         text == NULL ? "absent" : text);
	free(text);
	json_decref(w);
}

void ef_expect(struct emit_fixture *f, int kind, const char *wanted)
{
	json_t *data = ef_event(f, kind, 0);

	ef_equal(data, NULL, wanted);
	json_decref(data);
}

/* ---- stanzas ------------------------------------------------------------------------------------
 */

static struct wa_node *set_attrs(struct wa_node *n, const char *attrs)
{
	char text[512], *word, *save = NULL;

	assert_non_null(n);
	(void)snprintf(text, sizeof(text), "%s", attrs);
	for (word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		char *equals = strchr(word, '=');

		assert_non_null(equals);
		*equals = '\0';
		wa_node_set(n, word, equals + 1);
	}
	return n;
}

struct wa_node *ef_node(const char *tag, const char *attrs)
{
	return set_attrs(wa_node_new(tag), attrs);
}

struct wa_node *ef_add(struct wa_node *parent, const char *tag, const char *attrs)
{
	return set_attrs(wa_node_add(parent, tag), attrs);
}
