// SPDX-License-Identifier: BSD-3-Clause
// The guard in an own network namespace: the kernel answers port-unreachable without it and says
// nothing with it.
#include <steer/guard.h>

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/if.h>

#include "netns.h"

static const struct steer_claim listener4 = {
	{{127, 0, 0, 1}, 0, TP_FAMILY_IPV4, 0}, 3478, 3478, STEER_LISTENER};
static const struct steer_claim relay4 = {
	{{127, 0, 0, 1}, 0, TP_FAMILY_IPV4, 0}, 3000, 4000, STEER_RELAY};
static const struct steer_claim relay6 = {
	{{[15] = 1}, 0, TP_FAMILY_IPV6, 0}, 50000, 50001, STEER_RELAY};

static void raise_loopback(void)
{
	struct ifreq req = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &req), 0);
	close(fd);
}

// Whether the kernel refuses a datagram to this port, at which nobody listens.
static bool refused(int family, uint16_t port)
{
	struct sockaddr_in to4 = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(family, SOCK_DGRAM, 0);
	bool is;

	assert_true(fd >= 0);
	if (family == AF_INET)
		assert_int_equal(connect(fd, (struct sockaddr *)&to4, sizeof(to4)), 0);
	else
		assert_int_equal(connect(fd, (struct sockaddr *)&to6, sizeof(to6)), 0);
	// Over loopback the error is there when the first send returns.
	assert_int_equal(send(fd, "x", 1, 0), 1);
	is = send(fd, "x", 1, 0) < 0 && errno == ECONNREFUSED;
	close(fd);
	return is;
}

static void test_guard(void **state)
{
	const struct steer_claim own[] = {listener4, relay4, relay6};
	struct steer_fault fault = {0};

	(void)state;
	assert_true(refused(AF_INET, 3478));
	assert_int_equal(steer_guard_install("unit", own, 3, &fault), 0);
	assert_false(refused(AF_INET, 3478));
	assert_false(refused(AF_INET, 3000));
	assert_false(refused(AF_INET, 4000));
	assert_true(refused(AF_INET, 4001));
	assert_true(refused(AF_INET6, 3478));
	assert_false(refused(AF_INET6, 50001));
	assert_true(refused(AF_INET6, 50002));

	// Another instance has a table of its own; ours is replaced, not added to.
	assert_int_equal(steer_guard_install("unit-2", &listener4, 1, &fault), 0);
	assert_int_equal(steer_guard_install("unit", &relay6, 1, &fault), 0);
	assert_false(refused(AF_INET, 3478));
	assert_int_equal(steer_guard_remove("unit-2", &fault), 0);
	assert_true(refused(AF_INET, 3478));
	assert_false(refused(AF_INET6, 50001));

	assert_int_equal(steer_guard_remove("unit", &fault), 0);
	assert_int_equal(steer_guard_remove("unit", &fault), 0);
	assert_true(refused(AF_INET6, 50001));
}

// A change by somebody else, even a flushed chain, shows; counters do not.
static void test_watched(void **state)
{
	const struct steer_claim own[] = {listener4, relay4, relay6};
	struct steer_fault fault = {0};
	uint32_t generation;
	char *before, *now;

	(void)state;
	assert_null(steer_guard_listing("unit"));
	assert_int_equal(steer_guard_install("unit", own, 3, &fault), 0);
	generation = steer_guard_generation();
	before = steer_guard_listing("unit");
	assert_non_null(before);
	assert_false(refused(AF_INET, 3478));
	now = steer_guard_listing("unit");
	assert_string_equal(now, before);
	free(now);
	assert_int_equal(steer_guard_generation(), generation);
	assert_int_equal(system("nft flush chain inet turnpike-unit input"), 0);
	assert_int_not_equal(steer_guard_generation(), generation);
	now = steer_guard_listing("unit");
	assert_non_null(now);
	assert_string_not_equal(now, before);
	free(now);
	assert_int_equal(steer_guard_install("unit", own, 3, &fault), 0);
	now = steer_guard_listing("unit");
	assert_string_equal(now, before);
	free(now);
	assert_int_equal(system("nft flush ruleset"), 0);
	assert_null(steer_guard_listing("unit"));
	free(before);
}

static void test_nothing_ours(void **state)
{
	struct steer_fault fault = {0};

	(void)state;
	assert_int_equal(steer_guard_install("unit", NULL, 0, &fault), 0);
	assert_true(refused(AF_INET, 3478));
	assert_int_equal(steer_guard_remove("unit", &fault), 0);
}

static void test_fault(void **state)
{
	struct steer_fault fault = {0};

	(void)state;
	assert_true(steer_guard_install("no name at all", NULL, 0, &fault) < 0);
	assert_true(strlen(fault.problem) > 0 && strlen(fault.remedy) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_watched),
		cmocka_unit_test(test_nothing_ours),
		cmocka_unit_test(test_fault),
	};

	if (!netns_enter())
		return EXIT_SKIPPED;
	raise_loopback();
	return cmocka_run_group_tests_name("steer guard", tests, NULL, NULL);
}
