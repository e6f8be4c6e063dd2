// SPDX-License-Identifier: BSD-3-Clause
#include <plan/plan.h>

#include <stdarg.h>

#include <proc/buffers.h>
#include <proc/host.h>
#include <tables/writer.h>
#include <turnpike/limits.h>

#include <settings/settings.h>

#define HUGE_PAGE	 (2ull << 20)
#define ENTRIES_PER_CALL 4u // allocation, permission, and a channel's two

// Around a packet on Ethernet: header, FCS, preamble and gap between frames.
#define WIRE_ETHERNET	 (14u + 4u + 8u + 12u)
#define WIRE_UDP	 8u
#define WIRE_CHANNEL	 4u

// A packet buffer beside its data: DPDK's descriptor, the pool's header, and the data plane's room
// in front of and behind a frame (dataplane/io/pool.c).
#define BUFFER_EXTRA	 (128u + 64u + 128u + 256u + 18u + 32u)
#define BUFFER_LEAST	 (128u + 64u + 128u + 2048u)
#define BUFFER_SLACK	 (16ull << 20)

static uint64_t pages_of(uint64_t octets)
{
	return (octets + HUGE_PAGE - 1) / HUGE_PAGE;
}

__attribute__((format(printf, 3, 4))) static void short_add(
	struct plan *p, const char *remedy, const char *format, ...)
{
	struct plan_shortage *s;
	va_list ap;

	if (p->n_short == TP_ARRAY_LEN(p->shortages))
		return;
	s = &p->shortages[p->n_short++];
	va_start(ap, format);
	vsnprintf(s->what, sizeof(s->what), format, ap);
	va_end(ap);
	snprintf(s->remedy, sizeof(s->remedy), "%s", remedy);
}

static void capacity_make(struct plan *p)
{
	const struct conf *c = p->conf;

	p->ports_per_address = c->relay.port_max - c->relay.port_min + 1u;
	for (size_t i = 0; i < c->relay.n_addresses; i++) {
		if (c->relay.addresses[i].family == TP_FAMILY_IPV4)
			p->n_addresses4++;
		else
			p->n_addresses6++;
	}
	p->by_ports = (uint64_t)p->ports_per_address * (p->n_addresses4 + p->n_addresses6);
	// Entry 0 is never used.
	p->by_entries = (c->limits.entries - 1u) / ENTRIES_PER_CALL;
	p->allocations = c->limits.allocations;
	if (p->by_ports < p->allocations)
		p->allocations = p->by_ports;
	if (p->by_entries < p->allocations)
		p->allocations = p->by_entries;
}

static void files_size(const struct conf *c, uint32_t n_allocations, uint32_t n_entries,
	uint64_t octets[PLAN_FILES])
{
	struct shm_tables_shape shape = settings_shape(c);
	uint32_t workers = c->dataplane.workers;

	shape.n_allocations = n_allocations;
	shape.n_entries = n_entries;
	shape.n_limits =
		(uint32_t)((uint64_t)shape.n_limits * n_allocations / c->limits.allocations);
	octets[PLAN_TABLES] = shm_tables_size(&shape);
	octets[PLAN_STATE] = shm_state_size(workers, n_entries, shape.n_limits);
	octets[PLAN_PUNT] = shm_punt_size(workers);
	octets[PLAN_INJECT] = shm_inject_size(workers);
	octets[PLAN_EDGE] = octets[PLAN_STREAM] = 0;
	if (conf_has_edge(c)) {
		octets[PLAN_EDGE] = shm_streams_size(SHM_EDGE, workers, c->edge.threads);
		octets[PLAN_STREAM] = shm_streams_size(SHM_STREAM, workers, c->edge.threads);
	}
	octets[PLAN_PRIVATE] = tables_private_octets(&shape);
}

static uint64_t pages_sum(const uint64_t octets[PLAN_FILES])
{
	uint64_t n = 0;

	for (unsigned i = 0; i < PLAN_FILES; i++)
		n += pages_of(octets[i]);
	return n;
}

// Memory of one entry in all files: itself, its share of the buckets, cells, the usage's base.
static uint64_t entry_octets(const struct conf *c)
{
	uint64_t many[PLAN_FILES], none[PLAN_FILES];
	uint32_t entries = c->limits.entries;
	uint64_t sum = 0;

	files_size(c, c->limits.allocations, entries, many);
	files_size(c, c->limits.allocations, 4, none);
	for (unsigned i = 0; i < PLAN_FILES; i++)
		sum += many[i] - none[i];
	return (sum + entries - 1) / entries;
}

// Memory of an allocation's private record, with its share of the names.
static uint64_t record_octets(void)
{
	const struct shm_tables_shape none = {.n_entries = 4};
	const struct shm_tables_shape many = {.n_entries = 4, .n_allocations = 1u << 20};

	return (tables_private_octets(&many) - tables_private_octets(&none) + many.n_allocations -
		       1) /
	       many.n_allocations;
}

