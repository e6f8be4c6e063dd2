// SPDX-License-Identifier: BSD-3-Clause
// The steering program in the kernel, on the loopback device of an own network namespace: which
// frames it takes, and that its loader finds, updates and removes it.
#include <steer/steer.h>

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <steer/maps.h>

#include "frame.h"
#include "netns.h"

#define ETHER_IPV4 0x0800
#define ETHER_IPV6 0x86dd
#define ETHER_VLAN 0x8100
#define TCP	   6
#define ICMP	   1
#define ICMP6	   58

static struct bpf_object *object;
static int program = -1;
static struct steer *steer;

static struct tp_addr ip4(uint8_t last)
{
	return tp_addr_ipv4(0xc0000200u | last, 0); // 192.0.2.0/24
}

static struct tp_addr ip6(uint8_t last)
{
	uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = last};

	return tp_addr_ipv6(ip, 0);
}

// With no socket in the map, packets taken are dropped.
static bool taken(const struct frame *f)
{
	struct bpf_test_run_opts opts = {
		.sz = sizeof(opts), .data_in = f->octets, .data_size_in = (uint32_t)f->len};

	assert_int_equal(bpf_prog_test_run_opts(program, &opts), 0);
	assert_true(opts.retval == XDP_DROP || opts.retval == XDP_PASS);
	return opts.retval == XDP_DROP;
}

static bool udp_taken(const struct tp_addr *to, uint16_t port)
{
	struct frame f;
	bool v6 = to->family == TP_FAMILY_IPV6;
	struct tp_addr from = v6 ? ip6(99) : ip4(99);

	frame_ether(&f, v6 ? ETHER_IPV6 : ETHER_IPV4);
	if (v6)
		frame_ipv6(&f, &from, to, IPPROTO_UDP);
	else
		frame_ipv4(&f, &from, to, IPPROTO_UDP, 0x4000, 0, 0);
	frame_udp(&f, 5000, port);
	return taken(&f);
}

static struct steer_claim listener(struct tp_addr ip, uint16_t port)
{
	return (struct steer_claim){ip, port, port, STEER_LISTENER};
}

static struct steer_claim relay(struct tp_addr ip, uint16_t min, uint16_t max)
{
	return (struct steer_claim){ip, min, max, STEER_RELAY};
}

