// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>

#include "value.h"

static const char help[] =
	"relaybench core [OPTION...]\n"
	"\n"
	"Measures the packet path over live channels and prints cycles per packet.\n"
	"\n"
	"  --channels N,...    live channels, each of a client of its own (1000,100000,1000000)\n"
	"  --direction D,...   client-to-peer, peer-to-client, hairpin, send, data, binding,\n"
	"                      mix: 40, 40, 3, 8, 8 and 1 % of these (all)\n"
	"  --payload N,...     octets relayed per packet, up to 1400 (160)\n"
	"  --family F,...      4, 6, 4to6 (4)\n"
	"  --source S,...      memory: the packet path alone; replay: the data plane's worker "
	"from\n"
	"                      net_pcap to net_null, beside dpdk-testpmd (all that was built)\n"
	"  --rounds N          rounds of each figure (7)\n"
	"  --seconds S         length of each measured span (0.3)\n"
	"  --zipf S            flows by Zipf's law with this exponent instead of uniformly\n"
	"  --seed N            of everything random (1)\n"
	"  --workers N         what N workers, 2 or 3, gain over one, beside testpmd on as many "
	"cores\n"
	"  --core N            core to measure on (the last one)\n"
	"  --capture FILE      replay this (of relaybench export --core) with one direction and "
	"number\n"
	"                      of channels, instead of packets made for the purpose\n"
	"  --small-pages       4 KiB pages, no huge pages\n"
	"  --no-boost          compete with other programs for the core\n"
	"  --no-testpmd        only ourselves\n"
	"  -j, --json          JSON on standard output instead of a table\n"
	"  -o, --output FILE   JSON to a file, too\n"
	"  -h, --help          this\n"
	"  -V, --version\n"
	"\n"
	"Huge pages and the boost need root. Exit: 0 measured, 1 a packet was not forwarded or "
	"the\n"
	"machine refused something, 2 usage.\n";

enum {
	OPT_CHANNELS = 256,
	OPT_DIRECTION,
	OPT_PAYLOAD,
	OPT_FAMILY,
	OPT_SOURCE,
	OPT_ROUNDS,
	OPT_SECONDS,
	OPT_ZIPF,
	OPT_SEED,
	OPT_CORE,
	OPT_WORKERS,
	OPT_CAPTURE,
	OPT_SMALL_PAGES,
	OPT_NO_BOOST,
	OPT_NO_TESTPMD
};

