/* simulator/phone/sim_mail.c - what a phone has got and sent */
#include "simulator/phone/sim_mail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define TYPES_MAX 24

/* One allocation: the texts and the content follow. */
struct letter {
	struct letter *older, *newer;
	struct sim_mail_entry e;
	size_t size;
	char room[];
};

struct box {
	struct letter *oldest, *newest;
	size_t n, bytes;
	uint64_t total;
	size_t *all; /* bytes of all boxes of all phones; NULL: not counted */
};

struct sim_mail {
	struct box got, sent, own;
	struct sim_mail_receipt *receipts; /* owned; a ring once it is full */
	size_t receipts_cap;
	uint64_t receipts_total;
	struct {
		char type[16];
		uint64_t n;
	} counts[TYPES_MAX];
};

static struct sim_mail *mail_of(struct sim_phone *phone)
{
	struct sim_mail *m = phone->mail;

	if (m != NULL)
		return m;
	m = calloc(1, sizeof(*m));
	if (m != NULL)
		m->got.all = m->sent.all = m->own.all = phone->mail_bytes;
	phone->mail = m;
	return m;
}

/* ---- boxes -------------------------------------------------------------------------------------
 */

static void drop_oldest(struct box *b)
{
	struct letter *l = b->oldest;

	b->oldest = l->newer;
	if (b->oldest == NULL)
		b->newest = NULL;
	else
		b->oldest->older = NULL;
	b->n--;
	b->bytes -= l->size;
	if (b->all != NULL)
		*b->all -= sizeof(*l) + l->size;
	free(l);
}

