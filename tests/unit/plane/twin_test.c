// SPDX-License-Identifier: BSD-3-Clause
// Queues of frames everywhere; the twin itself where a TAP may be made: as root, in a network
// namespace of the test's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <io/frames.h>
#include <io/twin.h>

#define MTU	    1400u
#define WORKERS	    2u
#define PATIENCE_MS 30000u
#define ROUNDS	    20u

static const uint8_t mac[6] = {0x02, 0, 0, 0x4d, 0x12, 0x34};

static void test_frames_in_order(void **state)
{
	struct io_frames f;
	uint16_t len;

	(void)state;
	assert_int_equal(io_frames_init(&f, 100), 0);
	assert_null(io_frames_peek(&f, &len));
	for (unsigned round = 0; round < 3; round++) {
		uint8_t *slot;
		unsigned n = 0;

		for (; (slot = io_frames_reserve(&f)) != NULL; n++) {
			memset(slot, (int)(n + round), 100);
			io_frames_publish(&f, (uint16_t)(n % 101));
		}
		assert_int_equal(n, IO_FRAMES_SLOTS);
		for (unsigned i = 0; i < n; i++) {
			const uint8_t *frame = io_frames_peek(&f, &len);

			assert_non_null(frame);
			assert_int_equal(len, i % 101);
			assert_int_equal(frame[99], (uint8_t)(i + round));
			io_frames_release(&f);
		}
		assert_null(io_frames_peek(&f, &len));
	}
	io_frames_fini(&f);
}

struct stand {
	struct io_twin *twin;
	pthread_t thread;
	int sock; // sees the interface's output, as the kernel's other users do
};

static int ioctl_on(int sock, unsigned long request, struct ifreq *req)
{
	snprintf(req->ifr_name, sizeof(req->ifr_name), "tp0");
	return ioctl(sock, request, req);
}

