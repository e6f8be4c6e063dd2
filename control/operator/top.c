// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#define HOT_USUAL 10u

static json_t *workers_json(const struct operator_desk *op)
{
	json_t *list = json_array();

	for (uint32_t w = 0; w < op->rates.n_workers && w < op->sources.link->state.n_workers;
		w++) {
		const struct tp_worker_stats *s = &op->sources.link->state.workers[w];
		const struct operator_worker_rates *rates = &op->rates.workers[w];

		json_array_append_new(list,
			json_pack("{s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "worker",
				operator_json_u64(w), "lcore",
				operator_json_u64(atomic_load(&s->lcore)), "busy", rates->busy,
				"rx_packets_per_s", operator_json_u64(rates->rx_packets),
				"rx_bits_per_s", operator_json_u64(8 * rates->rx_octets),
				"tx_packets_per_s", operator_json_u64(rates->tx_packets),
				"tx_bits_per_s", operator_json_u64(8 * rates->tx_octets),
				"cycles_per_packet", operator_json_cycles(rates), "preempted_per_s",
				operator_json_u64(rates->switches)));
	}
	return list;
}

static json_t *drops_json(const struct operator_desk *op)
{
	json_t *list = json_array();

	for (unsigned d = TP_DROP_none + 1; d < TP_DROP_COUNT; d++) {
		const struct tp_drop_text *text = tp_drop_text(d);

		if (op->rates.drop_per_s[d] > 0)
			json_array_append_new(
				list, json_pack("{s:s, s:o, s:s}", "reason", text->name, "per_s",
					      operator_json_u64(op->rates.drop_per_s[d]), "next",
					      text->remedy));
	}
	return list;
}

static json_t *hot_json(struct operator_desk *op, unsigned max)
{
	struct operator_hot_one ones[OPERATOR_HOT_MAX];
	unsigned n =
		operator_hot_list(&op->hot, ones, max < OPERATOR_HOT_MAX ? max : OPERATOR_HOT_MAX);
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		struct turn_allocation_view view;
		const struct turn_allocation_record *rec;
		uint64_t id;

		if (turn_allocation_find(op->sources.turn, ones[i].ref, &view) < 0)
			continue;
		rec = view.record;
		id = operator_allocation_id(rec, view.ref);
		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id",
				      json_sprintf("%llx", (unsigned long long)id), "user",
				      operator_json_text(rec->username, rec->username_len),
				      "client", operator_json_addr(&rec->client.remote),
				      "packets_per_s", operator_json_u64(ones[i].packets_per_s),
				      "bits_per_s", operator_json_u64(8 * ones[i].octets_per_s),
				      "channels", operator_json_u64(view.n_channels)));
	}
	return list;
}

enum ctl_step operator_top(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	const struct operator_rates *rates = &op->rates;
	uint64_t hot = ctl_call_number(call, "hot");

	if (op->sources.link->state.file.base == NULL)
		return operator_no_dataplane(call);
	if (operator_hot_ask(&op->hot, call->now_ns) < 0)
		return ctl_call_fail(call, "internal", "is there memory left?", "out of memory");
	call->result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time_ns",
		operator_json_u64(call->now_ns), "allocations",
		operator_json_u64(turn_allocation_count(op->sources.turn)), "packets_per_s",
		operator_json_u64(rates->packets_per_s), "bits_per_s",
		operator_json_u64(8 * rates->octets_per_s), "drops_per_s",
		operator_json_u64(rates->drops_per_s), "workers", workers_json(op), "drops",
		drops_json(op), "hot",
		hot_json(op, hot == 0 || hot > OPERATOR_HOT_MAX ? HOT_USUAL : (unsigned)hot),
		"pass_ns", operator_json_u64(op->hot.pass_ns));
	return CTL_DONE;
}

static bool total(void *ctx, uint32_t ref, uint64_t *packets, uint64_t *octets)
{
	struct operator_desk *op = ctx;
	struct tables_usage u;

	if (tables_allocation_usage(op->sources.tables, ref, &u) < 0)
		return false;
	*packets = u.to_peer_packets + u.to_client_packets;
	*octets = u.to_peer_octets + u.to_client_octets;
	return true;
}

void operator_tick(struct operator_desk *op, uint64_t now_ns)
{
	const struct operator_sources *from = &op->sources;

	if (!link_is_mapped(from->link)) {
		operator_rates_reset(&op->rates);
		return;
	}
	if (now_ns >= op->rates.sampled_ns + TP_NS_PER_S) {
		uint64_t frames[TP_PORTS_MAX];

		operator_frames_read(&from->link->state, frames);
		operator_rates_sample(&op->rates, &from->link->state, frames, now_ns);
	}
	operator_hot_tick(
		&op->hot, &from->link->state, tables_shm(from->tables), total, op, now_ns);
}

void operator_fini(struct operator_desk *op)
{
	operator_hot_fini(&op->hot);
}
