/* gateway/limit/gw_redis_reply.c - what hiredis reads, without asking for memory */
#include "gateway/limit/gw_redis_reply.h"

#include <string.h>

/* A new reply begins. NULL: it must not; hiredis then ends the connection. */
static struct gw_redis_reading *begin(const redisReadTask *task, int type)
{
	struct gw_redis_reading *g = task->privdata;

	/* A reply to nothing: hiredis knows what to do with an error only, and asserts. */
	if (!g->expected && type != REDIS_REPLY_ERROR)
		return NULL;
	memset(&g->r, 0, sizeof(g->r));
	memset(&g->reply, 0, sizeof(g->reply));
	g->r.type = type;
	g->r.str = g->reply.text;
	return g;
}

static void *on_string(const redisReadTask *task, char *str, size_t len)
{
	struct gw_redis_reading *g = task->parent == NULL ? begin(task, task->type) : NULL;

	if (g == NULL)
		return NULL;
	g->reply.type = task->type == REDIS_REPLY_ERROR ? GW_REDIS_ERROR : GW_REDIS_WORD;
	if (len >= sizeof(g->reply.text))
		len = sizeof(g->reply.text) - 1;
	memcpy(g->reply.text, str, len);
	return g;
}

static void *on_array(const redisReadTask *task, int elements)
{
	struct gw_redis_reading *g;

	if (task->parent != NULL || elements < 0 || elements > GW_REDIS_VALUES_MAX)
		return NULL;
	g = begin(task, REDIS_REPLY_ARRAY);
	if (g == NULL)
		return NULL;
	g->reply.type = GW_REDIS_VALUES;
	g->reply.values_n = (size_t)elements;
	return g;
}

static void *on_integer(const redisReadTask *task, long long v)
{
	struct gw_redis_reading *g;

	if (task->parent != NULL) {
		g = task->parent->obj;
		g->reply.values[task->idx] = v; /* idx is below the array's length */
		return g;
	}
	g = begin(task, REDIS_REPLY_INTEGER);
	if (g != NULL)
		g->reply.type = GW_REDIS_WORD;
	return g;
}

static void *on_nil(const redisReadTask *task)
{
	struct gw_redis_reading *g = task->parent == NULL ? begin(task, REDIS_REPLY_NIL) : NULL;

	if (g != NULL)
		g->reply.type = GW_REDIS_WORD;
	return g;
}

static void on_free(void *obj)
{
	(void)obj; /* the connection's own */
}

static redisReplyObjectFunctions reply_functions = {
	.createString = on_string,
	.createArray = on_array,
	.createInteger = on_integer,
	.createNil = on_nil,
	.freeObject = on_free,
};

void gw_redis_reply_read_into(redisReader *reader, struct gw_redis_reading *g)
{
	reader->fn = &reply_functions;
	reader->privdata = g; /* redisReaderSetPrivdata() casts a pointer to int */
}
