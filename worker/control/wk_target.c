/* worker/control/wk_target.c - what CONNECT carried */
#include "worker/control/wk_target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/secret.h"
#include "worker/net/wk_tls.h"

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

static const char *check_version(struct wk_target *t, const Ipc__Connect *msg)
{
	const char *text = msg->wa_version;

	t->version_auto = text == NULL || strcmp(text, "auto") == 0;
	if (!t->version_auto)
		return wa_version_parse(text, &t->version) < 0 ? "wa_version" : NULL;
	t->version =
	    (struct wa_version){ WA_VERSION_PRIMARY, WA_VERSION_SECONDARY, WA_VERSION_BUILTIN };
	if (msg->has_revision && msg->revision != 0)
		t->version.tertiary = msg->revision;
	t->version_stale = msg->has_version_stale && msg->version_stale;
	return NULL;
}

static const char *check_key(struct wk_target *t, const Ipc__Connect *msg)
{
	if (t->mode == IPC__CONNECT__MODE__PROBE)
		return NULL; /* it has nothing to open */
	if (!msg->has_instance_key || msg->instance_key.len != sizeof(t->key.bytes))
		return "instance_key";
	memcpy(t->key.bytes, msg->instance_key.data, sizeof(t->key.bytes));
	t->key.epoch = msg->has_key_epoch ? msg->key_epoch : 0;
	return NULL;
}

/* Digits in the international form. */
static const char *check_number(struct wk_target *t, const char *number)
{
	size_t len;

	if (number == NULL || *number == '\0')
		return NULL;
	len = strspn(number, "0123456789");
	if (number[len] != '\0' || *number == '0' || len < WK_NUMBER_MIN || len > WK_NUMBER_MAX)
		return "number";
	memcpy(t->number, number, len + 1);
	return NULL;
}

/* NULL, or the name of what can't be used. */
static const char *check(struct wk_target *t, const Ipc__Connect *msg)
{
	const char *why;

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
	if (msg->has_message_days && msg->message_days > HISTORY_DAYS_MAX)
		return "message_days";
	t->message_days = msg->has_message_days ? msg->message_days : 0;
	t->linked = msg->has_linked && msg->linked;
	t->store_generation = msg->has_store_generation ? msg->store_generation : 0;
	t->mode = msg->has_mode ? msg->mode : IPC__CONNECT__MODE__LINK;
	why = check_version(t, msg);
	if (why == NULL)
		why = check_key(t, msg);
	return why != NULL ? why : check_number(t, msg->number);
}

/* NULL and "" stay NULL. */
static int copy(char **out, const char *text)
{
	if (text == NULL || *text == '\0')
		return 0;
	*out = strdup(text);
	return *out == NULL ? -ENOMEM : 0;
}

static int copy_all(struct wk_target *t, const Ipc__Connect *msg, const char **why_out)
{
	int rc;

	if (copy(&t->origin, msg->wa_origin) < 0 || copy(&t->ca_file, msg->wa_ca_file) < 0 ||
	    copy(&t->request_id, msg->request_id) < 0)
		return -ENOMEM;
	t->device_name = strdup(msg->wa_device_name);
	if (t->device_name == NULL)
		return -ENOMEM;
	rc = wk_proxy_init(&t->proxy, msg->proxy);
	if (rc == -EINVAL)
		*why_out = "proxy";
	return rc < 0 ? rc : wk_settings_take(&t->settings, msg->settings);
}

int wk_target_init(struct wk_target *t, const Ipc__Connect *msg, const char **why_out)
{
	int rc;

	memset(t, 0, sizeof(*t));
	*why_out = check(t, msg);
	while (t->aside_n < WK_HAND_ASIDE_MAX && t->aside_n < msg->n_set_aside) {
		t->aside[t->aside_n] = msg->set_aside[t->aside_n];
		t->aside_n++;
	}
	rc = *why_out != NULL ? -EINVAL : copy_all(t, msg, why_out);
	if (rc < 0)
		wk_target_clear(t);
	return rc;
}

int wk_target_take_ca(struct wk_target *t, int fd)
{
	if (fd < 0)
		return 0;
	free(t->ca_file);
	t->has_ca_fd = true;
	t->ca_fd = fd;
	if (asprintf(&t->ca_file, WK_TLS_FD_PREFIX "%d", fd) >= 0)
		return 0;
	t->ca_file = NULL;
	wk_target_clear(t);
	return -ENOMEM;
}

void wk_target_clear(struct wk_target *t)
{
	if (t->has_ca_fd)
		(void)close(t->ca_fd);
	free(t->origin);
	free(t->ca_file);
	free(t->device_name);
	free(t->request_id);
	wk_proxy_clear(&t->proxy);
	wk_settings_clear(&t->settings);
	secret_wipe(t, sizeof(*t));
}