static const struct option long_options[] = {
	{"channels", required_argument, NULL, OPT_CHANNELS},
	{"direction", required_argument, NULL, OPT_DIRECTION},
	{"payload", required_argument, NULL, OPT_PAYLOAD},
	{"family", required_argument, NULL, OPT_FAMILY},
	{"source", required_argument, NULL, OPT_SOURCE},
	{"rounds", required_argument, NULL, OPT_ROUNDS},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"zipf", required_argument, NULL, OPT_ZIPF},
	{"seed", required_argument, NULL, OPT_SEED},
	{"core", required_argument, NULL, OPT_CORE},
	{"workers", required_argument, NULL, OPT_WORKERS},
	{"capture", required_argument, NULL, OPT_CAPTURE},
	{"small-pages", no_argument, NULL, OPT_SMALL_PAGES},
	{"no-boost", no_argument, NULL, OPT_NO_BOOST},
	{"no-testpmd", no_argument, NULL, OPT_NO_TESTPMD},
	{"json", no_argument, NULL, 'j'},
	{"output", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static int channels_read(struct bench_options *o, const char *word)
{
	double n;

	if (bench_value_number("--channels", word, 2, BENCH_FLOWS_MAX, &n) != 0)
		return -EINVAL;
	if (n != floor(n) || (uint32_t)n % 2 != 0)
		return bench_value_refuse("--channels", word, "even");
	if (o->n_channels == BENCH_LIST_MAX)
		return bench_value_refuse("--channels", word, "one of at most 8");
	o->channels[o->n_channels++] = (uint32_t)n;
	return 0;
}

static int payload_read(struct bench_options *o, const char *word)
{
	double n;

	if (bench_value_number("--payload", word, 1, BENCH_PAYLOAD_MAX, &n) != 0)
		return -EINVAL;
	if (o->n_payloads == BENCH_LIST_MAX)
		return bench_value_refuse("--payload", word, "one of at most 8");
	o->payloads[o->n_payloads++] = (uint16_t)n;
	return 0;
}

static int direction_read(struct bench_options *o, const char *word)
{
	for (unsigned i = 0; i < BENCH_DIRECTIONS && o->n_directions < BENCH_DIRECTIONS; i++) {
		if (strcmp(word, bench_direction_name(i)) != 0)
			continue;
		o->directions[o->n_directions++] = i;
		return 0;
	}
	return bench_value_refuse("--direction", word, "a direction; see relaybench core --help");
}

static int family_read(struct bench_options *o, const char *word)
{
	for (unsigned i = 0; i < BENCH_FAMILIES && o->n_families < BENCH_FAMILIES; i++) {
		if (strcmp(word, bench_family_name(i)) != 0)
			continue;
		o->families[o->n_families++] = i;
		return 0;
	}
	return bench_value_refuse("--family", word, "4, 6 or 4to6");
}

static int source_read(struct bench_options *o, const char *word)
{
	if (strcmp(word, "memory") == 0)
		o->sources |= BENCH_SOURCE_MEMORY;
#ifdef HAVE_REPLAY
	else if (strcmp(word, "replay") == 0)
		o->sources |= BENCH_SOURCE_REPLAY;
#endif
	else
		return bench_value_refuse(
			"--source", word, "one that was built; see relaybench core --help");
	return 0;
}

// Works on a copy: the report repeats the words as they were given.
static int list_read(struct bench_options *o, const char *list,
	int (*read)(struct bench_options *o, const char *word))
{
	char *copy = strdup(list), *at = copy, *word;
	int rc = copy == NULL ? -ENOMEM : 0;

	while (rc == 0 && (word = strsep(&at, ",")) != NULL)
		rc = read(o, word);
	free(copy);
	return rc;
}

static int value_read(struct bench_options *o, int option, const char *text)
{
	double n;
	int rc;

	switch (option) {
	case OPT_ROUNDS:
		rc = bench_value_number("--rounds", text, 1, BENCH_ROUNDS_MAX, &n);
		o->rounds = (unsigned)n;
		return rc;
	case OPT_SECONDS:
		return bench_value_number("--seconds", text, 0.001, 60, &o->seconds);
	case OPT_WORKERS:
		rc = bench_value_number("--workers", text, 1, 3, &n);
		o->workers = (unsigned)n;
		return rc;
	case OPT_ZIPF:
		return bench_value_number("--zipf", text, 0, 4, &o->zipf);
	case OPT_SEED:
		rc = bench_value_number("--seed", text, 0, 1e15, &n);
		o->seed = (uint64_t)n;
		return rc;
	default:
		rc = bench_value_number("--core", text, 0, 1023, &n);
		o->core = (int)n;
		return rc;
	}
}

static int option_take(struct bench_options *o, int option)
{
	switch (option) {
	case OPT_CHANNELS:
		return list_read(o, optarg, channels_read);
	case OPT_DIRECTION:
		return list_read(o, optarg, direction_read);
	case OPT_PAYLOAD:
		return list_read(o, optarg, payload_read);
	case OPT_FAMILY:
		return list_read(o, optarg, family_read);
	case OPT_SOURCE:
		return list_read(o, optarg, source_read);
	case OPT_CAPTURE:
		o->capture = optarg;
		return 0;
	case OPT_SMALL_PAGES:
		o->small_pages = true;
		return 0;
	case OPT_NO_BOOST:
		o->no_boost = true;
		return 0;
	case OPT_NO_TESTPMD:
		o->no_testpmd = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'o':
		o->output = optarg;
		return 0;
	case 'h':
		o->page = "help";
		return 0;
	case 'V':
		o->page = "version";
		return 0;
	case '?':
		return -EINVAL;
	default:
		return value_read(o, option, optarg);
	}
}

static void fill_defaults(struct bench_options *o)
{
	static const uint32_t channels[] = {1000, 100000, 1000000};

	if (o->n_channels == 0) {
		memcpy(o->channels, channels, sizeof(channels));
		o->n_channels = TP_ARRAY_LEN(channels);
	}
	if (o->n_directions == 0)
		for (unsigned i = 0; i < BENCH_DIRECTIONS; i++)
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

static bool mix_refused(const struct bench_options *o)
{
	bool mix = false;

	for (unsigned i = 0; i < o->n_directions; i++)
		mix = mix || o->directions[i] == BENCH_MIX;
	for (unsigned i = 0; mix && i < o->n_channels; i++)
		if (o->channels[i] < BENCH_MIX_CHANNELS_MIN)
			return bench_value_refuse("--channels", "2", "enough for the mix: 4") != 0;
	return false;
}

int bench_options_read(struct bench_options *o, int argc, char **argv)
{
	int option;

	*o = (struct bench_options){.rounds = 7,
		.seconds = 0.3,
		.seed = 1,
		.workers = 1,
		.core = -1,
		.argc = argc,
		.argv = argv};
	optind = 1;
	while ((option = getopt_long(argc, argv, "jo:hV", long_options, NULL)) != -1)
		if (option_take(o, option) != 0)
			return -EINVAL;
	if (optind < argc)
		return bench_value_refuse(
			"argument", argv[optind], "an option; see relaybench core --help");
	if (o->capture != NULL && o->sources == 0)
		o->sources = BENCH_SOURCE_REPLAY;
	fill_defaults(o);
	if (mix_refused(o))
		return -EINVAL;
	if (o->capture != NULL &&
		(o->sources != BENCH_SOURCE_REPLAY || o->n_channels != 1 || o->n_directions != 1 ||
			o->n_payloads != 1 || o->n_families != 1))
		return bench_value_refuse("--capture", o->capture,
			"for more than one direction and number of channels, nor for memory");
	return 0;
}

void bench_options_help(FILE *out)
{
	fputs(help, out);
}
