// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <bench/clock.h>
#include <bench/cores.h>
#include <bench/host.h>
#include "session.h"

// So many looks without an arrival: nothing is under way. Between them others have the core: a
// relay that shares it with us must run, or its packets never come.
#define DRAIN_LOOKS   200u
#define DRAIN_LOOK_NS 500000
#define DRAIN_MAX_NS  2000000000ull
#define PROGRESS_NS   1000000000ull
#define BURST	      32u // packets between looks at the clock and the rings
#define SKIP_MAX      4096u

struct run {
	struct load_session *s;
	const struct load_interval *interval;
	uint64_t start_ns, now_ns, told_ns;
	uint64_t offered;			// per direction
	uint64_t churned, flooded[2], churn_at; // Binding, Allocate
	uint32_t random;
	double spin, server_spin;
};

static uint32_t random_next(struct run *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 17;
	r->random ^= r->random << 5;
	return r->random;
}

// The next flow in turn whose allocation is there; false when there seems to be none.
static bool flow_next(struct load_session *s, enum load_direction d, uint32_t *flow)
{
	for (unsigned i = 0; i < SKIP_MAX; i++) {
		*flow = s->at[d];
		s->at[d] = (uint32_t)(((uint64_t)s->at[d] + s->stride) % s->n_flows);
		if (s->o->plain ||
			load_client_slot(s->client, *flow / s->population.n_channels)->media)
			return true;
	}
	return false;
}

static void media_send(struct load_session *s, enum load_direction d)
{
	const struct load_population *p = &s->population;
	struct load_link *l = &s->ends[d];
	struct load_media m = {.payload_len = s->payload};
	const struct load_slot *slot;
	struct timespec t;

	if (!flow_next(s, d, &m.stamp.flow))
		return;
	if (s->o->plain) {
		m.from = load_client_at(p, m.stamp.flow / p->n_channels);
		m.to = load_peer_at(p, m.stamp.flow);
	} else {
		slot = load_client_slot(s->client, m.stamp.flow / p->n_channels);
		m.from = d == LOAD_UP ? load_client_at(p, slot->client)
				      : load_peer_at(p, m.stamp.flow);
		m.to = d == LOAD_UP ? p->server : slot->relayed;
		m.channel = d == LOAD_UP ? load_channel_at(p, m.stamp.flow) : 0;
	}
	m.stamp.number = s->flows[m.stamp.flow].number[d]++;
	clock_gettime(CLOCK_REALTIME, &t);
	m.stamp.sent_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	load_link_commit(l, load_frame_media(load_link_buffer(l), &l->road, &m, l->filler_sum));
}

// ---- beside the media ---------------------------------------------------------------------------

static uint64_t due(const struct run *r, double rate)
{
	return (uint64_t)((double)(r->now_ns - r->start_ns) * rate / 1e9);
}

