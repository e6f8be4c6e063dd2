// SPDX-License-Identifier: BSD-3-Clause
#include <traffic/traffic.h>

#define HUNDRED	  100u
#define SLACK	  6.0 // per cent of all: a capture of a thousand packets, by chance
#define COUNTABLE 10000u

static const uint8_t shares[BENCH_MIX] = {
	[BENCH_CLIENT_TO_PEER] = 40,
	[BENCH_PEER_TO_CLIENT] = 40,
	[BENCH_HAIRPIN] = 3,
	[BENCH_SEND] = 8,
	[BENCH_DATA] = 8,
	[BENCH_BINDING] = 1,
};

void bench_traffic_init(struct bench_traffic *t, const struct bench_population *p,
	enum bench_direction direction, uint16_t payload_len, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->direction = direction;
	t->population = *p;
	for (unsigned kind = 0; kind < BENCH_MIX; kind++)
		if (direction == BENCH_MIX || direction == kind)
			bench_template_init(&t->kinds[kind], p, kind, payload_len, seed);
}

static enum bench_direction kind_pick(struct bench_distribution *distribution)
{
	unsigned ticket = (unsigned)((bench_distribution_random(distribution) >> 32) * HUNDRED >>
				     32),
		 kind = 0;

	while (ticket >= shares[kind])
		ticket -= shares[kind++];
	return kind;
}

static uint32_t flow_suitable(const struct bench_population *p, uint32_t flow, bool joined)
{
	uint32_t pair = flow / 2;

	if (joined)
		pair -= pair % BENCH_MIXED_PAIRS;
	else if (bench_flow_joined(p, flow))
		pair = pair + 1 < p->n_flows / 2 ? pair + 1 : pair - 1;
	return 2 * pair + flow % 2;
}

struct bench_packet bench_traffic_next(
	const struct bench_traffic *t, struct bench_distribution *distribution)
{
	uint32_t flow = bench_distribution_next(distribution);
	enum bench_direction kind = t->direction;

	if (kind == BENCH_MIX) {
		kind = kind_pick(distribution);
		flow = flow_suitable(&t->population, flow, kind == BENCH_HAIRPIN);
	}
	return (struct bench_packet){&t->kinds[kind], flow};
}

// A hairpin is counted at either end as well.
static uint64_t counted_kind(enum bench_direction kind, const uint64_t n[TP_PATH_COUNT])
{
	uint64_t counted = n[bench_direction_path(kind)];

	if (kind == BENCH_CLIENT_TO_PEER || kind == BENCH_PEER_TO_CLIENT)
		counted -= n[TP_PATH_hairpin];
	return counted;
}

uint64_t bench_traffic_counted(
	enum bench_direction direction, const uint64_t path_packets[TP_PATH_COUNT])
{
	uint64_t all = 0;

	if (direction != BENCH_MIX)
		return path_packets[bench_direction_path(direction)];
	for (unsigned kind = 0; kind < BENCH_MIX; kind++)
		all += counted_kind(kind, path_packets);
	return all;
}

const char *bench_traffic_verify_shares(const uint64_t path_packets[TP_PATH_COUNT])
{
	double all = (double)bench_traffic_counted(BENCH_MIX, path_packets);

	for (unsigned kind = 0; kind < BENCH_MIX && all >= COUNTABLE; kind++) {
		double share = HUNDRED * (double)counted_kind(kind, path_packets) / all;
		double off = share - shares[kind];

		if (off > SLACK || off < -SLACK || share == 0)
			return bench_direction_name(kind);
	}
	return NULL;
}
