/*
 * worker/pair/wk_pair.h - showing codes: answers pair-device, makes the QR texts, keeps their clock
 *
 * The adv secret of the device is new for every pair-device and for every companion_reg_refresh,
 * made before either is answered. Source: protocol notes 03 sections 4 and 5.
 */
#ifndef WK_PAIR_H
#define WK_PAIR_H

#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/link/wa_pair.h"

struct event_base;
struct wk_pair;

/* A code as it is to be shown: a secret. */
struct wk_code {
	char text[WA_QR_CAP];
	uint32_t valid_ms; /* from now */
	unsigned index, total;
};

struct wk_pair_ops {
	int (*send)(const struct wa_node *n, void *arg); /* 0 or a negative code */
	void (*on_code)(void *arg);          /* another code is to be shown: wk_pair_code() */
	void (*on_out)(void *arg);           /* the last code has run out */
	void (*on_error)(int rc, void *arg); /* the next code can't be made */
};

/* dev is borrowed; its adv secret is changed. speed divides the lifetimes. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_pair_new(struct event_base *base, struct wa_device *dev, unsigned speed,
                               const struct wk_pair_ops *ops, void *arg, struct wk_pair **pair_out);
/* NULL is fine; safe from its callbacks. */
void wk_pair_free(struct wk_pair *p);

/*
 * A pair-device: new secret, answer, first code (on_code is called). Replaces what was shown.
 * 0; WA_EPROTO or WA_ELIMIT (a ref can't be shown); -ENOMEM; WA_ECRYPTO; or what send returned.
 */
ATTR_NODISCARD int wk_pair_offer(struct wk_pair *p, const struct wa_pair_device *pd);

/*
 * companion_reg_refresh: new secret, acknowledgement, the same ref again (on_code is called) with
 * the time it has left. Codes as wk_pair_offer().
 */
ATTR_NODISCARD int wk_pair_refresh(struct wk_pair *p, const struct wa_node *notification);

/*
 * The phone is going to sign with the secret as it is now (pairing code, passkey step): nothing
 * renews it any more.
 */
void wk_pair_hold(struct wk_pair *p);
/* The clock stands still for good, and no code is shown any more: the passkey step decides. */
void wk_pair_pause(struct wk_pair *p);
/* Instead of ending now, from on_out: ask again after ms. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_pair_extend(struct wk_pair *p, uint32_t ms);
/* What is left of all codes together, ms. */
uint32_t wk_pair_left_ms(const struct wk_pair *p);

/* The code to show now. 0 or WA_ESTATE (none), WA_EPROTO, WA_ELIMIT. Wipe it after use. */
ATTR_NODISCARD int wk_pair_code(const struct wk_pair *p, struct wk_code *code_out);

#endif
