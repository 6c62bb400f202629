/*
 * gateway/registry/gw_invite.h - one-time links: whoever has one can link that one instance, once
 *
 * An instance has at most one; a new one takes the place of the one before. It is used up in the
 * moment that the instance is linked, whoever linked it, and in the same transaction on disk (a
 * trigger of the schema), so a gateway that dies in between leaves no second use behind. Only the
 * hash of its text is kept, in registry.db and in memory. Owned by the registry.
 */
#ifndef GW_INVITE_H
#define GW_INVITE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "gateway/registry/gw_registry.h"

#define GW_INVITE_RANDOM_LEN 20 /* 160 bits: 32 characters a-z2-7 */
#define GW_INVITE_TEXT_LEN 32
#define GW_INVITE_NUMBER_CAP 16
#define GW_INVITE_S_MAX 86400    /* the longest that one may be good */
#define GW_INVITE_S_DEFAULT 3600 /* where it is not said */

/* What its holder may do with it. */
struct gw_invite_terms {
	char number[GW_INVITE_NUMBER_CAP]; /* pairing codes for this number only; "": any */
	uint32_t history_days;             /* asked for with the link; 0: none */
	int64_t expires_unix_ms;
};

/* A new text from 20 random bytes. out holds GW_INVITE_TEXT_LEN + 1 bytes; its owner wipes it.
 * 0 or WA_ECRYPTO. */
ATTR_NODISCARD int gw_invite_new(char *out);
bool gw_invite_text_valid(const char *text);

/*
 * hash: SHA-256 of the text; both borrowed. With the commit it is good and the one before is not:
 * what that one let in ends. 0: done will be called; -EADDRINUSE, -ENOMEM: it will not.
 */
ATTR_NODISCARD int gw_registry_invite_create(struct gw_registry *reg, struct gw_instance *inst,
                                             const uint8_t *hash,
                                             const struct gw_invite_terms *terms,
                                             gw_registry_done *done, void *arg);
/*
 * Whose it is, found as gw_registry_account_by_token() finds. NULL: used, late, replaced, its
 * instance is gone, or there never was such a one. *terms_out is good until the loop's top.
 */
struct gw_instance *gw_registry_invite_find(struct gw_registry *reg, const uint8_t *hash,
                                            int64_t now_unix_ms,
                                            const struct gw_invite_terms **terms_out);
/* The instance is linked now: its one-time link is used up. What it let in goes on to its end. */
void gw_registry_invite_used(struct gw_registry *reg, struct gw_instance *inst);

#endif
