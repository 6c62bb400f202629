/* worker/pair/wk_pair.c - showing codes */
#include "worker/pair/wk_pair.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/pair/wk_codes.h"
#include "worker/session/wk_timer.h"

struct wk_pair {
	struct wa_device *dev;
	const struct wk_pair_ops *ops;
	void *arg;
	struct wk_codes codes;
	struct event *timer; /* the code shown now runs out */
	bool held;           /* the secret stays */
	bool paused;
};

int wk_pair_code(const struct wk_pair *p, struct wk_code *code_out)
{
	const struct wk_codes *c = &p->codes;
	int rc;

	if (p->paused || !wk_codes_live(c))
		return WA_ESTATE;
	rc = wa_qr_text(p->dev, c->refs[c->index], c->ref_lens[c->index], code_out->text);
	if (rc < 0)
		return rc;
	code_out->valid_ms = wk_codes_left_ms(c, clock_ms());
	code_out->index = (unsigned)c->index;
	code_out->total = (unsigned)c->n;
	return 0;
}

/* Every code is tried before it is announced, so that on_code can rely on it. */
static int show(struct wk_pair *p)
{
	struct wk_code code;
	int rc = wk_pair_code(p, &code);

	secret_wipe(&code, sizeof(code));
	if (rc < 0)
		return rc;
	rc = wk_timer_set(p->timer, wk_codes_left_ms(&p->codes, clock_ms()));
	if (rc < 0)
		return rc;
	p->ops->on_code(p->arg);
	return 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_pair *p = arg;
	int rc;

	(void)fd;
	(void)what;
	if (!wk_codes_next(&p->codes, clock_ms())) {
		p->ops->on_out(p->arg);
		return;
	}
	rc = show(p);
	if (rc < 0)
		p->ops->on_error(rc, p->arg);
}

int wk_pair_new(struct event_base *base, struct wa_device *dev, unsigned speed,
                const struct wk_pair_ops *ops, void *arg, struct wk_pair **pair_out)
{
	struct wk_pair *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->dev = dev;
	p->ops = ops;
	p->arg = arg;
	p->codes.speed = speed;
	p->timer = evtimer_new(base, on_timer, p);
	if (p->timer == NULL) {
		free(p);
		return -ENOMEM;
	}
	*pair_out = p;
	return 0;
}

void wk_pair_free(struct wk_pair *p)
{
	if (p == NULL)
		return;
	event_free(p->timer);
	wk_codes_clear(&p->codes);
	free(p);
}

/* Send a node that was built for this and release it. */
static int send_node(struct wk_pair *p, struct wa_node *n)
{
	int rc = n == NULL ? -ENOMEM : p->ops->send(n, p->arg);

	wa_node_free(n);
	return rc;
}

static int renew(struct wk_pair *p)
{
	return p->held ? 0 : wa_device_rotate_adv(p->dev);
}

int wk_pair_offer(struct wk_pair *p, const struct wa_pair_device *pd)
{
	int rc = wk_codes_set(&p->codes, pd, clock_ms());

	if (rc == 0)
		rc = renew(p);
	if (rc == 0)
		rc = send_node(p, wa_iq_result(pd->id));
	return rc < 0 || p->paused ? rc : show(p);
}

int wk_pair_refresh(struct wk_pair *p, const struct wa_node *notification)
{
	int rc = renew(p);

	if (rc == 0)
		rc = send_node(p, wa_notification_ack(notification));
	if (rc < 0 || p->held || p->paused)
		return rc;
	/* Its time is up at this very moment: the timer brings the next one. */
	if (wk_codes_left_ms(&p->codes, clock_ms()) == 0)
		return 0;
	return show(p);
}

void wk_pair_hold(struct wk_pair *p)
{
	p->held = true;
}

void wk_pair_pause(struct wk_pair *p)
{
	p->held = p->paused = true;
	(void)event_del(p->timer);
}

int wk_pair_extend(struct wk_pair *p, uint32_t ms)
{
	return wk_timer_set(p->timer, ms);
}

uint32_t wk_pair_left_ms(const struct wk_pair *p)
{
	return wk_codes_all_left_ms(&p->codes, clock_ms());
}
