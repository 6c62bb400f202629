/* worker/net/wk_proxy.c - the proxy of an instance, and its protocols as bytes */
#include "worker/net/wk_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/net/wk_upgrade.h"
#include "worker/net/wk_url.h"

#define CREDENTIAL_MAX 255 /* of RFC 1929; more makes no sense with Basic either */
#define NAME_MAX_LEN 255   /* of RFC 1928 */

/* ---- settings ------------------------------------------------------------------------------ */

static enum wk_proxy_kind kind_of(const Ipc__Proxy *msg)
{
	if (!msg->has_kind)
		return WK_PROXY_NONE;
	switch (msg->kind) {
	case IPC__PROXY__KIND__HTTP:
		return WK_PROXY_HTTP;
	case IPC__PROXY__KIND__HTTPS:
		return WK_PROXY_HTTPS;
	case IPC__PROXY__KIND__SOCKS5:
		return WK_PROXY_SOCKS5;
	case _IPC__PROXY__KIND_IS_INT_SIZE:
		break;
	}
	return WK_PROXY_NONE;
}

/* Empty and absent credentials are the same. */
static bool is_credential(const char *text, bool colon)
{
	if (text == NULL)
		return true;
	if (strlen(text) > CREDENTIAL_MAX)
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f || (*text == ':' && !colon))
			return false;
	return true;
}

/* Basic can't tell a colon of the user name from the one in front of the password. */
static bool is_usable(const Ipc__Proxy *msg, enum wk_proxy_kind kind)
{
	if (kind == WK_PROXY_NONE || msg->host == NULL || *msg->host == '\0')
		return false;
	if (!msg->has_port || msg->port == 0 || msg->port > UINT16_MAX)
		return false;
	return is_credential(msg->username, kind == WK_PROXY_SOCKS5) &&
	       is_credential(msg->password, true);
}

/* A name, an address, or an IPv6 address in brackets. */
static int take_host(struct wk_proxy *p, const char *text)
{
	size_t len = strlen(text);
	struct in6_addr in6;
	int n;

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	p->host = strndup(text, len);
	if (p->host == NULL)
		return -ENOMEM;
	if (inet_pton(AF_INET6, p->host, &in6) == 1)
		n = asprintf(&p->hostport, "[%s]:%u", p->host, p->port);
	else if (wk_url_is_host(p->host))
		n = asprintf(&p->hostport, "%s:%u", p->host, p->port);
	else
		return -EINVAL;
	if (n < 0) {
		p->hostport = NULL; /* undefined after a failure */
		return -ENOMEM;
	}
	return 0;
}

/* NULL and "" stay NULL. */
static int copy(char **out, const char *text)
{
	if (text == NULL || *text == '\0')
		return 0;
	*out = secret_strdup(text);
	return *out == NULL ? -ENOMEM : 0;
}

int wk_proxy_init(struct wk_proxy *p, const Ipc__Proxy *msg)
{
	int rc;

	memset(p, 0, sizeof(*p));
	if (msg == NULL)
		return 0;
	p->kind = kind_of(msg);
	if (!is_usable(msg, p->kind)) {
		rc = -EINVAL;
		goto fail;
	}
	p->port = (uint16_t)msg->port;
	rc = take_host(p, msg->host);
	if (rc == 0)
		rc = copy(&p->username, msg->username);
	if (rc == 0)
		rc = copy(&p->password, msg->password);
	if (rc == 0)
		return 0;
fail:
	wk_proxy_clear(p);
	return rc;
}

void wk_proxy_clear(struct wk_proxy *p)
{
	free(p->host);
	free(p->hostport);
	secret_free(p->username);
	secret_free(p->password);
	memset(p, 0, sizeof(*p));
}

static bool has_credentials(const struct wk_proxy *p)
{
	return p->username != NULL || p->password != NULL;
}

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* ---- HTTP CONNECT -------------------------------------------------------------------------- */

static const char why_wants[] = "wants a user name and password";
static const char why_refused[] = "refused the password";

static int append_basic(const struct wk_proxy *p, struct buf *out)
{
	char text[B64_CAP(2 * CREDENTIAL_MAX + 1)];
	struct buf plain = { 0 };
	int rc = buf_append_str(&plain, or_empty(p->username));

	/* not by printf(), which leaves a part of it on the stack */
	if (rc == 0)
		rc = buf_append_u8(&plain, ':');
	if (rc == 0)
		rc = buf_append_str(&plain, or_empty(p->password));
	if (rc == 0) {
		b64_encode(plain.p, plain.len, text);
		rc = buf_append_str(out, "Proxy-Authorization: Basic ");
	}
	if (rc == 0)
		rc = buf_append_str(out, text);
	if (rc == 0)
		rc = buf_append_str(out, "\r\n");
	secret_wipe(text, sizeof(text));
	buf_wipe(&plain);
	return rc;
}

