/* simulator/appstate/sim_appstate_make.c - what a person changes on the phone, as app state actions */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "simulator/appstate/sim_appstate_live.h"
#include "simulator/base/sim_pbw.h"

#define CHANGES_MAX 20000
#define VALUE_MAX 65536

/* One change, made. */
struct made {
	enum sim_as_collection collection;
	struct sim_as_change change;
	char *index;      /* owned */
	struct buf value; /* owned */
};

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s == NULL ? "" : s;
}

static json_int_t number(const json_t *j, const char *name, json_int_t usual)
{
	const json_t *v = json_object_get(j, name);

	return json_is_integer(v) ? json_integer_value(v) : usual;
}

/* "on" unless it says otherwise. */
static bool on(const json_t *j)
{
	return !json_is_false(json_object_get(j, "on"));
}

/* ---- values ------------------------------------------------------------------------------------
 */

static void value_on(struct sim_pbw *w, const json_t *j)
{
	sim_pbw_uint(w, 1, on(j));
}

static void value_name(struct sim_pbw *w, const json_t *j)
{
	sim_pbw_text(w, 1, text(j, "name"));
}

static void value_pn(struct sim_pbw *w, const json_t *j)
{
	sim_pbw_text(w, 1, text(j, "pn"));
}

static void optional(struct sim_pbw *w, uint32_t field, const char *s)
{
	if (s[0] != '\0')
		sim_pbw_text(w, field, s);
}

static void value_contact(struct sim_pbw *w, const json_t *j)
{
	optional(w, 1, text(j, "name"));
	optional(w, 2, text(j, "firstName"));
	optional(w, 3, text(j, "lid"));
	sim_pbw_uint(w, 4, 1);
	optional(w, 5, text(j, "pn"));
}

static void value_mute(struct sim_pbw *w, const json_t *j)
{
	sim_pbw_uint(w, 1, on(j));
	if (on(j))
		sim_pbw_uint(w, 2, (uint64_t)number(j, "until", -1));
}

/* With the range of messages that it is about. */
static void value_range(struct sim_pbw *w, const json_t *j)
{
	size_t at;

	sim_pbw_uint(w, 1, on(j));
	at = sim_pbw_begin(w, 2);
	sim_pbw_uint(w, 1, (uint64_t)number(j, "timestamp", 1700000000));
	sim_pbw_end(w, at);
}

static void value_label(struct sim_pbw *w, const json_t *j)
{
	optional(w, 1, text(j, "name"));
	sim_pbw_uint(w, 2, (uint64_t)number(j, "color", 0));
	sim_pbw_uint(w, 4, !on(j));
}

/* ---- actions -----------------------------------------------------------------------------------
 */

static const struct action {
	const char *word; /* of the control API */
	enum sim_as_collection collection;
	uint32_t version;
	uint32_t field;       /* of SyncActionValue */
	const char *index[6]; /* the name, then members; "=x" is x itself */
	void (*value)(struct sim_pbw *w, const json_t *j);
} actions[] = {
	{ "pushname", SIM_AS_CRITICAL_BLOCK, 1, 7, { "setting_pushName" }, value_name },
	{ "locale", SIM_AS_CRITICAL_BLOCK, 3, 16, { "setting_locale" }, value_name },
	{ "contact", SIM_AS_CRITICAL_UNBLOCK_LOW, 2, 3, { "contact", "jid" }, value_contact },
	{ "mute", SIM_AS_REGULAR_HIGH, 2, 4, { "mute", "jid" }, value_mute },
	{ "star",
	  SIM_AS_REGULAR_HIGH,
	  2,
	  2,
	  { "star", "jid", "id", "fromMe", "participant" },
	  value_on },
	{ "pin", SIM_AS_REGULAR_LOW, 5, 5, { "pin_v1", "jid" }, value_on },
	{ "archive", SIM_AS_REGULAR_LOW, 3, 17, { "archive", "jid" }, value_range },
	{ "markRead", SIM_AS_REGULAR_LOW, 3, 20, { "markChatAsRead", "jid" }, value_range },
	{ "labelEdit", SIM_AS_REGULAR, 3, 14, { "label_edit", "labelId" }, value_label },
	{ "labelChat", SIM_AS_REGULAR, 3, 15, { "label_jid", "labelId", "jid" }, value_on },
	{ "labelMessage",
	  SIM_AS_REGULAR,
	  3,
	  15,
	  { "label_message", "labelId", "jid", "id", "=0", "=0" },
	  value_on },
	{ "pnForLid", SIM_AS_REGULAR, 8, 37, { "pnForLidChat", "lid" }, value_pn },
};

static const struct action *find(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(actions[i].word, word) == 0)
			return &actions[i];
	}
	return NULL;
}

