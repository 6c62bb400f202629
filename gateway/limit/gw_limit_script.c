/* gateway/limit/gw_limit_script.c - the script that decides in Redis: its text, arguments and answer */
#include "gateway/limit/gw_limit_script.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"

/*
 * KEYS     one list, or two
 * ARGV     window in ms, id of the gateway, then per key: limit, ages ("" or "59000 1200")
 * answers  { allowed, now in ms, then per key: requests in the window, ms until there is one less }
 *          or { -1 }: a key holds something else
 *
 * shorten() forgets what has left the window, in pieces: nearly always there is nothing, or one.
 * An oldest entry in the future, or none at all: the clock was set back, or somebody else wrote
 * there, and nothing of the list can be believed.
 * told() replaces this gateway's entries by what it says, if that is more. The ages are by its own
 * clock, so an entry may move by a moment. What is over the limit goes, oldest first.
 */
const char gw_limit_script[] =
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "local window, id = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
    "local function text(n) return string.format('%.0f', n) end\n"
    "local function at(entry) return math.floor((tonumber(entry) or 0) / 1024) end\n"
    "local function shorten(key, n)\n"
    "  while n > 0 do\n"
    "    local oldest, old = at(redis.call('LINDEX', key, 0)), 0\n"
    "    if not (oldest <= now) then\n"
    "      redis.call('DEL', key)\n"
    "      return 0\n"
    "    end\n"
    "    if now - oldest < window then break end\n"
    "    for _, entry in ipairs(redis.call('LRANGE', key, 0, 63)) do\n"
    "      if now - at(entry) < window then break end\n"
    "      old = old + 1\n"
    "    end\n"
    "    redis.call('LTRIM', key, old, -1)\n"
    "    n = n - old\n"
    "  end\n"
    "  return n\n"
    "end\n"
    "local function told(key, n, limit, ages)\n"
    "  local mine, all = 0, {}\n"
    "  for age in string.gmatch(ages, '%d+') do\n"
    "    if tonumber(age) < window then all[#all + 1] = (now - age) * 1024 + id end\n"
    "  end\n"
    "  local told_n = #all\n"
    "  for _, entry in ipairs(redis.call('LRANGE', key, 0, -1)) do\n"
    "    local e = tonumber(entry) or 0\n"
    "    if e % 1024 == id then mine = mine + 1 else all[#all + 1] = e end\n"
    "  end\n"
    "  if told_n <= mine then return n end\n"
    "  table.sort(all)\n"
    "  redis.call('DEL', key)\n"
    "  for i = math.max(1, #all - limit + 1), #all do redis.call('RPUSH', key, text(all[i])) end\n"
    "  redis.call('PEXPIRE', key, window)\n"
    "  return math.min(#all, limit)\n"
    "end\n"
    "local allowed, ns = 1, {}\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local n = redis.pcall('LLEN', key)\n"
    "  if type(n) == 'table' then\n"
    "    if string.find(n.err, 'WRONGTYPE', 1, true) then return { -1 } end\n"
    "    return n\n"
    "  end\n"
    "  local limit, ages = tonumber(ARGV[2 * i + 1]), ARGV[2 * i + 2]\n"
    "  n = shorten(key, n)\n"
    "  if ages ~= '' then n = told(key, n, limit, ages) end\n"
    "  if n >= limit then allowed = 0 end\n"
    "  ns[i] = n\n"
    "end\n"
    "local answer = { allowed, now }\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local n, limit, wait = ns[i], tonumber(ARGV[2 * i + 1]), 0\n"
    "  if allowed == 1 then\n"
    "    redis.call('RPUSH', key, text(now * 1024 + id))\n"
    "    redis.call('PEXPIRE', key, window)\n"
    "    n = n + 1\n"
    "  end\n"
    "  if n > 0 then wait = at(redis.call('LINDEX', key, math.max(n - limit, 0))) + window - now "
    "end\n"
    "  answer[2 * i + 1] = n\n"
    "  answer[2 * i + 2] = wait\n"
    "end\n"
    "return answer\n";

/* In one hash slot; a token only as its SHA-256. */
static void key_name(const struct gw_limit_key *key, const char *what, char *out)
{
	char hex[2 * GW_LIMIT_KEY_LEN + 1];
	bool token = key->by == GW_LIMIT_BY_TOKEN;

	hex_encode(key->bytes, token ? GW_LIMIT_KEY_LEN : 16, hex);
	snprintf(out, GW_LIMIT_SCRIPT_KEY_CAP, "warden:limit:{%s:%s}:%s",
	         token ? "token" : "address", hex, what);
}

static void add(struct gw_limit_script_args *a, const char *arg)
{
	a->argv[a->argc++] = arg;
}

static const char *number(struct gw_limit_script_args *a, size_t slot, uint32_t v)
{
	snprintf(a->numbers[slot], sizeof(a->numbers[slot]), "%u", v);
	return a->numbers[slot];
}

void gw_limit_script_args(enum gw_limit_class class, const struct gw_limit_key *key,
                          const uint32_t limits[2], uint32_t window_ms, uint32_t gateway_id,
                          const struct buf ages[2], struct gw_limit_script_args *a)
{
	size_t keys_n = class == GW_LIMIT_CREATE ? 2 : 1;

	a->argc = 0;
	key_name(key, "minute", a->keys[0]);
	key_name(key, "create", a->keys[1]);
	add(a, keys_n == 2 ? "2" : "1");
	for (size_t i = 0; i < keys_n; i++)
		add(a, a->keys[i]);
	add(a, number(a, 0, window_ms));
	add(a, number(a, 1, gateway_id));
	for (size_t i = 0; i < keys_n; i++) {
		add(a, number(a, 2 + i, limits[i]));
		add(a, ages[i].len == 0 ? "" : (const char *)ages[i].p);
	}
}

/* Its key is its own for each gateway and gone after a second. */
void gw_limit_script_probe(uint32_t gateway_id, struct gw_limit_script_args *a)
{
	a->argc = 0;
	snprintf(a->keys[0], sizeof(a->keys[0]), "warden:limit:{probe:%u}:minute", gateway_id);
	add(a, "1");
	add(a, a->keys[0]);
	add(a, "1000");
	add(a, number(a, 0, gateway_id));
	add(a, "10");
	add(a, "");
}

int gw_limit_script_answer(enum gw_limit_class class, const int64_t *values, size_t values_n,
                           const uint32_t limits[2], struct gw_limit_view views_out[2],
                           int64_t *now_ms_out)
{
	size_t views_n = class == GW_LIMIT_CREATE ? 2 : 1;

	if (values_n == 1 && values[0] == -1)
		return -EEXIST;
	if (values_n != 2 + 2 * views_n || (values[0] != 0 && values[0] != 1))
		return -EPROTO;
	for (size_t i = 0; i < views_n; i++) {
		int64_t n = values[2 + 2 * i], wait = values[3 + 2 * i];

		if (n < 0 || n > UINT32_MAX || wait < 0)
			return -EPROTO;
		views_out[i] = (struct gw_limit_view){ .limit = limits[i],
			                               .n = (uint32_t)n,
			                               .wait_ms = (uint64_t)wait };
	}
	if (now_ms_out != NULL)
		*now_ms_out = values[1];
	return (int)values[0];
}
