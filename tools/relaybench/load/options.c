// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <time.h>

#include "netns.h"
#include "../value.h"
#include "value.h"

static const char help[] =
	"relaybench load --server ADDRESS[:PORT] --peer ADDRESS [OPTION...]\n"
	"\n"
	"A population of TURN clients against any server: allocations by real requests, then "
	"traffic\n"
	"through them, with loss, reordering and one-way delay. Packets are made here: no socket "
	"per\n"
	"allocation. IPv4 or IPv6, all addresses of one family.\n"
	"\n"
	"  --server A[:P]        the TURN server (port 3478)\n"
	"  --peer A              the peers' address, one of --peer-netns\n"
	"  --client A            the first client address (the client interface's own)\n"
	"  --client-addresses N  client addresses from there on (1); 22,000 clients each\n"
	"  --first-client N      of these (one by the clock: servers remember those that left)\n"
	"  --client-netns NAME   network namespace of the clients, --client-interface IF (eth0)\n"
	"  --peer-netns NAME     network namespace of the peers, --peer-interface IF (eth0)\n"
	"  --user NAME           of the long-term credential (demo)\n"
	"  --password-file FILE  its password; default: $RELAYBENCH_PASSWORD\n"
	"  --allocations N       (100), --channels N of each (1), --window N requests at once "
	"(64)\n"
	"  --direction D         up: client to peer; down; both (up)\n"
	"  --rate N              packets per second in each direction; 0: as many as go (10000)\n"
	"  --seconds S           of traffic (5; at most 3600)\n"
	"  --payload N           octets, 20 to 1400 (160)\n"
	"  --sink full|count     count: nft counts what arrives and one packet in 64 is read, "
	"which\n"
	"                        takes less of the server's core (full)\n"
	"  --churn N             allocations replaced per second (0)\n"
	"  --flood-binding N     Binding requests per second beside it, --flood-allocate N "
	"Allocates\n"
	"                        without credentials; --flood-addresses N they come from (1)\n"
	"  --plain               no TURN: datagrams to the peer, through whatever forwards them\n"
	"  --interactive         spans by lines of standard input: span rate=N seconds=S "
	"direction=D\n"
	"                        sink=full|count payload=N churn=N ...; each answered by a JSON "
	"line\n"
	"  --hold S              keep the allocations for S seconds without traffic, for another\n"
	"                        generator; --map FILE lists them. --keep: do not delete them\n"
	"  --core N              run there; --server-core N: tell how fast that core is, too\n"
	"  --setup-limit S       (60), --limit S of everything (4000)\n"
	"  --seed N              (1), --no-boost: compete with other programs for the core\n"
	"  --i-own-this-target   outside of namespaces made by tools/lab\n"
	"  -j, --json            JSON on standard output; -o, --output FILE: to a file\n"
	"  -h, --help, -V, --version\n"
	"\n"
	"Needs root. Exit: 0 done, 1 something failed, 2 usage.\n";

enum {
	OPT_SERVER = 256,
	OPT_PEER,
	OPT_CLIENT,
	OPT_CLIENT_ADDRESSES,
	OPT_FIRST_CLIENT,
	OPT_CLIENT_NETNS,
	OPT_CLIENT_INTERFACE,
	OPT_PEER_NETNS,
	OPT_PEER_INTERFACE,
	OPT_USER,
	OPT_PASSWORD_FILE,
	OPT_ALLOCATIONS,
	OPT_CHANNELS,
	OPT_WINDOW,
	OPT_DIRECTION,
	OPT_RATE,
	OPT_SECONDS,
	OPT_PAYLOAD,
	OPT_SINK,
	OPT_CHURN,
	OPT_FLOOD_BINDING,
	OPT_FLOOD_ALLOCATE,
	OPT_FLOOD_ADDRESSES,
	OPT_PLAIN,
	OPT_INTERACTIVE,
	OPT_HOLD,
	OPT_MAP,
	OPT_KEEP,
	OPT_CORE,
	OPT_SERVER_CORE,
	OPT_SETUP_LIMIT,
	OPT_LIMIT,
	OPT_SEED,
	OPT_NO_BOOST,
	OPT_OWN_TARGET,
};

