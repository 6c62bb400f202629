/* worker/store/wk_store_msg_body.c - the bytes of a message that are sealed in its row */
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/rd.h"
#include "common/wr.h"
#include "worker/store/wk_store_msg_priv.h"

#define BODY_FORMAT 1

/* A format, five parts with their lengths. */
#define BODY_HEAD_MAX \
	(1 + 5 + WK_MSG_ID_MAX + WA_JID_TEXT_CAP + WK_MSG_NAME_MAX + 8 + WA_MSG_SECRET_LEN)

static int append_part(struct buf *b, const void *p, size_t n)
{
	int rc = buf_append_u8(b, (uint8_t)n);

	return rc < 0 ? rc : buf_append(b, p, n);
}

/* As much of a name as fits, whole characters. */
static size_t name_len(const char *name)
{
	size_t n = 0, c;

	if (name == NULL)
		return 0;
	while (name[n] != '\0') {
		c = utf8_char_len(name + n);
		c = c == 0 ? 1 : c;
		if (n + c > WK_MSG_NAME_MAX)
			break;
		n += c;
	}
	return n;
}

int wk_msg_body_write(const struct wk_msg *m, struct buf *b)
{
	char sender[WA_JID_TEXT_CAP];
	size_t sender_len = wa_jid_format(&m->sender, sender);
	uint8_t order[8];
	struct wr w;
	int rc = buf_reserve(b, BODY_HEAD_MAX + m->message_len); /* once for all */

	if (rc == 0)
		rc = buf_append_u8(b, BODY_FORMAT);
	wr_init(&w, order, sizeof(order));
	wr_le64(&w, m->order);
	if (rc == 0)
		rc = append_part(b, m->id, strlen(m->id));
	if (rc == 0)
		rc = append_part(b, sender, sender_len);
	if (rc == 0)
		rc = append_part(b, m->push_name, name_len(m->push_name));
	if (rc == 0)
		rc = append_part(b, order, m->order == 0 ? 0 : sizeof(order));
	if (rc == 0)
		rc = append_part(b, m->secret, m->secret == NULL ? 0 : WA_MSG_SECRET_LEN);
	return rc < 0 ? rc : buf_append(b, m->message, m->message_len);
}

static void read_text(struct rd *r, struct wk_msg_text *t)
{
	size_t n = rd_u8(r);
	const uint8_t *p = rd_bytes(r, n);

	if (p != NULL)
		memcpy(t->s, p, n);
	t->s[p == NULL ? 0 : n] = '\0';
}

int wk_msg_body_read(const struct buf *b, struct wk_msg_text texts[2], struct wk_msg *m)
{
	struct wk_msg_text sender;
	const uint8_t *p;
	struct rd r;
	size_t n;

	rd_init(&r, b->p, b->len);
	if (rd_u8(&r) != BODY_FORMAT)
		return WA_ESTORE_CORRUPT;
	read_text(&r, &texts[0]);
	read_text(&r, &sender);
	read_text(&r, &texts[1]);
	n = rd_u8(&r);
	if (n == sizeof(m->order))
		m->order = rd_le64(&r);
	else
		(void)rd_bytes(&r, n);
	n = rd_u8(&r);
	p = rd_bytes(&r, n);
	m->secret = n == WA_MSG_SECRET_LEN ? p : NULL;
	m->message_len = r.left;
	m->message = rd_bytes(&r, r.left);
	m->id = texts[0].s;
	m->push_name = texts[1].s[0] == '\0' ? NULL : texts[1].s;
	if (r.err != 0 || wa_jid_parse(sender.s, strlen(sender.s), &m->sender) < 0)
		return WA_ESTORE_CORRUPT;
	return 0;
}
