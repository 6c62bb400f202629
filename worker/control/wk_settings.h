/* worker/control/wk_settings.h - the instance's settings (HTTP contract 3.1) as the session uses them */
#ifndef WK_SETTINGS_H
#define WK_SETTINGS_H

#include <stdbool.h>

#include "common/attr.h"
#include "proto/ipc.pb-c.h"

struct wk_settings {
	bool auto_reject_calls;
	char *call_reject_message; /* owned; "" by default */
	bool ignore_group_messages;
	bool keep_online_status;
	bool auto_read_messages;
	bool disable_history_sync;
	bool ignore_status;
};

/* msg NULL: the defaults. 0 or -ENOMEM; on failure s is as before. */
ATTR_NODISCARD int wk_settings_take(struct wk_settings *s, const Ipc__SessionSettings *msg);
void wk_settings_clear(struct wk_settings *s);

#endif