static int setup(void **state)
{
	struct steer_claim own[4];
	char path[64];
	int fd = steer_object_open(path, sizeof(path));

	(void)state;
	assert_true(fd >= 0);
	object = bpf_object__open_file(path, NULL);
	assert_non_null(object);
	close(fd);
	assert_int_equal(bpf_object__load(object), 0);
	program = bpf_program__fd(bpf_object__next_program(object, NULL));
	assert_int_equal(bpf_xdp_attach((int)if_nametoindex("lo"), program, 0, NULL), 0);
	assert_int_equal(steer_find(&steer, "lo", NULL), 0);
	own[0] = listener(ip4(1), 3478);
	own[1] = listener(ip6(1), 3478);
	own[2] = relay(ip4(2), 50000, 50099);
	own[3] = relay(ip6(1), 50000, 50099);
	assert_int_equal(steer_update(steer, own, 4), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	steer_remove(steer);
	bpf_object__close(object);
	return 0;
}

static void test_udp(void **state)
{
	static const struct {
		uint8_t last;
		uint16_t port;
		bool v4;
		bool v6;
	} rows[] = {
		{1, 3478, true, true},
		{1, 3479, false, false},
		{1, 53, false, false},
		{1, 50000, false, true},
		{2, 49999, false, false},
		{2, 50000, true, false},
		{2, 50099, true, false},
		{2, 50100, false, false},
		{2, 3478, false, false},
		{3, 3478, false, false},
		{3, 50000, false, false},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct tp_addr v4 = ip4(rows[i].last), v6 = ip6(rows[i].last);

		if (udp_taken(&v4, rows[i].port) != rows[i].v4 ||
			udp_taken(&v6, rows[i].port) != rows[i].v6)
			fail_msg("row %zu: .%u port %u", i, rows[i].last, rows[i].port);
	}
}

static void test_not_ours(void **state)
{
	struct tp_addr from = ip4(99), to = ip4(1), from6 = ip6(99), to6 = ip6(1);
	struct frame f;

	(void)state;
	// TCP and echo requests to our own ports and addresses.
	frame_ether(&f, ETHER_IPV4);
	frame_ipv4(&f, &from, &to, TCP, 0, 0, 0);
	frame_udp(&f, 5000, 3478);
	assert_false(taken(&f));
	frame_ether(&f, ETHER_IPV4);
	frame_ipv4(&f, &from, &to, ICMP, 0, 0, 0);
	frame_udp(&f, 0x0800, 0);
	assert_false(taken(&f));
	frame_ether(&f, ETHER_IPV6);
	frame_ipv6(&f, &from6, &to6, TCP);
	frame_udp(&f, 5000, 3478);
	assert_false(taken(&f));
	// ARP, a VLAN tag, an IPv6 header behind the type of IPv4, a frame cut short.
	frame_ether(&f, 0x0806);
	frame_udp(&f, 1, 2);
	assert_false(taken(&f));
	frame_ether(&f, ETHER_VLAN);
	frame_put_u16(&f, 5);
	frame_put_u16(&f, ETHER_IPV4);
	frame_ipv4(&f, &from, &to, IPPROTO_UDP, 0, 0, 0);
	frame_udp(&f, 5000, 3478);
	assert_false(taken(&f));
	frame_ether(&f, ETHER_IPV4);
	frame_ipv4(&f, &from, &to, IPPROTO_UDP, 0, 0, 0);
	assert_false(taken(&f));
}

static void test_odd_headers(void **state)
{
	struct tp_addr from = ip4(99), to = ip4(1), from6 = ip6(99), to6 = ip6(1);
	const uint8_t hop_by_hop[8] = {IPPROTO_UDP, 0};
	struct frame f;

	(void)state;
	frame_ether(&f, ETHER_IPV4);
	frame_ipv4(&f, &from, &to, IPPROTO_UDP, 0, 0, 8);
	frame_udp(&f, 5000, 3478);
	assert_true(taken(&f));
	frame_ether(&f, ETHER_IPV6);
	frame_ipv6(&f, &from6, &to6, IPPROTO_HOPOPTS);
	frame_put(&f, hop_by_hop, sizeof(hop_by_hop));
	frame_udp(&f, 5000, 3478);
	assert_true(taken(&f));
}

static bool fragment4_taken(uint16_t id, uint16_t offset, bool more, uint16_t port)
{
	struct tp_addr from = ip4(99), to = ip4(1);
	struct frame f;

	frame_ether(&f, ETHER_IPV4);
	frame_ipv4(&f, &from, &to, IPPROTO_UDP, (uint16_t)((more ? 0x2000 : 0) | offset), id, 0);
	frame_udp(&f, 5000, port);
	return taken(&f);
}

static bool fragment6_taken(uint32_t id, uint16_t offset, bool more, uint16_t port)
{
	struct tp_addr from = ip6(99), to = ip6(1);
	struct frame f;

	frame_ether(&f, ETHER_IPV6);
	frame_ipv6(&f, &from, &to, IPPROTO_FRAGMENT);
	frame_put_u16(&f, IPPROTO_UDP << 8);
	frame_put_u16(&f, (uint16_t)(offset << 3 | (more ? 1 : 0)));
	frame_put_u16(&f, (uint16_t)(id >> 16));
	frame_put_u16(&f, (uint16_t)id);
	frame_udp(&f, 5000, port);
	return taken(&f);
}

// The first fragment says whose the datagram is; the rest follows it. A later one that comes before
// its first follows the last datagram between the two addresses; with none it is the kernel's.
static void test_fragments(void **state)
{
	(void)state;
	assert_false(fragment4_taken(6, 4, false, 3478));
	assert_true(fragment4_taken(7, 0, true, 3478));
	assert_true(fragment4_taken(7, 4, false, 53));
	assert_true(fragment4_taken(10, 4, false, 53));
	assert_false(fragment4_taken(8, 0, true, 53));
	assert_false(fragment4_taken(8, 4, true, 3478));
	assert_false(fragment4_taken(8, 8, false, 3478));
	assert_false(fragment4_taken(9, 4, false, 53));
	assert_true(fragment4_taken(7, 8, false, 53));
	assert_false(fragment6_taken(69999, 4, false, 3478));
	assert_true(fragment6_taken(70000, 0, true, 3478));
	assert_true(fragment6_taken(70000, 4, false, 53));
	assert_false(fragment6_taken(70001, 0, true, 53));
	assert_false(fragment6_taken(70001, 4, false, 53));
	assert_false(fragment6_taken(70002, 4, false, 53));
	assert_true(fragment6_taken(70000, 8, false, 53));
	assert_true(fragment6_taken(70003, 0, false, 3478));
	assert_false(fragment6_taken(70003, 0, false, 53));
}

static bool error4_taken(uint8_t type, uint8_t quoted_last, uint8_t protocol, uint16_t quoted_port)
{
	struct tp_addr router = ip4(200), to = ip4(1), quoted = ip4(quoted_last), peer = ip4(50);
	const uint8_t rest[6] = {0};
	struct frame f;

	frame_ether(&f, ETHER_IPV4);
	frame_ipv4(&f, &router, &to, ICMP, 0, 0, 0);
	frame_put_u16(&f, (uint16_t)(type << 8 | 1));
	frame_put(&f, rest, sizeof(rest));
	frame_ipv4(&f, &quoted, &peer, protocol, 0x4000, 0, 0);
	frame_udp(&f, quoted_port, 6000);
	return taken(&f);
}

static bool error6_taken(uint8_t type, uint8_t quoted_last, uint16_t quoted_port)
{
	struct tp_addr router = ip6(200), to = ip6(1), quoted = ip6(quoted_last), peer = ip6(50);
	const uint8_t rest[6] = {0};
	struct frame f;

	frame_ether(&f, ETHER_IPV6);
	frame_ipv6(&f, &router, &to, ICMP6);
	frame_put_u16(&f, (uint16_t)(type << 8));
	frame_put(&f, rest, sizeof(rest));
	frame_ipv6(&f, &quoted, &peer, IPPROTO_UDP);
	frame_udp(&f, quoted_port, 6000);
	return taken(&f);
}

static void test_errors(void **state)
{
	(void)state;
	assert_true(error4_taken(3, 2, IPPROTO_UDP, 50000));
	assert_true(error4_taken(11, 2, IPPROTO_UDP, 50099));
	assert_true(error4_taken(3, 1, IPPROTO_UDP, 3478));
	assert_false(error4_taken(3, 2, IPPROTO_UDP, 53));
	assert_false(error4_taken(3, 1, TCP, 3478));
	assert_false(error4_taken(3, 3, IPPROTO_UDP, 50000));
	assert_false(error4_taken(8, 2, IPPROTO_UDP, 50000));
	assert_true(error6_taken(1, 1, 50000));
	assert_true(error6_taken(2, 1, 3478));
	assert_false(error6_taken(1, 1, 53));
	assert_false(error6_taken(1, 2, 50000));
	assert_false(error6_taken(128, 1, 50000));
	assert_false(error6_taken(0, 1, 50000));
}

static void test_update(void **state)
{
	struct steer_claim before[4] = {listener(ip4(1), 3478), listener(ip6(1), 3478),
		relay(ip4(2), 50000, 50099), relay(ip6(1), 50000, 50099)};
	struct steer_claim after[2] = {listener(ip4(1), 3479), relay(ip4(1), 60000, 60001)};
	struct tp_addr v4 = ip4(1), v4b = ip4(2), v6 = ip6(1);

	(void)state;
	assert_int_equal(steer_update(steer, after, 2), 0);
	assert_true(udp_taken(&v4, 3479));
	assert_true(udp_taken(&v4, 60001));
	assert_false(udp_taken(&v4, 3478));
	assert_false(udp_taken(&v4b, 50000));
	assert_false(udp_taken(&v6, 3478));
	assert_int_equal(steer_update(steer, before, 4), 0);
	assert_true(udp_taken(&v4, 3478));
	assert_false(udp_taken(&v4, 3479));
	assert_true(udp_taken(&v4b, 50000));
	assert_true(udp_taken(&v6, 3478));
}

static void test_too_many(void **state)
{
	static struct steer_claim own[STEER_LISTENERS_MAX + 1];
	struct tp_addr v4 = ip4(1);

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(own); i++)
		own[i] = listener(ip4(1), (uint16_t)(10000 + i));
	assert_int_equal(steer_update(steer, own, TP_ARRAY_LEN(own)), -E2BIG);
	assert_true(udp_taken(&v4, 3478));
	assert_false(udp_taken(&v4, 10000));
}