static int http_begin(const struct wk_proxy_talk *t, struct buf *out)
{
	char target[NAME_MAX_LEN + sizeof("[]:65535")];
	int rc;

	(void)snprintf(target, sizeof(target), strchr(t->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
	               t->host, t->port);
	rc = buf_appendf(out,
	                 "CONNECT %s HTTP/1.1\r\n"
	                 "Host: %s\r\n"
	                 "User-Agent: " WK_USER_AGENT "\r\n",
	                 target, target);
	if (rc == 0 && has_credentials(t->proxy))
		rc = append_basic(t->proxy, out);
	if (rc == 0)
		rc = buf_append_str(out, "\r\n");
	return rc;
}

static int http_judge(const struct wk_proxy_talk *t, const char **why_out)
{
	if (t->status >= 200 && t->status <= 299)
		return 1;
	/* 401 is no proxy's word for it, but tinyproxy's for a wrong password. */
	if (t->status == 407 || t->status == 401) {
		*why_out = has_credentials(t->proxy) ? why_refused : why_wants;
		return WA_EPROXY_AUTH;
	}
	*why_out = "refused to connect";
	return WA_EPROXY_UNREACHABLE;
}

static int http_feed(struct wk_proxy_talk *t, const uint8_t *data, size_t data_len,
                     size_t *used_out, const char **why_out)
{
	size_t before = t->in.len;
	size_t room = WK_HEAD_MAX_LEN - before;
	struct wk_head head;
	int rc;

	*used_out = data_len < room ? data_len : room;
	rc = buf_append(&t->in, data, *used_out);
	if (rc < 0)
		return rc;
	rc = wk_head_parse(t->in.p, t->in.len, &head);
	if (rc == -EAGAIN)
		return 0;
	if (rc < 0) {
		*why_out = rc == WA_ELIMIT ? "sent an endless answer" : "is not an HTTP proxy";
		return WA_EPROXY_UNREACHABLE;
	}
	*used_out = head.len - before; /* the head was not complete before */
	t->status = head.status;
	return http_judge(t, why_out);
}

/* ---- SOCKS5 ---------------------------------------------------------------------------------
 */

enum { SOCKS_METHOD, SOCKS_PASSWORD, SOCKS_CONNECT, SOCKS_OPEN };

#define SOCKS_VERSION 5
#define AUTH_VERSION 1 /* of RFC 1929 */
#define METHOD_NONE 0
#define METHOD_PASSWORD 2
#define METHOD_REFUSED 0xff
#define CMD_CONNECT 1
#define ATYP_IPV4 1
#define ATYP_NAME 3
#define ATYP_IPV6 4

static int socks_begin(const struct wk_proxy_talk *t, struct buf *out)
{
	static const uint8_t plain[] = { SOCKS_VERSION, 1, METHOD_NONE };
	static const uint8_t both[] = { SOCKS_VERSION, 2, METHOD_NONE, METHOD_PASSWORD };

	return has_credentials(t->proxy) ? buf_append(out, both, sizeof(both))
	                                 : buf_append(out, plain, sizeof(plain));
}

/* One byte of length in front; the length was checked when the text came in. */
static int append_text(struct buf *out, const char *text)
{
	size_t len = strlen(text);
	int rc = buf_append_u8(out, (uint8_t)len);

	return rc == 0 ? buf_append(out, text, len) : rc;
}

static int append_credentials(const struct wk_proxy *p, struct buf *out)
{
	int rc = buf_append_u8(out, AUTH_VERSION);

	if (rc == 0)
		rc = append_text(out, or_empty(p->username));
	if (rc == 0)
		rc = append_text(out, or_empty(p->password));
	return rc;
}

static int append_target(const struct wk_proxy_talk *t, struct buf *out)
{
	const uint8_t head[] = { SOCKS_VERSION, CMD_CONNECT, 0 };
	const uint8_t port[] = { (uint8_t)(t->port >> 8), (uint8_t)t->port };
	uint8_t addr[sizeof(struct in6_addr)];
	int rc = buf_append(out, head, sizeof(head));

	if (rc < 0)
		return rc;
	if (inet_pton(AF_INET, t->host, addr) == 1) {
		rc = buf_append_u8(out, ATYP_IPV4);
		if (rc == 0)
			rc = buf_append(out, addr, sizeof(struct in_addr));
	} else if (inet_pton(AF_INET6, t->host, addr) == 1) {
		rc = buf_append_u8(out, ATYP_IPV6);
		if (rc == 0)
			rc = buf_append(out, addr, sizeof(struct in6_addr));
	} else {
		rc = buf_append_u8(out, ATYP_NAME);
		if (rc == 0)
			rc = append_text(out, t->host);
	}
	return rc == 0 ? buf_append(out, port, sizeof(port)) : rc;
}

static int on_method(struct wk_proxy_talk *t, struct buf *out, const char **why_out)
{
	switch (t->in.p[1]) {
	case METHOD_NONE:
		t->step = SOCKS_CONNECT;
		return append_target(t, out);
	case METHOD_PASSWORD:
		if (!has_credentials(t->proxy))
			break;
		t->step = SOCKS_PASSWORD;
		return append_credentials(t->proxy, out);
	case METHOD_REFUSED:
		*why_out = has_credentials(t->proxy) ? "does not take a user name and password"
		                                     : why_wants;
		return WA_EPROXY_AUTH;
	default:
		break;
	}
	*why_out = "answered with a method that was not offered";
	return WA_EPROXY_UNREACHABLE;
}

/* Its version byte is 1, but there are proxies that repeat their 5: only the status counts. */
static int on_password(struct wk_proxy_talk *t, struct buf *out, const char **why_out)
{
	if (t->in.p[1] != 0) {
		*why_out = why_refused;
		return WA_EPROXY_AUTH;
	}
	t->step = SOCKS_CONNECT;
	return append_target(t, out);
}

static const char *reply_text(uint8_t code)
{
	static const char *const texts[] = {
		NULL,
		"failed to connect",
		"does not allow the connection",
		"says that the network is unreachable",
		"says that the host is unreachable",
		"says that the connection was refused",
		"says that the time to live ran out",
		"does not know the command",
		"does not know the address type",
	};

	return code < ARRAY_LEN(texts) ? texts[code] : "refused to connect";
}

/* Length of a reply as far as it can be told; SIZE_MAX: its address type is unknown. */
static size_t reply_len(const struct buf *in)
{
	const size_t head_len = 4, port_len = 2;

	if (in->len < head_len + 1)
		return head_len + 1;
	switch (in->p[3]) {
	case ATYP_IPV4:
		return head_len + sizeof(struct in_addr) + port_len;
	case ATYP_IPV6:
		return head_len + sizeof(struct in6_addr) + port_len;
	case ATYP_NAME:
		return head_len + 1 + in->p[4] + port_len;
	default:
		return SIZE_MAX;
	}
}

/* Bytes that the message in t->in still lacks; 0: it is complete, or already refused. */
static size_t socks_lacks(const struct wk_proxy_talk *t)
{
	const size_t short_len = 2; /* of the two answers before the reply */
	size_t want = short_len;

	if (t->in.len >= short_len && t->step == SOCKS_CONNECT) {
		if (t->in.p[0] != SOCKS_VERSION || t->in.p[1] != 0)
			return 0; /* some proxies close before the rest of a refusal */
		want = reply_len(&t->in);
	}
	if (want == SIZE_MAX)
		return 0;
	return want > t->in.len ? want - t->in.len : 0;
}

static int socks_message(struct wk_proxy_talk *t, struct buf *out, const char **why_out)
{
	int rc;

	if (t->step != SOCKS_PASSWORD && t->in.p[0] != SOCKS_VERSION) {
		*why_out = "is not a SOCKS5 proxy";
		return WA_EPROXY_UNREACHABLE;
	}
	if (t->step == SOCKS_METHOD) {
		rc = on_method(t, out, why_out);
	} else if (t->step == SOCKS_PASSWORD) {
		rc = on_password(t, out, why_out);
	} else if (t->in.p[1] != 0) {
		*why_out = reply_text(t->in.p[1]);
		rc = WA_EPROXY_UNREACHABLE;
	} else if (reply_len(&t->in) == SIZE_MAX) {
		*why_out = "answered with an unknown address type";
		rc = WA_EPROXY_UNREACHABLE;
	} else {
		t->step = SOCKS_OPEN;
		rc = 1;
	}
	buf_reset(&t->in);
	return rc;
}

static int socks_feed(struct wk_proxy_talk *t, const uint8_t *data, size_t data_len,
                      size_t *used_out, struct buf *out, const char **why_out)
{
	size_t used = 0;
	size_t lacks, take;
	int rc = 0;

	while (rc == 0 && used < data_len) {
		lacks = socks_lacks(t);
		take = data_len - used < lacks ? data_len - used : lacks;
		rc = buf_append(&t->in, data + used, take);
		if (rc < 0)
			break;
		used += take;
		if (socks_lacks(t) == 0)
			rc = socks_message(t, out, why_out);
	}
	*used_out = used;
	return rc;
}

/* ---- either -------------------------------------------------------------------------------- */

int wk_proxy_begin(struct wk_proxy_talk *t, const struct wk_proxy *proxy, const char *host,
                   uint16_t port, struct buf *out)
{
	struct in6_addr in6;

	if (strlen(host) > NAME_MAX_LEN ||
	    (!wk_url_is_host(host) && inet_pton(AF_INET6, host, &in6) != 1))
		return -EINVAL;
	t->proxy = proxy;
	t->host = host;
	t->port = port;
	t->status = 0;
	t->step = SOCKS_METHOD;
	return proxy->kind == WK_PROXY_SOCKS5 ? socks_begin(t, out) : http_begin(t, out);
}

int wk_proxy_feed(struct wk_proxy_talk *t, const uint8_t *data, size_t data_len, size_t *used_out,
                  struct buf *out, const char **why_out)
{
	*used_out = 0;
	if (data_len == 0)
		return 0;
	return t->proxy->kind == WK_PROXY_SOCKS5
	           ? socks_feed(t, data, data_len, used_out, out, why_out)
	           : http_feed(t, data, data_len, used_out, why_out);
}

void wk_proxy_end(struct wk_proxy_talk *t)
{
	buf_free(&t->in);
	memset(t, 0, sizeof(*t));
}