static uint64_t buckets_octets(const struct conf *c)
{
	return (uint64_t)settings_limits_needed(c) * PROC_BUCKETS_BYTES;
}

// An allocation's share of the limits array and its counters, and of the buckets where caps are
// set: others are never touched.
static uint64_t limit_octets(const struct conf *c)
{
	uint64_t each = sizeof(struct tp_limit) +
			(uint64_t)c->dataplane.workers * sizeof(struct tp_limit_cell);

	return (settings_shape(c).n_limits * each + buckets_octets(c)) / c->limits.allocations;
}

// At most: each worker's part of the file begins and ends within a page.
static uint64_t state_pages(const struct conf *c, uint64_t octets)
{
	uint64_t all = pages_of(shm_state_size(
		c->dataplane.workers, c->limits.entries, settings_shape(c).n_limits));
	uint64_t n = pages_of(octets) + 2ull * c->dataplane.workers;

	return n < all ? n : all;
}

static void segment_make(struct plan *p)
{
	const struct conf *c = p->conf;
	const uint32_t many = 100000;
	uint64_t octets[PLAN_FILES];
	uint64_t entries = (uint64_t)many * c->limits.entries / c->limits.allocations;

	files_size(c, c->limits.allocations, c->limits.entries, p->octets);
	for (unsigned i = 0; i < PLAN_FILES; i++) {
		p->huge_pages[i] = pages_of(p->octets[i]);
		p->segment_octets += p->octets[i];
	}
	p->state_first = shm_state_used(c->dataplane.workers, c->limits.entries,
		settings_shape(c).n_limits, tables_cells_first(c->limits.entries));
	p->state_first_huge = state_pages(c, p->state_first);
	p->segment_first = p->segment_octets - p->octets[PLAN_STATE] + p->state_first;
	p->control_octets = settings_memory(c);
	p->used_per_allocation =
		ENTRIES_PER_CALL * entry_octets(c) + record_octets() + limit_octets(c);
	files_size(c, many, entries < TP_ENTRIES_MAX ? (uint32_t)entries : TP_ENTRIES_MAX, octets);
	for (unsigned i = 0; i < PLAN_FILES; i++)
		p->octets_per_100k += octets[i];
	p->huge_per_100k = pages_sum(octets);
}

static uint64_t buffer_octets(uint32_t n, uint32_t mtu)
{
	uint64_t element = BUFFER_EXTRA + mtu > BUFFER_LEAST ? BUFFER_EXTRA + mtu : BUFFER_LEAST;

	element = (element + 63) / 64 * 64;
	return n * element + BUFFER_SLACK;
}

// A pool for each NUMA node that has ports, as in the data plane.
static void buffers_make(struct plan *p)
{
	const struct conf_dataplane *d = &p->conf->dataplane;
	struct proc_port_shape ports[TP_PORTS_MAX] = {0};
	struct conf_dataplane known = *d;
	struct proc_buffers b;
	bool small; // pages

	known.n_ports = d->n_ports < TP_PORTS_MAX ? d->n_ports : TP_PORTS_MAX;
	for (size_t i = 0; i < known.n_ports; i++)
		ports[i] = (struct proc_port_shape){
			p->host.node[i], p->host.rx_queues[i], p->host.mtu[i]};
	proc_buffers_count(&b, &known, ports);
	for (unsigned n = 0; n < PROC_NODES_MAX; n++) {
		uint64_t octets;

		if (b.of_node[n] == 0)
			continue;
		octets = buffer_octets(b.of_node[n], b.mtu);
		p->buffers += b.of_node[n];
		p->buffer_octets += octets;
		p->buffer_nodes++;
		if (d->hugepages != CONF_HUGEPAGES_NEVER)
			p->buffer_huge_pages += pages_of(octets);
	}
	p->huge_total = p->buffer_huge_pages + pages_sum(p->octets);
	small = p->buffer_huge_pages == 0 ||
		(p->host.huge_known && p->host.huge_free < p->huge_total);
	p->fragment_octets = proc_fragment_memory(d);
	p->dataplane_octets = proc_dataplane_memory(d, small ? p->buffer_octets : 0,
		small ? p->octets[PLAN_STATE] + p->octets[PLAN_PUNT] + p->octets[PLAN_STREAM] : 0);
	p->dataplane_octets += buckets_octets(p->conf);
}

// The client's frames carry a channel header, the peer's do not.
static void media_make(struct plan *p)
{
	static const struct plan_media kinds[PLAN_MEDIA] = {
		{.name = "voice",
			.text = "Opus voice, 20 ms packets of 160 octets",
			.packets_per_s = 50,
			.payload = 160},
		{.name = "video",
			.text = "video, about 1.5 Mbit/s each way",
			.packets_per_s = 156,
			.payload = 1200},
		{.name = "data",
			.text = "10 Mbit/s each way in packets of 1,200 octets",
			.packets_per_s = 1042,
			.payload = 1200},
	};
	uint32_t ip = p->n_addresses4 > 0 ? 20 : 40;

	for (unsigned i = 0; i < PLAN_MEDIA; i++) {
		struct plan_media *m = &p->media[i];
		uint64_t frame;

		*m = kinds[i];
		frame = WIRE_ETHERNET + ip + WIRE_UDP + m->payload;
		m->relayed = 2ull * m->packets_per_s;
		m->bits_per_s = 8ull * m->packets_per_s * (2 * frame + WIRE_CHANNEL);
		m->bits_per_s_all = m->bits_per_s * p->allocations;
		m->per_worker = p->host.worker_packets_per_s / m->relayed;
	}
}

