/*
 * simulator/phone/sim_mail.h - what a phone has got and sent: inbox, messages to be sent again, receipts
 * (no I/O)
 *
 * Bounded: the oldest goes when there is no room, of this box or of all phones together. Texts are
 * copied.
 */
#ifndef SIM_MAIL_H
#define SIM_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/phone/sim_phone.h"

#define SIM_MSG_ID_CAP 44
#define SIM_MAIL_MAX 20000                 /* messages of one phone, each way */
#define SIM_MAIL_BYTES (16u * 1024 * 1024) /* of their texts and contents, each way */
#define SIM_MAIL_RECEIPTS 65536
#define SIM_MAIL_ALL_MAX (512u * 1024 * 1024) /* of all phones */

struct sim_mail;

void sim_mail_free(struct sim_mail *m); /* NULL is fine */

/* ---- messages ----------------------------------------------------------------------------------
 */

struct sim_mail_entry {
	uint64_t seq; /* from 1; of this box */
	const char *id;
	const char *from;        /* device JID */
	const char *chat;        /* JID of the other side, group or status@broadcast */
	const char *type, *text; /* text NULL: none */
	int64_t unix_s;
	const uint8_t *msg; /* serialized Message */
	size_t msg_len;
	bool no_retry;                  /* sent: an ask for it is not answered */
	const char *mediatype;          /* sent; NULL: none */
	const char *stanza_type, *edit; /* sent: of the stanza; edit NULL: none */
	bool hide;
};

/* Add to phone's inbox, or to what it has sent. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_mail_got(struct sim_phone *phone, const struct sim_mail_entry *e);
ATTR_NODISCARD int sim_mail_sent(struct sim_phone *phone, const struct sim_mail_entry *e);
/* Besides, to what its companions have sent. */
ATTR_NODISCARD int sim_mail_own(struct sim_phone *phone, const struct sim_mail_entry *e);
/* The newest that was sent with this id; false: none, or no longer. Borrowed until the next add. */
bool sim_mail_find_sent(const struct sim_phone *phone, const char *id,
                        struct sim_mail_entry *e_out);
bool sim_mail_find_got(const struct sim_phone *phone, const char *id, struct sim_mail_entry *e_out);
/* Those above seq since, oldest first. Returns how many there ever were. */
uint64_t sim_mail_each_got(const struct sim_phone *phone, uint64_t since,
                           void (*on_entry)(const struct sim_mail_entry *e, void *arg), void *arg);
uint64_t sim_mail_each_sent(const struct sim_phone *phone, uint64_t since,
                            void (*on_entry)(const struct sim_mail_entry *e, void *arg), void *arg);
uint64_t sim_mail_each_own(const struct sim_phone *phone, uint64_t since,
                           void (*on_entry)(const struct sim_mail_entry *e, void *arg), void *arg);

/* ---- receipts ----------------------------------------------------------------------------------
 */

struct sim_mail_receipt {
	uint64_t seq;
	char id[SIM_MSG_ID_CAP];
	char from[SIM_JID_CAP]; /* device JID */
	char chat[SIM_JID_CAP]; /* what it was sent to: the phone, a group */
	char type[16];          /* "delivered", "read", "retry", ...; "ack", "nack" */
	uint32_t code;          /* of a nack; of a retry its count */
	int64_t unix_ms;
};

/* seq and unix_ms are filled in. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_mail_receipt(struct sim_phone *phone, const struct sim_mail_receipt *r);
uint64_t sim_mail_each_receipt(const struct sim_phone *phone, uint64_t since,
                               void (*on_receipt)(const struct sim_mail_receipt *r, void *arg),
                               void *arg);
/* How many of each type there ever were. */
void sim_mail_each_count(const struct sim_phone *phone,
                         void (*on_count)(const char *type, uint64_t n, void *arg), void *arg);

#endif
