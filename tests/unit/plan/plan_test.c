// SPDX-License-Identifier: BSD-3-Clause
// The figures of --plan, against the code that makes the files and a calculation by hand.
#include <plan/plan.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <shm/segment.h>
#include <tables/writer.h>
#include <turnpike/base.h>
#include <turnpike/limits.h>

#include <settings/settings.h>

static const struct conf_port port = {.interface = "nic0"};
static struct tp_addr addresses[3];

// 2,000 ports on two IPv4 addresses and one IPv6 address.
static struct conf conf_make(uint32_t allocations, uint32_t entries)
{
	static const uint8_t ip6[16] = {0xfd, 0x77, [15] = 1};
	struct conf c = {.instance = "default"};

	addresses[0] = tp_addr_ipv4(0x0a4d0001, 0);
	addresses[1] = tp_addr_ipv4(0x0a4d0002, 0);
	addresses[2] = tp_addr_ipv6(ip6, 0);
	c.dataplane.workers = 2;
	c.dataplane.ports = &port;
	c.dataplane.n_ports = 1;
	c.relay.addresses = addresses;
	c.relay.n_addresses = 3;
	c.relay.port_min = 50000;
	c.relay.port_max = 51999;
	c.limits.allocations = allocations;
	c.limits.entries = entries;
	return c;
}

static const char *shortage(const struct plan *p, const char *word)
{
	for (unsigned i = 0; i < p->n_short; i++) {
		if (strncmp(p->shortages[i].what, word, strlen(word)) == 0) {
			assert_true(p->shortages[i].remedy[0] != '\0');
			return p->shortages[i].what;
		}
	}
	return NULL;
}

static void plan_of(struct plan *p, const struct conf *c, const struct plan_host *host)
{
	static const struct plan_host unknown;

	plan_make(p, c, host == NULL ? &unknown : host);
}

static void the_least_decides(void **state)
{
	struct conf c = conf_make(1000, 8000);
	struct plan p;

	(void)state;
	plan_of(&p, &c, NULL);
	assert_int_equal(p.ports_per_address, 2000);
	assert_int_equal(p.by_ports, 6000);
	assert_int_equal(p.by_entries, 1999);
	assert_int_equal(p.allocations, 1000);
	assert_int_equal(p.n_short, 0);

	c = conf_make(7000, 56000);
	plan_of(&p, &c, NULL);
	assert_int_equal(p.allocations, 6000);
	assert_non_null(strstr(shortage(&p, "ports: "), "6000 in all"));

	c = conf_make(1000, 2000);
	plan_of(&p, &c, NULL);
	assert_int_equal(p.allocations, 499);
	assert_non_null(shortage(&p, "entries: "));
	assert_null(shortage(&p, "ports"));

	// 2,000 of IPv6 are fewer than 3,000.
	c = conf_make(3000, 24000);
	plan_of(&p, &c, NULL);
	assert_int_equal(p.allocations, 3000);
	assert_non_null(shortage(&p, "ports of one family"));
}

static void files_are_those_that_are_made(void **state)
{
	struct conf c = conf_make(1000, 8000);
	struct shm_tables_shape shape = settings_shape(&c);
	struct plan p;
	uint64_t sum = 0, pages = 0;

	(void)state;
	plan_of(&p, &c, NULL);
	assert_int_equal(p.octets[PLAN_TABLES], shm_tables_size(&shape));
	// A block of counters and a cell for each entry and limit, per worker, behind the header.
	assert_int_equal(p.octets[PLAN_STATE],
		sizeof(struct tp_state_header) +
			2 * (sizeof(struct tp_worker_stats) + 8000 * sizeof(struct tp_cell) +
				    shape.n_limits * sizeof(struct tp_limit_cell)));
	assert_true(p.octets[PLAN_PUNT] >= 2ull * 3 * TP_RING_SLOTS * TP_RING_SLOT_SIZE);
	assert_true(p.octets[PLAN_INJECT] >= 2ull * TP_RING_SLOTS * TP_RING_SLOT_SIZE);
	for (unsigned i = 0; i < PLAN_FILES; i++) {
		sum += p.octets[i];
		pages += p.huge_pages[i];
		assert_true(p.huge_pages[i] << 21 >= p.octets[i]);
		assert_true(p.octets[i] == 0 || (p.huge_pages[i] - 1) << 21 < p.octets[i]);
	}
	assert_int_equal(p.segment_octets, sum);
	assert_int_equal(p.huge_total, pages + p.buffer_huge_pages);
}