static void test_clear(void **state)
{
	int lo = (int)if_nametoindex("lo");
	struct bpf_insn pass[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT}};
	struct steer_fault fault;
	struct steer *s;
	int other;

	(void)state;
	assert_int_equal(steer_clear("nowhere", &fault), -ENODEV);
	assert_int_equal(steer_clear("lo", &fault), 1);
	assert_int_equal(steer_clear("lo", &fault), 0);
	assert_int_equal(steer_find(&s, "lo", &fault), -ENOENT);

	other = bpf_prog_load(BPF_PROG_TYPE_XDP, "others", "GPL", pass, TP_ARRAY_LEN(pass), NULL);
	assert_true(other >= 0);
	assert_int_equal(bpf_xdp_attach(lo, other, 0, NULL), 0);
	assert_int_equal(steer_try("lo"), -EBUSY);
	assert_int_equal(steer_clear("lo", &fault), -EBUSY);
	assert_non_null(strstr(fault.problem, "others"));
	assert_non_null(strstr(fault.remedy, "xdpgeneric off"));
	assert_int_equal(steer_find(&s, "lo", &fault), -ENOENT);
	assert_int_equal(bpf_xdp_detach(lo, 0, NULL), 0);
	close(other);
	assert_int_equal(steer_try("lo"), 0);
	assert_int_equal(steer_clear("lo", &fault), 0);
	assert_int_equal(steer_try("nowhere"), -ENODEV);

	// Removing takes ours away, and only ours.
	assert_int_equal(bpf_xdp_attach(lo, program, 0, NULL), 0);
	assert_int_equal(steer_find(&s, "lo", &fault), 0);
	steer_remove(s);
	assert_int_equal(steer_clear("lo", &fault), 0);
}

