// SPDX-License-Identifier: BSD-3-Clause
#include "views.h"

#include <string.h>

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static bool is_mapped(const struct io_relay *r)
{
	return r->plane.state.file.base != NULL;
}

// Packets by their time inside the relay; slot n: 2^n to 2^(n+1) - 1 ns.
static json_t *residence_json(const struct tp_worker_stats *s)
{
	json_t *slots = json_array();

	for (unsigned i = 0; i < TP_RESIDENCE_SLOTS; i++)
		json_array_append_new(slots, io_json_u64(load(&s->residence[i])));
	return slots;
}

// `grace_ns`: for how long a grace period has waited, for this worker or another.
static json_t *worker_json(const struct io_relay *r, uint32_t w, uint64_t now_ns, uint64_t grace_ns)
{
	const struct tp_worker_stats *s = &r->plane.state.workers[w];
	const struct io_worker_rates *rates = &r->rates.workers[w];
	uint64_t beat_ns = load(&s->heartbeat_ns);
	json_t *o = json_object();

	json_object_set_new(o, "worker", io_json_u64(w));
	json_object_set_new(o, "lcore", io_json_u64(atomic_load(&s->lcore)));
	json_object_set_new(o, "online", json_boolean(atomic_load(&s->online) != 0));
	json_object_set_new(o, "age_ns", io_json_u64(now_ns > beat_ns ? now_ns - beat_ns : 0));
	json_object_set_new(o, "busy", json_real(rates->busy));
	json_object_set_new(o, "rx_packets", io_json_u64(load(&s->rx_packets)));
	json_object_set_new(o, "rx_octets", io_json_u64(load(&s->rx_octets)));
	json_object_set_new(o, "tx_packets", io_json_u64(load(&s->tx_packets)));
	json_object_set_new(o, "tx_octets", io_json_u64(load(&s->tx_octets)));
	json_object_set_new(o, "cycles_per_packet", io_json_u64(rates->cycles_per_packet));
	json_object_set_new(o, "residence_p50_ns", io_json_u64(io_residence_ns(s, 0.5)));
	json_object_set_new(o, "residence_p99_ns", io_json_u64(io_residence_ns(s, 0.99)));
	json_object_set_new(o, "busy_cycles", io_json_u64(load(&s->busy_cycles)));
	json_object_set_new(o, "residence_ns", residence_json(s));
	json_object_set_new(o, "loops", io_json_u64(load(&s->loops)));
	json_object_set_new(o, "empty_polls", io_json_u64(load(&s->empty_polls)));
	json_object_set_new(o, "sleeps", io_json_u64(load(&s->sleeps)));
	json_object_set_new(o, "kicks", io_json_u64(load(&s->kicks)));
	json_object_set_new(o, "preempted", io_json_u64(load(&s->involuntary_switches)));
	json_object_set_new(o, "preempted_per_s", io_json_u64(rates->switches));
	json_object_set_new(o, "grace_open_ns", io_json_u64(grace_ns));
	return o;
}

enum ctl_step io_view_worker_show(void *ctx, struct ctl_call *call)
{
	const struct io_relay *r = ctx;
	struct tables_counts c;

	if (!is_mapped(r))
		return io_view_no_dataplane(call);
	tables_get_counts(r->tables, call->now_ns, &c);
	call->result = json_array();
	for (uint32_t w = 0; w < r->plane.state.n_workers; w++)
		json_array_append_new(
			call->result, worker_json(r, w, call->now_ns, c.grace_open_ns));
	return CTL_DONE;
}

enum ctl_step io_view_drop_show(void *ctx, struct ctl_call *call)
{
	const struct io_relay *r = ctx;
	const char *reasons = ctl_call_text(call, "reasons");
	bool all = reasons != NULL && strcmp(reasons, "all") == 0;
	struct io_totals t;

	if (!is_mapped(r))
		return io_view_no_dataplane(call);
	io_totals_take(&r->plane.state, &t);
	call->result = json_array();
	for (unsigned d = TP_DROP_none + 1; d < TP_DROP_COUNT; d++) {
		const struct tp_drop_text *text = tp_drop_text(d);

		if (t.drops[d] == 0 && !all)
			continue;
		json_array_append_new(
			call->result, json_pack("{s:s, s:o, s:o, s:s, s:s}", "reason", text->name,
					      "packets", io_json_u64(t.drops[d]), "per_s",
					      io_json_u64(r->rates.drop_per_s[d]), "what",
					      text->what, "next", text->remedy));
	}
	return CTL_DONE;
}

enum ctl_step io_view_port_show(void *ctx, struct ctl_call *call)
{
	const struct io_relay *r = ctx;