// One pair for each worker and thread; each side writes a file of its own, and those to the edge
// are longer.
static void rings_of_streams_are_counted(void **state)
{
	const uint64_t to_workers = 2ull * 3 * TP_RING_SLOTS * TP_RING_SLOT_SIZE;
	const uint64_t to_edge = 2ull * 3 * TP_STREAM_SLOTS * TP_RING_SLOT_SIZE;
	struct conf c = conf_make(1000, 8000);
	struct conf_listener listener = {.transport = CONF_TRANSPORT_TLS};
	struct plan without, p;

	(void)state;
	plan_of(&without, &c, NULL);
	assert_int_equal(without.octets[PLAN_EDGE] + without.octets[PLAN_STREAM], 0);
	c.listeners = &listener;
	c.n_listeners = 1;
	c.edge.threads = 3;
	plan_of(&p, &c, NULL);
	assert_int_equal(p.octets[PLAN_EDGE], shm_streams_size(SHM_EDGE, 2, 3));
	assert_int_equal(p.octets[PLAN_STREAM], shm_streams_size(SHM_STREAM, 2, 3));
	assert_true(p.octets[PLAN_EDGE] >= to_workers && p.octets[PLAN_STREAM] >= to_edge);
	assert_int_equal(p.huge_total,
		without.huge_total + p.huge_pages[PLAN_EDGE] + p.huge_pages[PLAN_STREAM]);
	assert_true(p.segment_octets >= without.segment_octets + to_workers + to_edge);
}

static void an_allocation_fits_in_what_it_is_said_to_use(void **state)
{
	struct conf c = conf_make(100000, 400001);
	struct plan p;

	(void)state;
	plan_of(&p, &c, NULL);
	// Four entries with two cells each at the very least.
	assert_true(p.used_per_allocation > 4 * (sizeof(struct tp_entry) + 32));
	// Together they take nearly all of the part that grows with them.
	assert_true(100000 * p.used_per_allocation < p.segment_octets + 100000 * 8);
	assert_true(100000 * p.used_per_allocation > p.segment_octets * 8 / 10);
	assert_in_range(p.octets_per_100k, p.segment_octets - 64 * 100, p.segment_octets);
}

// Two slots for each allocation, in the data plane's own memory.
static void buckets_of_caps_are_counted(void **state)
{
	struct conf c = conf_make(30000, 120001);
	struct plan without, p;

	(void)state;
	plan_of(&without, &c, NULL);
	c.limits.caps.user.packet_rate = 7;
	plan_of(&p, &c, NULL);
	assert_int_equal(p.segment_octets, without.segment_octets);
	assert_int_equal(p.dataplane_octets, without.dataplane_octets + 60128 * 128);
	assert_in_range(p.used_per_allocation - without.used_per_allocation, 256, 257);
}

// The bar: without caps slots of them are not made where they are much memory.
static void an_allocation_fits_in_a_kilobyte(void **state)
{
	struct conf c = conf_make(250000, 1000001);
	struct plan p;

	(void)state;
	c.dataplane.workers = 1;
	plan_of(&p, &c, NULL);
	assert_true(p.used_per_allocation <= 1024);
	c.limits.caps.realm.bandwidth_kbps = 7;
	plan_of(&p, &c, NULL);
	assert_in_range(p.used_per_allocation, 1024, 1300);
}

static void buffers_follow_the_queues(void **state)
{
	struct conf c = conf_make(1000, 8000);
	struct plan_host host = {.rx_queues = {8}};
	struct plan p;

	(void)state;
	plan_of(&p, &c, NULL);
	assert_int_equal(p.buffers, TP_BUFFERS_MIN);
	plan_of(&p, &c, &host);
	assert_int_equal(p.buffers, 8 * TP_QUEUE_BUFFERS);
	c.dataplane.mbufs = 20000;
	plan_of(&p, &c, &host);
	assert_int_equal(p.buffers, 20000);
	c.dataplane.hugepages = CONF_HUGEPAGES_NEVER;
	plan_of(&p, &c, &host);
	assert_int_equal(p.buffer_huge_pages, 0);
}

// A pool for each node that has ports, each with its own pages.
static void buffers_are_counted_by_node(void **state)
{
	static const struct conf_port two[2] = {{.interface = "nic0"}, {.interface = "nic1"}};
	struct conf c = conf_make(1000, 8000);
	struct plan_host host = {.rx_queues = {4, 8}, .node = {0, 0}};
	struct plan one, apart;

	(void)state;
	c.dataplane.ports = two;
	c.dataplane.n_ports = 2;
	plan_of(&one, &c, &host);
	assert_int_equal(one.buffer_nodes, 1);
	assert_int_equal(one.buffers, 12 * TP_QUEUE_BUFFERS);
	host.node[1] = 1;
	plan_of(&apart, &c, &host);
	assert_int_equal(apart.buffer_nodes, 2);
	assert_int_equal(apart.buffers, one.buffers);
	c.dataplane.mbufs = 20000;
	plan_of(&one, &c, &host);
	assert_int_equal(one.buffers, 40000);
	host.node[1] = 0;
	plan_of(&apart, &c, &host);
	assert_int_equal(one.buffer_octets, 2 * apart.buffer_octets);
	assert_int_equal(one.buffer_huge_pages, 2 * apart.buffer_huge_pages);
}

