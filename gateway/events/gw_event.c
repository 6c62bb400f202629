/* gateway/events/gw_event.c - one event as clients see it */
#include "gateway/events/gw_event.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"

#define UNIX_MS_MAX INT64_C(253402300799999) /* the year 9999 */

static const char *const names[GW_EVENT_KIND_END] = {
#define X(id, num, name) [id] = name,
	GW_EVENT_KIND_LIST(X)
#undef X
};

const char *gw_event_kind_name(unsigned kind)
{
	return kind < GW_EVENT_KIND_END ? names[kind] : NULL;
}

unsigned gw_event_kind_find(const char *name, size_t name_len)
{
	for (unsigned k = 1; k < GW_EVENT_KIND_END; k++)
		if (strlen(names[k]) == name_len && memcmp(names[k], name, name_len) == 0)
			return k;
	return 0;
}

bool gw_event_wanted(const struct gw_event_filter *f, unsigned kind, uint32_t flags)
{
	if (!f->history && (flags & GW_EVENT_FROM_HISTORY) != 0)
		return false;
	return f->kinds == 0 || (f->kinds >> kind & 1) != 0;
}

/* ---- filters -------------------------------------------------------------------------------- */

int gw_event_kinds_parse(const char *list, uint32_t *kinds_out)
{
	uint32_t kinds = 0;

	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, ",");
		unsigned k = gw_event_kind_find(list, n);

		if (k == 0)
			return -EINVAL;
		kinds |= 1u << k;
		list += n;
		if (*list == ',' && *++list == '\0')
			return -EINVAL;
	}
	*kinds_out = kinds;
	return 0;
}

json_t *gw_event_kinds_json(uint32_t kinds)
{
	json_t *a = json_array();

	for (unsigned k = 1; a != NULL && k < GW_EVENT_KIND_END; k++)
		if ((kinds >> k & 1) != 0 && json_array_append_new(a, json_string(names[k])) < 0) {
			json_decref(a);
			a = NULL;
		}
	return a;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* A text of ours or the operator's (base URL): what JSON can't hold as it is, is escaped. */
static int append_string(struct buf *out, const char *s)
{
	int rc = buf_append_u8(out, '"');
	size_t plain;

	for (; rc == 0 && *s != '\0'; s++) {
		unsigned char c;

		for (plain = 0;
		     (unsigned char)s[plain] >= ' ' && s[plain] != '"' && s[plain] != '\\';)
			plain++;
		rc = buf_append(out, s, plain);
		s += plain;
		c = (unsigned char)*s;
		if (c == '\0' || rc < 0)
			break;
		if (c < ' ')
			rc = buf_appendf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			rc = buf_appendf(out, "\\%c", c);
	}
	return rc < 0 ? rc : buf_append_u8(out, '"');
}

int gw_event_text(const struct gw_event_source *s, struct buf *out, size_t *data_at_out)
{
	int64_t at = s->unix_ms < 0 ? 0 : s->unix_ms > UNIX_MS_MAX ? UNIX_MS_MAX : s->unix_ms;
	char when[RFC3339_CAP];
	size_t data_at;
	int rc = buf_reserve(out, s->data_len + 256);

	clock_rfc3339(at, when);
	if (rc == 0)
		rc = buf_append_str(out, "{\"event\":\"");
	if (rc == 0)
		rc = buf_append_str(out, names[s->kind]);
	if (rc == 0)
		rc = buf_append_str(out, "\",\"id\":\"");
	if (rc == 0)
		rc = buf_append_str(out, s->id);
	if (rc == 0)
		rc = buf_append_str(out, "\",\"sequence\":");
	if (rc == 0)
		rc = buf_append_dec(out, s->sequence);
	if (rc == 0)
		rc = buf_append_str(out, ",\"timestamp\":\"");
	if (rc == 0)
		rc = buf_append_str(out, when);
	if (rc == 0)
		rc = buf_append_str(out, "\",\"data\":");
	data_at = out->len;
	if (rc == 0)
		rc = buf_append(out, s->data, s->data_len);
	if (rc == 0)
		rc = buf_append_str(out, ",\"instanceData\":{\"baseUrl\":");
	if (rc == 0)
		rc = append_string(out, s->base_url);
	if (rc == 0)
		rc = buf_append_str(out, ",\"instance\":");
	if (rc == 0)
		rc = append_string(out, s->instance);
	if (rc == 0)
		rc = buf_append_str(out, "}}");
	if (rc == 0)
		*data_at_out = data_at;
	return rc;
}

int gw_event_text_with(const struct gw_event *e, const char *name, const char *value,
                       struct buf *out)
{
	size_t end = e->data_at + e->data_len - 1; /* the brace that closes data */
	bool empty = e->data_len <= 2;
	int rc = buf_append(out, e->text, end);

	if (rc == 0)
		rc = buf_appendf(out, "%s\"%s\":", empty ? "" : ",", name);
	if (rc == 0)
		rc = buf_append_str(out, value);
	return rc < 0 ? rc : buf_append(out, e->text + end, e->text_len - end);
}