	if (!is_mapped(r))
		return io_view_no_dataplane(call);
	call->result = json_array();
	for (uint32_t i = 0; i < r->plane.state.n_ports && i < TP_PORTS_MAX; i++) {
		// The data plane's words: not ours to believe terminated.
		const struct tp_port *p = &r->plane.state.header->ports[i];
		json_t *o = json_object();

		json_object_set_new(o, "port", io_json_u64(i));
		json_object_set_new(o, "interface",
			io_json_text(p->interface, strnlen(p->interface, sizeof(p->interface))));
		json_object_set_new(o, "device",
			io_json_text(p->device, strnlen(p->device, sizeof(p->device))));
		json_object_set_new(
			o, "link", json_string(atomic_load(&p->link_up) != 0 ? "up" : "down"));
		json_object_set_new(o, "mac", io_json_mac(p->mac));
		json_object_set_new(o, "mtu", io_json_u64(p->mtu));
		json_object_set_new(o, "queues", io_json_u64(p->n_queues));
		json_object_set_new(o, "missed", io_json_u64(load(&p->rx_missed)));
		json_object_set_new(o, "missed_per_s", io_json_u64(r->rates.ports[i].missed_per_s));
		json_object_set_new(o, "no_buffer", io_json_u64(atomic_load(&p->rx_no_buffer)));
		json_object_set_new(o, "rx_errors", io_json_u64(load(&p->rx_errors)));
		json_object_set_new(o, "tx_errors", io_json_u64(load(&p->tx_errors)));
		json_object_set_new(o, "ifindex", io_json_u64(p->ifindex));
		json_array_append_new(call->result, o);
	}
	return CTL_DONE;
}

static const char *neighbour_state(const struct io_relay *r, const struct tables_next_hop *hop)
{
	switch (net_mirror_neighbour(r->hops.mirror, &hop->addr, hop->ifindex).state) {
	case NET_NEIGHBOUR_USABLE:
		return hop->word != 0 ? "resolved" : "unresolved";
	case NET_NEIGHBOUR_ASKING:
		return "asking";
	case NET_NEIGHBOUR_FAILED:
		return "failed";
	case NET_NEIGHBOUR_UNKNOWN:
		break;
	}
	return hop->word != 0 ? "remembered" : "unresolved";
}

static json_t *next_hop_json(const struct io_relay *r, const struct tables_next_hop *hop)
{
	struct net_link link;
	json_t *o = json_object();
	uint8_t mac[6];
	uint8_t port;

	json_object_set_new(o, "slot", io_json_u64(hop->slot));
	json_object_set_new(o, "address", io_json_ip(&hop->addr));
	json_object_set_new(o, "interface",
		net_mirror_link(r->hops.mirror, hop->ifindex, &link) == 0
			? json_string(link.name)
			: json_sprintf("%u", hop->ifindex));
	tp_next_hop_unpack(hop->word, mac, &port);
	json_object_set_new(o, "mac", hop->word != 0 ? io_json_mac(mac) : json_null());
	json_object_set_new(o, "port", hop->word != 0 ? io_json_u64(port) : json_null());
	json_object_set_new(o, "state", json_string(neighbour_state(r, hop)));
	json_object_set_new(o, "wanted", json_boolean(hop->wanted));
	json_object_set_new(o, "references", io_json_u64(hop->references));
	return o;
}

enum ctl_step io_view_nexthop_list(void *ctx, struct ctl_call *call)
{
	const struct io_relay *r = ctx;
	uint32_t cursor = (uint32_t)call->cursor;
	struct tables_next_hop hop;

	call->result = json_array();
	while (json_array_size(call->result) < 256) {
		if (!tables_next_hop_next(r->tables, &cursor, &hop))
			return CTL_DONE;
		json_array_append_new(call->result, next_hop_json(r, &hop));
	}
	call->cursor = cursor;
	return CTL_MORE;
}

static void counter_add(json_t *list, const char *name, uint64_t value, const char *text)
{
	json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "counter", name, "value",
					    io_json_u64(value), "text", text));
}

static void paths_add(const struct io_relay *r, json_t *list)
{
	static const char *const texts[] = {
#define PATH_TEXT(name, text) text,
		TP_PATHS(PATH_TEXT)
#undef PATH_TEXT
	};

	for (unsigned p = 0; p < TP_PATH_COUNT; p++) {
		uint64_t n = 0;

		for (uint32_t w = 0; w < r->plane.state.n_workers; w++)
			n += load(&r->plane.state.workers[w].path_packets[p]);
		counter_add(list, tp_path_name(p), n, texts[p]);
	}
}

static void rings_add(const struct io_relay *r, json_t *list)
{
	const struct io_rings_counters *c = &r->rings.counters;

	counter_add(list, "rings_received_live", c->received[TP_PUNT_LIVE],
		"messages taken from the rings, of live 5-tuples");
	counter_add(list, "rings_received_nonce", c->received[TP_PUNT_NONCE],
		"likewise, with our nonce");
	counter_add(list, "rings_received_first", c->received[TP_PUNT_FIRST],
		"likewise, first contacts");
	counter_add(list, "rings_stale", c->stale, "messages too old to answer, dropped");
	counter_add(list, "rings_bad", c->bad, "messages that contradict themselves, dropped");
	counter_add(list, "rings_sent", c->sent, "answers given to the data plane");
	counter_add(list, "rings_full", c->full, "answers lost: the data plane does not take them");
	counter_add(list, "rings_resets", io_rings_resets(&r->rings), "impossible ring positions");
}

enum ctl_step io_view_counter_show(void *ctx, struct ctl_call *call)
{
	const struct io_relay *r = ctx;
	const struct turn_counters *c = turn_get_counters(r->turn);

	call->result = json_array();
#define COUNTER(name, text) counter_add(call->result, #name, c->name, text);
	TURN_COUNTERS(COUNTER)
#undef COUNTER
	rings_add(r, call->result);
	if (is_mapped(r))
		paths_add(r, call->result);
	return CTL_DONE;
}