static size_t text_size(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static const char *put(char **at, const char *text)
{
	size_t n = text_size(text);
	char *to = *at;

	if (text == NULL)
		return NULL;
	memcpy(to, text, n);
	*at += n;
	return to;
}

static struct letter *letter_new(const struct sim_mail_entry *e)
{
	size_t size = text_size(e->id) + text_size(e->from) + text_size(e->chat) +
	              text_size(e->type) + text_size(e->text) + text_size(e->mediatype) +
	              text_size(e->stanza_type) + text_size(e->edit) + e->msg_len;
	struct letter *l = malloc(sizeof(*l) + size);
	char *at;

	if (l == NULL)
		return NULL;
	at = l->room;
	l->e = *e;
	l->size = size;
	l->e.id = put(&at, e->id);
	l->e.from = put(&at, e->from);
	l->e.chat = put(&at, e->chat);
	l->e.type = put(&at, e->type);
	l->e.text = put(&at, e->text);
	l->e.mediatype = put(&at, e->mediatype);
	l->e.stanza_type = put(&at, e->stanza_type);
	l->e.edit = put(&at, e->edit);
	l->e.msg = (const uint8_t *)at;
	if (e->msg_len > 0)
		memcpy(at, e->msg, e->msg_len);
	return l;
}

static bool is_full(const struct box *b, size_t more)
{
	return b->n >= SIM_MAIL_MAX || b->bytes + more > SIM_MAIL_BYTES ||
	       (b->all != NULL && *b->all + more > SIM_MAIL_ALL_MAX);
}

static int add(struct box *b, const struct sim_mail_entry *e)
{
	struct letter *l = letter_new(e);

	if (l == NULL)
		return -ENOMEM;
	while (b->oldest != NULL && is_full(b, l->size))
		drop_oldest(b);
	l->e.seq = ++b->total;
	l->newer = NULL;
	l->older = b->newest;
	if (b->newest == NULL)
		b->oldest = l;
	else
		b->newest->newer = l;
	b->newest = l;
	b->n++;
	b->bytes += l->size;
	if (b->all != NULL)
		*b->all += sizeof(*l) + l->size;
	return 0;
}

/* Callers mostly want the newest few: begin there. */
static uint64_t each(const struct box *b, uint64_t since,
                     void (*on_entry)(const struct sim_mail_entry *e, void *arg), void *arg)
{
	const struct letter *l = b->newest;

	while (l != NULL && l->e.seq > since + 1 && l->older != NULL)
		l = l->older;
	for (; l != NULL; l = l->newer) {
		if (l->e.seq > since)
			on_entry(&l->e, arg);
	}
	return b->total;
}

void sim_mail_free(struct sim_mail *m)
{
	if (m == NULL)
		return;
	while (m->got.oldest != NULL)
		drop_oldest(&m->got);
	while (m->sent.oldest != NULL)
		drop_oldest(&m->sent);
	while (m->own.oldest != NULL)
		drop_oldest(&m->own);
	free(m->receipts);
	free(m);
}

int sim_mail_got(struct sim_phone *phone, const struct sim_mail_entry *e)
{
	struct sim_mail *m = mail_of(phone);

	return m == NULL ? -ENOMEM : add(&m->got, e);
}

int sim_mail_sent(struct sim_phone *phone, const struct sim_mail_entry *e)
{
	struct sim_mail *m = mail_of(phone);

	return m == NULL ? -ENOMEM : add(&m->sent, e);
}

int sim_mail_own(struct sim_phone *phone, const struct sim_mail_entry *e)
{
	struct sim_mail *m = mail_of(phone);

	return m == NULL ? -ENOMEM : add(&m->own, e);
}

uint64_t sim_mail_each_own(const struct sim_phone *phone, uint64_t since,
                           void (*on_entry)(const struct sim_mail_entry *e, void *arg), void *arg)
{
	return phone->mail == NULL ? 0 : each(&phone->mail->own, since, on_entry, arg);
}

static bool find(const struct letter *newest, const char *id, struct sim_mail_entry *e_out)
{
	const struct letter *l = newest;

	while (l != NULL && strcmp(l->e.id, id) != 0)
		l = l->older;
	if (l == NULL)
		return false;
	*e_out = l->e;
	return true;
}

bool sim_mail_find_sent(const struct sim_phone *phone, const char *id, struct sim_mail_entry *e_out)
{
	return phone->mail != NULL && find(phone->mail->sent.newest, id, e_out);
}

bool sim_mail_find_got(const struct sim_phone *phone, const char *id, struct sim_mail_entry *e_out)
{
	return phone->mail != NULL && find(phone->mail->got.newest, id, e_out);
}

uint64_t sim_mail_each_got(const struct sim_phone *phone, uint64_t since,
                           void (*on_entry)(const struct sim_mail_entry *e, void *arg), void *arg)
{
	return phone->mail == NULL ? 0 : each(&phone->mail->got, since, on_entry, arg);
}

uint64_t sim_mail_each_sent(const struct sim_phone *phone, uint64_t since,
                            void (*on_entry)(const struct sim_mail_entry *e, void *arg), void *arg)
{
	return phone->mail == NULL ? 0 : each(&phone->mail->sent, since, on_entry, arg);
}

/* ---- receipts ----------------------------------------------------------------------------------
 */

static void count(struct sim_mail *m, const char *type)
{
	for (size_t i = 0; i < TYPES_MAX; i++) {
		if (m->counts[i].n == 0)
			snprintf(m->counts[i].type, sizeof(m->counts[i].type), "%s", type);
		if (strcmp(m->counts[i].type, type) == 0) {
			m->counts[i].n++;
			return;
		}
	}
}

static int grow(struct sim_mail *m)
{
	size_t cap = m->receipts_cap == 0 ? 64 : m->receipts_cap * 2;
	struct sim_mail_receipt *fresh;

	/* Not once it has begun to turn: what is there would come out of order. */
	if (m->receipts_total != m->receipts_cap || m->receipts_cap >= SIM_MAIL_RECEIPTS)
		return 0;
	if (m->receipts_cap > 0 && m->got.all != NULL &&
	    *m->got.all + cap * sizeof(*fresh) > SIM_MAIL_ALL_MAX)
		return 0; /* it turns in what room it has */
	fresh = realloc(m->receipts, cap * sizeof(*fresh));
	if (fresh == NULL)
		return -ENOMEM;
	if (m->got.all != NULL)
		*m->got.all += (cap - m->receipts_cap) * sizeof(*fresh);
	m->receipts = fresh;
	m->receipts_cap = cap;
	return 0;
}

int sim_mail_receipt(struct sim_phone *phone, const struct sim_mail_receipt *r)
{
	struct sim_mail *m = mail_of(phone);
	struct sim_mail_receipt *to;

	if (m == NULL || grow(m) < 0)
		return -ENOMEM;
	to = &m->receipts[m->receipts_total % m->receipts_cap];
	*to = *r;
	to->seq = ++m->receipts_total;
	to->unix_ms = clock_unix_ms();
	count(m, to->type);
	return 0;
}

uint64_t sim_mail_each_receipt(const struct sim_phone *phone, uint64_t since,
                               void (*on_receipt)(const struct sim_mail_receipt *r, void *arg),
                               void *arg)
{
	const struct sim_mail *m = phone->mail;
	uint64_t from = since;

	if (m == NULL)
		return 0;
	if (m->receipts_total > m->receipts_cap && from < m->receipts_total - m->receipts_cap)
		from = m->receipts_total - m->receipts_cap;
	for (; from < m->receipts_total; from++)
		on_receipt(&m->receipts[from % m->receipts_cap], arg);
	return m->receipts_total;
}

void sim_mail_each_count(const struct sim_phone *phone,
                         void (*on_count)(const char *type, uint64_t n, void *arg), void *arg)
{
	for (size_t i = 0; phone->mail != NULL && i < TYPES_MAX && phone->mail->counts[i].n > 0;
	     i++)
		on_count(phone->mail->counts[i].type, phone->mail->counts[i].n, arg);
}
