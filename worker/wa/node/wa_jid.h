/* worker/wa/node/wa_jid.h - JIDs: text form and parts (protocol notes 02 section 5) */
#ifndef WA_JID_H
#define WA_JID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define WA_JID_USER_MAX 127
#define WA_JID_SERVER_MAX 31
#define WA_JID_TEXT_CAP (WA_JID_USER_MAX + WA_JID_SERVER_MAX + 24)

struct wa_jid {
	char user[WA_JID_USER_MAX + 1]; /* "": the server itself */
	char server[WA_JID_SERVER_MAX + 1];
	uint16_t device;     /* 0: none in the text form */
	uint16_t integrator; /* interop only */
};

/* "user@server", "user:device@server", "integrator-user:device@interop", or a server alone. 0 or
 * WA_EPROTO. */
ATTR_NODISCARD int wa_jid_parse(const char *text, size_t text_len, struct wa_jid *jid_out);
/* A device of a user of that server, as in "user:7@lid": device number not 0. 0 or WA_EPROTO. */
ATTR_NODISCARD int wa_jid_parse_device(const char *text, const char *server,
                                       struct wa_jid *jid_out);
/* The user as a number: of s.whatsapp.net it is the phone number. 0 or WA_EPROTO. */
ATTR_NODISCARD int wa_jid_user_number(const struct wa_jid *jid, uint64_t *v_out);
/* out holds WA_JID_TEXT_CAP bytes. Returns the length. */
size_t wa_jid_format(const struct wa_jid *jid, char *out);
/* Of one user, whichever the device. */
bool wa_jid_same_user(const struct wa_jid *a, const struct wa_jid *b);

#endif
