/* worker/wk_session_ask.c - questions of the gateway about what is stored */
#include <errno.h>

#include "common/err.h"
#include "worker/wk_session_priv.h"

static void refuse(struct wk_session *s, uint32_t id, int rc, const char *detail)
{
	Ipc__Answer m = IPC__ANSWER__INIT;

	m.has_rc = true;
	m.rc = rc;
	m.detail = (char *)(uintptr_t)detail;
	s->p.ops->on_answer(id, &m, -1, s->p.arg);
}

void wk_session_ask(struct wk_session *s, uint32_t id, const Ipc__Ask *m)
{
	(void)m;
	refuse(s, id, -ENOENT, "nothing is stored");
}

void wk_session_asks_drop(struct wk_session *s)
{
	(void)s;
}