static bool stand_open(struct stand *s)
{
	const struct timeval patience = {.tv_sec = 2};
	struct io_twin_settings settings = {.name = "tp0", .mtu = MTU, .n_workers = WORKERS};
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct steer_fault fault = {.problem = ""};
	struct ifreq req = {0};
	int err;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
		return false;
	memcpy(settings.mac, mac, sizeof(mac));
	err = io_twin_create(&s->twin, &settings, &fault);
	if (err == -ENOENT || err == -EPERM)
		return false;
	if (err != 0)
		fail_msg("%s", fault.problem);
	assert_int_equal(pthread_create(&s->thread, NULL, io_twin_run, s->twin), 0);
	s->sock = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	assert_true(s->sock >= 0);
	assert_int_equal(ioctl_on(s->sock, SIOCGIFINDEX, &req), 0);
	at.sll_ifindex = req.ifr_ifindex;
	assert_int_equal(bind(s->sock, (struct sockaddr *)&at, sizeof(at)), 0);
	setsockopt(s->sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return true;
}

static void stand_close(struct stand *s)
{
	io_twin_stop(s->twin);
	pthread_join(s->thread, NULL);
	io_twin_destroy(s->twin);
	close(s->sock);
}

static void frame_fill(uint8_t *frame, size_t len, uint8_t mark)
{
	memset(frame, mark, len);
	memcpy(frame, mac, 6);
	memcpy(frame + 6, (const uint8_t[]){0x02, 0, 0, 0x4d, 0, 1, 0x88, 0xb5}, 8);
}

// The next frame of our Ethernet type that the interface shows; frames of the kernel's own are
// passed over.
static ssize_t frame_see(const struct stand *s, uint8_t *frame, size_t size)
{
	ssize_t n;

	while ((n = recv(s->sock, frame, size, 0)) > 0)
		if (n >= 14 && frame[12] == 0x88 && frame[13] == 0xb5)
			break;
	return n;
}

static void test_twin_is_dressed(void **state)
{
	struct ifreq req = {0};
	struct stand s;

	(void)state;
	if (!stand_open(&s))
		skip();
	assert_int_equal(ioctl_on(s.sock, SIOCGIFHWADDR, &req), 0);
	assert_memory_equal(req.ifr_hwaddr.sa_data, mac, 6);
	assert_int_equal(ioctl_on(s.sock, SIOCGIFMTU, &req), 0);
	assert_int_equal(req.ifr_mtu, MTU);
	assert_int_equal(ioctl_on(s.sock, SIOCGIFFLAGS, &req), 0);
	assert_true(req.ifr_flags & IFF_RUNNING);
	io_twin_carrier(s.twin, false);
	for (unsigned ms = 0; (req.ifr_flags & IFF_RUNNING) != 0 && ms < PATIENCE_MS; ms++) {
		usleep(1000);
		assert_int_equal(ioctl_on(s.sock, SIOCGIFFLAGS, &req), 0);
	}
	assert_true(req.ifr_flags & IFF_UP);
	assert_false(req.ifr_flags & IFF_RUNNING);
	stand_close(&s);
}

// Each worker's frames come to a thread that sleeps, in their order.
static void test_to_kernel(void **state)
{
	uint8_t frame[MTU + 14], seen[2 * MTU];
	struct stand s;

	(void)state;
	if (!stand_open(&s))
		skip();
	for (unsigned i = 0; i < 100; i++) {
		unsigned worker = i % WORKERS;
		size_t len = 60 + 13 * i;

		frame_fill(frame, len, (uint8_t)i);
		assert_true(io_twin_give(s.twin, worker, frame, (uint16_t)len));
		io_twin_wake(s.twin, worker, (i + 1) * TP_NS_PER_MS);
		assert_int_equal(frame_see(&s, seen, sizeof(seen)), len);
		assert_memory_equal(seen, frame, len);
	}
	assert_false(io_twin_give(s.twin, 0, frame, MTU + 19));
	stand_close(&s);
}

// A wake that comes too early is made up for by a later call.
static void test_wakes_are_rare_not_lost(void **state)
{
	uint8_t frame[60], seen[100];
	unsigned n_early = 0;
	struct stand s;

	(void)state;
	if (!stand_open(&s))
		skip();
	frame_fill(frame, sizeof(frame), 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t now = (i + 1) * 2 * TP_NS_PER_MS;
		bool early;

		usleep(2000); // asleep again
		assert_true(io_twin_give(s.twin, 0, frame, sizeof(frame)));
		io_twin_wake(s.twin, 0, now);
		assert_true(frame_see(&s, seen, sizeof(seen)) > 0);
		usleep(2000);
		assert_true(io_twin_give(s.twin, 0, frame, sizeof(frame)));
		io_twin_wake(s.twin, 0, now + TP_NS_PER_MS / 2);
		// On a busy machine the thread may not have slept yet.
		early = recv(s.sock, seen, sizeof(seen), MSG_DONTWAIT) > 0 && seen[13] == 0xb5;
		n_early += early;
		io_twin_wake(s.twin, 0, now + TP_NS_PER_MS);
		assert_true(early || frame_see(&s, seen, sizeof(seen)) > 0);
	}
	assert_true(n_early < ROUNDS);
	stand_close(&s);
}

static void test_from_kernel(void **state)
{
	uint8_t frame[MTU + 14];
	const uint8_t *out;
	struct stand s;
	uint16_t len = 0;

	(void)state;
	if (!stand_open(&s))
		skip();
	for (unsigned i = 0; i < 200; i++) {
		unsigned ms = 0;

		frame_fill(frame, sizeof(frame), (uint8_t)i);
		assert_int_equal(send(s.sock, frame, 60 + 5 * i, 0), 60 + 5 * i);
		do {
			while ((out = io_twin_peek(s.twin, &len)) == NULL && ms++ < PATIENCE_MS)
				usleep(1000);
			assert_non_null(out);
			if (out[12] == 0x88 && out[13] == 0xb5)
				break;
			io_twin_release(s.twin);
		} while (true);
		assert_int_equal(len, 60 + 5 * i);
		assert_memory_equal(out, frame, len);
		io_twin_release(s.twin);
	}
	stand_close(&s);
}

static void test_name_taken(void **state)
{
	const struct io_twin_settings settings = {.name = "lo", .mtu = MTU, .n_workers = 1};
	struct steer_fault fault = {.problem = ""};
	struct io_twin *twin = NULL;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0 || access("/dev/net/tun", R_OK) != 0)
		skip();
	assert_true(io_twin_create(&twin, &settings, &fault) < 0);
	assert_non_null(strstr(fault.problem, "lo"));
	assert_true(fault.remedy[0] != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_in_order),
		cmocka_unit_test(test_twin_is_dressed),
		cmocka_unit_test(test_to_kernel),
		cmocka_unit_test(test_wakes_are_rare_not_lost),
		cmocka_unit_test(test_from_kernel),
		cmocka_unit_test(test_name_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
