/* gateway/webhook/gw_hook_url.c - a webhook's URL: checked when it is given, made for each event */
#include "gateway/webhook/gw_hook_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/webhook/gw_hook_addr.h"

static const char rule_text[] = "has to be http:// or https:// with a host, in printable ASCII";

static int url_rc(CURLUcode code)
{
	if (code == CURLUE_OK)
		return 0;
	return code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

/* What libcurl is generous about, others read in another way: that is not let through. */
static bool text_ok(const char *text)
{
	const char *slashes = strstr(text, "://");

	if (slashes == NULL || slashes[3] == '/' || strchr(text, '\\') != NULL)
		return false;
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

/* One part, or NULL where there is none; the caller's to curl_free(). */
static char *part(CURLU *u, CURLUPart what)
{
	char *text = NULL;

	return curl_url_get(u, what, &text, 0) == CURLUE_OK ? text : NULL;
}

static bool host_refused(const char *host)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	size_t len = strlen(host);
	char bare[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
		return gw_hook_addr_refused((struct sockaddr *)&in) != NULL;
	if (host[0] != '[')
		return strcasecmp(host, "localhost") == 0;
	if (len < 3 || len - 2 >= sizeof(bare))
		return true;
	memcpy(bare, host + 1, len - 2);
	bare[len - 2] = '\0';
	return inet_pton(AF_INET6, bare, &in6.sin6_addr) != 1 ||
	       gw_hook_addr_refused((struct sockaddr *)&in6) != NULL;
}

static int check_parts(CURLU *u, bool allow_private, const char **why_out)
{
	char *scheme = part(u, CURLUPART_SCHEME), *host = part(u, CURLUPART_HOST);
	char *user = part(u, CURLUPART_USER), *password = part(u, CURLUPART_PASSWORD);
	char *zone = part(u, CURLUPART_ZONEID);

	*why_out = NULL;
	if (scheme == NULL || host == NULL || *host == '\0' || zone != NULL ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		*why_out = rule_text;
	else if (user != NULL || password != NULL)
		*why_out = "can't hold a user name or password; use authorization";
	else if (!allow_private && host_refused(host))
		*why_out = "leads to an address that is not public; WARDEN_WEBHOOK_ALLOW_PRIVATE=1 "
		           "allows it";
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_free(password);
	curl_free(zone);
	return *why_out == NULL ? 0 : -EINVAL;
}

int gw_hook_url_check(const char *url, bool allow_private, const char **why_out)
{
	CURLU *u;
	int rc;

	*why_out = rule_text;
	if (strlen(url) > GW_HOOK_URL_MAX) {
		*why_out = "has at most 2048 bytes";
		return -EINVAL;
	}
	if (!text_ok(url))
		return -EINVAL;
	u = curl_url();
	if (u == NULL)
		return -ENOMEM;
	rc = url_rc(curl_url_set(u, CURLUPART_URL, url, 0));
	if (rc == 0)
		rc = check_parts(u, allow_private, why_out);
	curl_url_cleanup(u);
	return rc;
}

int gw_hook_url_for(const char *url, const char *kind, char **out)
{
	size_t end = strcspn(url, "?#"), len = end;
	char *made;

	while (len > 0 && url[len - 1] == '/')
		len--;
	if (asprintf(&made, "%.*s/%s%s", (int)len, url, kind, url + end) < 0)
		return -ENOMEM;
	for (char *p = made + len + 1; *p != '\0' && *p != '?' && *p != '#'; p++)
		if (*p == '.')
			*p = '-';
	*out = made;
	return 0;
}