// The file can't be held by others than those who may write to the directory, and goes with its
// owner.
static void test_lock(void **state)
{
	char directory[] = "/tmp/turnpike-lock-XXXXXX";
	struct steer_fault fault;
	int fd, other;

	(void)state;
	assert_non_null(mkdtemp(directory));
	fd = steer_interface_lock(directory, "lo", &fault);
	other = steer_interface_lock(directory, "lo2", &fault);
	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(steer_interface_lock(directory, "lo", &fault), -EADDRINUSE);
	steer_interface_unlock(directory, "lo", fd);
	fd = steer_interface_lock(directory, "lo", &fault);
	assert_true(fd >= 0);
	// A crash leaves the file, not the lock.
	close(fd);
	fd = steer_interface_lock(directory, "lo", &fault);
	assert_true(fd >= 0);
	steer_interface_unlock(directory, "lo", fd);
	steer_interface_unlock(directory, "lo2", other);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(steer_interface_lock("/nowhere", "lo", &fault), -ENOENT);
	assert_non_null(strstr(fault.problem, "/nowhere"));
}

// Taken off: put back, in its mode. Somebody else's in its place: left alone, and named.
static void test_verify(void **state)
{
	const struct bpf_insn pass[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT}};
	int lo = (int)if_nametoindex("lo");
	struct steer_fault fault;
	int other;

	(void)state;
	assert_int_equal(steer_mode(steer), STEER_MODE_GENERIC);
	assert_int_equal(steer_verify(steer, &fault), 0);
	assert_int_equal(bpf_xdp_detach(lo, 0, NULL), 0);
	assert_int_equal(steer_verify(steer, &fault), 1);
	assert_non_null(strstr(fault.remedy, "done"));
	assert_int_equal(steer_verify(steer, &fault), 0);
	assert_int_equal(bpf_xdp_detach(lo, 0, NULL), 0);
	other = bpf_prog_load(BPF_PROG_TYPE_XDP, "others", "GPL", pass, TP_ARRAY_LEN(pass), NULL);
	assert_true(other >= 0);
	assert_int_equal(bpf_xdp_attach(lo, other, 0, NULL), 0);
	assert_int_equal(steer_verify(steer, &fault), -EBUSY);
	assert_non_null(strstr(fault.problem, "another XDP program"));
	assert_int_equal(bpf_xdp_detach(lo, 0, NULL), 0);
	close(other);
	assert_int_equal(steer_verify(steer, &fault), 1);
	assert_int_equal(steer_make_generic(steer, &fault), 0);
	assert_int_equal(steer_verify(steer, &fault), 0);
}

// Packets of ours that find no socket are counted, those of the kernel are not.
static void test_unserved(void **state)
{
	const struct steer_claim own[] = {listener(ip4(1), 3478)};
	uint64_t before;

	(void)state;
	assert_int_equal(steer_update(steer, own, TP_ARRAY_LEN(own)), 0);
	before = steer_unserved(steer, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct tp_addr to = ip4(1);

		assert_true(udp_taken(&to, 3478));
		assert_false(udp_taken(&to, 3479));
	}
	assert_int_equal(steer_unserved(steer, 0), before + 3);
	assert_int_equal(steer_unserved(steer, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_odd_headers),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_unserved),
		cmocka_unit_test(test_clear),
	};

	if (!netns_enter())
		return EXIT_SKIPPED;
	return cmocka_run_group_tests_name("steer program", tests, setup, teardown);
}
