// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#include <string.h>

static bool is_mapped(const struct operator_desk *op)
{
	return op->sources.link->state.file.base != NULL;
}

// Packets by their time inside the relay; slot n: 2^n to 2^(n+1) - 1 ns.
static json_t *residence_json(const struct tp_worker_stats *s)
{
	json_t *slots = json_array();

	for (unsigned i = 0; i < TP_RESIDENCE_SLOTS; i++)
		json_array_append_new(slots, operator_json_u64(operator_load(&s->residence[i])));
	return slots;
}

// `grace_ns`: for how long a grace period has waited, for this worker or another.
static json_t *worker_json(
	const struct operator_desk *op, uint32_t w, uint64_t now_ns, uint64_t grace_ns)
{
	const struct tp_worker_stats *s = &op->sources.link->state.workers[w];
	const struct operator_worker_rates *rates = &op->rates.workers[w];
	uint64_t beat_ns = operator_load(&s->heartbeat_ns);
	json_t *o = json_object();

	json_object_set_new(o, "worker", operator_json_u64(w));
	json_object_set_new(o, "lcore", operator_json_u64(atomic_load(&s->lcore)));
	json_object_set_new(o, "online", json_boolean(atomic_load(&s->online) != 0));
	json_object_set_new(
		o, "age_ns", operator_json_u64(now_ns > beat_ns ? now_ns - beat_ns : 0));
	json_object_set_new(o, "busy", json_real(rates->busy));
	json_object_set_new(o, "rx_packets", operator_json_u64(operator_load(&s->rx_packets)));
	json_object_set_new(o, "rx_octets", operator_json_u64(operator_load(&s->rx_octets)));
	json_object_set_new(o, "tx_packets", operator_json_u64(operator_load(&s->tx_packets)));
	json_object_set_new(o, "tx_octets", operator_json_u64(operator_load(&s->tx_octets)));
	json_object_set_new(o, "cycles_per_packet", operator_json_cycles(rates));
	json_object_set_new(
		o, "residence_p50_ns", operator_json_u64(operator_residence_ns(s, 0.5)));
	json_object_set_new(
		o, "residence_p99_ns", operator_json_u64(operator_residence_ns(s, 0.99)));
	json_object_set_new(o, "busy_cycles", operator_json_u64(operator_load(&s->busy_cycles)));
	json_object_set_new(o, "residence_ns", residence_json(s));
	json_object_set_new(o, "loops", operator_json_u64(operator_load(&s->loops)));
	json_object_set_new(o, "empty_polls", operator_json_u64(operator_load(&s->empty_polls)));
	json_object_set_new(o, "sleeps", operator_json_u64(operator_load(&s->sleeps)));
	json_object_set_new(o, "kicks", operator_json_u64(operator_load(&s->kicks)));
	json_object_set_new(
		o, "preempted", operator_json_u64(operator_load(&s->involuntary_switches)));
	json_object_set_new(o, "preempted_per_s", operator_json_u64(rates->switches));
	json_object_set_new(o, "grace_open_ns", operator_json_u64(grace_ns));
	return o;
}

enum ctl_step operator_worker_show(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	struct tables_counts c;

	if (!is_mapped(op))
		return operator_no_dataplane(call);
	tables_get_counts(op->sources.tables, call->now_ns, &c);
	call->result = json_array();
	for (uint32_t w = 0; w < op->sources.link->state.n_workers; w++)
		json_array_append_new(
			call->result, worker_json(op, w, call->now_ns, c.grace_open_ns));
	return CTL_DONE;
}

