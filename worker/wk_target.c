/* worker/wk_target.c - the settings of one attempt */
#include "worker/wk_target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_DAYS_MAX 3650
#define TEXT_MAX_LEN 512

/* Goes into a request head: printable ASCII, no line breaks. */
static bool is_header_text(const char *s)
{
	if (s == NULL || *s == '\0' || strlen(s) > TEXT_MAX_LEN)
		return false;
	for (; *s != '\0'; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

static const char *check_version(struct wk_target *t, const char *text)
{
	t->version_auto = text == NULL || strcmp(text, "auto") == 0;
	if (t->version_auto) {
		t->version = (struct wa_version){ WA_VERSION_PRIMARY, WA_VERSION_SECONDARY,
			                          WA_VERSION_BUILTIN };
		return NULL;
	}
	return wa_version_parse(text, &t->version) < 0 ? "wa_version" : NULL;
}

/* NULL, or the name of what can't be used. */
static const char *check(struct wk_target *t, const Ipc__Connect *msg)
{
	if (msg->wa_url == NULL || wk_url_parse(msg->wa_url, &t->url) < 0)
		return "wa_url";
	if (!is_header_text(msg->wa_origin))
		return "wa_origin";
	if (!msg->has_wa_root_key || msg->wa_root_key.len != sizeof(t->root.key))
		return "wa_root_key";
	memcpy(t->root.key, msg->wa_root_key.data, sizeof(t->root.key));
	if (msg->wa_device_name == NULL || strlen(msg->wa_device_name) > TEXT_MAX_LEN)
		return "wa_device_name";
	if (msg->has_history_days && msg->history_days > HISTORY_DAYS_MAX)
		return "history_days";
	t->history_days = msg->has_history_days ? msg->history_days : 0;
	return check_version(t, msg->wa_version);
}

/* NULL and "" stay NULL. */
static int copy(char **out, const char *text)
{
	if (text == NULL || *text == '\0')
		return 0;
	*out = strdup(text);
	return *out == NULL ? -ENOMEM : 0;
}

int wk_target_init(struct wk_target *t, const Ipc__Connect *msg, const char **why_out)
{
	memset(t, 0, sizeof(*t));
	*why_out = check(t, msg);
	if (*why_out != NULL)
		return -EINVAL;
	if (copy(&t->origin, msg->wa_origin) < 0 || copy(&t->ca_file, msg->wa_ca_file) < 0 ||
	    copy(&t->request_id, msg->request_id) < 0) {
		wk_target_clear(t);
		return -ENOMEM;
	}
	t->device_name = strdup(msg->wa_device_name);
	if (t->device_name == NULL) {
		wk_target_clear(t);
		return -ENOMEM;
	}
	return 0;
}

void wk_target_clear(struct wk_target *t)
{
	free(t->origin);
	free(t->ca_file);
	free(t->device_name);
	free(t->request_id);
	memset(t, 0, sizeof(*t));
}
