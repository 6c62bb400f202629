/* simulator/sim_options.c - the command line */
#include "simulator/sim_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: warden-sim [--listen ADDR:PORT] [--control ADDR:PORT] [--tls] [--strict]\n"
    "                  [--no-ik] [--seed N] [--state-dir DIR]\n"
    "\n"
    "A WhatsApp look-alike for tests, demos and load.\n"
    "\n"
    "  --listen ADDR:PORT    the WhatsApp side, path /ws/chat   (127.0.0.1:7443)\n"
    "  --control ADDR:PORT   the control API, loopback only     (127.0.0.1:7444)\n"
    "  --tls                 TLS on the WhatsApp side, with an authority in DIR/ca.pem\n"
    "  --seed N              make every random choice repeatable\n"
    "  --strict              refuse clients that depart from what WhatsApp Web sends\n"
    "  --no-ik               resume no Noise session: each gets XXfallback\n"
    "  --state-dir DIR       keeps the root key and the authority  (a temporary one)\n"
    "  --help, --version\n"
    "\n"
    "Port 0 lets the system choose. At start one line of JSON tells url, control, rootKey and "
    "ca.\n";

static bool is_loopback(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)ss)->sin6_addr);
}

/* The host without brackets; false when text is not HOST:PORT or [HOST]:PORT. */
static bool cut_port(const char *text, char *host, size_t host_cap, uint16_t *port_out)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);
	bool brackets = len >= 2 && text[0] == '[' && colon[-1] == ']';
	unsigned long port;
	char *end;

	if (len == 0 || len >= host_cap || colon[1] < '0' || colon[1] > '9')
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port > UINT16_MAX)
		return false;
	if (!brackets && memchr(text, ':', len) != NULL) /* "::1" alone has no port */
		return false;
	memcpy(host, text + brackets, len - 2 * brackets);
	host[len - 2 * brackets] = '\0';
	*port_out = (uint16_t)port;
	return true;
}

static bool fill_address(const char *host, uint16_t port, struct sockaddr_storage *ss,
                         socklen_t *len_out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		*len_out = sizeof(*in);
		return true;
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		*len_out = sizeof(*in6);
		return true;
	}
	return false;
}

static bool parse_address(const char *flag, const char *text, struct sockaddr_storage *ss,
                          socklen_t *len_out)
{
	char host[INET6_ADDRSTRLEN];
	uint16_t port;

	if (cut_port(text, host, sizeof(host), &port) && fill_address(host, port, ss, len_out))
		return true;
	fprintf(stderr,
	        "warden-sim: %s: expected ADDRESS:PORT with a numeric address, got \"%s\"\n", flag,
	        text);
	return false;
}

static bool parse_seed(const char *text, uint64_t *seed_out)
{
	char *end;

	errno = 0;
	*seed_out = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0)
		return true;
	fprintf(
	    stderr,
	    "warden-sim: --seed: expected a number from 0 to 18446744073709551615, got \"%s\"\n",
	    text);
	return false;
}

static bool take_option(struct sim_options *o, int opt)
{
	switch (opt) {
	case 'l':
		return parse_address("--listen", optarg, &o->listen, &o->listen_len);
	case 'c':
		return parse_address("--control", optarg, &o->control, &o->control_len);
	case 't':
		o->tls = true;
		return true;
	case 's':
		o->seeded = true;
		return parse_seed(optarg, &o->seed);
	case 'x':
		o->strict = true;
		return true;
	case 'n':
		o->no_ik = true;
		return true;
	case 'd':
		o->state_dir = optarg;
		return true;
	default: /* getopt has said what is wrong */
		return false;
	}
}

enum sim_options_result sim_options_parse(struct sim_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "control", required_argument, NULL, 'c' },
		{ "tls", no_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "strict", no_argument, NULL, 'x' },
		{ "no-ik", no_argument, NULL, 'n' },
		{ "state-dir", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	memset(o, 0, sizeof(*o));
	if (!parse_address("--listen", "127.0.0.1:7443", &o->listen, &o->listen_len) ||
	    !parse_address("--control", "127.0.0.1:7444", &o->control, &o->control_len))
		return SIM_EXIT_2;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h' || opt == 'v') {
			fputs(opt == 'h' ? help : "warden-sim " WARDEN_VERSION "\n", stdout);
			return SIM_EXIT_0;
		}
		if (!take_option(o, opt))
			return SIM_EXIT_2;
	}
	if (optind < argc) {
		fprintf(stderr, "warden-sim: unexpected argument \"%s\"\n", argv[optind]);
		return SIM_EXIT_2;
	}
	if (!is_loopback(&o->control)) {
		fputs("warden-sim: --control: expected a loopback address (127.0.0.0/8 or [::1]): "
		      "the control API has no authentication\n",
		      stderr);
		return SIM_EXIT_2;
	}
	return SIM_RUN;
}
