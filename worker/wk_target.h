/* worker/wk_target.h - the settings of one attempt, as CONNECT carried them: checked and copied */
#ifndef WK_TARGET_H
#define WK_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "proto/ipc.pb-c.h"
#include "worker/wa/wa_device.h"
#include "worker/wa/wa_noise.h"
#include "worker/wk_url.h"

struct wk_target {
	struct wk_url url;
	char *origin;
	struct wa_root root;
	char *ca_file; /* NULL: the system's directory */
	char *device_name;
	char *request_id; /* NULL: none */
	struct wa_version version;
	bool version_auto; /* a look-up may replace it once */
	uint32_t history_days;
};

/*
 * 0; -ENOMEM; or -EINVAL with *why_out naming the setting that can't be used (static text).
 * On failure t is empty.
 */
ATTR_NODISCARD int wk_target_init(struct wk_target *t, const Ipc__Connect *msg,
                                  const char **why_out);
void wk_target_clear(struct wk_target *t);

#endif
