/*
 * gateway/supervision/gw_upgrade.h - workers of an older binary replaced by the newest, a few at a
 * time
 *
 * A worker that the last gateway left runs the program of that time. On request every session whose
 * worker is not of today's binary gets a new one: at a given pace, one after the other has come
 * back. Should one not, the rest is left alone: a bad binary costs one session, not all. Pairings
 * are not disturbed; their workers end by themselves.
 */
#ifndef GW_UPGRADE_H
#define GW_UPGRADE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct gw;
struct gw_upgrade;

#define GW_UPGRADE_PER_MINUTE 60
#define GW_UPGRADE_PER_MINUTE_MAX 3000

ATTR_NODISCARD int gw_upgrade_new(struct gw *gw, struct gw_upgrade **u_out); /* 0 or -ENOMEM */
void gw_upgrade_free(struct gw_upgrade *u);                                  /* NULL is fine */

/* Begin, or go on at another pace. How many workers are not of today's binary. */
size_t gw_upgrade_start(struct gw_upgrade *u, unsigned per_minute);

#endif
