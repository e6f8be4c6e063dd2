// SPDX-License-Identifier: BSD-3-Clause
#include "views.h"

#include <string.h>
#include <unistd.h>

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static uint64_t since_s(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? (now_ns - then_ns) / TP_NS_PER_S : 0;
}

static double busy_of(const struct io_relay *r)
{
	double most = 0;

	for (uint32_t w = 0; w < r->rates.n_workers; w++) {
		if (r->rates.workers[w].busy > most)
			most = r->rates.workers[w].busy;
	}
	return most;
}

static json_t *dataplane_json(const struct io_relay *r, uint64_t now_ns)
{
	const struct tp_state_header *h = r->plane.state.header;
	json_t *o = json_pack("{s:b}", "running", r->plane.up);

	if (r->plane.state.file.base == NULL)
		return o;
	json_object_set_new(o, "pid", io_json_u64(atomic_load(&h->file.writer_pid)));
	json_object_set_new(o, "heartbeat_age_ns",
		io_json_u64(now_ns > load(&h->file.heartbeat_ns)
				    ? now_ns - load(&h->file.heartbeat_ns)
				    : 0));
	json_object_set_new(o, "workers", io_json_u64(r->plane.state.n_workers));
	json_object_set_new(o, "ports", io_json_u64(r->plane.state.n_ports));
	json_object_set_new(o, "busy", json_real(busy_of(r)));
	json_object_set_new(
		o, "huge_pages", json_boolean((atomic_load(&h->flags) & TP_STATE_NO_HUGE) == 0));
	json_object_set_new(o, "cores_isolated",
		json_boolean((atomic_load(&h->flags) & TP_STATE_CORES_SHARED) == 0));
	return o;
}

static json_t *traffic_json(const struct io_relay *r)
{
	struct io_totals t = {0};

	if (r->plane.state.file.base != NULL)
		io_totals_take(&r->plane.state, &t);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "packets_per_s",
		io_json_u64(r->rates.packets_per_s), "octets_per_s",
		io_json_u64(r->rates.octets_per_s), "packets", io_json_u64(t.packets), "octets",
		io_json_u64(t.octets), "drops", io_json_u64(t.dropped), "drops_per_s",
		io_json_u64(r->rates.drops_per_s));
}

static json_t *segment_json(const struct io_relay *r, uint64_t now_ns)
{
	const struct tp_state_header *h = r->plane.state.header;
	struct tables_counts c;
	json_t *o;

	tables_get_counts(r->tables, now_ns, &c);
	o = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "directory", r->place.directory, "entries",
		io_json_u64(c.entries), "entries_used", io_json_u64(c.entries - c.entries_free),
		"next_hops_used", io_json_u64(c.next_hops_used), "full", io_json_u64(c.full),
		"grace_open_ns", io_json_u64(c.grace_open_ns));
	if (r->plane.state.file.base != NULL)
		json_object_set_new(o, "grace_max_ns", io_json_u64(load(&h->gp_max_ns)));
	return o;
}

static json_t *addresses_json(const struct io_relay *r, uint8_t role)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->settings->n_locals; i++) {
		const struct tables_local *l = &r->settings->locals[i];

		if (l->role == role)
			json_array_append_new(list, role == TP_ROLE_LISTENER
							    ? io_json_addr(&l->addr)
							    : io_json_ip(&l->addr));
	}
	return list;
}

enum ctl_step io_view_status(void *ctx, struct ctl_call *call)
{
	const struct io_relay *r = ctx;
	const struct conf *conf = r->settings->conf;
	bool forwarding = io_plane_forwards(r, call->now_ns);
	json_t *warnings = json_array();
	json_t *o = json_object();

	io_warnings_collect(r, call->now_ns, warnings);
	json_object_set_new(o, "verdict",
		json_string(!forwarding			    ? "down"
			    : json_array_size(warnings) > 0 ? "warning"
							    : "ok"));
	json_object_set_new(o, "forwarding", json_boolean(forwarding));
	json_object_set_new(o, "warnings", warnings);
	json_object_set_new(o, "instance", json_string(conf->instance));
	json_object_set_new(o, "realm", json_string(conf->realm));
	json_object_set_new(o, "version", json_string(TURNPIKE_VERSION));
	json_object_set_new(o, "control",
		json_pack("{s:i, s:o}", "pid", (int)getpid(), "uptime_s",
			io_json_u64(since_s(r->started_ns, call->now_ns))));
	json_object_set_new(o, "dataplane", dataplane_json(r, call->now_ns));
	json_object_set_new(o, "allocations",
		json_pack("{s:o, s:o, s:o, s:o}", "live",
			io_json_u64(turn_allocation_count(r->turn)), "limit",
			io_json_u64(conf->limits.allocations), "opened",
			io_json_u64(turn_get_counters(r->turn)->allocations_opened), "recovered",
			io_json_u64(r->recovered.allocations)));
	json_object_set_new(o, "traffic", traffic_json(r));
	json_object_set_new(o, "segment", segment_json(r, call->now_ns));
	json_object_set_new(o, "listeners", addresses_json(r, TP_ROLE_LISTENER));
	json_object_set_new(o, "relay_addresses", addresses_json(r, TP_ROLE_RELAY));
	call->result = o;
	return CTL_DONE;
}
