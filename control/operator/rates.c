// SPDX-License-Identifier: BSD-3-Clause
#include <operator/rates.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Below so many packets per second wake-ups and empty polls are most of a worker's cycles: divided
// by the packets they would tell nothing about the cost of one.
#define FEW_PACKETS 1000u

static void add_drops(struct operator_totals *t, unsigned reason, uint64_t n)
{
	t->drops[reason] += n;
	t->dropped += n;
}

void operator_totals_take(const struct shm_state *state, struct operator_totals *t)
{
	// The hairpin's packets are counted on the way to the peer and to the client already.
	static const enum tp_path relayed[] = {TP_PATH_channel_to_peer, TP_PATH_peer_to_channel,
		TP_PATH_send_to_peer, TP_PATH_peer_to_data};

	*t = (struct operator_totals){0};
	for (uint32_t w = 0; w < state->n_workers; w++) {
		const struct tp_worker_stats *s = &state->workers[w];

		for (unsigned i = 0; i < TP_ARRAY_LEN(relayed); i++) {
			t->packets += operator_load(&s->path_packets[relayed[i]]);
			t->octets += operator_load(&s->path_octets[relayed[i]]);
		}
		t->answered += operator_load(&s->path_packets[TP_PATH_binding]);
		for (unsigned d = TP_DROP_none + 1; d < TP_DROP_COUNT; d++)
			add_drops(t, d, operator_load(&s->drops[d]));
	}
	for (uint32_t i = 0; i < state->n_ports && i < TP_PORTS_MAX; i++) {
		const struct tp_port *p = &state->header->ports[i];

		add_drops(t, TP_DROP_port_missed, operator_load(&p->rx_missed));
		add_drops(t, TP_DROP_port_error, operator_load(&p->rx_errors));
		add_drops(t, TP_DROP_queue_unserved, operator_load(&p->rx_unserved));
		add_drops(t, TP_DROP_xdp_ring_full, operator_load(&p->rx_ring_full));
		add_drops(t, TP_DROP_xdp_not_sent, operator_load(&p->tx_invalid));
		add_drops(t, TP_DROP_no_memory,
			atomic_load_explicit(&p->rx_no_buffer, memory_order_relaxed));
	}
}

void operator_rates_reset(struct operator_rates *r)
{
	*r = (struct operator_rates){0};
}

static void workers_sample(
	struct operator_rates *r, const struct shm_state *state, uint64_t span_ns)
{
	r->n_workers = state->n_workers;
	r->rx_per_s = 0;
	for (uint32_t w = 0; w < state->n_workers && w < TP_WORKERS_MAX; w++) {
		const struct tp_worker_stats *s = &state->workers[w];
		uint64_t busy = operator_load(&s->busy_cycles),
			 idle = operator_load(&s->idle_cycles);
		uint64_t packets = operator_load(&s->rx_packets);
		uint64_t switches = operator_load(&s->involuntary_switches);
		uint64_t rx_octets = operator_load(&s->rx_octets);
		uint64_t tx_packets = operator_load(&s->tx_packets);
		uint64_t tx_octets = operator_load(&s->tx_octets);
		uint64_t d_busy = busy - r->workers_last[w].busy_cycles;
		uint64_t d_idle = idle - r->workers_last[w].idle_cycles;
		uint64_t d_packets = packets - r->workers_last[w].packets;
		uint64_t packets_per_s =
			operator_per_s(packets, r->workers_last[w].packets, span_ns);

		r->rx_per_s += packets_per_s;

		if (span_ns > 0)
			r->workers[w] = (struct operator_worker_rates){
				.busy = d_busy + d_idle == 0
						? 0
						: (double)d_busy / (double)(d_busy + d_idle),
				.cycles_per_packet =
					packets_per_s < FEW_PACKETS ? 0 : d_busy / d_packets,
				.switches = operator_per_s(
					switches, r->workers_last[w].switches, span_ns),
				.rx_packets = packets_per_s,
				.rx_octets = operator_per_s(
					rx_octets, r->workers_last[w].rx_octets, span_ns),
				.tx_packets = operator_per_s(
					tx_packets, r->workers_last[w].tx_packets, span_ns),
				.tx_octets = operator_per_s(
					tx_octets, r->workers_last[w].tx_octets, span_ns)};
		r->workers_last[w].busy_cycles = busy;
		r->workers_last[w].idle_cycles = idle;
		r->workers_last[w].packets = packets;
		r->workers_last[w].switches = switches;
		r->workers_last[w].rx_octets = rx_octets;
		r->workers_last[w].tx_packets = tx_packets;
		r->workers_last[w].tx_octets = tx_octets;
	}
}

