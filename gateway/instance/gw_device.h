/* gateway/instance/gw_device.h - who an instance is linked to, as the registry keeps it */
#ifndef GW_DEVICE_H
#define GW_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/instance/gw_instance.h"

#define GW_JID_CAP 64
#define GW_PLATFORM_CAP 32
#define GW_PROFILE_CAP 512 /* push name, business name */

/* How the last link ended, when it did. Stored: numbers are never reused. */
enum gw_link_end { GW_END_NONE = 0, GW_END_LOGGEDOUT = 1, GW_END_BANNED = 2 };

struct gw_device {
	bool linked; /* there are credentials on disk */
	enum gw_link_end end;
	char jid[GW_JID_CAP];      /* own device JID; kept after the link's end; "": never linked */
	char jid_bare[GW_JID_CAP]; /* of jid, without the device */
	char lid[GW_JID_CAP];      /* "": not known */
	char platform[GW_PLATFORM_CAP];
	char push_name[GW_PROFILE_CAP];     /* UTF-8 */
	char business_name[GW_PROFILE_CAP]; /* UTF-8; "": no business account */
	uint32_t history_days;              /* asked for when it was linked; 0: none */
	uint32_t key_epoch;                 /* which key seals the session's secrets */
	int64_t store_generation;    /* newest state of session.db told of; never goes back */
	struct gw_reason last_error; /* rc 0: none */
};

/* jid and what follows from it. */
void gw_device_jid_set(struct gw_device *l, const char *jid);

#endif
