// SPDX-License-Identifier: BSD-3-Clause
// Health checks; each warning carries the next command to run.
#include "handlers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <proc/clock.h>
#include <text/addr.h>

#include <operator/reserved.h>

#define GRACE_NS      (100 * TP_NS_PER_MS)
#define MISSED_NS     (60 * TP_NS_PER_S) // so long is said that a port lost packets
#define PREEMPTED_MAX 20u		 // per second
#define DAY_S	      86400
#define EXPIRES_DAYS  14
#define BUSY_PACKETS  1000u // per second: below, a shared core harms none

void operator_warn(json_t *list, const char *next, const char *format, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	json_array_append_new(list, json_pack("{s:s, s:s}", "what", what, "next", next));
}

static void dataplane_check(const struct operator_desk *op, json_t *list)
{
	const struct link *l = op->sources.link;
	uint32_t flags = atomic_load(&l->state.header->flags);

	// Without load nobody waits for a slower memory.
	if ((flags & TP_STATE_NO_HUGE) != 0 && op->rates.rx_per_s >= BUSY_PACKETS)
		operator_warn(list, "sysctl vm.nr_hugepages=256, then restart turnpike-dataplane",
			"the data plane runs without huge pages: slower");
	if ((flags & TP_STATE_GUARD_OFF) != 0)
		operator_warn(list, "look at the log of turnpike-dataplane: guard_lost",
			"the nft table that guards our ports is gone: the kernel may answer");
	if ((flags & TP_STATE_QUEUES_MORE) != 0)
		operator_warn(list,
			"ethtool -L back to the queues of the start, or restart turnpike-dataplane",
			"an interface has receive queues that no worker serves: flows are lost");
	if ((flags & TP_STATE_CELLS_SHORT) != 0)
		operator_warn(list, "look at the log of turnpike-dataplane: cells_short",
			"no memory for the counters of more entries: later clients are refused");
	if (l->punt.file.base != NULL && l->punt.n_workers > l->inject.n_workers)
		operator_warn(list, "restart turnpike-control: calls go on",
			"the data plane has %u workers, the control process was started for %u: "
			"all answers leave by these",
			l->punt.n_workers, l->inject.n_workers);
}

int64_t operator_days_left(uint64_t expires_s)
{
	int64_t left_s = (int64_t)expires_s - (int64_t)proc_wall_s();

	// Whole days; less than one, and past, are different.
	return left_s < 0 ? -1 - (-left_s) / DAY_S : left_s / DAY_S;
}

// One that has expired is a loss.
static void certificate_check(const struct operator_desk *op, json_t *list)
{
	const struct link_edge *e = op->sources.edge;
	int64_t days;

	if (e == NULL || !conf_has_edge(op->sources.settings->conf) || e->expires_s == 0)
		return;
	days = operator_days_left(e->expires_s);
	if (days >= 0 && days < EXPIRES_DAYS)
		operator_warn(list, "renew it, then relayctl certificate reload",
			"a certificate expires in %lld days", (long long)days);
}

// One that has ended already is a loss.
static void secrets_check(const struct operator_desk *op, json_t *list)
{
	const struct settings *s = op->sources.settings;
	uint64_t wall_s = proc_wall_s(), end_s;

	for (size_t i = 0; i < s->n_realms; i++) {
		if (operator_credentials_end(&s->realms[i], wall_s, &end_s) && end_s > wall_s &&
			operator_days_left(end_s) < EXPIRES_DAYS)
			operator_warn(list,
				"add its successor to the configuration, then relayctl "
				"config reload",
				"the last secret of the realm %s ends in %lld days",
				s->realms[i].name, (long long)operator_days_left(end_s));
	}
}

static bool cores_shared(const struct operator_desk *op)
{
	return (atomic_load(&op->sources.link->state.header->flags) & TP_STATE_CORES_SHARED) != 0;
}

// ", a grace period is open for 12 ms", where one is.
static const char *grace_age(
	const struct operator_desk *op, uint64_t now_ns, char *text, size_t size)
{
	struct tables_counts c;

	text[0] = '\0';
	tables_get_counts(op->sources.tables, now_ns, &c);
	if (c.grace_open_ns > 0)
		snprintf(text, size, ", a grace period is open for %llu ms",
			(unsigned long long)(c.grace_open_ns / TP_NS_PER_MS));
	return text;
}

static void worker_check(const struct operator_desk *op, uint32_t w, uint64_t now_ns, json_t *list)
{
	const struct tp_worker_stats *s = &op->sources.link->state.workers[w];
	unsigned core = atomic_load(&s->lcore);
	char next[160], grace[64];

	// A quiet worker loses nothing where others use its core.
	if (op->rates.workers[w].switches <= PREEMPTED_MAX ||
		op->rates.workers[w].rx_packets < BUSY_PACKETS)
		return;
	if (cores_shared(op))
		snprintf(next, sizeof(next),
			"kernel command line: isolcpus=%u nohz_full=%u; or a cpuset: "
			"docs/operating.md",
			core, core);
	else
		snprintf(next, sizeof(next),
			"relayctl worker show; ps -eLo psr,pid,comm | grep '^ *%u '", core);
	grace_age(op, now_ns, grace, sizeof(grace));
	operator_warn(list, next, "the kernel takes worker %u off core %u, %llu times a second%s",
		w, core, (unsigned long long)op->rates.workers[w].switches, grace);
}