static void flood_send(struct run *r, uint16_t type)
{
	struct load_session *s = r->s;
	struct load_link *l = &s->ends[LOAD_UP];
	uint8_t msg[28] = {(uint8_t)(type >> 8), (uint8_t)type, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	uint8_t frame[LOAD_FRAME_MAX];
	uint32_t from = random_next(r) % load_clients_max(&s->flooders);
	size_t len = 20;

	for (unsigned i = 8; i < 20; i += 4)
		memcpy(msg + i, (uint32_t[]){random_next(r)}, 4);
	if (type == 3) {
		static const uint8_t transport[] = {0, 0x19, 0, 4, 17, 0, 0, 0};

		memcpy(msg + 20, transport, sizeof(transport));
		msg[3] = sizeof(transport);
		len += sizeof(transport);
	}
	len = load_frame_datagram(frame, &l->road, load_client_at(&s->flooders, from),
		s->population.server, msg, len);
	(void)send(l->fd, frame, len, 0);
}

static void beside(struct run *r)
{
	const struct load_interval *interval = r->interval;
	const double rates[] = {interval->flood_binding, interval->flood_allocate};
	struct load_session *s = r->s;

	for (unsigned kind = 0; kind < 2; kind++)
		for (unsigned n = 0; n < BURST && r->flooded[kind] < due(r, rates[kind]); n++) {
			flood_send(r, kind == 0 ? 1 : 3);
			r->flooded[kind]++;
		}
	for (unsigned n = 0; n < BURST && r->churned < due(r, interval->churn); n++) {
		uint32_t victim =
			(uint32_t)(r->churn_at++ * s->stride % s->population.n_allocations);

		load_client_replace(s->client, victim, r->now_ns);
		r->churned++;
	}
}

// ---- one interval -------------------------------------------------------------------------------

static void progress(struct run *r)
{
	if (r->now_ns - r->told_ns < PROGRESS_NS)
		return;
	r->told_ns = r->now_ns;
	fprintf(stderr, "relaybench: %.0f s, sent up %llu down %llu, read up %llu down %llu\n",
		(double)(r->now_ns - r->start_ns) / 1e9,
		(unsigned long long)r->s->ends[LOAD_UP].sent,
		(unsigned long long)r->s->ends[LOAD_DOWN].sent,
		(unsigned long long)r->s->tally[LOAD_UP].taken,
		(unsigned long long)r->s->tally[LOAD_DOWN].taken);
}

static void traffic(struct run *r)
{
	const struct load_interval *interval = r->interval;
	struct load_session *s = r->s;
	uint64_t interval_ns = (uint64_t)(interval->seconds * 1e9);

	while (r->now_ns - r->start_ns < interval_ns && !bench_host_stopped()) {
		uint64_t target = interval->rate > 0 ? due(r, interval->rate) : r->offered + BURST;

		for (unsigned n = 0; n < BURST && r->offered < target; n++, r->offered++)
			for (unsigned d = 0; d < LOAD_DIRECTIONS; d++)
				if (interval->directions >> d & 1)
					media_send(s, d);
		load_link_flush(&s->ends[LOAD_UP]);
		load_link_flush(&s->ends[LOAD_DOWN]);
		if (s->client != NULL)
			beside(r);
		load_session_serve(s);
		progress(r);
		r->now_ns = load_now_ns();
	}
}

struct marks {
	uint64_t sent[LOAD_DIRECTIONS], refused[LOAD_DIRECTIONS];
	uint64_t arrived[LOAD_DIRECTIONS], unread[LOAD_DIRECTIONS];
	uint64_t control, flood_answers;
};

// Until all sent packets are read; packets outside a sample cannot be waited for one by one.
static void drain(struct load_session *s, const struct marks *before)
{
	const struct timespec pause = {.tv_nsec = DRAIN_LOOK_NS};
	uint64_t start_ns = load_now_ns(), seen = 0;
	unsigned quiet = 0;

	while (quiet < DRAIN_LOOKS && load_now_ns() - start_ns < DRAIN_MAX_NS) {
		uint64_t taken = s->tally[LOAD_UP].taken + s->tally[LOAD_DOWN].taken;
		uint64_t sent = s->ends[LOAD_UP].sent - before->sent[LOAD_UP] +
				s->ends[LOAD_DOWN].sent - before->sent[LOAD_DOWN];

		if (taken >= sent)
			return;
		quiet = taken == seen ? quiet + 1 : 0;
		seen = taken;
		if (quiet > 0)
			nanosleep(&pause, NULL);
		load_session_serve(s);
	}
}

static int marks_take(struct load_session *s, struct marks *m)
{
	uint64_t ignored;
	int rc = load_netns_counts(&s->ends[LOAD_DOWN].netns, &m->arrived[LOAD_UP], &ignored);

	if (rc == 0)
		rc = load_netns_counts(
			&s->ends[LOAD_UP].netns, &m->arrived[LOAD_DOWN], &m->control);
	for (unsigned d = 0; d < LOAD_DIRECTIONS; d++) {
		m->sent[d] = s->ends[d].sent;
		m->refused[d] = s->ends[d].refused;
		load_link_ask_lost(&s->ends[!d]);
		m->unread[d] = s->ends[!d].ring_lost;
	}
	m->flood_answers = s->flood_answers;
	if (rc != 0)
		fprintf(stderr, "relaybench: the counters of nft can't be read\n");
	return rc;
}

static json_t *tally_describe(const struct load_tally *t, double seconds)
{
	const struct load_histogram *h = &t->delay;
	uint64_t whole = t->arrived - (t->duplicates < t->arrived ? t->duplicates : t->arrived);
	uint64_t lost = t->sent > whole ? t->sent - whole : 0;
	json_t *delay = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "packets", (json_int_t)h->n,
		"least", (json_int_t)(h->n == 0 ? 0 : h->least_ns), "p50",
		(json_int_t)load_histogram_part(h, 0.5), "p99",
		(json_int_t)load_histogram_part(h, 0.99), "p99_9",
		(json_int_t)load_histogram_part(h, 0.999), "most", (json_int_t)h->most_ns);
	json_t *slots = json_array();

	for (unsigned i = 0; i < LOAD_HISTOGRAM_SLOTS; i++)
		if (h->slots[i] != 0)
			json_array_append_new(
				slots, json_pack("[I, I]", (json_int_t)load_histogram_floor(i),
					       (json_int_t)h->slots[i]));
	json_object_set_new(delay, "slots", slots);
	return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:o}",
		"sent", (json_int_t)t->sent, "refused", (json_int_t)t->refused, "arrived",
		(json_int_t)t->arrived, "lost", (json_int_t)lost, "loss",
		t->sent == 0 ? 0.0 : (double)lost / (double)t->sent, "sent_per_second",
		(double)t->sent / seconds, "arrived_per_second", (double)t->arrived / seconds,
		"read", (json_int_t)t->taken, "unread", (json_int_t)t->unread, "reordered",
		(json_int_t)t->reordered, "duplicates", (json_int_t)t->duplicates, "wrong",
		(json_int_t)t->wrong, "delay_ns", delay);
}

