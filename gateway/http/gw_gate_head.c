/* gateway/http/gw_gate_head.c - a whole head: its request line, its fields, what they say of
 * framing */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/codec.h"
#include "gateway/http/gw_gate.h"
#include "gateway/http/gw_gate_priv.h"

#define LENGTH_DIGITS_MAX 18

/* ---- character classes ----------------------------------------------------------------------- */

enum {
	C_TOKEN = 1,  /* RFC 9110 tchar */
	C_METHOD = 2, /* what methods are made of here */
	C_PATH = 4,   /* RFC 3986 pchar without "%", and "/" */
	C_QUERY = 8,  /* C_PATH and "?" */
	C_VALUE = 16, /* field value: no control character but HTAB */
	C_HOST = 32,  /* of a registered name or an IPv4 address, without "%" */
};

#define UNRESERVED (C_TOKEN | C_PATH | C_QUERY | C_VALUE | C_HOST)
#define SUB_DELIM (C_PATH | C_QUERY | C_VALUE)

static const uint8_t char_class[256] = {
	['\t'] = C_VALUE,
	[' '] = C_VALUE,
	['A' ... 'Z'] = UNRESERVED | C_METHOD,
	['a' ... 'z'] = UNRESERVED,
	['0' ... '9'] = UNRESERVED,
	['-'] = UNRESERVED | C_METHOD,
	['_'] = UNRESERVED | C_METHOD,
	['.'] = UNRESERVED,
	['~'] = UNRESERVED,
	['!'] = SUB_DELIM | C_TOKEN,
	['$'] = SUB_DELIM | C_TOKEN,
	['&'] = SUB_DELIM | C_TOKEN,
	['\''] = SUB_DELIM | C_TOKEN,
	['*'] = SUB_DELIM | C_TOKEN,
	['+'] = SUB_DELIM | C_TOKEN,
	['('] = SUB_DELIM,
	[')'] = SUB_DELIM,
	[','] = SUB_DELIM,
	[';'] = SUB_DELIM,
	['='] = SUB_DELIM,
	[':'] = SUB_DELIM,
	['@'] = SUB_DELIM,
	['/'] = SUB_DELIM,
	['?'] = C_QUERY | C_VALUE,
	['#'] = C_TOKEN | C_VALUE,
	['%'] = C_TOKEN | C_VALUE,
	['^'] = C_TOKEN | C_VALUE,
	['`'] = C_TOKEN | C_VALUE,
	['|'] = C_TOKEN | C_VALUE,
	['"'] = C_VALUE,
	['<'] = C_VALUE,
	['>'] = C_VALUE,
	['['] = C_VALUE,
	['\\'] = C_VALUE,
	[']'] = C_VALUE,
	['{'] = C_VALUE,
	['}'] = C_VALUE,
	[0x80 ... 0xff] = C_VALUE,
};

static bool is_class(char c, unsigned class)
{
	return (char_class[(uint8_t)c] & class) != 0;
}

/* ---- the parts of a head --------------------------------------------------------------------- */

/*
 * How many dots, written out or as %2e, the segment at s is made of: 1 and 2 for "." and "..", 0
 * for any other.
 */
static unsigned dots_of(const char *s)
{
	unsigned n = 0;

	for (; *s != '/' && *s != '?' && *s != '\0'; n++) {
		if (*s == '.')
			s++;
		else if (strncasecmp(s, "%2e", 3) == 0)
			s += 3;
		else
			return 0;
	}
	return n <= 2 ? n : 0;
}

/* Dot segments never lead above the root, where others see an attack. An empty one is no folder. */
static bool stays_below_root(const char *path)
{
	size_t depth = 0, len;
	unsigned dots;

	for (const char *s = path + 1;; s += len + 1) {
		len = strcspn(s, "/?");
		dots = dots_of(s);
		if (dots == 2 && depth-- == 0)
			return false;
		if (dots == 0 && len > 0)
			depth++;
		if (s[len] != '/')
			return true;
	}
}

