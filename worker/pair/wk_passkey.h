/*
 * worker/pair/wk_passkey.h - the passkey step: WhatsApp wants a proof before it links
 *
 * Options to the user, the credential back, prologue, nonce, the code that both sides compare, the
 * pairing request; then pair-success comes. One request waits for its answer at a time. The step
 * has a limit of its own. Source: protocol notes 03 section 8.
 */
#ifndef WK_PASSKEY_H
#define WK_PASSKEY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/session/wk_failure.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/link/wa_link_code.h"

#define WK_PASSKEY_MS 300000 /* the whole step, from the first request on */

struct event_base;
struct log_ctx;
struct wa_node;
struct wk_passkey;

enum wk_passkey_stage {
	WK_PASSKEY_NONE,     /* nothing is asked of anybody here */
	WK_PASSKEY_REQUIRED, /* the user's answer is awaited */
	WK_PASSKEY_CONFIRM,  /* the user compares codes */
	WK_PASSKEY_DONE,     /* pair-success is awaited */
};

/* What the user is to be told; borrowed. */
struct wk_passkey_view {
	enum wk_passkey_stage stage;
	const char *options; /* REQUIRED: JSON */
	const char *code;    /* CONFIRM: "XXXX-XXXX" */
	uint32_t valid_ms;   /* of the step, from now */
};

struct wk_passkey_ops {
	int (*send)(const struct wa_node *n, void *arg); /* 0 or a negative code */
	/* The stage has changed, or is to be told again. Never NONE. */
	void (*on_stage)(void *arg);
	/* The step is over: refused, out of time, or this process can't go on. */
	void (*on_failed)(const struct wk_failure *f, void *arg);
};

struct wk_passkey_params {
	struct event_base *base;
	struct wa_device *dev; /* borrowed; its adv secret is changed */
	const struct log_ctx *log;
	uint32_t tag;      /* random: makes the ids of its requests */
	uint32_t proof_ms; /* how long a proof spares the comparison: WA_PASSKEY_HANDOFF_MS */
	unsigned speed;    /* divides every wait */
	const struct wk_passkey_ops *ops;
	void *arg;
};

/*
 * A passkey_prologue_request has come: new secret, acknowledgement, and on with its options.
 * 0, -ENOMEM, WA_ECRYPTO, or what send returned. No callback from inside but send and on_stage.
 */
ATTR_NODISCARD int wk_passkey_new(const struct wk_passkey_params *params,
                                  const struct wa_node *request, struct wk_passkey **pk_out);
/* NULL is fine; safe from its callbacks. */
void wk_passkey_free(struct wk_passkey *pk);

/* An IQ result or error. False: not an answer to this. */
bool wk_passkey_iq(struct wk_passkey *pk, const struct wa_node *iq);
/* A notification of type crsc_continuation; its ack has been sent. */
void wk_passkey_continuation(struct wk_passkey *pk, const struct wa_node *n);

/*
 * The user's credential (JSON). 0; WA_ESTATE: not asked for now. One that can't be used is logged,
 * and the stage told again.
 */
int wk_passkey_answer(struct wk_passkey *pk, const char *credential);
/* The user says that the codes are equal. 0 or WA_ESTATE. */
int wk_passkey_confirm(struct wk_passkey *pk);

/* NONE in a stage where WhatsApp is at work. */
void wk_passkey_look(const struct wk_passkey *pk, struct wk_passkey_view *out);

#endif
