// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "../load/value.h"
#include "../value.h"

static const char help[] =
	"relaybench export --format F --output FILE [OPTION...]\n"
	"\n"
	"Writes the traffic of `relaybench load` for generators that other people own. The "
	"clients\n"
	"are those of `relaybench load --hold S --first-client 0` with the same addresses and\n"
	"numbers, which holds the allocations meanwhile.\n"
	"\n"
	"  --format F            pcap, trex (STL profile), pktgen (Lua, beside FILE.pcap), "
	"trafgen\n"
	"  -o, --output FILE\n"
	"  --server A[:P]        IPv4 or IPv6; --client A, --client-addresses N (1), "
	"--first-client N (0)\n"
	"  --allocations N       (100), --channels N of each (1), --payload N octets (160)\n"
	"  --ethernet DST,SRC    MAC addresses: the relay's or its router's, and the generator's\n"
	"  --map FILE            of relaybench load --map: the other direction, from the peers to\n"
	"                        the relayed addresses (pcap, trafgen)\n"
	"  --packets N           (each channel once), --rate N per second (100000)\n"
	"  --core D              the packets of `relaybench core` in direction D instead, over\n"
	"                        --channels N flows; --seed N (pcap)\n"
	"  -h, --help, -V, --version\n"
	"\n"
	"Exit: 0 written, 1 not, 2 usage.\n";

enum {
	OPT_FORMAT = 256,
	OPT_SERVER,
	OPT_CLIENT,
	OPT_CLIENT_ADDRESSES,
	OPT_FIRST_CLIENT,
	OPT_ALLOCATIONS,
	OPT_CHANNELS,
	OPT_PAYLOAD,
	OPT_ETHERNET,
	OPT_MAP,
	OPT_PACKETS,
	OPT_RATE,
	OPT_CORE,
	OPT_SEED
};

static const struct option long_options[] = {
	{"format", required_argument, NULL, OPT_FORMAT},
	{"server", required_argument, NULL, OPT_SERVER},
	{"client", required_argument, NULL, OPT_CLIENT},
	{"client-addresses", required_argument, NULL, OPT_CLIENT_ADDRESSES},
	{"first-client", required_argument, NULL, OPT_FIRST_CLIENT},
	{"allocations", required_argument, NULL, OPT_ALLOCATIONS},
	{"channels", required_argument, NULL, OPT_CHANNELS},
	{"payload", required_argument, NULL, OPT_PAYLOAD},
	{"ethernet", required_argument, NULL, OPT_ETHERNET},
	{"map", required_argument, NULL, OPT_MAP},
	{"packets", required_argument, NULL, OPT_PACKETS},
	{"rate", required_argument, NULL, OPT_RATE},
	{"core", required_argument, NULL, OPT_CORE},
	{"seed", required_argument, NULL, OPT_SEED},
	{"output", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static int ethernet_read(struct load_road *road, const char *text)
{
	unsigned m[12];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x,%2x:%2x:%2x:%2x:%2x:%2x%n", &m[0], &m[1], &m[2],
		    &m[3], &m[4], &m[5], &m[6], &m[7], &m[8], &m[9], &m[10], &m[11], &end) != 12 ||
		text[end] != '\0')
		return bench_value_refuse("--ethernet", text, "two MAC addresses");
	for (unsigned i = 0; i < 12; i++)
		road->ethernet[i] = (uint8_t)m[i];
	return 0;
}

static int core_read(struct export_options *o, const char *text)
{
	o->core = true;
	for (unsigned i = 0; i < BENCH_DIRECTIONS; i++)
		if (strcmp(text, bench_direction_name(i)) == 0) {
			o->direction = i;
			return 0;
		}
	return bench_value_refuse("--core", text, "a direction of relaybench core");
}

static int client_read(struct load_population *p, const char *text)
{
	struct load_addr a = {0};
	int rc = load_value_address("--client", text, 0, &a);

	p->client_ip = a.ip;
	p->client_net = a.net;
	return rc;
}

