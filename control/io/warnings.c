// SPDX-License-Identifier: BSD-3-Clause
// What is not well, each with the command to type next.
#include "views.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <text/addr.h>

#include "reserved.h"

#define STALE_NS      (2 * TP_NS_PER_S)
#define STUCK_NS      (100 * TP_NS_PER_MS)
#define GRACE_NS      (100 * TP_NS_PER_MS)
#define MISSED_NS     (60 * TP_NS_PER_S) // so long is said that a port lost packets
#define PREEMPTED_MAX 20u		 // per second

static void warn(json_t *list, const char *next, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void warn(json_t *list, const char *next, const char *format, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	json_array_append_new(list, json_pack("{s:s, s:s}", "what", what, "next", next));
}

static uint64_t age_of(const _Atomic uint64_t *then, uint64_t now_ns)
{
	uint64_t then_ns = atomic_load_explicit(then, memory_order_relaxed);

	return now_ns > then_ns ? now_ns - then_ns : 0;
}

static void dataplane_check(const struct io_relay *r, uint64_t now_ns, json_t *list)
{
	const struct shm_state *s = &r->plane.state;
	uint64_t age_ns;
	uint32_t flags;

	if (!r->plane.up) {
		warn(list, "turnpike-dataplane --config FILE", "the data plane is not running");
		return;
	}
	age_ns = age_of(&s->header->file.heartbeat_ns, now_ns);
	flags = atomic_load(&s->header->flags);
	if (age_ns > STALE_NS)
		warn(list, "relayctl worker show", "the data plane gave no sign of life for %.1f s",
			(double)age_ns / TP_NS_PER_S);
	if ((flags & TP_STATE_SEGMENT_LOST) != 0)
		warn(list, "restart turnpike-control",
			"a file of the segment was truncated; the data plane waits for a new one");
	if ((flags & TP_STATE_NO_HUGE) != 0)
		warn(list, "sysctl vm.nr_hugepages=256, then restart turnpike-dataplane",
			"the data plane runs without huge pages: slower");
	if (r->plane.punt.file.base == NULL)
		warn(list, "look at the log of turnpike-dataplane",
			"the data plane's rings can't be mapped: no request is answered");
}

static bool cores_shared(const struct io_relay *r)
{
	return (atomic_load(&r->plane.state.header->flags) & TP_STATE_CORES_SHARED) != 0;
}

// ", a grace period is open for 12 ms", where one is.
static const char *grace_age(const struct io_relay *r, uint64_t now_ns, char *text, size_t size)
{
	struct tables_counts c;

	text[0] = '\0';
	tables_get_counts(r->tables, now_ns, &c);
	if (c.grace_open_ns > 0)
		snprintf(text, size, ", a grace period is open for %llu ms",
			(unsigned long long)(c.grace_open_ns / TP_NS_PER_MS));
	return text;
}

static void worker_check(const struct io_relay *r, uint32_t w, uint64_t now_ns, json_t *list)
{
	const struct tp_worker_stats *s = &r->plane.state.workers[w];
	uint64_t age_ns = age_of(&s->heartbeat_ns, now_ns);
	unsigned core = atomic_load(&s->lcore);
	char next[160], grace[64];

	grace_age(r, now_ns, grace, sizeof(grace));
	if (atomic_load(&s->online) != 0 && age_ns > STUCK_NS)
		warn(list, "relayctl worker show", "worker %u is stuck for %llu ms%s", w,
			(unsigned long long)(age_ns / TP_NS_PER_MS), grace);
	if (r->rates.workers[w].switches <= PREEMPTED_MAX)
		return;
	if (cores_shared(r))
		snprintf(next, sizeof(next),
			"kernel command line: isolcpus=%u nohz_full=%u; or a cpuset: "
			"docs/operating.md",
			core, core);
	else
		snprintf(next, sizeof(next),
			"relayctl worker show; ps -eLo psr,pid,comm | grep '^ *%u '", core);
	warn(list, next, "the kernel takes worker %u off core %u, %llu times a second%s", w, core,
		(unsigned long long)r->rates.workers[w].switches, grace);
}

static void workers_check(const struct io_relay *r, uint64_t now_ns, json_t *list)
{
	const struct shm_state *s = &r->plane.state;

	// A worker that sleeps when it has nothing to do shares its core well enough until it is
	// seen to be taken off it.
	if (cores_shared(r) && r->settings->conf->dataplane.poll == CONF_POLL_BUSY)
		warn(list,
			"kernel command line: isolcpus, nohz_full; or a cpuset: "
			"docs/operating.md",
			"busy workers run on cores that the kernel gives to others as well");

	for (uint32_t w = 0; w < s->n_workers && w < TP_WORKERS_MAX; w++)
		worker_check(r, w, now_ns, list);
}

static void ports_check(const struct io_relay *r, uint64_t now_ns, json_t *list)
{
	const struct shm_state *s = &r->plane.state;

	for (uint32_t i = 0; i < s->n_ports; i++) {
		const struct tp_port *p = &s->header->ports[i];

		if (atomic_load(&p->link_up) == 0)
			warn(list, "relayctl port show", "port %u (%.*s) has no link", i,
				(int)strnlen(p->interface, sizeof(p->interface)), p->interface);
		if (i < TP_PORTS_MAX && r->rates.ports[i].missed_ns != 0 &&
			now_ns - r->rates.ports[i].missed_ns < MISSED_NS)
			warn(list, "relayctl worker show",
				"port %u (%.*s) lost packets before a worker took them: %llu in "
				"all, %llu of them in the last second",
				i, (int)strnlen(p->interface, sizeof(p->interface)), p->interface,
				(unsigned long long)r->rates.ports[i].missed_last,
				(unsigned long long)r->rates.ports[i].missed_per_s);
	}
}

static void next_hops_check(const struct io_relay *r, json_t *list)
{
	struct tables_next_hop hop, first = {0};
	uint32_t cursor = 0;
	unsigned n = 0;
	char buf[TEXT_ADDR_SIZE];

	while (tables_next_hop_next(r->tables, &cursor, &hop)) {
		if (hop.wanted && hop.word == 0 && n++ == 0)
			first = hop;
	}
	if (n > 0)
		warn(list, "relayctl nexthop list", "%u next hop%s not resolved: %s%s", n,
			n == 1 ? " is" : "s are", text_ip_format(&first.addr, buf),
			n == 1 ? "" : " and others");
}

static void tables_check(const struct io_relay *r, uint64_t now_ns, json_t *list)
{
	uint32_t limit = r->settings->conf->limits.allocations;
	size_t live = turn_allocation_count(r->turn);
	struct tables_counts c;

	tables_get_counts(r->tables, now_ns, &c);
	// Without a data plane nobody answers for a grace period: that is said already.
	if (r->plane.up && c.grace_open_ns > GRACE_NS)
		warn(list, "relayctl worker show",
			"a grace period is open for %llu ms: a worker does not come round",
			(unsigned long long)(c.grace_open_ns / TP_NS_PER_MS));
	if (c.entries_free < c.entries / 8)
		warn(list, "raise limits.entries, then restart both processes",
			"the table is nearly full: %u of %u entries are free", c.entries_free,
			c.entries);
	if (live >= limit - limit / 10)
		warn(list, "raise limits.allocations, then restart both processes",
			"%zu of at most %u allocations are in use", live, limit);
}

static void addresses_check(const struct io_relay *r, json_t *list)
{
	const struct conf *conf = r->settings->conf;
	char buf[TEXT_ADDR_SIZE];

	// A port without a kernel interface has addresses of which the kernel knows nothing.
	for (size_t i = 0; i < conf->dataplane.n_ports; i++) {
		if (conf->dataplane.ports[i].interface == NULL &&
			conf->dataplane.ports[i].kernel == NULL)
			return;
	}
	for (size_t i = 0; i < conf->n_listeners; i++) {
		if (net_mirror_address_owner(r->hops.mirror, &conf->listeners[i].addr) == 0)
			warn(list, "ip address", "no interface has the listener's address %s",
				text_ip_format(&conf->listeners[i].addr, buf));
	}
}

static void rings_check(const struct io_relay *r, json_t *list)
{
	if (r->rates.drop_per_s[TP_DROP_punt_full] > 0)
		warn(list, "relayctl drop show",
			"requests come faster than they are answered: %llu dropped a second",
			(unsigned long long)r->rates.drop_per_s[TP_DROP_punt_full]);
	if (io_rings_resets(&r->rings) > 0)
		warn(list, "relayctl counter show", "rings were reset %llu times",
			(unsigned long long)io_rings_resets(&r->rings));
}

static void reserved_check(const struct io_relay *r, json_t *list)
{
	const struct conf_relay *relay = &r->settings->conf->relay;
	char next[96];

	if (io_ports_are_reserved(relay->port_min, relay->port_max))
		return;
	snprintf(next, sizeof(next), "sysctl net.ipv4.ip_local_reserved_ports=%u-%u",
		relay->port_min, relay->port_max);
	warn(list, next, "the kernel may pick relayed ports for its own sockets");
}

void io_warnings_collect(const struct io_relay *r, uint64_t now_ns, json_t *list)
{
	dataplane_check(r, now_ns, list);
	if (r->plane.up) {
		workers_check(r, now_ns, list);
		ports_check(r, now_ns, list);
		next_hops_check(r, list);
		rings_check(r, list);
		reserved_check(r, list);
	}
	tables_check(r, now_ns, list);
	addresses_check(r, list);
}
