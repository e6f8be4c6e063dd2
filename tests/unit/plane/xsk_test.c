// SPDX-License-Identifier: BSD-3-Clause
// The first frame of a socket, over drivers that answer as some have answered others.
#include <io/device.h>
#include <io/xsk.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct {
	int answers[4]; // of the first wake-ups; the last one repeats
	unsigned woken;
	uint64_t tx_invalid;
} driver;

static int driver_wake(int fd)
{
	unsigned last = TP_ARRAY_LEN(driver.answers) - 1;

	(void)fd;
	driver.woken++;
	return driver.answers[driver.woken - 1 < last ? driver.woken - 1 : last];
}

static bool driver_count(int fd, struct io_xsk_counters *c)
{
	(void)fd;
	*c = (struct io_xsk_counters){.tx_invalid = driver.tx_invalid};
	return true;
}

static const struct io_xsk_calls calls = {driver_wake, driver_count};

static int probe(const int answers[4], uint64_t tx_invalid)
{
	const struct io_xsk_counters before = {.tx_invalid = 3};

	memcpy(driver.answers, answers, sizeof(driver.answers));
	driver.woken = 0;
	driver.tx_invalid = tx_invalid;
	return io_xsk_probe(7, &calls, &before);
}

static void a_refused_frame_is_told(void **state)
{
	static const struct {
		int answers[4];
		uint64_t tx_invalid;
		int err;
	} rows[] = {
		{{0}, 3, 0},
		// i40e and ice in zero copy, when their queue has no ring.
		{{-ENXIO, -ENXIO, -ENXIO, -ENXIO}, 3, -ENXIO},
		{{-EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP}, 3, -EOPNOTSUPP},
		{{-ENETDOWN, -ENETDOWN, -ENETDOWN, -ENETDOWN}, 3, -ENETDOWN},
		{{-EAGAIN, -EBUSY, -EINTR, 0}, 3, 0},
		{{-EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN}, 3, 0},
		{{-EAGAIN, -ENXIO, -ENXIO, -ENXIO}, 3, -ENXIO},
		// Taken, and found to name no frame.
		{{0}, 4, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		int err = probe(rows[i].answers, rows[i].tx_invalid);

		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
	}
}

static void the_next_mode_is_lower(void **state)
{
	struct io_device d;
	char value[8];

	(void)state;
	assert_int_equal(io_device_parse(&d, NULL, "eth0", 0, NULL), 0);
	assert_int_equal(io_device_set_xdp(&d, IO_XDP_AUTO, 0, NULL), 0);
	assert_true(io_device_lower(&d));
	assert_true(io_device_get(&d, "force_copy", value, sizeof(value)));
	assert_int_equal(d.xdp, IO_XDP_AUTO);
	assert_true(io_device_lower(&d));
	assert_int_equal(d.xdp, IO_XDP_GENERIC);
	assert_false(io_device_lower(&d));
}

static void a_chosen_mode_stays(void **state)
{
	struct io_device d;

	(void)state;
	assert_int_equal(io_device_parse(&d, NULL, "eth0", 0, NULL), 0);
	assert_int_equal(io_device_set_xdp(&d, IO_XDP_NATIVE, 0, NULL), 0);
	assert_false(io_device_lower(&d));
	assert_int_equal(io_device_parse(&d, "0000:3b:00.0", NULL, 0, NULL), 0);
	assert_false(io_device_lower(&d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_frame_is_told),
		cmocka_unit_test(the_next_mode_is_lower),
		cmocka_unit_test(a_chosen_mode_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
