// SPDX-License-Identifier: BSD-3-Clause
// Fragments at one worker: put together with memory for them, dropped by name without.
#include <core/cut.h>
#include <worker/fragments.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "frame.h"

#define NOW (5ull * TP_NS_PER_S)

static struct tp_worker_stats stats;
static struct stage_worker worker = {.stats = &stats};
static uint8_t payload[1400];

// Both fragments of one datagram; what became of the second.
static enum fragments_result two_take(struct fragments *f, struct stage_pkt *whole)
{
	const struct frame_spec spec = {.src = tp_addr_ipv4(0x0a4d0102, 5000),
		.dst = tp_addr_ipv4(0x0a4d0001, 3478),
		.payload = payload,
		.len = sizeof(payload),
		.id = 7};
	enum fragments_result last = FRAGMENTS_KEPT;
	uint8_t piece[FRAME_MAX];
	struct frame sent;
	struct core_cut c;
	unsigned n;

	frame_build(&sent, &spec);
	n = core_cut_begin(&c, frame_data(&sent), sent.len, 1000, 7);
	assert_int_equal(n, 2);
	for (unsigned i = 0; i < n; i++) {
		struct stage_pkt pkt = {.data = piece, .verdict = STAGE_FRAGMENT};

		pkt.len = (uint16_t)core_cut_next(&c, piece);
		last = fragments_take(f, &worker, &pkt, NOW, whole);
	}
	return last;
}

static void with_memory_they_are_put_together(void **state)
{
	struct stage_pkt whole;
	struct fragments f;

	(void)state;
	memset(&stats, 0, sizeof(stats));
	assert_int_equal(fragments_init(&f, NULL, 0, 1), 0);
	assert_int_equal(two_take(&f, &whole), FRAGMENTS_WHOLE);
	assert_int_equal(whole.len, 14 + 20 + 8 + sizeof(payload));
	assert_int_equal(stats.path_packets[TP_PATH_joined], 1);
	assert_int_equal(stats.drops[TP_DROP_fragment_off], 0);
	fragments_fini(&f);
}

static void without_memory_they_are_dropped(void **state)
{
	struct stage_pkt whole;
	struct fragments f;

	(void)state;
	memset(&stats, 0, sizeof(stats));
	assert_int_equal(fragments_init(&f, NULL, 0, 0), 0);
	assert_int_equal(two_take(&f, &whole), FRAGMENTS_KEPT);
	fragments_expire(&f, &worker, NOW + TP_NS_PER_S * 10);
	assert_false(fragments_waiting(&f));
	assert_int_equal(stats.path_packets[TP_PATH_joined], 0);
	assert_int_equal(stats.drops[TP_DROP_fragment_off], 2);
	fragments_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_memory_they_are_put_together),
		cmocka_unit_test(without_memory_they_are_dropped),
	};

	return cmocka_run_group_tests_name("plane: fragments", tests, NULL, NULL);
}
