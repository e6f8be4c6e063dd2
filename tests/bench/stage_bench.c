// SPDX-License-Identifier: BSD-3-Clause
// Cycles per packet of the relay logic alone, in bursts of 32, for each direction:
//
//   stage_bench [FLOWS [PAYLOAD [DIRECTION [ROUNDS]]]]
//
// A measurement by hand, not a test: run it on a quiet core. Frames are copied fresh before each
// burst, so they are in the cache, as after a receive with cache placement; the copy isn't counted.
// Every second burst is timed stage by stage, the others as a whole.
// Instructions, which other programs do not disturb, of one direction (numbers as printed):
//
//   valgrind --tool=callgrind --toggle-collect=stage_run stage_bench 1000 160 0 200
#include "frame.h"
#include "message.h"
#include "relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define ROUNDS_MAX 20000u
#define SIZE	   1600u

enum direction { CHANNEL, PEER, SEND, DATA, HAIRPIN, DIRECTIONS };
static const char *const names[] = {"ChannelData to peer", "peer to ChannelData", "Send to peer",
	"peer to Data indication", "hairpin, channel to channel"};

struct flow {
	struct tp_addr client;
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

static void flow_make(struct relay *r, unsigned i, struct flow *f)
{
	struct tp_entry_relay at = {RELAY_RELAY4, tp_htons((uint16_t)(49300 + i % 16000))};
	struct tp_entry_relay none = {0};

	f->client = tp_addr_ipv4(0x0b000000u + i, 50000);
	f->peer = tp_addr_ipv4(0x0c000000u + i, 60000);
	f->visitor = tp_addr_ipv4(0x0d000000u + i, 60000);
	f->allocation = relay_allocation(r, &f->client, RELAY_LISTENER4, at, none);
	f->relayed = relay_relayed(r, f->allocation, 0);
	relay_channel(r, f->allocation, 0, 0x4000, &f->peer);
	relay_permission(r, f->allocation, 0, &f->visitor);
}

static void frame_make(
	struct relay *r, const struct flow *f, enum direction d, uint16_t len, struct frame *out)
{
	static const uint8_t txid[12] = {1};
	static uint8_t data[1500];
	struct frame_spec spec = {.src = f->client, .dst = r->locals[RELAY_LISTENER4].addr};
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

// The tenth part that was quickest, and the median: far apart when the core was not quiet.
static void measure(struct relay *r, const struct flow *flows, unsigned n, enum direction d,
	uint16_t len, unsigned rounds)
{
	static uint8_t room[STAGE_BURST][128 + SIZE];
	static uint64_t took[ROUNDS_MAX];
	static uint64_t lap[STAGE_LAPS][ROUNDS_MAX];
	struct stage_pkt pkts[STAGE_BURST];
	uint8_t *images = malloc((size_t)n * SIZE);
	struct frame_random rng = {1};
	struct frame f;
	uint16_t frame_len = 0;

	if (images == NULL)
		abort();
	for (unsigned i = 0; i < n; i++) {
		frame_make(r, &flows[i], d, len, &f);
		frame_len = f.len;
		memcpy(images + (size_t)i * SIZE, frame_data(&f), f.len);
	}
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < STAGE_BURST; i++) {
			memcpy(room[i] + 128, images + (size_t)frame_random_below(&rng, n) * SIZE,
				frame_len);
			pkts[i] = (struct stage_pkt){.data = room[i] + 128,
				.len = frame_len,
				.headroom = 128,
				.tailroom = (uint16_t)(SIZE - frame_len)};
		}
		if (round % 2 != 0) {
			uint64_t laps[STAGE_LAPS] = {0};

			stage_run_timed(r->worker, pkts, STAGE_BURST, r->now_ns, cycles, laps);
			for (unsigned l = 0; l < STAGE_LAPS; l++)
				lap[l][round / 2] = laps[l];
		} else {
			took[round / 2] = cycles();
			stage_run(r->worker, pkts, STAGE_BURST, r->now_ns);
			took[round / 2] = cycles() - took[round / 2];
		}
		for (unsigned i = 0; i < STAGE_BURST; i++) {
			if (pkts[i].verdict != STAGE_SEND) {
				fprintf(stderr, "dropped: %s\n",
					tp_drop_text(pkts[i].reason)->name);
				exit(1);
			}
		}
	}
	free(images);
	rounds /= 2;
	qsort(took, rounds, sizeof(took[0]), compare);
	printf("%8.1f %8.1f ", (double)took[rounds / 10] / STAGE_BURST,
		(double)took[rounds / 2] / STAGE_BURST);
	for (unsigned l = 0; l < STAGE_LAPS; l++) {
		qsort(lap[l], rounds, sizeof(lap[l][0]), compare);
		printf(" %8.1f", (double)lap[l][rounds / 2] / STAGE_BURST);
	}
	printf("  %u %s\n", d, names[d]);
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
	uint16_t len = argc > 2 ? (uint16_t)atoi(argv[2]) : 160;
	unsigned only = argc > 3 ? (unsigned)atoi(argv[3]) : DIRECTIONS;
	unsigned rounds = argc > 4 ? (unsigned)atoi(argv[4]) : ROUNDS_MAX;
	uint32_t kind =
		tp_hash_supported(TP_HASH_KIND_AES) ? TP_HASH_KIND_AES : TP_HASH_KIND_SIPHASH;
	struct flow *flows;
	struct relay *r;

	n &= ~1u; // flows are joined in pairs
	if (n < 2 || n > 16000 || len > 1400 || only > DIRECTIONS || rounds < 2 ||
		rounds > ROUNDS_MAX) {
		fprintf(stderr,
			"usage: %s [FLOWS 2..16000 [PAYLOAD 0..1400 "
			"[DIRECTION [ROUNDS]]]]\n",
			argv[0]);
		return 2;
	}
	flows = calloc(n, sizeof(*flows));
	r = relay_create(n * 8, kind);
	if (flows == NULL)
		return 1;
	for (unsigned i = 0; i < n; i++)
		flow_make(r, i, &flows[i]);
	for (unsigned i = 0; i < n; i++)
		relay_channel(r, flows[i].allocation, 0, 0x4001, &flows[i ^ 1u].relayed);
	printf("%u flows, %u octets, bursts of %u; cycles per packet, 10 %% and median;\n"
	       "of each stage: classify, look up, settle and rewrite, median\n",
		n, len, STAGE_BURST);
	for (unsigned d = 0; d < DIRECTIONS; d++)
		if (only == DIRECTIONS || only == d)
			measure(r, flows, n, d, len, rounds);
	relay_destroy(r);
	free(flows);
	return 0;
}
