/* worker/control/wk_settings.c - the instance's settings */
#include "worker/control/wk_settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int wk_settings_take(struct wk_settings *s, const Ipc__SessionSettings *msg)
{
	static const Ipc__SessionSettings none = IPC__SESSION_SETTINGS__INIT;
	char *text;

	if (msg == NULL)
		msg = &none;
	text = strdup(msg->call_reject_message != NULL ? msg->call_reject_message : "");
	if (text == NULL)
		return -ENOMEM;
	free(s->call_reject_message);
	*s = (struct wk_settings){
		.auto_reject_calls = msg->has_auto_reject_calls && msg->auto_reject_calls,
		.call_reject_message = text,
		.ignore_group_messages =
		    msg->has_ignore_group_messages && msg->ignore_group_messages,
		.keep_online_status = msg->has_keep_online_status && msg->keep_online_status,
		.auto_read_messages = msg->has_auto_read_messages && msg->auto_read_messages,
		.disable_history_sync = !msg->has_disable_history_sync || msg->disable_history_sync,
		.ignore_status = msg->has_ignore_status && msg->ignore_status,
	};
	return 0;
}

void wk_settings_clear(struct wk_settings *s)
{
	free(s->call_reject_message);
	memset(s, 0, sizeof(*s));
}