static json_t *span_describe(const struct run *r, const struct marks *a, const struct marks *b)
{
	static const char *const names[] = {"up", "down"};
	struct load_session *s = r->s;
	double seconds = (double)(r->now_ns - r->start_ns) / 1e9;
	json_t *j = json_pack("{s:f, s:f, s:f, s:f, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "seconds",
		seconds, "rate", r->interval->rate, "spin", r->spin, "server_spin", r->server_spin,
		"sink", r->interval->sink == LOAD_SINK_FULL ? "full" : "count", "payload",
		(int)s->payload, "flood_binding", (json_int_t)r->flooded[0], "flood_allocate",
		(json_int_t)r->flooded[1], "flood_answers",
		(json_int_t)(b->flood_answers - a->flood_answers), "churned",
		(json_int_t)r->churned, "control_arrived", (json_int_t)(b->control - a->control));

	for (unsigned d = 0; d < LOAD_DIRECTIONS; d++) {
		struct load_tally *t = &s->tally[d];

		if ((r->interval->directions >> d & 1) == 0)
			continue;
		t->sent = b->sent[d] - a->sent[d];
		t->refused = b->refused[d] - a->refused[d];
		t->arrived = b->arrived[d] - a->arrived[d];
		t->unread = b->unread[d] - a->unread[d];
		json_object_set_new(j, names[d], tally_describe(t, seconds));
	}
	return j;
}

// How fast the cores are just now: ours and the server's. The slower of before and after counts.
static void spin_take(struct run *r)
{
	double spin = bench_spin(), server = 0;

	if (r->s->o->server_core >= 0) {
		bench_cores_on(r->s->o->server_core);
		// A server that polls is there, too.
		server = bench_spin_shared();
		if (r->s->o->core >= 0)
			bench_cores_on(r->s->o->core);
		else
			bench_cores_all();
	}
	r->spin = spin > r->spin ? spin : r->spin;
	r->server_spin = server > r->server_spin ? server : r->server_spin;
}

int load_interval_run(struct load_session *s, const struct load_interval *interval, json_t **out)
{
	struct run r = {.s = s, .interval = interval, .random = s->o->seed * 2654435761u | 1};
	struct marks before, after;
	int rc = marks_take(s, &before);

	s->payload = interval->payload;
	for (unsigned d = 0; d < LOAD_DIRECTIONS && rc == 0; d++) {
		load_histogram_reset(&s->tally[d].delay);
		s->tally[d] = (struct load_tally){.delay = s->tally[d].delay};
		for (unsigned i = 0; i < LOAD_BATCH; i++)
			s->ends[d].filler_sum = load_frame_filler(s->ends[d].frames[i],
				s->ends[d].v6, d == LOAD_UP && !s->o->plain, interval->payload);
		rc = load_link_sink(&s->ends[d], interval->sink);
	}
	if (rc != 0)
		return rc;
	spin_take(&r);
	s->media = true;
	r.start_ns = r.now_ns = r.told_ns = load_now_ns();
	traffic(&r);
	drain(s, &before);
	s->media = false;
	spin_take(&r);
	load_link_sink(&s->ends[LOAD_UP], LOAD_SINK_FULL);
	rc = marks_take(s, &after);
	if (rc == 0)
		*out = span_describe(&r, &before, &after);
	return rc;
}
