// SPDX-License-Identifier: BSD-3-Clause
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include <bench/host.h>

#define NS_PER_S    1000000000ull
#define POLL_MAX    512u
#define DELETE_NS   (10 * NS_PER_S)
#define PROGRESS_NS NS_PER_S

uint64_t load_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

// ---- receiving ----------------------------------------------------------------------------------

static bool same(struct load_addr a, struct load_addr b)
{
	return a.ip == b.ip && a.port == b.port && load_net_equal(&a.net, &b.net);
}

// Whether flow `flow` may look like that at its end.
static bool is_right(const struct load_session *s, enum load_direction d, uint32_t flow,
	const struct load_seen *seen, size_t framing)
{
	const struct load_population *p = &s->population;
	uint32_t allocation = flow / p->n_channels;
	struct load_addr client, relayed;

	if (seen->len != framing + s->payload)
		return false;
	if (s->o->plain)
		return same(seen->to, load_peer_at(p, flow)) &&
		       same(seen->from, load_client_at(p, allocation));
	client = load_client_at(p, load_client_slot(s->client, allocation)->client);
	relayed = load_client_slot(s->client, allocation)->relayed;
	if (d == LOAD_UP)
		return same(seen->to, load_peer_at(p, flow)) && same(seen->from, relayed);
	return same(seen->to, client) && same(seen->from, p->server) &&
	       (uint32_t)(seen->payload[0] << 8 | seen->payload[1]) == load_channel_at(p, flow);
}

static void media_take(struct load_session *s, enum load_direction d, size_t framing,
	const struct load_seen *seen, uint64_t at_ns)
{
	struct load_tally *t = &s->tally[d];
	struct load_stamp stamp;

	if (!s->media)
		return;
	t->taken++;
	if (seen->len < framing ||
		!load_stamp_read(seen->payload + framing, seen->len - framing, &stamp) ||
		stamp.flow >= s->n_flows || !is_right(s, d, stamp.flow, seen, framing)) {
		t->wrong++;
		return;
	}
	switch (load_sequence_take(&s->flows[stamp.flow].seen[d], stamp.number)) {
	case LOAD_IN_ORDER:
		break;
	case LOAD_DUPLICATE:
		t->duplicates++;
		return;
	default:
		t->reordered++;
		break;
	}
	load_histogram_add(&t->delay, at_ns > stamp.sent_ns ? at_ns - stamp.sent_ns : 0);
}

// At the peers.
static void up_arrived(void *ctx, const struct load_arrived *a)
{
	struct load_seen seen;

	if (load_frame_read(a->frame, a->len, a->wire_len, &seen))
		media_take(ctx, LOAD_UP, 0, &seen, a->at_ns);
}

// At the clients. A truncated frame is media: no message of a server is that long.
static void down_arrived(void *ctx, const struct load_arrived *a)
{
	struct load_session *s = ctx;
	struct load_seen seen;
	uint32_t client;

	if (!load_frame_read(a->frame, a->len, a->wire_len, &seen))
		return;
	client = load_client_find(&s->population, seen.to);
	if (client == UINT32_MAX) {
		s->flood_answers++;
		return;
	}
	if (seen.len >= 20 && a->len == a->wire_len && s->client != NULL &&
		load_client_input(s->client, client, seen.payload, seen.len, load_now_ns()))
		return;
	media_take(s, LOAD_DOWN, LOAD_CHANNEL_LEN, &seen, a->at_ns);
}

void load_session_serve(struct load_session *s)
{
	load_link_poll(&s->ends[LOAD_UP], POLL_MAX, down_arrived, s);
	load_link_poll(&s->ends[LOAD_DOWN], POLL_MAX, up_arrived, s);
	if (s->client != NULL)
		load_client_tick(s->client, load_now_ns());
}

// ---- begin and end ------------------------------------------------------------------------------

static void request_out(void *ctx, uint32_t client, const uint8_t *msg, size_t len)
{
	struct load_session *s = ctx;
	struct load_link *l = &s->ends[LOAD_UP];
	uint8_t frame[LOAD_FRAME_MAX];
	size_t n = load_frame_datagram(frame, &l->road, load_client_at(&s->population, client),
		s->population.server, msg, len);

	// A request that the kernel refuses is sent again like one that got lost.
	(void)send(l->fd, frame, n, 0);
}

static int ends_open(struct load_session *s)
{
	const struct load_options *o = s->o;
	struct load_netns *a = &s->ends[LOAD_UP].netns, *b = &s->ends[LOAD_DOWN].netns;
	struct load_addr to_peer = load_peer_at(&s->population, 0);
	int rc;

	snprintf(a->name, sizeof(a->name), "%s", o->client_netns);
	snprintf(a->interface, sizeof(a->interface), "%s", o->client_interface);
	snprintf(b->name, sizeof(b->name), "%s", o->peer_netns);
	snprintf(b->interface, sizeof(b->interface), "%s", o->peer_interface);
	if (s->population.client_ip != 0) {
		a->first_ip = s->population.client_ip;
		a->net = s->population.client_net;
		a->n_ips = s->population.n_client_ips + o->flood_ips;
	}
	s->ends[LOAD_UP].fd = s->ends[LOAD_DOWN].fd = -1;
	rc = load_link_open(&s->ends[LOAD_UP], o->plain ? to_peer : s->population.server, true,
		LOAD_PORT_LOW, LOAD_PORT_HIGH);
	if (rc == 0 && s->population.client_ip == 0) {
		s->population.client_ip = s->ends[LOAD_UP].own.ip;
		s->population.client_net = s->ends[LOAD_UP].own.net;
	}
	if (rc == 0)
		rc = load_link_open(&s->ends[LOAD_DOWN], o->plain ? to_peer : s->population.server,
			!o->plain, LOAD_PORT_LOW, LOAD_PORT_HIGH);
	return rc;
}

