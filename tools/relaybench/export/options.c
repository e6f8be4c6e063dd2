// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <stdio.h>

#include <load/value.h>
#include <options/options.h>

static const char *ethernet_read(void *out, const char *text)
{
	struct export_options *o = out;
	unsigned m[12];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x,%2x:%2x:%2x:%2x:%2x:%2x%n", &m[0], &m[1], &m[2],
		    &m[3], &m[4], &m[5], &m[6], &m[7], &m[8], &m[9], &m[10], &m[11], &end) != 12 ||
		text[end] != '\0')
		return "two MAC addresses, DST,SRC";
	for (unsigned i = 0; i < 12; i++)
		o->road.ethernet[i] = (uint8_t)m[i];
	return NULL;
}

static const char *core_read(void *out, const char *text)
{
	struct export_options *o = out;

	o->core = true;
	for (unsigned i = 0; i < BENCH_DIRECTIONS; i++)
		if (strcmp(text, bench_direction_name(i)) == 0) {
			o->direction = i;
			return NULL;
		}
	return "a direction of relaybench core";
}

static const char *server_read(void *out, const char *text)
{
	struct export_options *o = out;

	return load_value_address(text, 3478, &o->population.server);
}

static const char *client_read(void *out, const char *text)
{
	struct load_population *p = &((struct export_options *)out)->population;
	struct load_addr a = {0};
	const char *wanted = load_value_address(text, 0, &a);

	p->client_ip = a.ip;
	p->client_net = a.net;
	return wanted;
}

#define FIELD(name) OPTIONS_FIELD(struct export_options, name)

static const char *const formats[] = {"pcap", "trex", "pktgen", "trafgen", NULL};

static const struct options_row rows[] = {
	{"format", "F", "pcap, trex (STL profile), pktgen (Lua, beside FILE.pcap), trafgen",
		.kind = OPTIONS_WORD, FIELD(format), .words = formats},
	{"output", "FILE", "where to write", 'o', .kind = OPTIONS_TEXT, FIELD(output)},
	{"server", "A[:P]", "the TURN server, IPv4 or IPv6 (port 3478)", .kind = OPTIONS_CALL,
		.read = server_read},
	{"client", "A", "the first client address", .kind = OPTIONS_CALL, .read = client_read},
	{"client-addresses", "N", "client addresses from there on (1)", .kind = OPTIONS_WHOLE,
		FIELD(population.n_client_ips), .low = 1, .high = 4096},
	{"first-client", "N", "number of the first client (0)", .kind = OPTIONS_WHOLE,
		FIELD(population.first_client), .high = 1e8},
	{"allocations", "N", "allocations (100)", .kind = OPTIONS_WHOLE,
		FIELD(population.n_allocations), .low = 1, .high = 4e6},
	{"channels", "N", "channels of each allocation (1); with --core: flows (1000)",
		.kind = OPTIONS_WHOLE, FIELD(channels), .low = 1, .high = BENCH_FLOWS_MAX},
	{"payload", "N", "bytes (160)", .kind = OPTIONS_WHOLE, FIELD(payload),
		.low = LOAD_PAYLOAD_MIN, .high = LOAD_PAYLOAD_MAX},
	{"ethernet", "DST,SRC", "MAC addresses: the relay's or its router's, and the generator's",
		.kind = OPTIONS_CALL, .read = ethernet_read},
	{"map", "FILE",
		"of relaybench load --map: the other direction, from the peers to\n"
		"the relayed addresses (pcap, trafgen)",
		.kind = OPTIONS_TEXT, FIELD(map)},
	{"packets", "N", "packets in the file (each channel once)", .kind = OPTIONS_WHOLE,
		FIELD(packets), .low = 1, .high = 1e8},
	{"rate", "N", "packets per second (100000)", .kind = OPTIONS_NUMBER, FIELD(rate), .low = 1,
		.high = 1e9},
	{"core", "D", "the packets of `relaybench core` in direction D instead (pcap)",
		.kind = OPTIONS_CALL, .read = core_read},
	{"seed", "N", "of everything random (1)", .kind = OPTIONS_WHOLE, FIELD(seed),
		.high = UINT32_MAX},
};

static const struct options_command command = {
	.program = "relaybench",
	.name = "export",
	.synopsis = "--format F --output FILE [OPTION...]",
	.about = "Writes the traffic of `relaybench load` for other generators. The clients are "
		 "those of\n"
		 "`relaybench load --hold S --first-client 0` with the same addresses and numbers, "
		 "which\n"
		 "holds the allocations meanwhile.\n",
	.notes = "Exit: 0 written, 1 not, 2 usage.\n",
	.rows = rows,
	.n_rows = TP_ARRAY_LEN(rows),
};

static const char *problem_find(const struct export_options *o)
{
	const struct load_population *p = &o->population;

	if (o->output == NULL || o->format == EXPORT_FORMATS)
		return "--format and --output are needed";
	if (o->core && o->format != EXPORT_PCAP)
		return "--core goes with --format pcap";
	if (o->core && o->channels % 2 != 0)
		return "--core needs an even number of --channels";
	if (!o->core && o->map == NULL && (p->server.ip == 0 || p->client_ip == 0))
		return "--server and --client are needed";
	if (!o->core && o->map == NULL && p->server.net.v6 != p->client_net.v6)
		return "--server and --client are not of one family";
	if (!o->core && p->n_channels > 4096)
		return "at most 4096 --channels of an allocation";
	if (p->n_allocations > load_clients_max(p))
		return "that many allocations need more --client-addresses";
	if (o->map != NULL && (o->format == EXPORT_TREX || o->format == EXPORT_PKTGEN))
		return "--map goes with --format pcap and trafgen";
	if (o->format == EXPORT_TREX &&
		(p->n_allocations % p->n_client_ips != 0 || p->first_client != 0))
		return "trex needs a multiple of --client-addresses as --allocations, and "
		       "--first-client 0";
	return NULL;
}

int export_options_read(struct export_options *o, int argc, char **argv)
{
	const char *problem;
	int rc;

	*o = (struct export_options){
		.format = EXPORT_FORMATS,
		.population = {.n_client_ips = 1, .n_allocations = 100, .n_channels = 1},
		// Locally administered ones, as a place to put one's own.
		.road.ethernet = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0},
		.payload = 160,
		.seed = 1,
		.rate = 100000,
	};
	rc = options_read(&command, o, argc, argv);
	if (rc != 0)
		return rc;
	if (o->channels != 0)
		o->population.n_channels = o->channels;
	else
		o->channels = 1000;
	o->down = o->map != NULL;
	problem = problem_find(o);
	return problem == NULL ? 0 : options_refuse(&command, problem);
}