static int option_take(struct export_options *o, int option, const char *v)
{
	static const char *const formats[] = {"pcap", "trex", "pktgen", "trafgen"};
	struct load_population *p = &o->population;
	unsigned word;
	uint32_t n;

	switch (option) {
	case OPT_FORMAT:
		if (bench_value_word("--format", v, formats, EXPORT_FORMATS, &word) != 0)
			return -EINVAL;
		o->format = word;
		return 0;
	case OPT_SERVER:
		return load_value_address("--server", v, 3478, &p->server);
	case OPT_CLIENT:
		return client_read(p, v);
	case OPT_CLIENT_ADDRESSES:
		return bench_value_whole("--client-addresses", v, 1, 4096, &p->n_client_ips);
	case OPT_FIRST_CLIENT:
		return bench_value_whole("--first-client", v, 0, 1e8, &p->first_client);
	case OPT_ALLOCATIONS:
		return bench_value_whole("--allocations", v, 1, 4e6, &p->n_allocations);
	case OPT_CHANNELS:
		o->channels = 0;
		if (bench_value_whole("--channels", v, 1, BENCH_FLOWS_MAX, &o->channels) != 0)
			return -EINVAL;
		p->n_channels = o->channels;
		return 0;
	case OPT_PAYLOAD:
		if (bench_value_whole("--payload", v, LOAD_PAYLOAD_MIN, LOAD_PAYLOAD_MAX, &n) != 0)
			return -EINVAL;
		o->payload = (uint16_t)n;
		return 0;
	case OPT_ETHERNET:
		return ethernet_read(&o->road, v);
	case OPT_PACKETS:
		return bench_value_whole("--packets", v, 1, 1e8, &o->packets);
	case OPT_RATE:
		return bench_value_number("--rate", v, 1, 1e9, &o->rate);
	case OPT_CORE:
		return core_read(o, v);
	default:
		return bench_value_whole("--seed", v, 0, UINT32_MAX, &o->seed);
	}
}

static int options_check(struct export_options *o)
{
	const struct load_population *p = &o->population;
	const char *wrong = NULL;

	if (o->output == NULL || o->format == EXPORT_FORMATS)
		wrong = "--format and --output are needed";
	else if (o->core && o->format != EXPORT_PCAP)
		wrong = "--core goes with --format pcap";
	else if (o->core && o->channels % 2 != 0)
		wrong = "--core needs an even number of --channels";
	else if (!o->core && o->map == NULL && (p->server.ip == 0 || p->client_ip == 0))
		wrong = "--server and --client are needed";
	else if (!o->core && o->map == NULL && p->server.net.v6 != p->client_net.v6)
		wrong = "--server and --client are not of one family";
	else if (!o->core && p->n_channels > 4096)
		wrong = "at most 4096 --channels of an allocation";
	else if (p->n_allocations > load_clients_max(p))
		wrong = "that many allocations need more --client-addresses";
	else if (o->map != NULL && (o->format == EXPORT_TREX || o->format == EXPORT_PKTGEN))
		wrong = "--map goes with --format pcap and trafgen";
	else if (o->format == EXPORT_TREX &&
		 (p->n_allocations % p->n_client_ips != 0 || p->first_client != 0))
		wrong = "trex needs a multiple of --client-addresses as --allocations, and "
			"--first-client 0";
	if (wrong == NULL)
		return 0;
	fprintf(stderr, "relaybench: %s; see --help\n", wrong);
	return -EINVAL;
}

int export_options_read(struct export_options *o, int argc, char **argv)
{
	int option, rc = 0;

	*o = (struct export_options){.format = EXPORT_FORMATS,
		.population = {.n_client_ips = 1, .n_allocations = 100, .n_channels = 1},
		// Locally administered ones, as a place to put one's own.
		.road.ethernet = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0},
		.channels = 1000,
		.payload = 160,
		.seed = 1,
		.rate = 100000};
	optind = 1;
	while (rc == 0 && (option = getopt_long(argc, argv, "o:hV", long_options, NULL)) != -1) {
		if (option == 'o')
			o->output = optarg;
		else if (option == 'h' || option == 'V')
			o->page = option == 'h' ? "help" : "version";
		else if (option == OPT_MAP)
			o->map = optarg;
		else
			rc = option == '?' ? -EINVAL : option_take(o, option, optarg);
	}
	if (rc != 0 || o->page != NULL)
		return rc;
	if (optind < argc)
		return bench_value_refuse("argument", argv[optind], "understood");
	o->down = o->map != NULL;
	return options_check(o);
}

void export_options_help(FILE *out)
{
	fputs(help, out);
}
