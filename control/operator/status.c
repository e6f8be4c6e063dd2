// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#include <string.h>
#include <unistd.h>

#include <proc/clock.h>

static uint64_t since_s(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? (now_ns - then_ns) / TP_NS_PER_S : 0;
}

static double busy_of(const struct operator_desk *op)
{
	double most = 0;

	for (uint32_t w = 0; w < op->rates.n_workers; w++) {
		if (op->rates.workers[w].busy > most)
			most = op->rates.workers[w].busy;
	}
	return most;
}

static json_t *dataplane_json(const struct operator_desk *op, uint64_t now_ns)
{
	const struct tp_state_header *h = op->sources.link->state.header;
	json_t *o = json_pack("{s:b}", "running", op->sources.link->up);
	uint64_t started_ns;

	if (op->sources.link->state.file.base == NULL)
		return o;
	started_ns = operator_load(&h->started_ns);
	json_object_set_new(o, "pid", operator_json_u64(atomic_load(&h->file.writer_pid)));
	json_object_set_new(o, "heartbeat_age_ns",
		operator_json_u64(now_ns > operator_load(&h->file.heartbeat_ns)
					  ? now_ns - operator_load(&h->file.heartbeat_ns)
					  : 0));
	if (started_ns != 0)
		json_object_set_new(o, "uptime_s", operator_json_u64(since_s(started_ns, now_ns)));
	json_object_set_new(o, "workers", operator_json_u64(op->sources.link->state.n_workers));
	json_object_set_new(o, "ports", operator_json_u64(op->sources.link->state.n_ports));
	json_object_set_new(o, "busy", json_real(busy_of(op)));
	json_object_set_new(
		o, "huge_pages", json_boolean((atomic_load(&h->flags) & TP_STATE_NO_HUGE) == 0));
	json_object_set_new(o, "cores_isolated",
		json_boolean((atomic_load(&h->flags) & TP_STATE_CORES_SHARED) == 0));
	return o;
}

static json_t *traffic_json(const struct operator_desk *op)
{
	struct operator_totals t = {0};

	if (op->sources.link->state.file.base != NULL)
		operator_totals_take(&op->sources.link->state, &t);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "packets_per_s",
		operator_json_u64(op->rates.packets_per_s), "octets_per_s",
		operator_json_u64(op->rates.octets_per_s), "packets", operator_json_u64(t.packets),
		"octets", operator_json_u64(t.octets), "drops", operator_json_u64(t.dropped),
		"drops_per_s", operator_json_u64(op->rates.drops_per_s));
}

static json_t *segment_json(const struct operator_desk *op, uint64_t now_ns)
{
	const struct tp_state_header *h = op->sources.link->state.header;
	struct tables_counts c;
	json_t *o;

	tables_get_counts(op->sources.tables, now_ns, &c);
	o = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "directory",
		op->sources.link->place.directory, "entries", operator_json_u64(c.entries),
		"entries_used", operator_json_u64(c.entries - c.entries_free), "entries_ready",
		operator_json_u64(c.entries_ready), "next_hops_used",
		operator_json_u64(c.next_hops_used), "full", operator_json_u64(c.full),
		"full_of_cells", operator_json_u64(c.full_of_cells), "grace_open_ns",
		operator_json_u64(c.grace_open_ns));
	if (op->sources.link->state.file.base != NULL)
		json_object_set_new(
			o, "grace_max_ns", operator_json_u64(operator_load(&h->gp_max_ns)));
	return o;
}

static json_t *addresses_json(const struct operator_desk *op, uint8_t role)
{
	json_t *list = json_array();

	for (size_t i = 0; i < op->sources.settings->n_locals; i++) {
		const struct tables_local *l = &op->sources.settings->locals[i];

		if (l->role == role)
			json_array_append_new(list, role == TP_ROLE_LISTENER
							    ? operator_json_addr(&l->addr)
							    : operator_json_ip(&l->addr));
	}
	return list;
}

