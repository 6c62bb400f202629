/*
 * simulator/pair/sim_pair.h - after a registration: codes, their clock, and how a phone links what
 * shows them
 *
 * The phone has no connection of its own: what it would send the server is a call here, what the
 * server would tell it is kept where GET /phones shows it. Source: protocol notes 03 sections 4 to
 * 9 and 04 sections 4.2 and 8.
 */
#ifndef SIM_PAIR_H
#define SIM_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/pair/sim_adv.h"

#define SIM_REFS 6
#define SIM_REF_CAP 96
#define SIM_IQ_ID_CAP 16

struct sim;
struct sim_call;
struct sim_client;
struct sim_pair_code;
struct sim_pair_passkey;
struct sim_phone;
struct sim_qr;
struct sim_wait;

enum sim_pair_step {
	SIM_PAIR_CODES,   /* codes are shown */
	SIM_PAIR_PASSKEY, /* a phone links; first the companion must prove a passkey */
	SIM_PAIR_SIGNED,  /* pair-success is out */
	SIM_PAIR_LINKED,  /* and answered well */
};

struct sim_pairing {
	char iq_id[SIM_IQ_ID_CAP]; /* of the last pair-device; "" before */
	char (*refs)[SIM_REF_CAP]; /* owned; NULL before */
	size_t refs_n;
	uint64_t sent_at_ms;
	bool acked;
	/* linking */
	enum sim_pair_step step;
	struct sim_phone *phone; /* that links it; borrowed, NULL: none yet */
	struct sim_wait *wait;   /* the person's call that awaits the outcome; borrowed */
	bool rotated;            /* the phone has asked for another secret */
	uint8_t secret[SIM_ADV_SECRET_LEN]; /* as the phone has read or derived it */
	struct sim_pair_code *code;         /* owned; NULL: no pairing code was asked for */
	struct sim_pair_passkey *passkey;   /* owned; NULL: no passkey step */
	struct sim_adv *adv;                /* owned; what pair-success said */
	uint32_t device;                    /* the number it gave */
	char success_id[SIM_IQ_ID_CAP];
	/* faults */
	bool no_pong;
	bool ends_early;  /* the connection ends with the last code */
	bool ends_on_ack; /* the connection ends with the answer to pair-device */
};

/* The registration was accepted. */
void sim_pair_begin(struct sim_client *c);
void sim_pair_clear(struct sim_pairing *p);
/* 0, or a negative code that ends the connection. */
ATTR_NODISCARD int sim_pair_on_stanza(struct sim_client *c, const uint8_t *stanza, size_t len);
/* The deadline of the pairing phase is over. */
void sim_pair_on_deadline(struct sim_client *c);

/*
 * Have the phones of s sign the lists of key indexes that the server hands out. Once, when both are
 * there.
 */
void sim_pair_start(struct sim *s);

/* ---- what a person does with the phone ---------------------------------------------------------
 *
 * Each answers the call, at once or when the companion has answered.
 */

/* Read a code of c that was checked (sim_client_check_qr()). rotate: ask for another one first. */
void sim_pair_scan(struct sim_call *call, struct sim_phone *phone, struct sim_client *c,
                   const struct sim_qr *qr, bool rotate);
/* Type the code that the latest companion shows. */
void sim_pair_type_code(struct sim_call *call, struct sim_phone *phone, const char *text);
/* The code is void; manual: the companion shall wait until its user wants another one. */
void sim_pair_refresh_code(struct sim_call *call, struct sim_phone *phone, bool manual);
/* Are both codes of the passkey step the same? */
void sim_pair_answer_passkey(struct sim_call *call, struct sim_phone *phone, bool approve);

#endif
