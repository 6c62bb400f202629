/* cli/ctl_url.c - where the gateway is: WARDEN_URL, or a Unix socket */
#include "cli/ctl_url.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool copy_part(char *out, size_t out_cap, const char *from, size_t len)
{
	if (len >= out_cap)
		return false;
	memcpy(out, from, len);
	out[len] = '\0';
	return true;
}

/* Printable ASCII without what would end the host or start a user part. */
static bool host_is_sane(const char *host)
{
	if (host[0] == '\0')
		return false;
	for (const char *p = host; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr(".-_:%", *p) == NULL)
			return false;
	return true;
}

static bool base_is_sane(const char *base)
{
	for (const char *p = base; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("/.-_~%", *p) == NULL)
			return false;
	return true;
}

static bool port_is_sane(const char *port)
{
	size_t len = strspn(port, "0123456789");

	return len >= 1 && len <= 5 && port[len] == '\0' && atoi(port) >= 1 && atoi(port) <= 65535;
}

/* "HOST", "HOST:PORT", "[V6]", "[V6]:PORT" */
static int parse_authority(const char *text, size_t len, struct ctl_target *t, const char **why_out)
{
	const char *end = text + len, *host = text, *host_end, *port = NULL;

	if (len > 0 && text[0] == '[') {
		host = text + 1;
		host_end = memchr(host, ']', (size_t)(end - host));
		if (host_end == NULL) {
			*why_out = "the bracket of the IPv6 address is not closed";
			return -EINVAL;
		}
		if (host_end + 1 < end)
			port = host_end + 1;
	} else {
		host_end = memchr(host, ':', len);
		if (host_end == NULL)
			host_end = end;
		else
			port = host_end;
	}
	if (!copy_part(t->host, sizeof(t->host), host, (size_t)(host_end - host)) ||
	    !host_is_sane(t->host)) {
		*why_out = "the host is missing or has characters that a host can't have";
		return -EINVAL;
	}
	snprintf(t->port, sizeof(t->port), "%s", t->transport == CTL_TLS ? "443" : "80");
	if (port == NULL)
		return 0;
	if (*port != ':' ||
	    !copy_part(t->port, sizeof(t->port), port + 1, (size_t)(end - port - 1)) ||
	    !port_is_sane(t->port)) {
		*why_out = "the port has to be a number from 1 to 65535";
		return -EINVAL;
	}
	return 0;
}

static int parse_unix(const char *path, struct ctl_target *t, const char **why_out)
{
	if (path[0] != '/' || !copy_part(t->path, sizeof(t->path), path, strlen(path))) {
		*why_out = "the path after unix: has to begin with / and fit a socket (107 bytes)";
		return -EINVAL;
	}
	snprintf(t->shown, sizeof(t->shown), "%s", t->path);
	return 0;
}

int ctl_url_parse(const char *url, struct ctl_target *target_out, const char **why_out)
{
	struct ctl_target t = { .transport = CTL_TCP };
	size_t len, base_len;
	int rc;

	if (strncasecmp(url, "unix:", 5) == 0) {
		t.transport = CTL_UNIX;
		rc = parse_unix(url + 5, &t, why_out);
		goto out;
	}
	if (strncasecmp(url, "https://", 8) == 0) {
		t.transport = CTL_TLS;
		url += 8;
	} else if (strncasecmp(url, "http://", 7) == 0) {
		url += 7;
	} else {
		*why_out = "it has to begin with http://, https:// or unix:/";
		return -EINVAL;
	}
	len = strcspn(url, "/?#");
	rc = parse_authority(url, len, &t, why_out);
	if (rc < 0)
		goto out;
	url += len;
	base_len = strlen(url);
	while (base_len > 0 && url[base_len - 1] == '/')
		base_len--;
	if (!copy_part(t.base, sizeof(t.base), url, base_len) || !base_is_sane(t.base)) {
		*why_out = "after host and port only a plain path may follow";
		return -EINVAL;
	}
	snprintf(t.shown, sizeof(t.shown),
	         strchr(t.host, ':') != NULL ? "%s://[%s]:%s%s" : "%s://%s:%s%s",
	         t.transport == CTL_TLS ? "https" : "http", t.host, t.port, t.base);
out:
	if (rc == 0)
		*target_out = t;
	return rc;
}

int ctl_url_unix(const char *run_dir, const char *name, struct ctl_target *target_out)
{
	struct ctl_target t = { .transport = CTL_UNIX };
	int n = snprintf(t.path, sizeof(t.path), "%s/%s", run_dir, name);

	if (n < 0 || (size_t)n >= sizeof(t.path))
		return -ENAMETOOLONG;
	snprintf(t.shown, sizeof(t.shown), "%s", t.path);
	*target_out = t;
	return 0;
}