int load_session_open(struct load_session *s, const struct load_options *o)
{
	struct load_client_options c = {.user = o->user,
		.password = o->password,
		.window = o->window,
		.lifetime_s = 3600,
		.send = request_out,
		.ctx = s};
	int rc;

	memset(s, 0, sizeof(*s));
	s->o = o;
	// With the transaction ids of an earlier run, a late answer to that one would be taken.
	if (getrandom(&c.run, sizeof(c.run), 0) != (ssize_t)sizeof(c.run))
		return -EIO;
	s->population = o->population;
	s->payload = o->payload;
	s->n_flows = load_flows(&s->population);
	s->stride = load_stride(s->n_flows);
	s->flows = calloc(s->n_flows, sizeof(*s->flows));
	if (s->flows == NULL)
		return -ENOMEM;
	if (s->population.n_client_ips > 1 && s->population.client_ip == 0) {
		fprintf(stderr, "relaybench: several client addresses need --client\n");
		return -EINVAL;
	}
	rc = ends_open(s);
	s->flooders = s->population;
	s->flooders.client_ip += s->population.client_ip == 0 ? 0 : s->population.n_client_ips;
	s->flooders.n_client_ips = o->flood_ips;
	c.population = s->population;
	if (rc == 0 && !o->plain)
		rc = load_client_create(&s->client, &c);
	return rc;
}

void load_session_close(struct load_session *s)
{
	load_link_close(&s->ends[LOAD_UP]);
	load_link_close(&s->ends[LOAD_DOWN]);
	load_client_destroy(s->client);
	free(s->flows);
}

static void progress(const struct load_session *s, uint64_t now_ns, uint64_t *told_ns)
{
	if (now_ns - *told_ns < PROGRESS_NS)
		return;
	*told_ns = now_ns;
	fprintf(stderr, "relaybench: %u of %u allocations live\n", load_client_live(s->client),
		s->population.n_allocations);
}

static void failure_tell(const struct load_session *s)
{
	const struct load_client_counts *c = load_client_counts(s->client);

	fprintf(stderr, "relaybench: only %u of %u allocations were set up in %.1f s;",
		load_client_live(s->client), s->population.n_allocations, s->setup_s);
	for (unsigned i = 0; i < LOAD_CODES_MAX; i++)
		if (c->codes[i] != 0)
			fprintf(stderr, " error %u: %llu times;", i,
				(unsigned long long)c->codes[i]);
	fprintf(stderr, " %llu requests sent again, %llu answers of bad integrity, %llu strange\n",
		(unsigned long long)c->again, (unsigned long long)c->bad_integrity,
		(unsigned long long)c->strange);
}

int load_session_set_up(struct load_session *s)
{
	uint64_t start_ns = load_now_ns(), now_ns = start_ns, told_ns = start_ns;
	uint64_t limit_ns = (uint64_t)(s->o->setup_limit_s * 1e9);

	if (s->client == NULL)
		return 0;
	load_client_open(s->client);
	while (load_client_pending(s->client) > 0 && !bench_host_stopped()) {
		load_session_serve(s);
		now_ns = load_now_ns();
		if (now_ns - start_ns > limit_ns)
			break;
		progress(s, now_ns, &told_ns);
	}
	s->setup_s = (double)(now_ns - start_ns) / 1e9;
	if (load_client_live(s->client) == s->population.n_allocations)
		return 0;
	failure_tell(s);
	return load_client_pending(s->client) > 0 ? -ETIMEDOUT : -EIO;
}

void load_session_delete(struct load_session *s)
{
	uint64_t start_ns = load_now_ns();

	if (s->client == NULL || s->o->keep)
		return;
	load_client_close(s->client);
	while (load_client_pending(s->client) > 0 && load_now_ns() - start_ns < DELETE_NS)
		load_session_serve(s);
}

json_t *load_setup_describe(const struct load_session *s)
{
	const struct load_client_counts *c;
	json_t *errors = json_object();
	char code[8];

	if (s->client == NULL)
		return json_null();
	c = load_client_counts(s->client);
	for (unsigned i = 0; i < LOAD_CODES_MAX; i++) {
		snprintf(code, sizeof(code), "%u", i);
		if (c->codes[i] != 0)
			json_object_set_new(errors, code, json_integer((json_int_t)c->codes[i]));
	}
	return json_pack("{s:f, s:f, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
		"seconds", s->setup_s, "per_second",
		s->setup_s > 0 ? load_client_live(s->client) / s->setup_s : 0.0, "live",
		(int)load_client_live(s->client), "set_up", (json_int_t)c->set_up, "failed",
		(json_int_t)c->failed, "requests", (json_int_t)c->requests, "retransmissions",
		(json_int_t)c->again, "replaced", (json_int_t)c->replaced, "refreshed",
		(json_int_t)c->refreshed, "deleted", (json_int_t)c->deleted, "bad_integrity",
		(json_int_t)c->bad_integrity, "strange", (json_int_t)c->strange, "errors", errors);
}
