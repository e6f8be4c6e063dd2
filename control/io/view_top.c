// SPDX-License-Identifier: BSD-3-Clause
#include "views.h"

#define HOT_USUAL 10u

static json_t *workers_json(const struct io_relay *r)
{
	json_t *list = json_array();

	for (uint32_t w = 0; w < r->rates.n_workers && w < r->plane.state.n_workers; w++) {
		const struct tp_worker_stats *s = &r->plane.state.workers[w];
		const struct io_worker_rates *rates = &r->rates.workers[w];

		json_array_append_new(
			list, json_pack("{s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "worker",
				      io_json_u64(w), "lcore", io_json_u64(atomic_load(&s->lcore)),
				      "busy", rates->busy, "rx_packets_per_s",
				      io_json_u64(rates->rx_packets), "rx_bits_per_s",
				      io_json_u64(8 * rates->rx_octets), "tx_packets_per_s",
				      io_json_u64(rates->tx_packets), "tx_bits_per_s",
				      io_json_u64(8 * rates->tx_octets), "cycles_per_packet",
				      io_json_u64(rates->cycles_per_packet), "preempted_per_s",
				      io_json_u64(rates->switches)));
	}
	return list;
}

static json_t *drops_json(const struct io_relay *r)
{
	json_t *list = json_array();

	for (unsigned d = TP_DROP_none + 1; d < TP_DROP_COUNT; d++) {
		const struct tp_drop_text *text = tp_drop_text(d);

		if (r->rates.drop_per_s[d] > 0)
			json_array_append_new(list,
				json_pack("{s:s, s:o, s:s}", "reason", text->name, "per_s",
					io_json_u64(r->rates.drop_per_s[d]), "next", text->remedy));
	}
	return list;
}

static json_t *hot_json(struct io_relay *r, unsigned max)
{
	struct io_hot_one ones[IO_HOT_MAX];
	unsigned n = io_hot_list(&r->hot, ones, max < IO_HOT_MAX ? max : IO_HOT_MAX);
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		struct turn_allocation_view view;
		const struct turn_allocation_record *rec;
		uint64_t id;

		if (turn_allocation_find(r->turn, ones[i].ref, &view) < 0)
			continue;
		rec = view.record;
		id = io_allocation_id(rec, view.ref);
		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id",
				      json_sprintf("%llx", (unsigned long long)id), "user",
				      io_json_text(rec->username, rec->username_len), "client",
				      io_json_addr(&rec->client.remote), "packets_per_s",
				      io_json_u64(ones[i].packets_per_s), "bits_per_s",
				      ones[i].measured ? io_json_u64(8 * ones[i].octets_per_s)
						       : json_null(),
				      "channels", io_json_u64(view.n_channels)));
	}
	return list;
}

enum ctl_step io_view_top(void *ctx, struct ctl_call *call)
{
	struct io_relay *r = ctx;
	const struct io_rates *rates = &r->rates;
	uint64_t hot = ctl_call_number(call, "hot");

	if (r->plane.state.file.base == NULL)
		return io_view_no_dataplane(call);
	if (io_hot_ask(&r->hot, call->now_ns) < 0)
		return ctl_call_fail(call, "internal", "is there memory left?", "out of memory");
	call->result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time_ns",
		io_json_u64(call->now_ns), "allocations",
		io_json_u64(turn_allocation_count(r->turn)), "packets_per_s",
		io_json_u64(rates->packets_per_s), "bits_per_s",
		io_json_u64(8 * rates->octets_per_s), "drops_per_s",
		io_json_u64(rates->drops_per_s), "workers", workers_json(r), "drops", drops_json(r),
		"hot", hot_json(r, hot == 0 || hot > IO_HOT_MAX ? HOT_USUAL : (unsigned)hot),
		"pass_ns", io_json_u64(r->hot.pass_ns));
	return CTL_DONE;
}

static bool total(void *ctx, uint32_t ref, uint64_t *packets, uint64_t *octets)
{
	struct io_relay *r = ctx;
	struct tables_usage u;

	if (tables_allocation_usage(r->tables, ref, &u) < 0)
		return false;
	*packets = u.to_peer_packets + u.to_client_packets;
	*octets = u.to_peer_octets + u.to_client_octets;
	return true;
}

void io_top_tick(struct io_relay *r, uint64_t now_ns)
{
	if (r->plane.state.file.base != NULL)
		io_hot_tick(&r->hot, &r->plane.state, tables_shm(r->tables), total, r, now_ns);
}
