/* simulator/server/sim_queue.c - stanzas for one device that were not acked yet */
#include "simulator/server/sim_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"

/* Kept encoded: a tree takes several times the room, and thousands may wait. */
struct item {
	struct item *next;
	char *tag, *id; /* owned */
	struct buf stanza;
	uint32_t sends;
};

struct sim_queue {
	struct item *first, *last;
	struct item *next_out; /* NULL: all of it has been handed out */
	struct sim_queue_counts counts;
};

int sim_queue_new(struct sim_queue **queue_out)
{
	struct sim_queue *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return -ENOMEM;
	*queue_out = q;
	return 0;
}

static void item_free(struct item *i)
{
	if (i == NULL)
		return;
	buf_free(&i->stanza);
	free(i->tag);
	free(i->id);
	free(i);
}

void sim_queue_free(struct sim_queue *q)
{
	if (q == NULL)
		return;
	while (q->first != NULL) {
		struct item *i = q->first;

		q->first = i->next;
		item_free(i);
	}
	free(q);
}

static uint32_t *counter(struct sim_queue_counts *c, const char *tag)
{
	if (strcmp(tag, "message") == 0)
		return &c->message;
	if (strcmp(tag, "receipt") == 0)
		return &c->receipt;
	if (strcmp(tag, "notification") == 0)
		return &c->notification;
	return &c->call;
}

static int item_new(const struct wa_node *node, const char *id, struct item **item_out)
{
	struct item *i = calloc(1, sizeof(*i));
	int rc;

	if (i == NULL)
		return -ENOMEM;
	i->tag = strdup(node->tag);
	i->id = strdup(id);
	rc = wa_stanza_encode(node, &i->stanza);
	if (rc == 0 && (i->tag == NULL || i->id == NULL))
		rc = -ENOMEM;
	if (rc < 0)
		item_free(i);
	else
		*item_out = i;
	return rc;
}

static void append(struct sim_queue *q, struct item *i)
{
	if (q->last == NULL)
		q->first = i;
	else
		q->last->next = i;
	q->last = i;
	if (q->next_out == NULL)
		q->next_out = i;
	q->counts.count++;
	++*counter(&q->counts, i->tag);
}

int sim_queue_push(struct sim_queue *q, struct wa_node *node)
{
	const char *id = node == NULL ? NULL : wa_node_attr(node, "id");
	struct item *i = NULL;
	int rc;

	if (node == NULL)
		return -ENOMEM;
	if (id == NULL)
		rc = WA_EPROTO;
	else if (q->counts.count >= SIM_QUEUE_MAX)
		rc = WA_ELIMIT;
	else
		rc = item_new(node, id, &i);
	if (rc == 0)
		append(q, i);
	wa_node_free(node);
	return rc;
}

bool sim_queue_ack(struct sim_queue *q, const char *tag, const char *id)
{
	struct item *before = NULL, *i = q->first;

	while (i != NULL && (strcmp(i->id, id) != 0 || strcmp(i->tag, tag) != 0)) {
		before = i;
		i = i->next;
	}
	if (i == NULL)
		return false;
	if (before == NULL)
		q->first = i->next;
	else
		before->next = i->next;
	if (q->last == i)
		q->last = before;
	if (q->next_out == i)
		q->next_out = i->next;
	q->counts.count--;
	--*counter(&q->counts, i->tag);
	item_free(i);
	return true;
}

void sim_queue_count(const struct sim_queue *q, struct sim_queue_counts *counts_out)
{
	*counts_out = q->counts;
}

void sim_queue_rewind(struct sim_queue *q)
{
	q->next_out = q->first;
}

bool sim_queue_take(struct sim_queue *q, const struct buf **stanza_out, uint32_t *sends_out)
{
	struct item *i = q->next_out;

	if (i == NULL)
		return false;
	*stanza_out = &i->stanza;
	*sends_out = i->sends++;
	q->next_out = i->next;
	return true;
}

const char *sim_queue_unacked(const struct sim_queue *q, const char **tag_out)
{
	if (q->first == NULL || q->first == q->next_out)
		return NULL;
	*tag_out = q->first->tag;
	return q->first->id;
}
