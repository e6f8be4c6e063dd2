// SPDX-License-Identifier: BSD-3-Clause
// Measures the relay logic alone, in bursts of 32, for each direction. A measurement by hand, not a
// test: cycles need a quiet core. Frames are copied fresh before each burst, so they are in the
// cache, as after a receive with cache placement; the copy is not counted.
//
// Instructions do not depend on other programs. They are those inside stage_run, and the difference
// between runs of N and 2N packets leaves out the one-time cost of a run:
//
//   for n in 6400 12800; do
//     valgrind --tool=callgrind --toggle-collect=stage_run stage_bench --direction D --packets $n
//   done
//
// Take the difference of the two "Collected" lines, divided by 6400.
#include "frame.h"
#include "message.h"
#include "relay.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define PACKETS_MAX 10000000u
#define SIZE	    1600u

// Named by the path that counts the packets; a hairpin is ChannelData at both ends.
enum direction { CHANNEL, PEER, SEND, DATA, HAIRPIN, DIRECTIONS };
static const char *const names[DIRECTIONS] = {
	"channel_to_peer",
	"peer_to_channel",
	"send_to_peer",
	"peer_to_data",
	"hairpin",
};

struct options {
	unsigned flows;
	unsigned payload;
	unsigned packets;   // per direction, rounded down to whole bursts
	unsigned direction; // DIRECTIONS: all
	unsigned family;    // of clients and peers: 4 or 6
	bool json;
};

struct flow {
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_addr relayed;
	struct tp_addr peer;
	struct tp_addr visitor;
	uint32_t allocation;
};

static uint64_t cycles(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec;
#endif
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static struct tp_addr addr_make(unsigned family, uint32_t ip, uint16_t port)
{
	uint8_t ip6[16] = {0xfd, 0x77};

	if (family == 4)
		return tp_addr_ipv4(ip, port);
	tp_store_be32(ip6 + 12, ip);
	return tp_addr_ipv6(ip6, port);
}

static void flow_make(struct relay *r, unsigned family, unsigned i, struct flow *f)
{
	struct tp_entry_relay at = {
		family == 4 ? RELAY_RELAY4 : RELAY_RELAY6, tp_htons((uint16_t)(49300 + i % 16000))};
	struct tp_entry_relay none = {0};

	f->listener = r->locals[family == 4 ? RELAY_LISTENER4 : RELAY_LISTENER6].addr;
	f->client = addr_make(family, 0x0b000000u + i, 50000);
	f->peer = addr_make(family, 0x0c000000u + i, 60000);
	f->visitor = addr_make(family, 0x0d000000u + i, 60000);
	f->allocation = relay_allocation(
		r, &f->client, family == 4 ? RELAY_LISTENER4 : RELAY_LISTENER6, at, none);
	f->relayed = relay_relayed(r, f->allocation, 0);
	relay_channel(r, f->allocation, 0, 0x4000, &f->peer);
	relay_permission(r, f->allocation, 0, &f->visitor);
}

static void frame_make(const struct flow *f, enum direction d, uint16_t len, struct frame *out)
{
	static const uint8_t txid[12] = {1};
	static uint8_t data[1500];
	struct frame_spec spec = {.src = f->client, .dst = f->listener};
	struct message m;

	if (d == CHANNEL || d == HAIRPIN) {
		message_channel(&m, d == CHANNEL ? 0x4000 : 0x4001, data, len, 0);
	} else if (d == SEND) {
		message_begin(&m, TP_TURN_SEND_INDICATION, txid);
		message_address(&m, TP_ATTR_XOR_PEER_ADDRESS, &f->visitor);
		message_attribute(&m, TP_ATTR_DATA, data, len);
		message_fingerprint(&m);
	} else {
		spec.src = d == PEER ? f->peer : f->visitor;
		spec.dst = f->relayed;
		m.len = len;
		memcpy(m.data, data, len);
	}
	spec.payload = m.data;
	spec.len = m.len;
	frame_build(out, &spec);
}

static void room_fill(struct stage_pkt pkts[STAGE_BURST], const uint8_t *images, uint16_t frame_len,
	unsigned flows, struct frame_random *rng)
{
	static uint8_t room[STAGE_BURST][128 + SIZE];

	for (unsigned i = 0; i < STAGE_BURST; i++) {
		memcpy(room[i] + 128, images + (size_t)frame_random_below(rng, flows) * SIZE,
			frame_len);
		pkts[i] = (struct stage_pkt){
			.data = room[i] + 128,
			.len = frame_len,
			.headroom = 128,
			.tailroom = (uint16_t)(SIZE - frame_len),
		};
	}
}

static void assert_sent(const struct stage_pkt pkts[STAGE_BURST])
{
	for (unsigned i = 0; i < STAGE_BURST; i++) {
		if (pkts[i].verdict == STAGE_SEND)
			continue;
		fprintf(stderr, "dropped: %s\n", tp_drop_text(pkts[i].reason)->name);
		exit(1);
	}
}

// Prints the quickest tenth and the median: far apart when the core was not quiet.
static void report(const struct options *o, enum direction d, uint64_t *took, unsigned bursts)
{
	double tenth, median;

	qsort(took, bursts, sizeof(took[0]), compare);
	tenth = (double)took[bursts / 10] / STAGE_BURST;
	median = (double)took[bursts / 2] / STAGE_BURST;
	if (o->json)
		printf("{\"direction\": \"%s\", \"family\": %u, \"flows\": %u, \"payload\": %u, "
		       "\"packets\": %u, \"cycles_tenth\": %.1f, \"cycles_median\": %.1f}\n",
			names[d], o->family, o->flows, o->payload, bursts * STAGE_BURST, tenth,
			median);
	else
		printf("%8.1f %8.1f  %s\n", tenth, median, names[d]);
}

static void measure(
	struct relay *r, const struct flow *flows, const struct options *o, enum direction d)
{
	const unsigned bursts = o->packets / STAGE_BURST;
	uint8_t *images = malloc((size_t)o->flows * SIZE);
	uint64_t *took = calloc(bursts, sizeof(*took));
	struct stage_pkt pkts[STAGE_BURST];
	struct frame_random rng = {1};
	struct frame f;
	uint16_t frame_len = 0;

	if (images == NULL || took == NULL)
		abort();
	for (unsigned i = 0; i < o->flows; i++) {
		frame_make(&flows[i], d, (uint16_t)o->payload, &f);
		frame_len = f.len;
		memcpy(images + (size_t)i * SIZE, frame_data(&f), f.len);
	}
	for (unsigned i = 0; i < bursts; i++) {
		room_fill(pkts, images, frame_len, o->flows, &rng);
		took[i] = cycles();
		stage_run(r->worker, pkts, STAGE_BURST, r->now_ns);
		took[i] = cycles() - took[i];
		assert_sent(pkts);
	}
	report(o, d, took, bursts);
	free(took);
	free(images);
}

// Returns the direction of this name, DIRECTIONS + 1 for none.
static unsigned direction_find(const char *name)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		if (strcmp(name, names[d]) == 0)
			return d;
	return DIRECTIONS + 1;
}