/* Escapes are complete; none is NUL; in the path (before "?") none is a slash. */
static bool target_ok(const char *target)
{
	unsigned class = C_PATH;
	int hi, lo;

	if (*target != '/' || strlen(target) > GW_GATE_TARGET_MAX)
		return false;
	for (const char *s = target; *s != '\0'; s++) {
		if (*s == '?')
			class = C_QUERY;
		if (is_class(*s, class))
			continue;
		if (*s != '%')
			return false;
		hi = hex_digit(s[1]);
		lo = hi < 0 ? -1 : hex_digit(s[2]);
		if (lo < 0 || hi * 16 + lo == 0 || (class == C_PATH && hi * 16 + lo == '/'))
			return false;
		s += 2;
	}
	return stays_below_root(target);
}

static bool port_ok(const char *s)
{
	return strspn(s, "0123456789") == strlen(s) && strlen(s) <= 5;
}

static bool is_ipv6(const char *s, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (len >= sizeof(text))
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &addr) == 1;
}

static bool host_ok(const char *s)
{
	size_t n;

	if (*s == '[') {
		n = strcspn(s, "]");
		if (s[n] != ']' || !is_ipv6(s + 1, n - 1))
			return false;
		s += n + 1;
	} else {
		for (n = 0; is_class(s[n], C_HOST); n++) {
			if (s[n] == '.' && s[n + 1] == '.')
				return false;
		}
		if (n == 0 || (n == 1 && *s == '.'))
			return false;
		s += n;
	}
	return *s == '\0' || (*s == ':' && port_ok(s + 1));
}

static bool length_parse(const char *s, uint64_t *out)
{
	uint64_t v = 0;
	size_t n = strspn(s, "0123456789");

	if (n == 0 || s[n] != '\0')
		return false;
	while (*s == '0')
		s++;
	if (strlen(s) > LENGTH_DIGITS_MAX)
		return false;
	for (; *s != '\0'; s++)
		v = v * 10 + (uint64_t)(*s - '0');
	*out = v;
	return true;
}

bool gw_gate_list_has(const char *list, const char *word)
{
	size_t word_len = strlen(word);
	size_t n;

	while (list != NULL && *list != '\0') {
		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		if (n == word_len && strncasecmp(list, word, n) == 0)
			return true;
		list += n;
	}
	return false;
}

/* "GET /path HTTP/1.1", NUL-terminated at end, which becomes three strings. */
static bool parse_request_line(struct gw_gate *g, char *line)
{
	char *target, *version, *p = line;

	while (is_class(*p, C_METHOD))
		p++;
	if (p == line || *p != ' ')
		return false;
	*p++ = '\0';
	target = p;
	p = strchr(p, ' ');
	if (p == NULL)
		return false;
	*p++ = '\0';
	version = p;
	if (strcmp(version, "HTTP/1.1") == 0)
		g->minor = 1;
	else if (strcmp(version, "HTTP/1.0") == 0)
		g->minor = 0;
	else
		return false;
	g->target_at = (uint16_t)(target - line);
	return target_ok(target);
}

static enum gw_field kind_of(const char *name, size_t name_len)
{
	static const struct {
		const char *name;
		size_t len;
	} known[GW_FIELD_N] = {
#define X(id, word, once) [id] = { word, sizeof(word) - 1 },
		GW_FIELD_LIST(X)
#undef X
	};
	unsigned kind = 0;

	while (kind < GW_FIELD_N &&
	       (known[kind].len != name_len || strncasecmp(known[kind].name, name, name_len) != 0))
		kind++;
	return (enum gw_field)kind;
}

/* Note a field of the head. False: it may not come twice. */
static bool note_field(struct gw_gate *g, const char *name, size_t name_len, const char *value)
{
	static const bool single[GW_FIELD_N] = {
#define X(id, word, once) [id] = once,
		GW_FIELD_LIST(X)
#undef X
	};
	enum gw_field kind = kind_of(name, name_len);
	size_t i = g->fields_n++;

	g->fields[i].name_at = (uint16_t)(name - (const char *)g->head.p);
	g->fields[i].value_at = (uint16_t)(value - (const char *)g->head.p);
	g->fields[i].kind = (uint8_t)kind;
	if (kind == GW_FIELD_OTHER)
		return true;
	if (g->first[kind] != 0)
		return !single[kind];
	g->first[kind] = (uint8_t)(i + 1);
	return true;
}

