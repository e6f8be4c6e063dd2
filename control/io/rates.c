// SPDX-License-Identifier: BSD-3-Clause
#include "rates.h"

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void add_drops(struct io_totals *t, unsigned reason, uint64_t n)
{
	t->drops[reason] += n;
	t->dropped += n;
}

void io_totals_take(const struct shm_state *state, struct io_totals *t)
{
	// The hairpin's packets are counted on the way to the peer and to the client already.
	static const enum tp_path relayed[] = {TP_PATH_channel_to_peer, TP_PATH_peer_to_channel,
		TP_PATH_send_to_peer, TP_PATH_peer_to_data};

	*t = (struct io_totals){0};
	for (uint32_t w = 0; w < state->n_workers; w++) {
		const struct tp_worker_stats *s = &state->workers[w];

		for (unsigned i = 0; i < TP_ARRAY_LEN(relayed); i++) {
			t->packets += load(&s->path_packets[relayed[i]]);
			t->octets += load(&s->path_octets[relayed[i]]);
		}
		for (unsigned d = TP_DROP_none + 1; d < TP_DROP_COUNT; d++)
			add_drops(t, d, load(&s->drops[d]));
	}
	for (uint32_t i = 0; i < state->n_ports && i < TP_PORTS_MAX; i++) {
		const struct tp_port *p = &state->header->ports[i];

		add_drops(t, TP_DROP_port_missed, load(&p->rx_missed));
		add_drops(t, TP_DROP_port_error, load(&p->rx_errors));
		add_drops(t, TP_DROP_no_memory,
			atomic_load_explicit(&p->rx_no_buffer, memory_order_relaxed));
	}
}

void io_rates_reset(struct io_rates *r)
{
	*r = (struct io_rates){0};
}

// A counter that went back is another one.
static uint64_t per_s(uint64_t now, uint64_t last, uint64_t span_ns)
{
	return now < last ? 0 : (uint64_t)((double)(now - last) * TP_NS_PER_S / (double)span_ns);
}

static void workers_sample(struct io_rates *r, const struct shm_state *state, uint64_t span_ns)
{
	r->n_workers = state->n_workers;
	for (uint32_t w = 0; w < state->n_workers && w < TP_WORKERS_MAX; w++) {
		const struct tp_worker_stats *s = &state->workers[w];
		uint64_t busy = load(&s->busy_cycles), idle = load(&s->idle_cycles);
		uint64_t packets = load(&s->rx_packets);
		uint64_t switches = load(&s->involuntary_switches);
		uint64_t rx_octets = load(&s->rx_octets);
		uint64_t tx_packets = load(&s->tx_packets);
		uint64_t tx_octets = load(&s->tx_octets);
		uint64_t d_busy = busy - r->workers_last[w].busy_cycles;
		uint64_t d_idle = idle - r->workers_last[w].idle_cycles;
		uint64_t d_packets = packets - r->workers_last[w].packets;

		if (span_ns > 0)
			r->workers[w] = (struct io_worker_rates){
				.busy = d_busy + d_idle == 0
						? 0
						: (double)d_busy / (double)(d_busy + d_idle),
				.cycles_per_packet = d_packets == 0 ? 0 : d_busy / d_packets,
				.switches = per_s(switches, r->workers_last[w].switches, span_ns),
				.rx_packets = per_s(packets, r->workers_last[w].packets, span_ns),
				.rx_octets =
					per_s(rx_octets, r->workers_last[w].rx_octets, span_ns),
				.tx_packets =
					per_s(tx_packets, r->workers_last[w].tx_packets, span_ns),
				.tx_octets =
					per_s(tx_octets, r->workers_last[w].tx_octets, span_ns)};
		r->workers_last[w].busy_cycles = busy;
		r->workers_last[w].idle_cycles = idle;
		r->workers_last[w].packets = packets;
		r->workers_last[w].switches = switches;
		r->workers_last[w].rx_octets = rx_octets;
		r->workers_last[w].tx_packets = tx_packets;
		r->workers_last[w].tx_octets = tx_octets;
	}
}

static void ports_sample(
	struct io_rates *r, const struct shm_state *state, uint64_t span_ns, uint64_t now_ns)
{
	for (uint32_t i = 0; i < state->n_ports && i < TP_PORTS_MAX; i++) {
		struct io_port_rates *p = &r->ports[i];
		uint64_t missed = load(&state->header->ports[i].rx_missed);

		if (span_ns > 0) {
			p->missed_per_s = per_s(missed, p->missed_last, span_ns);
			if (missed > p->missed_last)
				p->missed_ns = now_ns;
		}
		p->missed_last = missed;
	}
}

void io_rates_sample(struct io_rates *r, const struct shm_state *state, uint64_t now_ns)
{
	uint64_t span_ns = r->sampled_ns == 0 ? 0 : now_ns - r->sampled_ns;
	struct io_totals t;

	io_totals_take(state, &t);
	if (span_ns > 0) {
		r->packets_per_s = per_s(t.packets, r->last.packets, span_ns);
		r->octets_per_s = per_s(t.octets, r->last.octets, span_ns);
		r->drops_per_s = per_s(t.dropped, r->last.dropped, span_ns);
		for (unsigned d = 0; d < TP_DROP_COUNT; d++)
			r->drop_per_s[d] = per_s(t.drops[d], r->last.drops[d], span_ns);
	}
	workers_sample(r, state, span_ns);
	ports_sample(r, state, span_ns, now_ns);
	r->last = t;
	r->sampled_ns = now_ns;
}

uint64_t io_residence_ns(const struct tp_worker_stats *w, double part)
{
	uint64_t total = 0, seen = 0;

	for (unsigned i = 0; i < TP_RESIDENCE_SLOTS; i++)
		total += load(&w->residence[i]);
	if (total == 0)
		return 0;
	for (unsigned i = 0; i < TP_RESIDENCE_SLOTS; i++) {
		seen += load(&w->residence[i]);
		if ((double)seen >= part * (double)total)
			return (2ull << i) - 1;
	}
	return (2ull << (TP_RESIDENCE_SLOTS - 1)) - 1;
}
