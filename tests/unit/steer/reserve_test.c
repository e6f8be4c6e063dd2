// SPDX-License-Identifier: BSD-3-Clause
#include <steer/reserve.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/turnpike-reserve-XXXXXX";
static char sysctl_path[64];
static char record_path[64];
static char range_path[64];

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(sysctl_path, sizeof(sysctl_path), "%s/sysctl", directory);
	snprintf(range_path, sizeof(range_path), "%s/range", directory);
	snprintf(record_path, sizeof(record_path), "%s/record", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(sysctl_path);
	unlink(record_path);
	unlink(range_path);
	return rmdir(directory);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void assert_sysctl(const char *text)
{
	char line[256] = "";
	FILE *f = fopen(sysctl_path, "r");

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_string_equal(line, text);
}

static struct reserve_ports ports(const char *text)
{
	struct reserve_ports p;

	assert_int_equal(steer_reserve_ports_parse(&p, text), 0);
	return p;
}

static void test_text(void **state)
{
	static const struct {
		const char *in;
		const char *out; // NULL: refused
	} rows[] = {
		{"", ""},
		{"\n", ""},
		{"1", "1"},
		{"0-65535\n", "0-65535"},
		{"1,2,3,5", "1-3,5"},
		{"49152-65535,3478", "3478,49152-65535"},
		{"1-3,2-8", "1-8"},
		{"63-64,127,128", "63-64,127-128"},
		{"65536", NULL},
		{"3-1", NULL},
		{"1-", NULL},
		{"-1", NULL},
		{"1,", NULL},
		{",1", NULL},
		{"1;2", NULL},
		{"99999999999999999999", NULL},
		{"a", NULL},
		{"1 2", NULL},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct reserve_ports p;
		char text[256];
		int err = steer_reserve_ports_parse(&p, rows[i].in);

		if (rows[i].out == NULL) {
			if (err != -EINVAL)
				fail_msg("\"%s\" was taken", rows[i].in);
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(steer_reserve_ports_print(&p, text, sizeof(text)),
			(int)strlen(rows[i].out));
		assert_string_equal(text, rows[i].out);
	}
}

static void test_print_bounds(void **state)
{
	struct reserve_ports p = ports("100-200,300");
	char text[16];

	(void)state;
	assert_int_equal(steer_reserve_ports_print(&p, text, sizeof("100-200,300")), 11);
	assert_int_equal(steer_reserve_ports_print(&p, text, sizeof("100-200,300") - 1), -E2BIG);
	assert_int_equal(steer_reserve_ports_print(&p, text, 0), -E2BIG);
}

// Ports that others reserved stay reserved when we leave, within our range or beside it.
static void test_merge(void **state)
{
	struct reserve_ports want = ports("3478,50000-50099");

	(void)state;
	write_file(sysctl_path, "8080,50010-50020\n");
	assert_int_equal(steer_reserve_verify(sysctl_path, &want), 0);
	assert_int_equal(steer_reserve_apply(sysctl_path, range_path, record_path, &want), 0);
	assert_sysctl("3478,8080,50000-50099\n");
	assert_int_equal(steer_reserve_verify(sysctl_path, &want), 1);
	assert_int_equal(steer_reserve_release(sysctl_path, record_path), 0);
	assert_sysctl("8080,50010-50020\n");
	assert_int_equal(access(record_path, F_OK), -1);
	assert_int_equal(steer_reserve_release(sysctl_path, record_path), 0);
}

// Killed, started again with other ports, then stopped.
static void test_crash(void **state)
{
	struct reserve_ports before = ports("50000-50099");
	struct reserve_ports after = ports("50050-50149");

	(void)state;
	write_file(sysctl_path, "50060\n");
	assert_int_equal(steer_reserve_apply(sysctl_path, range_path, record_path, &before), 0);
	assert_int_equal(steer_reserve_apply(sysctl_path, range_path, record_path, &after), 0);
	assert_sysctl("50050-50149\n");
	assert_int_equal(steer_reserve_apply(sysctl_path, range_path, record_path, &after), 0);
	assert_int_equal(steer_reserve_release(sysctl_path, record_path), 0);
	assert_sysctl("50060\n");
}

// A relay range over all of the host's ephemeral ports would leave it mute.
static void test_too_many(void **state)
{
	struct reserve_ports most = ports("33792-65535"), too_many = ports("33791-65535");

	(void)state;
	write_file(range_path, "32768\t60999\n");
	write_file(sysctl_path, "1\n");
	assert_int_equal(
		steer_reserve_apply(sysctl_path, range_path, record_path, &too_many), -ENOSPC);
	assert_sysctl("1\n");
	assert_int_equal(access(record_path, F_OK), -1);
	assert_int_equal(steer_reserve_apply(sysctl_path, range_path, record_path, &most), 0);
	assert_int_equal(steer_reserve_release(sysctl_path, record_path), 0);
	unlink(range_path);
}

static void test_missing(void **state)
{
	struct reserve_ports want = ports("1");

	(void)state;
	unlink(sysctl_path);
	assert_int_equal(steer_reserve_apply(sysctl_path, range_path, record_path, &want), -ENOENT);
	assert_int_equal(steer_reserve_verify(sysctl_path, &want), -ENOENT);
}

static void test_of_own(void **state)
{
	const struct steer_claim own[] = {
		{tp_addr_ipv4(0x0a000001, 0), 3478, 3478, STEER_LISTENER},
		{tp_addr_ipv4(0x0a000002, 0), 49152, 65535, STEER_RELAY},
	};
	struct reserve_ports p, want = ports("3478,49152-65535");

	(void)state;
	steer_reserve_ports_of(&p, own, TP_ARRAY_LEN(own));
	assert_memory_equal(&p, &want, sizeof(p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_print_bounds),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_of_own),
	};

	return cmocka_run_group_tests_name("steer reserve", tests, setup, teardown);
}