/* "Name: value", NUL-terminated at end, which becomes two strings. */
static bool parse_field(struct gw_gate *g, char *line, char *end)
{
	char *p = line, *value;
	size_t name_len;

	while (is_class(*p, C_TOKEN))
		p++;
	name_len = (size_t)(p - line);
	if (name_len == 0 || *p != ':' || g->fields_n == GW_GATE_FIELDS_MAX)
		return false;
	*p++ = '\0';
	for (value = p; *value == ' ';)
		value++;
	while (end > value && end[-1] == ' ')
		*--end = '\0';
	/* A tab there is white space to some servers and part of the value to others. */
	if (*value == '\t' || (end > value && end[-1] == '\t'))
		return false;
	return note_field(g, line, name_len, value);
}

static bool framing_ok(struct gw_gate *g)
{
	const char *length = gw_gate_value(g, GW_FIELD_CONTENT_LENGTH);
	const char *encoding = gw_gate_value(g, GW_FIELD_TRANSFER_ENCODING);
	const char *expect = gw_gate_value(g, GW_FIELD_EXPECT);
	const char *host = gw_gate_value(g, GW_FIELD_HOST);

	if (host == NULL ? g->minor > 0 : !host_ok(host))
		return false;
	if (encoding != NULL) {
		if (length != NULL || g->minor == 0 || strcasecmp(encoding, "chunked") != 0)
			return false;
		g->chunked = true;
	}
	if (length != NULL && !length_parse(length, &g->left))
		return false;
	if (expect != NULL) {
		if (strcasecmp(expect, "100-continue") != 0)
			return false;
		g->expects_continue = g->minor > 0 && (g->chunked || g->left > 0);
	}
	return true;
}

static void note_connection(struct gw_gate *g)
{
	for (size_t i = 0; i < g->fields_n; i++) {
		if (g->fields[i].kind != GW_FIELD_CONNECTION)
			continue;
		g->close |= gw_gate_list_has(gw_gate_field_value(g, i), "close");
		g->keep_alive |= gw_gate_list_has(gw_gate_field_value(g, i), "keep-alive");
	}
}

bool gw_gate_parse_head(struct gw_gate *g)
{
	char *p = (char *)g->head.p;
	char *end = p + g->head.len - 2; /* the empty line */
	char *eol;
	bool first = true;

	while (p < end) {
		eol = memchr(p, '\r', (size_t)(end - p));
		assert(eol != NULL);
		*eol = '\0';
		if (first ? !parse_request_line(g, p) : !parse_field(g, p, eol))
			return false;
		first = false;
		p = eol + 2;
	}
	if (first || !framing_ok(g))
		return false;
	note_connection(g);
	return true;
}

size_t gw_gate_line_run(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && (char_class[p[i]] & C_VALUE) != 0)
		i++;
	return i;
}

/* ---- what it says ---------------------------------------------------------------------------- */

const char *gw_gate_method(const struct gw_gate *g)
{
	return (const char *)g->head.p;
}

const char *gw_gate_target(const struct gw_gate *g)
{
	return (const char *)g->head.p + g->target_at;
}

unsigned gw_gate_minor(const struct gw_gate *g)
{
	return g->minor;
}

size_t gw_gate_fields_n(const struct gw_gate *g)
{
	return g->fields_n;
}

const char *gw_gate_field_name(const struct gw_gate *g, size_t i)
{
	assert(i < g->fields_n);
	return (const char *)g->head.p + g->fields[i].name_at;
}

const char *gw_gate_field_value(const struct gw_gate *g, size_t i)
{
	assert(i < g->fields_n);
	return (const char *)g->head.p + g->fields[i].value_at;
}

enum gw_field gw_gate_field_kind(const struct gw_gate *g, size_t i)
{
	assert(i < g->fields_n);
	return (enum gw_field)g->fields[i].kind;
}

const char *gw_gate_value(const struct gw_gate *g, enum gw_field kind)
{
	size_t i = g->first[kind];

	return i == 0 ? NULL : gw_gate_field_value(g, i - 1);
}

const char *gw_gate_find(const struct gw_gate *g, const char *name)
{
	for (size_t i = 0; i < g->fields_n; i++) {
		if (strcasecmp(gw_gate_field_name(g, i), name) == 0)
			return gw_gate_field_value(g, i);
	}
	return NULL;
}