static const struct option long_options[] = {
	{"server", required_argument, NULL, OPT_SERVER},
	{"peer", required_argument, NULL, OPT_PEER},
	{"client", required_argument, NULL, OPT_CLIENT},
	{"client-addresses", required_argument, NULL, OPT_CLIENT_ADDRESSES},
	{"first-client", required_argument, NULL, OPT_FIRST_CLIENT},
	{"client-netns", required_argument, NULL, OPT_CLIENT_NETNS},
	{"client-interface", required_argument, NULL, OPT_CLIENT_INTERFACE},
	{"peer-netns", required_argument, NULL, OPT_PEER_NETNS},
	{"peer-interface", required_argument, NULL, OPT_PEER_INTERFACE},
	{"user", required_argument, NULL, OPT_USER},
	{"password-file", required_argument, NULL, OPT_PASSWORD_FILE},
	{"allocations", required_argument, NULL, OPT_ALLOCATIONS},
	{"channels", required_argument, NULL, OPT_CHANNELS},
	{"window", required_argument, NULL, OPT_WINDOW},
	{"direction", required_argument, NULL, OPT_DIRECTION},
	{"rate", required_argument, NULL, OPT_RATE},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"payload", required_argument, NULL, OPT_PAYLOAD},
	{"sink", required_argument, NULL, OPT_SINK},
	{"churn", required_argument, NULL, OPT_CHURN},
	{"flood-binding", required_argument, NULL, OPT_FLOOD_BINDING},
	{"flood-allocate", required_argument, NULL, OPT_FLOOD_ALLOCATE},
	{"flood-addresses", required_argument, NULL, OPT_FLOOD_ADDRESSES},
	{"plain", no_argument, NULL, OPT_PLAIN},
	{"interactive", no_argument, NULL, OPT_INTERACTIVE},
	{"hold", required_argument, NULL, OPT_HOLD},
	{"map", required_argument, NULL, OPT_MAP},
	{"keep", no_argument, NULL, OPT_KEEP},
	{"core", required_argument, NULL, OPT_CORE},
	{"server-core", required_argument, NULL, OPT_SERVER_CORE},
	{"setup-limit", required_argument, NULL, OPT_SETUP_LIMIT},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"seed", required_argument, NULL, OPT_SEED},
	{"no-boost", no_argument, NULL, OPT_NO_BOOST},
	{"i-own-this-target", no_argument, NULL, OPT_OWN_TARGET},
	{"json", no_argument, NULL, 'j'},
	{"output", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static int population_option(struct load_options *o, int option, const char *v)
{
	struct load_population *p = &o->population;
	struct load_addr a;

	switch (option) {
	case OPT_SERVER:
		return load_value_address("--server", v, 3478, &p->server);
	case OPT_PEER:
		if (load_value_address("--peer", v, 0, &a) != 0)
			return -EINVAL;
		p->peer_ip = a.ip;
		p->peer_net = a.net;
		return 0;
	case OPT_CLIENT:
		if (load_value_address("--client", v, 0, &a) != 0)
			return -EINVAL;
		p->client_ip = a.ip;
		p->client_net = a.net;
		return 0;
	case OPT_CLIENT_ADDRESSES:
		return bench_value_whole("--client-addresses", v, 1, 4096, &p->n_client_ips);
	case OPT_FIRST_CLIENT:
		return bench_value_whole("--first-client", v, 0, 1e8, &p->first_client);
	case OPT_ALLOCATIONS:
		return bench_value_whole("--allocations", v, 1, 4e6, &p->n_allocations);
	default:
		return bench_value_whole("--channels", v, 1, 4096, &p->n_channels);
	}
}

static int traffic_option(struct load_options *o, int option, const char *v)
{
	static const char *const directions[] = {"up", "down", "both"};
	static const char *const sinks[] = {"full", "count"};
	unsigned word;
	uint32_t n;

	switch (option) {
	case OPT_DIRECTION:
		if (bench_value_word("--direction", v, directions, 3, &word) != 0)
			return -EINVAL;
		o->directions = word + 1;
		return 0;
	case OPT_SINK:
		if (bench_value_word("--sink", v, sinks, 2, &word) != 0)
			return -EINVAL;
		o->count_sink = word == 1;
		return 0;
	case OPT_RATE:
		return bench_value_number("--rate", v, 0, 1e8, &o->rate);
	case OPT_SECONDS:
		return bench_value_number("--seconds", v, 0.01, 3600, &o->seconds);
	case OPT_PAYLOAD:
		if (bench_value_whole("--payload", v, LOAD_PAYLOAD_MIN, LOAD_PAYLOAD_MAX, &n) != 0)
			return -EINVAL;
		o->payload = (uint16_t)n;
		return 0;
	case OPT_CHURN:
		return bench_value_number("--churn", v, 0, 1e6, &o->churn);
	case OPT_FLOOD_BINDING:
		return bench_value_number("--flood-binding", v, 0, 1e7, &o->flood_binding);
	case OPT_FLOOD_ALLOCATE:
		return bench_value_number("--flood-allocate", v, 0, 1e7, &o->flood_allocate);
	default:
		return bench_value_whole("--flood-addresses", v, 1, 4096, &o->flood_ips);
	}
}

static int run_option(struct load_options *o, int option, const char *v)
{
	double n;

	switch (option) {
	case OPT_WINDOW:
		return bench_value_whole("--window", v, 1, 65536, &o->window);
	case OPT_HOLD:
		return bench_value_number("--hold", v, 0, 86400, &o->hold_s);
	case OPT_SETUP_LIMIT:
		return bench_value_number("--setup-limit", v, 1, 3600, &o->setup_limit_s);
	case OPT_LIMIT:
		return bench_value_number("--limit", v, 1, 90000, &o->limit_s);
	case OPT_SEED:
		return bench_value_whole("--seed", v, 0, UINT32_MAX, &o->seed);
	default:
		if (bench_value_number(
			    option == OPT_CORE ? "--core" : "--server-core", v, 0, 1023, &n))
			return -EINVAL;
		*(option == OPT_CORE ? &o->core : &o->server_core) = (int)n;
		return 0;
	}
}

static int text_option(struct load_options *o, int option, char *v)
{
	switch (option) {
	case OPT_CLIENT_NETNS:
		o->client_netns = v;
		return 0;
	case OPT_CLIENT_INTERFACE:
		o->client_interface = v;
		return 0;
	case OPT_PEER_NETNS:
		o->peer_netns = v;
		return 0;
	case OPT_PEER_INTERFACE:
		o->peer_interface = v;
		return 0;
	case OPT_USER:
		o->user = v;
		return 0;
	case OPT_MAP:
		o->map = v;
		return 0;
	case OPT_PLAIN:
		o->plain = true;
		return 0;
	case OPT_INTERACTIVE:
		o->interactive = true;
		return 0;
	case OPT_KEEP:
		o->keep = true;
		return 0;
	case OPT_NO_BOOST:
		o->no_boost = true;
		return 0;
	case OPT_OWN_TARGET:
		o->own_target = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'o':
		o->output = v;
		return 0;
	case 'h':
		o->page = "help";
		return 0;
	case 'V':
		o->page = "version";
		return 0;
	default:
		return -ENOENT;
	}
}

static int option_take(struct load_options *o, int option, char *v)
{
	int rc = text_option(o, option, v);

	if (rc != -ENOENT)
		return rc;
	if (option == OPT_SERVER || option == OPT_PEER || option == OPT_CLIENT ||
		option == OPT_CLIENT_ADDRESSES || option == OPT_FIRST_CLIENT ||
		option == OPT_ALLOCATIONS || option == OPT_CHANNELS)
		return population_option(o, option, v);
	if (option == OPT_WINDOW || option == OPT_HOLD || option == OPT_SETUP_LIMIT ||
		option == OPT_LIMIT || option == OPT_SEED || option == OPT_CORE ||
		option == OPT_SERVER_CORE)
		return run_option(o, option, v);
	return option >= OPT_SERVER ? traffic_option(o, option, v) : -EINVAL;
}

// What only the whole command line tells.
static int options_check(const struct load_options *o)
{
	const struct load_population *p = &o->population;

	if (p->peer_ip == 0 || (p->server.ip == 0 && !o->plain)) {
		fprintf(stderr, "relaybench: --server and --peer are needed; see --help\n");
		return -EINVAL;
	}
	if ((!o->plain && p->server.net.v6 != p->peer_net.v6) ||
		(p->client_ip != 0 && p->client_net.v6 != p->peer_net.v6)) {
		fprintf(stderr,
			"relaybench: --server, --client and --peer are not of one family\n");
		return -EINVAL;
	}
	if (p->n_allocations > load_clients_max(p)) {
		fprintf(stderr, "relaybench: %u allocations need --client-addresses %u\n",
			p->n_allocations, (p->n_allocations - 1) / LOAD_PORTS + 1);
		return -EINVAL;
	}
	if ((uint64_t)p->n_allocations * p->n_channels > 1u << 26) {
		fprintf(stderr, "relaybench: at most %u channels in all\n", 1u << 26);
		return -EINVAL;
	}
	if (o->plain && o->directions != 1) {
		fprintf(stderr, "relaybench: --plain goes --direction up only\n");
		return -EINVAL;
	}
	if (!o->own_target &&
		(!load_netns_is_lab(o->client_netns) || !load_netns_is_lab(o->peer_netns))) {
		fprintf(stderr,
			"relaybench: --client-netns and --peer-netns are not both a lab's "
			"(tools/lab up); load on anything else needs --i-own-this-target\n");
		return -EINVAL;
	}
	return 0;
}

int load_options_read(struct load_options *o, int argc, char **argv)
{
	const char *password_file = NULL;
	int option, rc = 0;

	*o = (struct load_options){
		.population = {.n_client_ips = 1,
			.first_client = (uint32_t)time(NULL) * 3001u % (1u << 24),
			.n_allocations = 100,
			.n_channels = 1},
		.client_netns = "",
		.client_interface = "eth0",
		.peer_netns = "",
		.peer_interface = "eth0",
		.user = "demo",
		.window = 64,
		.flood_ips = 1,
		.seconds = 5,
		.rate = 10000,
		.setup_limit_s = 60,
		.limit_s = 4000,
		.hold_s = -1,
		.directions = 1,
		.core = -1,
		.server_core = -1,
		.payload = 160,
		.seed = 1,
		.argc = argc,
		.argv = argv};
	optind = 1;
	while (rc == 0 && (option = getopt_long(argc, argv, "jo:hV", long_options, NULL)) != -1) {
		if (option == OPT_PASSWORD_FILE)
			password_file = optarg;
		else
			rc = option_take(o, option, optarg);
	}
	if (rc != 0 || o->page != NULL)
		return rc;
	if (optind < argc)
		return bench_value_refuse("argument", argv[optind], "understood");
	rc = options_check(o);
	return rc != 0 ? rc : load_value_password(o->password, sizeof(o->password), password_file);
}

void load_options_help(FILE *out)
{
	fputs(help, out);
}