// On ordinary pages, so a control group's limit counts them.
static void fragments_are_counted_by_worker(void **state)
{
	struct conf c = conf_make(1000, 8000);
	struct plan with, without;

	(void)state;
	plan_of(&without, &c, NULL);
	assert_int_equal(without.fragment_octets, 0);
	c.dataplane.fragment_mib = 4;
	plan_of(&with, &c, NULL);
	assert_int_equal(with.fragment_octets, 2 * (5 << 20));
	assert_int_equal(with.dataplane_octets, without.dataplane_octets + with.fragment_octets);
	assert_int_equal(with.huge_total, without.huge_total);
}

static void wire_counts_every_octet(void **state)
{
	struct conf c = conf_make(1000, 8000);
	struct plan p;

	(void)state;
	plan_of(&p, &c, NULL);
	// Preamble and gap 20, Ethernet and FCS 18, IPv4 20, UDP 8, payload 160; 4 of the channel
	// on the client's side.
	assert_int_equal(p.media[0].relayed, 100);
	assert_int_equal(p.media[0].bits_per_s, 50 * 8 * (226 + 230));
	assert_int_equal(p.media[0].bits_per_s_all, 1000 * p.media[0].bits_per_s);
	assert_int_equal(p.media[0].per_worker, 0);
}

static void the_machine_is_judged(void **state)
{
	struct conf c = conf_make(1000, 8000);
	struct plan_host host = {.huge_known = true,
		.huge_free = 3,
		.cores = 2,
		.rx_queues = {1},
		.link_mbps = {100},
		.worker_packets_per_s = 40000};
	struct plan p;

	(void)state;
	plan_of(&p, &c, &host);
	assert_non_null(strstr(shortage(&p, "huge pages: "), "3 free"));
	assert_non_null(shortage(&p, "cores: "));
	assert_non_null(strstr(shortage(&p, "queues: "), "1 receive queues for 2 workers"));
	assert_non_null(strstr(shortage(&p, "bandwidth: "), "182 Mbit/s"));
	assert_int_equal(p.media[0].per_worker, 400);
	assert_non_null(strstr(shortage(&p, "workers: "), "carry 800"));
	host = (struct plan_host){.huge_known = true,
		.huge_free = 100000,
		.cores = 3,
		.rx_queues = {2},
		.link_mbps = {1000},
		.worker_packets_per_s = 50000};
	plan_of(&p, &c, &host);
	assert_int_equal(p.n_short, 0);
}

static void both_prints_tell_the_same(void **state)
{
	struct conf c = conf_make(7000, 56000);
	struct plan p;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	json_t *o;

	(void)state;
	plan_of(&p, &c, NULL);
	assert_int_equal(plan_print_json(&p, f), 0);
	fclose(f);
	o = json_loads(text, 0, NULL);
	assert_non_null(o);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(o, "capacity"), "allocations")),
		6000);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(o, "memory"), "segment_octets")),
		p.segment_octets);
	assert_int_equal(json_array_size(json_object_get(o, "short")), p.n_short);
	json_decref(o);
	free(text);
	f = open_memstream(&text, &len);
	plan_print(&p, f);
	fclose(f);
	assert_non_null(strstr(text, "6,000"));
	assert_non_null(strstr(text, p.shortages[0].what));
	assert_non_null(strstr(text, p.shortages[0].remedy));
	free(text);
}

static void memory_limit_is_compared(void **state)
{
	struct conf c = conf_make(1000, 4000);
	struct plan_host host = {.memory_max = 16ull << 20};
	struct plan p;

	(void)state;
	plan_of(&p, &c, &host);
	assert_non_null(shortage(&p, "memory"));
	// Packet buffers in common pages alone are more than 64 MB.
	c.dataplane.hugepages = CONF_HUGEPAGES_NEVER;
	host.memory_max = 64ull << 20;
	plan_of(&p, &c, &host);
	assert_non_null(shortage(&p, "memory: turnpike-dataplane"));
	assert_true(p.dataplane_octets > 90ull << 20 && p.dataplane_octets < 150ull << 20);
	host.memory_max =
		p.dataplane_octets > p.control_octets ? p.dataplane_octets : p.control_octets;
	plan_of(&p, &c, &host);
	assert_null(shortage(&p, "memory"));
	assert_true(p.control_octets > 16ull << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_decides),
		cmocka_unit_test(files_are_those_that_are_made),
		cmocka_unit_test(rings_of_streams_are_counted),
		cmocka_unit_test(an_allocation_fits_in_what_it_is_said_to_use),
		cmocka_unit_test(buckets_of_caps_are_counted),
		cmocka_unit_test(an_allocation_fits_in_a_kilobyte),
		cmocka_unit_test(buffers_follow_the_queues),
		cmocka_unit_test(buffers_are_counted_by_node),
		cmocka_unit_test(fragments_are_counted_by_worker),
		cmocka_unit_test(wire_counts_every_octet),
		cmocka_unit_test(the_machine_is_judged),
		cmocka_unit_test(both_prints_tell_the_same),
		cmocka_unit_test(memory_limit_is_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