static json_t *realms_json(const struct operator_desk *op)
{
	const struct settings *s = op->sources.settings;
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_realms; i++) {
		const struct turn_realm_counters *c =
			turn_get_realm_counters(op->sources.turn, s->realms[i].id);

		if (c == NULL)
			continue;
		json_array_append_new(list,
			json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "name", s->realms[i].name, "id",
				s->realms[i].id, "requests", operator_json_u64(c->requests),
				"refused", operator_json_u64(c->refused), "allocations_opened",
				operator_json_u64(c->allocations_opened), "allocations_live",
				operator_json_u64(c->allocations_opened - c->allocations_closed)));
	}
	return list;
}

// NULL: no source of users is configured.
static json_t *directory_json(const struct operator_desk *op)
{
	const struct lookup_client *c = op->sources.lookup;
	const struct conf_directory *d = &op->sources.settings->conf->directory;
	json_t *sources;

	if (c == NULL || d->n_sources == 0)
		return NULL;
	sources = json_array();
	for (size_t i = 0; i < d->n_sources; i++)
		json_array_append_new(
			sources, json_pack("{s:s, s:s}", "name", d->sources[i].name, "type",
					 conf_source_type_name(d->sources[i].type)));
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "running",
		lookup_client_is_up(c), "sources", sources, "waiting", operator_json_u64(c->n),
		"asked", operator_json_u64(c->counters.asked), "found",
		operator_json_u64(c->counters.found), "unknown",
		operator_json_u64(c->counters.unknown), "failed",
		operator_json_u64(c->counters.failed), "expired",
		operator_json_u64(c->counters.expired));
}

static void directory_set(const struct operator_desk *op, json_t *o)
{
	json_t *directory = directory_json(op);

	if (directory != NULL)
		json_object_set_new(o, "directory", directory);
}

// Nothing where no listener needs the process.
static void edge_set(const struct operator_desk *op, json_t *o)
{
	const struct link_edge *e = op->sources.edge;
	json_t *edge;

	if (e == NULL || !conf_has_edge(op->sources.settings->conf))
		return;
	edge = json_pack("{s:b}", "running", link_edge_is_up(e));
	if (e->expires_s != 0)
		json_object_set_new(
			edge, "certificate_days", json_integer(operator_days_left(e->expires_s)));
	json_object_set_new(o, "edge", edge);
}

enum ctl_step operator_status(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	const struct conf *conf = op->sources.settings->conf;
	bool forwarding = link_forwards(op->sources.link, call->now_ns);
	json_t *warnings = json_array();
	bool lost;
	json_t *o = json_object();

	lost = operator_losses_collect(op, call->now_ns, warnings);
	operator_warnings_collect(op, call->now_ns, warnings);
	json_object_set_new(o, "verdict",
		json_string(!forwarding || lost		    ? "down"
			    : json_array_size(warnings) > 0 ? "warning"
							    : "ok"));
	json_object_set_new(o, "forwarding", json_boolean(forwarding));
	json_object_set_new(o, "warnings", warnings);
	json_object_set_new(o, "instance", json_string(conf->instance));
	json_object_set_new(o, "realm", json_string(conf->realm));
	json_object_set_new(o, "version", json_string(TURNPIKE_VERSION));
	json_object_set_new(o, "control",
		json_pack("{s:i, s:o}", "pid", (int)getpid(), "uptime_s",
			operator_json_u64(since_s(op->started_ns, call->now_ns))));
	json_object_set_new(o, "dataplane", dataplane_json(op, call->now_ns));
	directory_set(op, o);
	edge_set(op, o);
	if (op->sources.settings->n_realms > 1)
		json_object_set_new(o, "realms", realms_json(op));
	json_object_set_new(o, "allocations",
		json_pack("{s:o, s:o, s:o, s:o}", "live",
			operator_json_u64(turn_allocation_count(op->sources.turn)), "limit",
			operator_json_u64(conf->limits.allocations), "opened",
			operator_json_u64(turn_get_counters(op->sources.turn)->allocations_opened),
			"recovered", operator_json_u64(op->recovered)));
	json_object_set_new(o, "traffic", traffic_json(op));
	json_object_set_new(o, "segment", segment_json(op, call->now_ns));
	json_object_set_new(o, "listeners", addresses_json(op, TP_ROLE_LISTENER));
	json_object_set_new(o, "relay_addresses", addresses_json(op, TP_ROLE_RELAY));
	call->result = o;
	return CTL_DONE;
}
