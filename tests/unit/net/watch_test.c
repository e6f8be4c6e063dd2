// SPDX-License-Identifier: BSD-3-Clause
// The mirror against the running kernel, in a network namespace of its own. Skipped (77) where
// none can be made.
#include <net/watch.h>

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <text/addr.h>

#include <cmocka.h>

#define MANY_ROUTES 20000u

struct fixture {
	struct net_mirror *m;
	struct net_watch *w;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static struct tp_addr ip(const char *text)
{
	struct tp_addr a;

	assert_int_equal(text_ip_parse(text, &a), 0);
	return a;
}

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	run("ip link add up0 type veth peer name up1 && ip link set up1 up &&"
	    " ip link set up0 up && ip addr add 192.0.2.1/24 dev up0 &&"
	    " ip route add default via 192.0.2.254 &&"
	    " ip neigh add 192.0.2.254 lladdr 02:00:00:00:00:fe dev up0");
	f->m = net_mirror_create(NULL, NULL);
	assert_non_null(f->m);
	f->w = net_watch_create(f->m);
	assert_non_null(f->w);
	assert_int_equal(net_watch_sync(f->w, 5000), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	net_watch_destroy(f->w);
	net_mirror_destroy(f->m);
	test_free(f);
	run("ip link del up0");
	return 0;
}

// "none", "address%interface" or "address%interface mac".
static void answer(struct fixture *f, const char *dst, char *buf, size_t size)
{
	struct tp_addr d = ip(dst);
	struct net_next_hop hop;
	struct net_neighbour n;
	struct net_link link;
	char text[TEXT_ADDR_SIZE];

	if (net_mirror_route(f->m, &d, NULL, NULL, &hop) < 0 ||
		net_mirror_link(f->m, hop.ifindex, &link) < 0) {
		snprintf(buf, size, "none");
		return;
	}
	n = net_mirror_neighbour(f->m, &hop.addr, hop.ifindex);
	if (n.state == NET_NEIGHBOUR_USABLE)
		snprintf(buf, size, "%s%%%s %02x", text_ip_format(&hop.addr, text), link.name,
			n.mac[5]);
	else
		snprintf(buf, size, "%s%%%s", text_ip_format(&hop.addr, text), link.name);
}

// Sooner or later, driven as the event loop drives it.
static void expect(struct fixture *f, const char *dst, const char *wanted)
{
	uint64_t end_ns = now_ns() + 30 * TP_NS_PER_S;
	char got[128];

	answer(f, dst, got, sizeof(got));
	while (strcmp(got, wanted) != 0 && now_ns() < end_ns) {
		struct pollfd p = {.fd = net_watch_fd(f->w), .events = POLLIN};

		if (poll(&p, 1, 10) > 0)
			assert_int_equal(net_watch_read(f->w, now_ns()), 0);
		if (now_ns() >= net_watch_deadline(f->w))
			assert_int_equal(net_watch_advance(f->w, now_ns()), 0);
		answer(f, dst, got, sizeof(got));
	}
	assert_string_equal(got, wanted);
}

static void test_first_dump(void **state)
{
	struct fixture *f = *state;
	struct tp_addr own = ip("192.0.2.1");

	expect(f, "203.0.113.9", "192.0.2.254%up0 fe");
	expect(f, "192.0.2.7", "192.0.2.7%up0");
	assert_int_equal(net_mirror_address_owner(f->m, &own), if_nametoindex("up0"));
}

static void test_changes_are_followed(void **state)
{
	struct fixture *f = *state;

	run("ip neigh replace 192.0.2.254 lladdr 02:00:00:00:00:aa dev up0");
	expect(f, "203.0.113.9", "192.0.2.254%up0 aa");
	run("ip route replace default via 192.0.2.253");
	expect(f, "203.0.113.9", "192.0.2.253%up0");
	run("ip route add 203.0.113.0/25 via 192.0.2.252");
	expect(f, "203.0.113.9", "192.0.2.252%up0");
	run("ip route del 203.0.113.0/25");
	expect(f, "203.0.113.9", "192.0.2.253%up0");
	// The kernel flushes routes with the link and says nothing.
	run("ip link set up0 down");
	expect(f, "203.0.113.9", "none");
	run("ip link set up0 up && ip route add default via 192.0.2.251");
	expect(f, "203.0.113.9", "192.0.2.251%up0");
	run("ip addr add 198.51.100.1/24 dev up0 &&"
	    " ip route add 203.0.113.0/24 via 192.0.2.250 src 198.51.100.1");
	expect(f, "203.0.113.9", "192.0.2.250%up0");
	run("ip addr del 198.51.100.1/24 dev up0");
	expect(f, "203.0.113.9", "192.0.2.251%up0");
}

static void test_local_prefix(void **state)
{
	struct tp_addr at4 = ip("198.51.100.7"), at6 = ip("2001:db8:7::7");
	struct fixture *f = *state;

	run("ip route add local 198.51.100.0/24 dev up0 &&"
	    " ip -6 route add local 2001:db8:7::/48 dev up0 && ip route add 203.0.113.0/25 via "
	    "192.0.2.252");
	expect(f, "203.0.113.9", "192.0.2.252%up0");
	assert_true(net_mirror_is_local(f->m, &at4));
	assert_true(net_mirror_is_local(f->m, &at6));
	run("ip route del local 198.51.100.0/24 dev up0 &&"
	    " ip -6 route del local 2001:db8:7::/48 dev up0 && ip route del 203.0.113.0/25");
	expect(f, "203.0.113.9", "192.0.2.254%up0 fe");
	assert_false(net_mirror_is_local(f->m, &at4));
	assert_false(net_mirror_is_local(f->m, &at6));
}

static void test_ipv6(void **state)
{
	struct fixture *f = *state;

	run("ip addr add 2001:db8::1/64 dev up0 nodad && ip route add default via fe80::99 dev up0"
	    " && ip neigh add fe80::99 lladdr 02:00:00:00:00:99 dev up0");
	expect(f, "2001:db8:5::1", "fe80::99%up0 99");
	expect(f, "2001:db8::5", "2001:db8::5%up0");
	run("ip -6 route add 2001:db8:5::/48 via fe80::98 dev up0 metric 10 &&"
	    " ip -6 route append 2001:db8:5::/48 via fe80::97 dev up0 metric 10 &&"
	    " ip -6 route del 2001:db8:5::/48 via fe80::98 dev up0 metric 10");
	expect(f, "2001:db8:5::1", "fe80::97%up0");
}

static void test_lost_messages(void **state)
{
	struct fixture *f = *state;
	FILE *ip_batch = popen("ip -batch -", "w");

	assert_non_null(ip_batch);
	// More than the socket holds while nobody reads.
	for (unsigned i = 0; i < MANY_ROUTES; i++)
		fprintf(ip_batch, "route add 10.%u.%u.0/28 via 192.0.2.253\n", i >> 8, i & 0xff);
	fprintf(ip_batch, "route add 203.0.113.0/24 via 192.0.2.249\n");
	fprintf(ip_batch, "route add 10.255.1.0/24 via 192.0.2.248\n");
	assert_int_equal(pclose(ip_batch), 0);
	expect(f, "203.0.113.9", "192.0.2.249%up0");
	expect(f, "10.255.1.1", "192.0.2.248%up0");
	expect(f, "10.78.31.5", "192.0.2.253%up0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_dump, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes_are_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_local_prefix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ipv6, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_messages, setup, teardown),
	};

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		printf("no network namespace: %s\n", strerror(errno));
		return 77;
	}
	if (system("ip link set lo up") != 0) {
		printf("no ip command\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