enum ctl_step operator_drop_show(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	const char *reasons = ctl_call_text(call, "reasons");
	bool all = reasons != NULL && strcmp(reasons, "all") == 0;
	struct operator_totals t;

	if (!is_mapped(op))
		return operator_no_dataplane(call);
	operator_totals_take(&op->sources.link->state, &t);
	call->result = json_array();
	for (unsigned d = TP_DROP_none + 1; d < TP_DROP_COUNT; d++) {
		const struct tp_drop_text *text = tp_drop_text(d);

		if (t.drops[d] == 0 && !all)
			continue;
		json_array_append_new(
			call->result, json_pack("{s:s, s:o, s:o, s:s, s:s}", "reason", text->name,
					      "packets", operator_json_u64(t.drops[d]), "per_s",
					      operator_json_u64(op->rates.drop_per_s[d]), "what",
					      text->what, "next", text->remedy));
	}
	return CTL_DONE;
}

static json_t *xdp_json(uint32_t xdp)
{
	static const char *const modes[] = {"-", "native", "generic", "offloaded"};
	uint32_t mode = xdp & TP_XDP_MODES;

	return json_sprintf("%s%s", mode < TP_ARRAY_LEN(modes) ? modes[mode] : "?",
		mode == 0			? ""
		: (xdp & TP_XDP_ZERO_COPY) != 0 ? ", zero copy"
						: ", copy");
}

enum ctl_step operator_port_show(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;

	if (!is_mapped(op))
		return operator_no_dataplane(call);
	call->result = json_array();
	for (uint32_t i = 0; i < op->sources.link->state.n_ports && i < TP_PORTS_MAX; i++) {
		// The data plane's words: not ours to believe terminated.
		const struct tp_port *p = &op->sources.link->state.header->ports[i];
		json_t *o = json_object();

		json_object_set_new(o, "port", operator_json_u64(i));
		json_object_set_new(o, "interface",
			operator_json_text(
				p->interface, strnlen(p->interface, sizeof(p->interface))));
		json_object_set_new(o, "device",
			operator_json_text(p->device, strnlen(p->device, sizeof(p->device))));
		json_object_set_new(
			o, "link", json_string(atomic_load(&p->link_up) != 0 ? "up" : "down"));
		json_object_set_new(o, "mac", operator_json_mac(p->mac));
		json_object_set_new(o, "mtu", operator_json_u64(p->mtu));
		json_object_set_new(o, "queues", operator_json_u64(p->n_queues));
		json_object_set_new(o, "missed", operator_json_u64(operator_load(&p->rx_missed)));
		json_object_set_new(
			o, "missed_per_s", operator_json_u64(op->rates.ports[i].missed_per_s));
		json_object_set_new(
			o, "no_buffer", operator_json_u64(atomic_load(&p->rx_no_buffer)));
		json_object_set_new(
			o, "rx_errors", operator_json_u64(operator_load(&p->rx_errors)));
		json_object_set_new(
			o, "tx_errors", operator_json_u64(operator_load(&p->tx_errors)));
		json_object_set_new(o, "ifindex", operator_json_u64(p->ifindex));
		json_object_set_new(o, "xdp", xdp_json(atomic_load(&p->xdp)));
		json_object_set_new(o, "first_frame",
			json_string((atomic_load(&p->xdp) & TP_XDP_SENT) != 0 ? "sent" : "-"));
		json_object_set_new(
			o, "unserved", operator_json_u64(operator_load(&p->rx_unserved)));
		json_object_set_new(
			o, "ring_full", operator_json_u64(operator_load(&p->rx_ring_full)));
		json_object_set_new(
			o, "not_sent", operator_json_u64(operator_load(&p->tx_invalid)));
		json_object_set_new(
			o, "fill_empty", operator_json_u64(operator_load(&p->rx_fill_empty)));
		json_array_append_new(call->result, o);
	}
	return CTL_DONE;
}