/* A part of an index: fromMe is "0" or "1", a participant that is not told "0". */
static json_t *index_part(const json_t *j, const char *part)
{
	if (part[0] == '=')
		return json_string(part + 1);
	if (strcmp(part, "fromMe") == 0)
		return json_string(json_is_true(json_object_get(j, part)) ? "1" : "0");
	if (strcmp(part, "participant") == 0 && text(j, part)[0] == '\0')
		return json_string("0");
	return text(j, part)[0] == '\0' ? NULL : json_string(text(j, part));
}

static const char *make_index(const struct action *a, const json_t *j, struct made *m)
{
	json_t *index = json_array();

	json_array_append_new(index, json_string(a->index[0]));
	for (size_t i = 1; i < ARRAY_LEN(a->index) && a->index[i] != NULL; i++) {
		json_t *part = index_part(j, a->index[i]);

		if (part == NULL) {
			json_decref(index);
			return "a member that the index needs is missing";
		}
		json_array_append_new(index, part);
	}
	m->index = json_dumps(index, JSON_COMPACT);
	json_decref(index);
	return m->index == NULL ? "no memory" : NULL;
}

/* What has no word here: collection, index, version and value as they are. */
static const char *make_raw(const json_t *j, struct made *m)
{
	const char *hex = text(j, "value");
	size_t len = strlen(hex) / 2;

	if (!sim_as_find(text(j, "collection"), &m->collection))
		return "unknown collection";
	if (!json_is_array(json_object_get(j, "index")) || len > VALUE_MAX ||
	    buf_reserve(&m->value, len + 1) < 0 || hex_decode(hex, m->value.p, len) < 0)
		return "raw needs index (an array) and value (hex)";
	m->value.len = len;
	m->index = json_dumps(json_object_get(j, "index"), JSON_COMPACT);
	m->change.version = (uint32_t)number(j, "version", 1);
	return m->index == NULL ? "no memory" : NULL;
}

static const char *make_one(const json_t *j, int64_t unix_ms, struct made *m)
{
	const struct action *a = find(text(j, "action"));
	struct sim_pbw w;
	size_t at;
	const char *why;

	m->change.remove = json_is_true(json_object_get(j, "remove"));
	if (a == NULL && strcmp(text(j, "action"), "raw") == 0)
		return make_raw(j, m);
	if (a == NULL)
		return "unknown action";
	m->collection = a->collection;
	m->change.version = a->version;
	why = make_index(a, j, m);
	if (why != NULL)
		return why;
	sim_pbw_init(&w, &m->value);
	sim_pbw_uint(&w, 1, (uint64_t)unix_ms);
	at = sim_pbw_begin(&w, a->field);
	a->value(&w, j);
	sim_pbw_end(&w, at);
	return w.err < 0 ? "no memory" : NULL;
}

/* ---- patches -----------------------------------------------------------------------------------
 */

static int commit(struct sim_appstate *as, struct made *made, size_t n, bool external,
                  enum sim_as_flaw flaw, unsigned *touched)
{
	struct sim_as_change *changes = calloc(n, sizeof(*changes));
	int rc = changes == NULL ? -ENOMEM : 0;

	for (size_t c = 0; rc == 0 && c < SIM_AS_COLLECTIONS_N; c++) {
		size_t count = 0;

		for (size_t i = 0; i < n; i++) {
			if (made[i].collection == c)
				changes[count++] = made[i].change;
		}
		if (count == 0)
			continue;
		rc = sim_as_change(as, (enum sim_as_collection)c, changes, count, external, flaw);
		*touched |= 1u << c;
	}
	free(changes);
	return rc;
}

int sim_appstate_make(struct sim_appstate *as, const json_t *changes, int64_t unix_ms,
                      bool external, enum sim_as_flaw flaw, unsigned *touched_out,
                      const char **why_out)
{
	size_t n = json_array_size(changes);
	struct made *made = n == 0 || n > CHANGES_MAX ? NULL : calloc(n, sizeof(*made));
	int rc = 0;

	*touched_out = 0;
	*why_out = "changes must be an array, not empty and not too long";
	if (made == NULL)
		return -EINVAL;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		*why_out = make_one(json_array_get(changes, i), unix_ms, &made[i]);
		if (*why_out != NULL)
			rc = -EINVAL;
		made[i].change.index = made[i].index;
		made[i].change.value = made[i].value.p;
		made[i].change.value_len = made[i].value.len;
	}
	if (rc == 0)
		rc = commit(as, made, n, external, flaw, touched_out);
	for (size_t i = 0; i < n; i++) {
		free(made[i].index);
		buf_free(&made[i].value);
	}
	free(made);
	return rc;
}
