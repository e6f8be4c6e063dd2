// SPDX-License-Identifier: BSD-3-Clause
#include <steer/announce.h>

#include <arpa/inet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netpacket/packet.h>

#include <cmocka.h>

static char root[] = "/tmp/turnpike-announce-XXXXXX";
static char arp[96], ndisc[96];

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static char first_of(const char *path)
{
	FILE *f = fopen(path, "r");
	int c;

	assert_non_null(f);
	c = fgetc(f);
	fclose(f);
	return (char)c;
}

static int setup(void **state)
{
	static const char *const folders[] = {
		"ipv4", "ipv4/conf", "ipv4/conf/nic0", "ipv6", "ipv6/conf", "ipv6/conf/nic0"};

	(void)state;
	assert_non_null(mkdtemp(root));
	for (unsigned i = 0; i < 6; i++) {
		char path[96];

		snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	snprintf(arp, sizeof(arp), "%s/ipv4/conf/nic0/arp_notify", root);
	snprintf(ndisc, sizeof(ndisc), "%s/ipv6/conf/nic0/ndisc_notify", root);
	return 0;
}

static void set_until_the_end(void **state)
{
	struct steer_announce a = {0};

	(void)state;
	put(arp, "0\n");
	put(ndisc, "0\n");
	steer_announce_start(&a, root, "nic0");
	assert_int_equal(first_of(arp), '1');
	assert_int_equal(first_of(ndisc), '1');
	steer_announce_stop(&a);
	assert_int_equal(first_of(arp), '0');
	assert_int_equal(first_of(ndisc), '0');
	steer_announce_stop(&a);
}

static void what_is_on_stays(void **state)
{
	struct steer_announce a = {0};

	(void)state;
	put(arp, "1\n");
	put(ndisc, "0\n");
	steer_announce_start(&a, root, "nic0");
	steer_announce_stop(&a);
	assert_int_equal(first_of(arp), '1');
	assert_int_equal(first_of(ndisc), '0');
}

static void what_is_missing_is_left_out(void **state)
{
	struct steer_announce a = {0};

	(void)state;
	unlink(ndisc);
	put(arp, "0\n");
	steer_announce_start(&a, root, "nic0");
	assert_int_equal(first_of(arp), '1');
	steer_announce_stop(&a);
	assert_int_equal(first_of(arp), '0');
	steer_announce_start(&a, root, "nic1");
	assert_int_equal(a.n, 0);
}

// A link of two ends in a namespace of this process alone; false: not to be had.
static bool link_up(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
	       system("{ ip link add v0 type veth peer name v1 &&"
		      " ip link set v0 address 02:00:00:00:00:01 && ip link set v0 up &&"
		      " ip link set v1 up && ip addr add fd00::1/64 dev v0 nodad; } 2> "
		      "/dev/null") == 0;
}

static int listen_on(const char *interface)
{
	const struct timeval patience = {.tv_sec = 60};
	const struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IPV6),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IPV6));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return fd;
}

// A frame with a neighbour advertisement of fd00::1.
static bool advertises(const uint8_t *frame, ssize_t len)
{
	static const uint8_t target[16] = {0xfd, [15] = 1};

	return len >= 86 && frame[20] == IPPROTO_ICMPV6 && frame[54] == ND_NEIGHBOR_ADVERT &&
	       memcmp(frame + 62, target, sizeof(target)) == 0;
}

// The kernel itself: without the settings nothing comes.
static void another_mac_address_is_told(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
	struct steer_announce a = {0};
	uint8_t frame[256];
	ssize_t n;
	int fd;

	(void)state;
	if (!link_up())
		skip();
	fd = listen_on("v1");
	steer_announce_start(&a, ANNOUNCE_SYSCTLS, "v0");
	assert_int_equal(a.n, 2);
	assert_int_equal(system("ip link set v0 address 02:00:00:00:00:02"), 0);
	do {
		n = recv(fd, frame, sizeof(frame), 0);
		assert_true(n > 0);
	} while (!advertises(frame, n) || memcmp(frame + 6, mac, 6) != 0);
	assert_memory_equal(frame + 80, mac, 6); // its option: the link-layer address
	steer_announce_stop(&a);
	assert_int_equal(first_of(ANNOUNCE_SYSCTLS "/ipv6/conf/v0/ndisc_notify"), '0');
	close(fd);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_until_the_end),
		cmocka_unit_test(what_is_on_stays),
		cmocka_unit_test(what_is_missing_is_left_out),
		cmocka_unit_test(another_mac_address_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