static const char *neighbour_state(
	const struct operator_desk *op, const struct tables_next_hop *hop)
{
	switch (net_mirror_neighbour(op->sources.mirror, &hop->addr, hop->ifindex).state) {
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

static json_t *next_hop_json(const struct operator_desk *op, const struct tables_next_hop *hop)
{
	struct net_link link;
	json_t *o = json_object();
	uint8_t mac[6];
	uint8_t port;

	json_object_set_new(o, "slot", operator_json_u64(hop->slot));
	json_object_set_new(o, "address", operator_json_ip(&hop->addr));
	json_object_set_new(o, "interface",
		net_mirror_link(op->sources.mirror, hop->ifindex, &link) == 0
			? json_string(link.name)
			: json_sprintf("%u", hop->ifindex));
	tp_next_hop_unpack(hop->word, mac, &port);
	json_object_set_new(o, "mac", hop->word != 0 ? operator_json_mac(mac) : json_null());
	json_object_set_new(o, "port", hop->word != 0 ? operator_json_u64(port) : json_null());
	json_object_set_new(o, "state", json_string(neighbour_state(op, hop)));
	json_object_set_new(o, "wanted", json_boolean(hop->wanted));
	json_object_set_new(o, "references", operator_json_u64(hop->references));
	return o;
}

enum ctl_step operator_nexthop_list(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	uint32_t cursor = (uint32_t)call->cursor;
	struct tables_next_hop hop;

	call->result = json_array();
	while (json_array_size(call->result) < 256) {
		if (!tables_next_hop_next(op->sources.tables, &cursor, &hop))
			return CTL_DONE;
		json_array_append_new(call->result, next_hop_json(op, &hop));
	}
	call->cursor = cursor;
	return CTL_MORE;
}

static void counter_add(json_t *list, const char *name, uint64_t value, const char *text)
{
	json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "counter", name, "value",
					    operator_json_u64(value), "text", text));
}

static void paths_add(const struct operator_desk *op, json_t *list)
{
	static const char *const texts[] = {
#define PATH_TEXT(name, text) text,
		TP_PATHS(PATH_TEXT)
#undef PATH_TEXT
	};

	for (unsigned p = 0; p < TP_PATH_COUNT; p++) {
		uint64_t n = 0;

		for (uint32_t w = 0; w < op->sources.link->state.n_workers; w++)
			n += operator_load(&op->sources.link->state.workers[w].path_packets[p]);
		counter_add(list, tp_path_name(p), n, texts[p]);
	}
}

static void rings_add(const struct operator_desk *op, json_t *list)
{
	const struct link_rings_counters *c = &op->sources.link->rings.counters;

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
	counter_add(list, "rings_no_route", c->no_route,
		"answers lost: no route to the client (ip route get), or no next hop left");
	counter_add(list, "rings_resets", link_rings_resets(&op->sources.link->rings),
		"impossible ring positions");
}

static void operators_add(const struct operator_desk *op, json_t *list)
{
	const struct ctl_server_counters *c = ctl_server_get_counters(op->socket);

	counter_add(list, "operators_accepted", c->accepted, "connections of operators");
	counter_add(list, "operators_refused", c->refused,
		"connections refused: too many operators, or no descriptor left");
	counter_add(list, "operators_evicted", c->evicted,
		"connections ended: idle for too long, or for another's place");
	counter_add(list, "operators_dropped", c->dropped,
		"connections ended: too slow, or not of this protocol");
	counter_add(list, "operators_requests", c->requests, "requests of operators");
}

enum ctl_step operator_counter_show(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	const struct turn_counters *c = turn_get_counters(op->sources.turn);

	call->result = json_array();
#define COUNTER(name, text) counter_add(call->result, #name, c->name, text);
	TURN_COUNTERS(COUNTER)
#undef COUNTER
#define ERROR_COUNTER(code, reason)                                                                \
	counter_add(call->result, "error_" #code, c->error_##code, reason " responses");
	TURN_ERRORS(ERROR_COUNTER)
#undef ERROR_COUNTER
	rings_add(op, call->result);
	if (op->socket != NULL)
		operators_add(op, call->result);
	if (is_mapped(op))
		paths_add(op, call->result);
	return CTL_DONE;
}
