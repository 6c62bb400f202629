/* gateway/http/gw_peers.c - how many connections each client address has */
#include "gateway/http/gw_peers.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

/* As many as max_connections allows by default; more only make the chains longer. */
#define BUCKETS_N 16384

struct gw_peers {
	uint64_t seed[2]; /* so that nobody can choose addresses that share a bucket */
	size_t n;
	struct gw_peer *buckets[BUCKETS_N];
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static struct gw_peer **bucket_of(struct gw_peers *peers, const struct gw_addr *key)
{
	uint64_t w[2], h;

	memcpy(w, key->b, sizeof(w));
	h = mix(w[0] ^ peers->seed[0], peers->seed[1]);
	h = mix(w[1] ^ h, peers->seed[1]);
	return &peers->buckets[h % BUCKETS_N];
}

int gw_peers_new(struct gw_peers **peers_out)
{
	struct gw_peers *peers = calloc(1, sizeof(*peers));
	int rc;

	if (peers == NULL)
		return -ENOMEM;
	rc = secret_random(peers->seed, sizeof(peers->seed));
	if (rc < 0) {
		free(peers);
		return rc;
	}
	peers->seed[1] |= 1;
	*peers_out = peers;
	return 0;
}

void gw_peers_free(struct gw_peers *peers)
{
	assert(peers == NULL || peers->n == 0);
	free(peers);
}

struct gw_peer *gw_peers_hold(struct gw_peers *peers, const struct gw_addr *addr)
{
	struct gw_addr key = gw_addr_client_key(addr);
	struct gw_peer **b = bucket_of(peers, &key);
	struct gw_peer *p = *b;

	while (p != NULL && !gw_addr_eq(&p->key, &key))
		p = p->next;
	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			return NULL;
		p->key = key;
		TAILQ_INIT(&p->unknown);
		p->next = *b;
		*b = p;
		peers->n++;
	}
	p->conns_n++;
	return p;
}

void gw_peers_release(struct gw_peers *peers, struct gw_peer *peer)
{
	struct gw_peer **b = bucket_of(peers, &peer->key);

	assert(peer->conns_n > 0);
	if (--peer->conns_n > 0)
		return;
	while (*b != peer)
		b = &(*b)->next;
	*b = peer->next;
	peers->n--;
	free(peer);
}
