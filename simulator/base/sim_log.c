/* simulator/base/sim_log.c - the last stanzas of all connections */
#include "simulator/base/sim_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sim_log {
	struct sim_log_entry ring[SIM_LOG_ENTRIES];
	size_t first, n;
	size_t bytes;
	uint64_t last_seq;
};

int sim_log_new(struct sim_log **log_out)
{
	struct sim_log *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -ENOMEM;
	*log_out = l;
	return 0;
}

static void drop_first(struct sim_log *l)
{
	struct sim_log_entry *e = &l->ring[l->first];

	l->bytes -= e->stanza_len;
	free(e->stanza);
	e->stanza = NULL;
	l->first = (l->first + 1) % SIM_LOG_ENTRIES;
	l->n--;
}

void sim_log_free(struct sim_log *l)
{
	if (l == NULL)
		return;
	while (l->n > 0)
		drop_first(l);
	free(l);
}

void sim_log_add(struct sim_log *l, uint32_t client, bool out, int64_t at_unix_ms,
                 const uint8_t *stanza, size_t stanza_len)
{
	struct sim_log_entry *e;
	uint8_t *copy;

	if (stanza_len == 0 || stanza_len > SIM_LOG_BYTES)
		return;
	copy = malloc(stanza_len);
	if (copy == NULL)
		return;
	memcpy(copy, stanza, stanza_len);
	while (l->n > 0 && (l->n == SIM_LOG_ENTRIES || l->bytes + stanza_len > SIM_LOG_BYTES))
		drop_first(l);
	e = &l->ring[(l->first + l->n) % SIM_LOG_ENTRIES];
	*e = (struct sim_log_entry){
		.seq = ++l->last_seq,
		.client = client,
		.out = out,
		.at_unix_ms = at_unix_ms,
		.stanza = copy,
		.stanza_len = stanza_len,
	};
	l->n++;
	l->bytes += stanza_len;
}

void sim_log_each(const struct sim_log *l, uint64_t since, uint32_t client,
                  void (*on_entry)(const struct sim_log_entry *e, void *arg), void *arg)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct sim_log_entry *e = &l->ring[(l->first + i) % SIM_LOG_ENTRIES];

		if (e->seq > since && (client == 0 || e->client == client))
			on_entry(e, arg);
	}
}
