/* gateway/doctor/gw_doctor_reach.c - WhatsApp, the way there, and the time there, as a finding */
#include "gateway/doctor/gw_doctor_reach.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "gateway/instance/gw_proxy.h"

#define CLOCK_WARNING_S 60
#define WAY_CAP 300
#define HOST_CAP 256

/* Host and port of a ws:// or wss:// URL. */
static void host_of(const char *url, char out[HOST_CAP])
{
	const char *host = strstr(url, "://");

	host = host != NULL ? host + 3 : url;
	snprintf(out, HOST_CAP, "%.*s", (int)strcspn(host, "/"), host);
}

static void way_of(const struct gw_proxy *proxy, char out[WAY_CAP])
{
	bool v6;

	if (proxy == NULL || !proxy->enabled) {
		snprintf(out, WAY_CAP, "directly");
		return;
	}
	v6 = strchr(proxy->host, ':') != NULL;
	snprintf(out, WAY_CAP, "through %s://%s%s%s:%u", gw_proxy_protocol_name(proxy->protocol),
	         v6 ? "[" : "", proxy->host, v6 ? "]" : "", (unsigned)proxy->port);
}

/* What to do about an outcome; by_proxy: the way goes through one. */
static const char *advice_for(int rc, bool by_proxy)
{
	switch (rc) {
	case WA_EDNS:
		return by_proxy ? "correct the proxy's host name, or this host's resolv.conf"
		                : "see to this host's resolv.conf and its name server";
	case WA_ENETWORK:
	case WA_ETIMEOUT:
		return by_proxy
		           ? "look whether the proxy lets connections to WhatsApp through"
		           : "look whether a firewall lets connections to port 443 out, or give "
		             "the instance a proxy";
	case WA_EPROXY_UNREACHABLE:
		return "start the proxy, or set another: wardenctl instance proxy NAME URL";
	case WA_EPROXY_AUTH:
		return "set its user and password: wardenctl instance proxy NAME URL "
		       "--password-file FILE";
	case WA_ETLS:
		return "somebody between here and WhatsApp answers in its place, or the clock is "
		       "wrong; for a server of your own set wa_ca_file";
	case WA_EHANDSHAKE:
		return "what answers there is not WhatsApp: look at wa_url and wa_root_key, and "
		       "for "
		       "a proxy or firewall that answers in its place";
	default:
		return "the gateway's log says more";
	}
}

static unsigned long long ms(uint64_t us)
{
	return (us + 500) / 1000;
}

static void judge_clock(const struct gw_probe_result *r, const char *host, struct gw_findings *fs)
{
	int64_t off = r->unix_s - r->server_unix_s;
	long long by = off < 0 ? -off : off;

	if (r->server_unix_s == 0)
		gw_finding_set(fs, GW_CHECK_CLOCK, GW_WARNING,
		               "see whatsapp above; timedatectl shows whether the clock is "
		               "synchronised",
		               "%s has not said what time it is", host);
	else if (by > CLOCK_WARNING_S)
		gw_finding_set(fs, GW_CHECK_CLOCK, GW_WARNING,
		               "set the clock (timedatectl set-ntp true): certificates and what "
		               "clients are told depend on it",
		               "this clock is %lld s %s what %s says", by,
		               off < 0 ? "behind" : "ahead of", host);
	else
		gw_finding_set(fs, GW_CHECK_CLOCK, GW_OK, NULL, "within %lld s of what %s says",
		               by > 1 ? by : 1, host);
}

void gw_doctor_judge_sandbox(const struct gw_probe_result *r, uid_t uid, struct gw_findings *fs)
{
	const struct {
		const char *name;
		bool holds;
	} layers[] = {
		{ "limits", r->sandbox.limits },
		{ "dropped rights", r->sandbox.rights },
		{ "Landlock", r->sandbox.landlock },
		{ "seccomp", r->sandbox.seccomp },
	};
	char missing[64] = "";
	size_t len = 0;

	if (!r->sandbox.known) {
		gw_finding_set(fs, GW_CHECK_SANDBOX, GW_WARNING, "see whatsapp below",
		               "not known: no worker has said what holds it");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		if (!layers[i].holds)
			len += (size_t)snprintf(missing + len, sizeof(missing) - len, "%s%s",
			                        len > 0 ? ", " : "", layers[i].name);
	if (len > 0)
		gw_finding_set(fs, GW_CHECK_SANDBOX, GW_WARNING,
		               "see kernel below; the log of the gateway's start says why",
		               "workers run without %s", missing);
	if (r->sandbox.uid == 0)
		gw_finding_set(
		    fs, GW_CHECK_SANDBOX, GW_WARNING,
		    "let other users pass the folders above data_dir (chmod o+x), or run "
		    "wardend as a user of its own",
		    "workers keep root's user, without its rights");
	gw_finding_set(fs, GW_CHECK_SANDBOX, GW_OK, NULL,
	               "limits, dropped rights, Landlock and seccomp hold; workers run as %s",
	               r->sandbox.uid != uid ? "users of their own" : "the gateway's user");
}

void gw_doctor_judge_reach(const struct gw_probe_result *r, const struct gw_proxy *proxy,
                           const char *wa_url, struct gw_findings *fs)
{
	char host[HOST_CAP], way[WAY_CAP];

	host_of(wa_url, host);
	way_of(proxy, way);
	if (r->rc == 0)
		gw_finding_set(fs, GW_CHECK_WHATSAPP, GW_OK, NULL,
		               "%s reached %s in %llu ms (connected %llu, open %llu)", host, way,
		               ms(r->handshake_us), ms(r->tcp_us), ms(r->upgrade_us));
	else
		gw_finding_set(fs, GW_CHECK_WHATSAPP, GW_FAILED,
		               advice_for(r->rc, proxy != NULL && proxy->enabled), "%s: %s, %s",
		               wa_err_name(r->rc),
		               r->detail[0] != '\0' ? r->detail : "no more is known", way);
	judge_clock(r, host, fs);
}