static void workers_check(const struct operator_desk *op, uint64_t now_ns, json_t *list)
{
	const struct shm_state *s = &op->sources.link->state;

	// A worker that sleeps when it has nothing to do shares its core well enough until it is
	// seen to be taken off it.
	if (cores_shared(op) && op->rates.rx_per_s >= BUSY_PACKETS &&
		op->sources.settings->conf->dataplane.poll == CONF_POLL_BUSY)
		operator_warn(list,
			"kernel command line: isolcpus, nohz_full; or a cpuset: "
			"docs/operating.md",
			"busy workers run on cores that the kernel gives to others as well");

	for (uint32_t w = 0; w < s->n_workers && w < TP_WORKERS_MAX; w++)
		worker_check(op, w, now_ns, list);
}

static void ports_check(const struct operator_desk *op, uint64_t now_ns, json_t *list)
{
	const struct shm_state *s = &op->sources.link->state;

	for (uint32_t i = 0; i < s->n_ports; i++) {
		const struct tp_port *p = &s->header->ports[i];

		if (i < TP_PORTS_MAX && op->rates.ports[i].missed_ns != 0 &&
			now_ns - op->rates.ports[i].missed_ns < MISSED_NS)
			operator_warn(list, "relayctl worker show",
				"port %u (%.*s) lost packets before a worker took them: %llu in "
				"all, %llu of them in the last second",
				i, (int)strnlen(p->interface, sizeof(p->interface)), p->interface,
				(unsigned long long)op->rates.ports[i].missed_last,
				(unsigned long long)op->rates.ports[i].missed_per_s);
	}
}

static void next_hops_check(const struct operator_desk *op, json_t *list)
{
	struct tables_next_hop hop, first = {0};
	uint32_t cursor = 0;
	unsigned n = 0;
	char buf[TEXT_ADDR_SIZE];

	while (tables_next_hop_next(op->sources.tables, &cursor, &hop)) {
		// A peer that never was there is the matter of the client that named it.
		if (hop.wanted && hop.word == 0 && !hop.pending && n++ == 0)
			first = hop;
	}
	if (n > 0)
		operator_warn(list, "relayctl nexthop list", "%u next hop%s not resolved: %s%s", n,
			n == 1 ? " is" : "s are", text_ip_format(&first.addr, buf),
			n == 1 ? "" : " and others");
}

static void tables_check(const struct operator_desk *op, uint64_t now_ns, json_t *list)
{
	uint32_t limit = op->sources.settings->conf->limits.allocations;
	size_t live = turn_allocation_count(op->sources.turn);
	struct tables_counts c;

	tables_get_counts(op->sources.tables, now_ns, &c);
	// Without a data plane nobody answers for a grace period: that is said already.
	if (op->sources.link->up && c.grace_open_ns > GRACE_NS)
		operator_warn(list, "relayctl worker show",
			"a grace period is open for %llu ms: a worker does not come round",
			(unsigned long long)(c.grace_open_ns / TP_NS_PER_MS));
	if (c.entries_free < c.entries / 8)
		operator_warn(list, "raise limits.entries, then restart both processes",
			"the table is nearly full: %u of %u entries are free", c.entries_free,
			c.entries);
	if (live >= limit - limit / 10)
		operator_warn(list, "raise limits.allocations, then restart both processes",
			"%zu of at most %u allocations are in use", live, limit);
}

static void addresses_check(const struct operator_desk *op, json_t *list)
{
	const struct settings *s = op->sources.settings;
	char buf[TEXT_ADDR_SIZE];

	for (size_t i = 0; i < s->n_locals && conf_addresses_are_kernels(s->conf); i++) {
		const struct tables_local *l = &s->locals[i];

		if (settings_local_is_first(s, i) &&
			net_mirror_address_owner(op->sources.mirror, &l->addr) == 0)
			operator_warn(list, "ip address", "no interface has the %s %s",
				l->role == TP_ROLE_LISTENER ? "listener's address"
							    : "relay address",
				text_ip_format(&l->addr, buf));
	}
}

static void rings_check(const struct operator_desk *op, json_t *list)
{
	if (op->rates.drop_per_s[TP_DROP_punt_full] > 0)
		operator_warn(list, "relayctl drop show",
			"requests come faster than they are answered: %llu dropped a second",
			(unsigned long long)op->rates.drop_per_s[TP_DROP_punt_full]);
	if (link_rings_resets(&op->sources.link->rings) > 0)
		operator_warn(list, "relayctl counter show", "rings were reset %llu times",
			(unsigned long long)link_rings_resets(&op->sources.link->rings));
}

static void reserved_check(const struct operator_desk *op, json_t *list)
{
	const struct conf_relay *relay = &op->sources.settings->conf->relay;
	char next[96];

	if (operator_ports_are_reserved(relay->port_min, relay->port_max))
		return;
	snprintf(next, sizeof(next), "sysctl net.ipv4.ip_local_reserved_ports=%u-%u",
		relay->port_min, relay->port_max);
	operator_warn(list, next, "the kernel may pick relayed ports for its own sockets");
}

void operator_warnings_collect(const struct operator_desk *op, uint64_t now_ns, json_t *list)
{
	if (op->sources.link->up) {
		dataplane_check(op, list);
		workers_check(op, now_ns, list);
		ports_check(op, now_ns, list);
		next_hops_check(op, list);
		rings_check(op, list);
		reserved_check(op, list);
	}
	certificate_check(op, list);
	secrets_check(op, list);
	tables_check(op, now_ns, list);
	addresses_check(op, list);
}