static void capacity_judge(struct plan *p)
{
	const struct conf *c = p->conf;
	uint32_t least = p->n_addresses4 < p->n_addresses6 ? p->n_addresses4 : p->n_addresses6;

	if (c->limits.allocations > p->by_ports)
		short_add(p, "widen relay.ports, add relay.addresses, or lower limits.allocations",
			"ports: limits.allocations is %u, but %u addresses have %u ports each, "
			"%llu in all",
			c->limits.allocations, p->n_addresses4 + p->n_addresses6,
			p->ports_per_address, (unsigned long long)p->by_ports);
	else if (least > 0 && c->limits.allocations > (uint64_t)least * p->ports_per_address)
		short_add(p, "enough unless nearly all clients ask for one family",
			"ports of one family: limits.allocations is %u, IPv4 has %llu ports, IPv6 "
			"%llu",
			c->limits.allocations,
			(unsigned long long)p->n_addresses4 * p->ports_per_address,
			(unsigned long long)p->n_addresses6 * p->ports_per_address);
	if (c->limits.allocations > p->by_entries)
		short_add(p, "raise limits.entries to four times limits.allocations or more",
			"entries: limits.entries is %u, enough for %llu allocations with one "
			"channel, not for %u",
			c->limits.entries, (unsigned long long)p->by_entries,
			c->limits.allocations);
}

static void host_judge(struct plan *p)
{
	const struct conf_dataplane *d = &p->conf->dataplane;

	if (p->host.huge_known && d->hugepages != CONF_HUGEPAGES_NEVER &&
		p->host.huge_free < p->huge_total)
		short_add(p,
			"raise vm.nr_hugepages before the start; without them 4 KiB pages serve",
			"huge pages: %llu of 2 MiB needed, %llu free on this machine",
			(unsigned long long)p->huge_total, (unsigned long long)p->host.huge_free);
	if (p->host.memory_max != 0 && p->host.memory_max < p->control_octets)
		short_add(p,
			"raise memory.max of the control group (MemoryMax of the unit), or lower "
			"limits.allocations",
			"memory: turnpike-control needs up to %llu MiB, the control group's limit "
			"is %llu MiB",
			(unsigned long long)(p->control_octets >> 20),
			(unsigned long long)(p->host.memory_max >> 20));
	if (p->host.memory_max != 0 && p->host.memory_max < p->dataplane_octets)
		short_add(p,
			"raise memory.max of the control group (MemoryMax of the unit), or lower "
			"dataplane.mbufs or dataplane.fragment_memory",
			"memory: turnpike-dataplane needs up to %llu MiB, the control group's "
			"limit is %llu MiB",
			(unsigned long long)(p->dataplane_octets >> 20),
			(unsigned long long)(p->host.memory_max >> 20));
	if (p->host.cores != 0 && d->workers >= p->host.cores)
		short_add(p, "leave one core to the kernel and turnpike-control",
			"cores: %u workers on this machine's %u cores", d->workers, p->host.cores);
	for (size_t i = 0; i < d->n_ports && i < TP_PORTS_MAX; i++) {
		const struct conf_port *port = &d->ports[i];
		uint64_t mbps = p->media[0].bits_per_s_all / 1000000;

		if (p->host.rx_queues[i] != 0 && p->host.rx_queues[i] < d->workers)
			short_add(p, "ethtool -L, or fewer workers",
				"queues: port %s has %u receive queues for %u workers",
				port->interface, p->host.rx_queues[i], d->workers);
		if (p->host.link_mbps[i] != 0 && p->host.link_mbps[i] < mbps && d->n_ports == 1)
			short_add(p, "a faster port, or fewer allocations",
				"bandwidth: %llu allocations of voice are %llu Mbit/s, port %s has "
				"%u",
				(unsigned long long)p->allocations, (unsigned long long)mbps,
				port->interface, p->host.link_mbps[i]);
	}
	if (p->host.worker_packets_per_s != 0 &&
		p->media[0].per_worker * d->workers < p->allocations)
		short_add(p, "more workers, or fewer allocations",
			"workers: %u workers carry %llu allocations of voice, not %llu", d->workers,
			(unsigned long long)(p->media[0].per_worker * d->workers),
			(unsigned long long)p->allocations);
}

void plan_make(struct plan *p, const struct conf *conf, const struct plan_host *host)
{
	*p = (struct plan){.conf = conf, .host = *host};
	capacity_make(p);
	segment_make(p);
	buffers_make(p);
	media_make(p);
	capacity_judge(p);
	host_judge(p);
}