static bool options_read(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"flows", required_argument, NULL, 'f'},
		{"payload", required_argument, NULL, 'p'},
		{"packets", required_argument, NULL, 'n'},
		{"direction", required_argument, NULL, 'd'},
		{"family", required_argument, NULL, '6'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'f':
			o->flows = (unsigned)atoi(optarg);
			break;
		case 'p':
			o->payload = (unsigned)atoi(optarg);
			break;
		case 'n':
			o->packets = (unsigned)atoi(optarg);
			break;
		case 'd':
			o->direction = direction_find(optarg);
			break;
		case '6':
			o->family = (unsigned)atoi(optarg);
			break;
		case 'j':
			o->json = true;
			break;
		default:
			return false;
		}
	}
	o->flows &= ~1u; // flows are joined in pairs
	return optind == argc && o->flows >= 2 && o->flows <= 16000 && o->payload <= 1400 &&
	       o->packets >= STAGE_BURST && o->packets <= PACKETS_MAX &&
	       o->direction <= DIRECTIONS && (o->family == 4 || o->family == 6);
}

int main(int argc, char **argv)
{
	struct options o = {
		.flows = 1000,
		.payload = 160,
		.packets = 320000,
		.direction = DIRECTIONS,
		.family = 4,
	};
	uint32_t kind =
		tp_hash_supported(TP_HASH_KIND_AES) ? TP_HASH_KIND_AES : TP_HASH_KIND_SIPHASH;
	struct flow *flows;
	struct relay *r;

	if (!options_read(&o, argc, argv)) {
		fprintf(stderr,
			"usage: %s [--flows 2..16000] [--payload 0..1400] [--packets 32..%u]\n"
			"       [--family 4|6] [--direction channel_to_peer|peer_to_channel|"
			"send_to_peer|peer_to_data|hairpin]\n       [--json]\n",
			argv[0], PACKETS_MAX);
		return 2;
	}
	flows = calloc(o.flows, sizeof(*flows));
	r = relay_create(o.flows * 8, kind);
	if (flows == NULL)
		return 1;
	// As the control process says it while no leg is narrow.
	r->entries[0].path_mtu = UINT16_MAX;
	for (unsigned i = 0; i < o.flows; i++)
		flow_make(r, o.family, i, &flows[i]);
	for (unsigned i = 0; i < o.flows; i++)
		relay_channel(r, flows[i].allocation, 0, 0x4001, &flows[i ^ 1u].relayed);
	if (!o.json)
		printf("%u flows, %u bytes, bursts of %u; cycles per packet, 10 %% and median\n",
			o.flows, o.payload, STAGE_BURST);
	for (unsigned d = 0; d < DIRECTIONS; d++)
		if (o.direction == DIRECTIONS || o.direction == d)
			measure(r, flows, &o, d);
	relay_destroy(r);
	free(flows);
	return 0;
}
