/*
 * gateway/instance/gw_instance_shown.c - the text of an instance in list, kept until the instance
 * changes
 *
 * What the text is made from is copied beside it and compared before it is used again, so that
 * nobody who changes an instance has to think of it.
 */
#include "common/json_text.h"
#include "gateway/instance/gw_instance.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/instance/gw_instance_priv.h"
#include "gateway/supervision/gw_worker.h"

/* All that gw_instance_json() reads and that can change. Compared as bytes, so zeroed first. */
struct source {
	uint64_t changes_n; /* settings, proxy, updatedAt */
	enum gw_conn_state conn;
	enum gw_inst_state state;
	int64_t since_unix_ms;
	int64_t next_unix_ms;
	unsigned attempt;
	uint32_t history_days; /* of the pairing */
	uint32_t history_progress;
	uint64_t history_messages;
	struct gw_device link;
};

struct gw_shown {
	struct source source;
	size_t len;
	char text[];
};

static void source_of(const struct gw_instance *inst, struct source *s)
{
	memset(s, 0, offsetof(struct source, link));
	s->changes_n = inst->changes_n;
	s->conn = inst->conn;
	s->state = inst->state;
	s->since_unix_ms = inst->since_unix_ms;
	s->next_unix_ms = inst->retry.next_unix_ms;
	s->attempt = inst->retry.attempt;
	s->history_days = inst->attempt.history_days;
	s->history_progress = inst->history.progress;
	s->history_messages = inst->history.messages;
}

static bool is_current(const struct gw_shown *shown, const struct gw_instance *inst)
{
	struct source now;

	source_of(inst, &now);
	return memcmp(&shown->source, &now, offsetof(struct source, link)) == 0 &&
	       memcmp(&shown->source.link, &inst->link, sizeof(inst->link)) == 0;
}

static int render(struct gw_instance *inst)
{
	json_t *json = gw_instance_json(inst);
	char *text = json_text(json);
	size_t len = text == NULL ? 0 : strlen(text);
	struct gw_shown *shown = len == 0 ? NULL : malloc(sizeof(*shown) + len);

	if (shown != NULL) {
		source_of(inst, &shown->source);
		memcpy(&shown->source.link, &inst->link, sizeof(inst->link));
		shown->len = len;
		memcpy(shown->text, text, len);
		free(inst->shown);
		inst->shown = shown;
	}
	free(text);
	json_decref(json);
	return shown == NULL ? -ENOMEM : 0;
}

#ifdef WARDEN_TEST_HOOKS
/* Something that is shown is missing in struct source: no test may pass then. */
static void check_current(const struct gw_instance *inst)
{
	json_t *json = gw_instance_json(inst);
	char *text = json_text(json);

	assert(text == NULL || (strlen(text) == inst->shown->len &&
	                        memcmp(text, inst->shown->text, inst->shown->len) == 0));
	free(text);
	json_decref(json);
}
#endif

int gw_instance_json_text(struct gw_instance *inst, struct buf *out)
{
	int rc = inst->shown != NULL && is_current(inst->shown, inst) ? 0 : render(inst);

	if (rc < 0)
		return rc;
#ifdef WARDEN_TEST_HOOKS
	check_current(inst);
#endif
	return buf_append(out, inst->shown->text, inst->shown->len);
}

int gw_instance_json_text_memory(struct gw_instance *inst, bool look, struct buf *out)
{
	int64_t bytes = inst->worker == NULL ? -1 : gw_worker_memory_bytes(inst->worker, look);
	int rc = gw_instance_json_text(inst, out);

	if (rc < 0)
		return rc;
	out->len--; /* the brace that closes it */
	rc = buf_append_str(out, ",\"memoryBytes\":");
	if (rc == 0)
		rc = bytes < 0 ? buf_append_str(out, "null") : buf_append_dec(out, (uint64_t)bytes);
	return rc == 0 ? buf_append_u8(out, '}') : rc;
}