static void ports_sample(struct operator_rates *r, const struct shm_state *state,
	const uint64_t *frames, uint64_t span_ns, uint64_t now_ns)
{
	for (uint32_t i = 0; i < state->n_ports && i < TP_PORTS_MAX; i++) {
		struct operator_port_rates *p = &r->ports[i];
		uint64_t missed = operator_load(&state->header->ports[i].rx_missed);

		if (span_ns > 0) {
			p->missed_per_s = operator_per_s(missed, p->missed_last, span_ns);
			if (missed > p->missed_last)
				p->missed_ns = now_ns;
		}
		p->missed_last = missed;
		if (frames == NULL)
			continue;
		if (span_ns > 0)
			p->interface_per_s = operator_per_s(frames[i], p->interface_last, span_ns);
		p->interface_last = frames[i];
	}
}

static uint64_t grown(uint64_t now, uint64_t last)
{
	return now < last ? 0 : now - last;
}

static void unserved_sample(struct operator_unserved *u, const struct operator_totals *now,
	const struct operator_totals *last, uint64_t now_ns)
{
	if (now->packets != last->packets || now_ns - u->last_ns > OPERATOR_UNSERVED_NS)
		*u = (struct operator_unserved){0};
	if (now->packets != last->packets)
		return;
	for (unsigned d = TP_DROP_none + 1; d < TP_DROP_COUNT; d++)
		u->drops[d] += grown(now->drops[d], last->drops[d]);
	if (now->answered != last->answered)
		u->unanswered = 0;
	else
		u->unanswered += grown(now->dropped, last->dropped);
	if (now->dropped <= last->dropped)
		return;
	u->packets += now->dropped - last->dropped;
	u->last_ns = now_ns;
}

void operator_frames_read(const struct shm_state *state, uint64_t frames[TP_PORTS_MAX])
{
	for (uint32_t i = 0; i < state->n_ports && i < TP_PORTS_MAX; i++) {
		const struct tp_port *p = &state->header->ports[i];
		char path[128];
		FILE *f;

		frames[i] = 0;
		// The data plane's words: no path of our file system may be made of them.
		if (memchr(p->interface, '\0', sizeof(p->interface)) == NULL ||
			p->interface[0] == '\0' || strpbrk(p->interface, "/.") == p->interface ||
			strchr(p->interface, '/') != NULL)
			continue;
		snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/rx_packets",
			p->interface);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fscanf(f, "%" SCNu64, &frames[i]) != 1)
			frames[i] = 0;
		fclose(f);
	}
}

void operator_rates_sample(struct operator_rates *r, const struct shm_state *state,
	const uint64_t *frames, uint64_t now_ns)
{
	uint64_t id = state->header->file.created_ns;
	struct operator_totals t;
	uint64_t span_ns;

	if (r->state_id != id)
		*r = (struct operator_rates){.state_id = id};
	span_ns = r->sampled_ns == 0 ? 0 : now_ns - r->sampled_ns;

	operator_totals_take(state, &t);
	if (span_ns > 0) {
		r->packets_per_s = operator_per_s(t.packets, r->last.packets, span_ns);
		r->octets_per_s = operator_per_s(t.octets, r->last.octets, span_ns);
		r->drops_per_s = operator_per_s(t.dropped, r->last.dropped, span_ns);
		for (unsigned d = 0; d < TP_DROP_COUNT; d++)
			r->drop_per_s[d] = operator_per_s(t.drops[d], r->last.drops[d], span_ns);
		unserved_sample(&r->unserved, &t, &r->last, now_ns);
	}
	workers_sample(r, state, span_ns);
	if (r->rx_per_s > 0) {
		r->seen_ns = now_ns;
		r->rx_usual = r->rx_per_s;
	}
	ports_sample(r, state, frames, span_ns, now_ns);
	r->last = t;
	r->sampled_ns = now_ns;
}

uint64_t operator_residence_ns(const struct tp_worker_stats *w, double part)
{
	uint64_t total = 0, seen = 0;

	for (unsigned i = 0; i < TP_RESIDENCE_SLOTS; i++)
		total += operator_load(&w->residence[i]);
	if (total == 0)
		return 0;
	for (unsigned i = 0; i < TP_RESIDENCE_SLOTS; i++) {
		seen += operator_load(&w->residence[i]);
		if ((double)seen >= part * (double)total)
			return (2ull << i) - 1;
	}
	return (2ull << (TP_RESIDENCE_SLOTS - 1)) - 1;
}
