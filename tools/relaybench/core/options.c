// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <string.h>

#include <options/options.h>

#define ROWS_MORE "at most 8 of them"

static const char *channels_read(void *out, const char *word)
{
	struct bench_options *o = out;
	double n;

	if (!options_number(word, 2, BENCH_FLOWS_MAX, &n) || (uint32_t)n != n ||
		(uint32_t)n % 2 != 0)
		return "an even number from 2 to 4194304";
	if (o->n_channels == BENCH_LIST_MAX)
		return ROWS_MORE;
	o->channels[o->n_channels++] = (uint32_t)n;
	return NULL;
}

static const char *payload_read(void *out, const char *word)
{
	struct bench_options *o = out;
	double n;

	if (!options_number(word, 1, BENCH_PAYLOAD_MAX, &n))
		return "a number of bytes from 1 to 1400";
	if (o->n_payloads == BENCH_LIST_MAX)
		return ROWS_MORE;
	o->payloads[o->n_payloads++] = (uint16_t)n;
	return NULL;
}

static const char *direction_read(void *out, const char *word)
{
	struct bench_options *o = out;

	for (unsigned i = 0; i < BENCH_DIRECTIONS && o->n_directions < BENCH_DIRECTIONS; i++) {
		if (strcmp(word, bench_direction_name(i)) != 0)
			continue;
		o->directions[o->n_directions++] = i;
		return NULL;
	}
	return "a direction";
}

static const char *family_read(void *out, const char *word)
{
	struct bench_options *o = out;

	for (unsigned i = 0; i < BENCH_FAMILIES && o->n_families < BENCH_FAMILIES; i++) {
		if (strcmp(word, bench_family_name(i)) != 0)
			continue;
		o->families[o->n_families++] = i;
		return NULL;
	}
	return "4, 6 or 4to6";
}

static const char *source_read(void *out, const char *word)
{
	struct bench_options *o = out;

	if (strcmp(word, "memory") == 0)
		o->sources |= BENCH_SOURCE_MEMORY;
#ifdef HAVE_REPLAY
	else if (strcmp(word, "replay") == 0)
		o->sources |= BENCH_SOURCE_REPLAY;
#endif
	else
		return "a source that was built";
	return NULL;
}

#define FIELD(name) OPTIONS_FIELD(struct bench_options, name)

static const struct options_row rows[] = {
	{"channels", "N,...", "live channels, each of a client of its own (1000,100000,1000000)",
		.kind = OPTIONS_CALL, .read = channels_read, .list = true},
	{"direction", "D,...",
		"client-to-peer, peer-to-client, hairpin, send, data, binding,\n"
		"mix: 40, 40, 3, 8, 8 and 1 % of these (all)",
		.kind = OPTIONS_CALL, .read = direction_read, .list = true},
	{"payload", "N,...", "bytes relayed per packet, up to 1400 (160)", .kind = OPTIONS_CALL,
		.read = payload_read, .list = true},
	{"family", "F,...", "4, 6, 4to6 (4)", .kind = OPTIONS_CALL, .read = family_read,
		.list = true},
	{"source", "S,...",
		"memory: the packet path alone; replay: the data plane's worker from\n"
		"net_pcap to net_null, beside dpdk-testpmd (all that was built)",
		.kind = OPTIONS_CALL, .read = source_read, .list = true},
	{"rounds", "N", "rounds of each figure (7)", .kind = OPTIONS_WHOLE, FIELD(rounds), .low = 1,
		.high = BENCH_ROUNDS_MAX},
	{"seconds", "S", "length of each measured interval (0.3)", .kind = OPTIONS_NUMBER,
		FIELD(seconds), .low = 0.001, .high = 60},
	{"zipf", "S", "flows by Zipf's law with this exponent instead of uniformly",
		.kind = OPTIONS_NUMBER, FIELD(zipf), .high = 4},
	{"seed", "N", "of everything random (1)", .kind = OPTIONS_WHOLE, FIELD(seed), .high = 1e15},
	{"instructions", NULL,
		"instructions per packet instead of cycles, counted by valgrind's\n"
		"callgrind, of five directions (all but binding and mix) over 1000\n"
		"channels",
		FIELD(instructions)},
	{"workers", "N", "what N workers, 2 or 3, gain over one, beside testpmd on as many\ncores",
		.kind = OPTIONS_WHOLE, FIELD(workers), .low = 1, .high = 3},
	{"core", "N", "core to measure on (the last one)", .kind = OPTIONS_WHOLE, FIELD(core),
		.high = 1023},
	{"capture", "FILE",
		"replay this (of relaybench export --core) with one direction and\n"
		"number of channels, instead of packets made for the purpose",
		.kind = OPTIONS_TEXT, FIELD(capture)},
	{"small-pages", NULL, "4 KiB pages, no huge pages", FIELD(small_pages)},
	{"no-boost", NULL, "compete with other programs for the core", FIELD(no_boost)},
	{"no-testpmd", NULL, "measure this relay alone", FIELD(no_testpmd)},
	{"json", NULL, "JSON on standard output instead of a table", 'j', FIELD(json)},
	{"output", "FILE", "JSON to a file as well", 'o', .kind = OPTIONS_TEXT, FIELD(output)},
};

static const struct options_command command = {
	.program = "relaybench",
	.name = "core",
	.synopsis = "[OPTION...]",
	.about = "Measures the packet path over live channels and prints cycles per packet.\n",
	.notes = "Huge pages and the boost need root. Exit: 0 measured, 1 a packet was not "
		 "forwarded or\n"
		 "the machine refused something, 2 usage.\n",
	.rows = rows,
	.n_rows = TP_ARRAY_LEN(rows),
};

static void fill_defaults(struct bench_options *o)
{
	static const uint32_t channels[] = {1000, 100000, 1000000};

	if (o->n_channels == 0 && o->instructions)
		o->channels[o->n_channels++] = 1000;
	if (o->n_channels == 0) {
		memcpy(o->channels, channels, sizeof(channels));
		o->n_channels = TP_ARRAY_LEN(channels);
	}
	if (o->n_directions == 0)
		for (unsigned i = 0; i < (o->instructions ? BENCH_BINDING : BENCH_DIRECTIONS); i++)
			o->directions[o->n_directions++] = i;
	if (o->n_payloads == 0)
		o->payloads[o->n_payloads++] = 160;
	if (o->n_families == 0)
		o->families[o->n_families++] = BENCH_IPV4;
	if (o->sources == 0) {
		o->sources = BENCH_SOURCE_MEMORY;
#ifdef HAVE_REPLAY
		o->sources |= BENCH_SOURCE_REPLAY;
#endif
	}
}

static int mix_check(const struct bench_options *o)
{
	bool mix = false;

	for (unsigned i = 0; i < o->n_directions; i++)
		mix = mix || o->directions[i] == BENCH_MIX;
	for (unsigned i = 0; mix && i < o->n_channels; i++)
		if (o->channels[i] < BENCH_MIX_CHANNELS_MIN)
			return options_refuse(
				&command, "--channels 2 is not enough for the mix: give 4");
	return 0;
}

int bench_options_read(struct bench_options *o, int argc, char **argv)
{
	int rc;

	*o = (struct bench_options){
		.rounds = 7,
		.seconds = 0.3,
		.seed = 1,
		.workers = 1,
		.core = -1,
		.argc = argc,
		.argv = argv,
	};
	rc = options_read(&command, o, argc, argv);
	if (rc != 0)
		return rc;
	if (o->capture != NULL && o->sources == 0)
		o->sources = BENCH_SOURCE_REPLAY;
	fill_defaults(o);
	return mix_check(o);
}
