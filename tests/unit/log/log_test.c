// SPDX-License-Identifier: BSD-3-Clause
// Lines, levels, rates and threads, with clocks and a sink of our own.
#include <log/log.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// 2026-11-02T09:14:03.512907Z
#define WALL_NS 1793610843512907123ull

struct fake {
	char lines[64][4096];
	unsigned n;
	uint64_t now_ns;
	bool stalled;
};

static struct fake fake;

static bool fake_write(void *ctx, const char *line, size_t len)
{
	struct fake *f = ctx;

	if (f->stalled)
		return false;
	if (f->n < TP_ARRAY_LEN(f->lines)) {
		assert_true(len < sizeof(f->lines[0]));
		memcpy(f->lines[f->n], line, len);
		f->lines[f->n][len] = '\0';
	}
	f->n++;
	return true;
}

static uint64_t fake_wall(void *ctx)
{
	(void)ctx;
	return WALL_NS;
}

static uint64_t fake_now(void *ctx)
{
	return ((struct fake *)ctx)->now_ns;
}

static void start(enum log_format format)
{
	static const struct log_env env = {&fake, fake_write, fake_wall, fake_now};
	struct log_settings s = {
		.format = format,
		.level = LOG_LEVEL_INFO,
		.process = "control",
		.instance = "lab",
		.env = &env,
	};

	memset(&fake, 0, sizeof(fake));
	fake.now_ns = 0xfffffffffffull;
	log_init(&s);
}

static void every_type(enum log_format format)
{
	const uint8_t ip6[16] = {0xfd, 0x77, [15] = 1};
	struct tp_addr v4 = tp_addr_ipv4(0x0a4d0001, 3478);
	struct tp_addr v6 = tp_addr_ipv6(ip6, 65535);

	start(format);
	log_event(LOG_EV_ALLOCATION_CREATED,
		LOG_FIELDS(log_allocation(0xfedcba9876543210ull), log_str("user", "bob"),
			log_str("none", NULL), log_u64("big", UINT64_MAX),
			log_i64("low", INT64_MIN), log_bool("yes", true), log_bool("no", false),
			log_addr("client", &v4), log_addr("peer", &v6), log_ip("own", &v6),
			log_errno(-ENOENT)));
	assert_int_equal(fake.n, 1);
}

static void text_line(void **state)
{
	(void)state;
	every_type(LOG_FORMAT_TEXT);
	assert_string_equal(fake.lines[0],
		"2026-11-02T09:14:03.512907Z info allocation_created allocation=fedcba9876543210 "
		"user=bob none=- big=18446744073709551615 low=-9223372036854775808 yes=true "
		"no=false client=10.77.0.1:3478 peer=[fd77::1]:65535 own=fd77::1 "
		"error=\"No such file or directory\"\n");
}

static void json_line(void **state)
{
	(void)state;
	every_type(LOG_FORMAT_JSON);
	assert_string_equal(fake.lines[0],
		"{\"time\":\"2026-11-02T09:14:03.512907Z\",\"level\":\"info\","
		"\"process\":\"control\",\"instance\":\"lab\",\"event\":\"allocation_created\","
		"\"allocation\":\"fedcba9876543210\",\"user\":\"bob\",\"none\":\"-\","
		"\"big\":18446744073709551615,\"low\":-9223372036854775808,\"yes\":true,"
		"\"no\":false,\"client\":\"10.77.0.1:3478\",\"peer\":\"[fd77::1]:65535\","
		"\"own\":\"fd77::1\",\"error\":\"No such file or directory\"}\n");
}

static void no_fields(void **state)
{
	(void)state;
	start(LOG_FORMAT_TEXT);
	log_event(LOG_EV_PROCESS_STARTED, NULL);
	assert_string_equal(fake.lines[0], "2026-11-02T09:14:03.512907Z info process_started\n");
}

// A user name can't forge a line, a field or an escape sequence of the terminal.
static void hostile_text_stays_in_its_field(void **state)
{
	static const char name[] = "x level=error\n2026 \"\x1b[31m\0%n";

	(void)state;
	start(LOG_FORMAT_TEXT);
	log_event(LOG_EV_AUTH_FAILED, LOG_FIELDS(log_text("user", name, sizeof(name) - 1)));
	assert_string_equal(fake.lines[0],
		"2026-11-02T09:14:03.512907Z info auth_failed "
		"user=\"x level=error\\n2026 \\\"\\u001b[31m\\u0000%n\"\n");
	start(LOG_FORMAT_JSON);
	log_event(LOG_EV_AUTH_FAILED, LOG_FIELDS(log_text("user", name, sizeof(name) - 1)));
	assert_non_null(strstr(
		fake.lines[0], "\"user\":\"x level=error\\n2026 \\\"\\u001b[31m\\u0000%n\"}\n"));
}

static void long_lines_end_well(enum log_format format, const char *end)
{
	struct log_field fields[41];
	char text[763];
	size_t len;

	memset(text, '\n', sizeof(text));
	for (unsigned i = 0; i < 40; i++)
		fields[i] = log_text("name", text, sizeof(text));
	fields[40].type = LOG_TYPE_END;
	start(format);
	log_event(LOG_EV_AUTH_FAILED, fields);
	len = strlen(fake.lines[0]);
	assert_true(len < 4096);
	assert_true(len > 3000);
	assert_string_equal(fake.lines[0] + len - strlen(end), end);
	assert_non_null(strstr(fake.lines[0], "\\n...\""));
}

static void long_text_is_cut(void **state)
{
	(void)state;
	long_lines_end_well(LOG_FORMAT_TEXT, "\" truncated=true\n");
	long_lines_end_well(LOG_FORMAT_JSON, "\",\"truncated\":true}\n");
}

static void level_changes_live(void **state)
{
	enum log_level level;

	(void)state;
	start(LOG_FORMAT_TEXT);
	log_event(LOG_EV_NEXT_HOP_CHANGED, NULL);
	assert_int_equal(fake.n, 0);
	assert_false(log_enabled(LOG_EV_NEXT_HOP_CHANGED));
	assert_int_equal(log_level_parse("debug", &level), 0);
	log_level_set(level);
	assert_int_equal(log_level_get(), LOG_LEVEL_DEBUG);
	log_event(LOG_EV_NEXT_HOP_CHANGED, NULL);
	assert_int_equal(fake.n, 1);
	log_level_set(LOG_LEVEL_ERROR);
	log_event(LOG_EV_TABLE_FULL, NULL);
	log_event(LOG_EV_SEGMENT_LOST, NULL);
	assert_int_equal(fake.n, 2);
	assert_non_null(strstr(fake.lines[1], "segment_lost"));
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
}

static void flood_is_counted_and_reported(void **state)
{
	const unsigned rate = log_event_info(LOG_EV_AUTH_FAILED)->lines_per_s;

	(void)state;
	start(LOG_FORMAT_TEXT);
	for (unsigned i = 0; i < rate + 990; i++)
		log_event(LOG_EV_AUTH_FAILED, NULL);
	assert_int_equal(fake.n, rate);
	// Another event has a rate of its own.
	log_event(LOG_EV_PEER_DENIED, NULL);
	assert_int_equal(fake.n, rate + 1);
	// The flood goes on in the next second: its first line reports the suppressed ones.
	fake.now_ns += TP_NS_PER_S;
	log_event(LOG_EV_AUTH_FAILED, NULL);
	assert_int_equal(fake.n, rate + 2);
	assert_non_null(strstr(fake.lines[rate + 1], "auth_failed suppressed=990\n"));
	log_event(LOG_EV_AUTH_FAILED, NULL);
	assert_null(strstr(fake.lines[rate + 2], "suppressed"));
}

static unsigned lines_of(struct tp_addr client, unsigned n)
{
	unsigned before = fake.n;

	for (unsigned i = 0; i < n; i++)
		log_event(LOG_EV_AUTH_FAILED, LOG_FIELDS(log_addr("client", &client)));
	return fake.n - before;
}

// A prefix that floods first leaves two thirds, and lines for six more that flood after it.
static void one_prefix_hides_no_other(void **state)
{
	const uint8_t ip6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 1};
	const uint8_t neighbour6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 2};
	const unsigned rate = log_event_info(LOG_EV_AUTH_FAILED)->lines_per_s;
	unsigned sum;

	(void)state;
	start(LOG_FORMAT_TEXT);
	sum = lines_of(tp_addr_ipv4(0xc0000201, 1), 500);
	assert_int_equal(sum, rate / 3 + 1);
	assert_int_equal(lines_of(tp_addr_ipv4(0xc0000201, 2), 500), 0); // another port
	sum += lines_of(tp_addr_ipv6(ip6, 1), 500);
	assert_true(sum > rate / 3 + 1);
	assert_int_equal(lines_of(tp_addr_ipv6(neighbour6, 1), 500), 0); // of one /64
	for (unsigned i = 0; i < 5; i++) {
		unsigned n = lines_of(tp_addr_ipv4(0xc6336400 + i, 1), 500);

		assert_true(n >= 1);
		sum += n;
	}
	assert_int_equal(sum, rate);
	// The next second is everybody's again.
	fake.now_ns += TP_NS_PER_S;
	assert_int_equal(lines_of(tp_addr_ipv4(0xc0000201, 1), 500), rate / 3 + 1);
}

static void silence_is_reported_by_tick(void **state)
{
	const unsigned rate = log_event_info(LOG_EV_AUTH_FAILED)->lines_per_s;

	(void)state;
	start(LOG_FORMAT_JSON);
	for (unsigned i = 0; i < rate + 7; i++)
		log_event(LOG_EV_AUTH_FAILED, NULL);
	fake.now_ns += TP_NS_PER_S - 1;
	log_tick();
	assert_int_equal(fake.n, rate);
	fake.now_ns += 1;
	log_tick();
	assert_int_equal(fake.n, rate + 1);
	assert_non_null(strstr(fake.lines[rate],
		"\"event\":\"log_suppressed\",\"of\":\"auth_failed\",\"count\":7}"));
	log_tick();
	assert_int_equal(fake.n, rate + 1);
}

static void end_reports_the_rest(void **state)
{
	const unsigned rate = log_event_info(LOG_EV_AUTH_FAILED)->lines_per_s;

	(void)state;
	start(LOG_FORMAT_TEXT);
	for (unsigned i = 0; i < rate + 3; i++)
		log_event(LOG_EV_AUTH_FAILED, NULL);
	log_fini();
	assert_int_equal(fake.n, rate + 1);
	assert_non_null(strstr(fake.lines[rate], "log_suppressed of=auth_failed count=3"));
}

static void stalled_reader_costs_lines_only(void **state)
{
	(void)state;
	start(LOG_FORMAT_TEXT);
	fake.stalled = true;
	log_event(LOG_EV_AUTH_FAILED, NULL);
	log_event(LOG_EV_PEER_DENIED, NULL);
	log_tick();
	assert_int_equal(fake.n, 0);
	fake.stalled = false;
	log_tick();
	assert_int_equal(fake.n, 1);
	assert_non_null(strstr(fake.lines[0], "log_lost count=2\n"));
	log_tick();
	assert_int_equal(fake.n, 1);
}

static void *thread_main(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 2000; i++) {
		log_event(LOG_EV_AUTH_FAILED, LOG_FIELDS(log_u64("i", i)));
		log_level_set(i % 2 == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG);
		log_tick();
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	const unsigned rate = log_event_info(LOG_EV_AUTH_FAILED)->lines_per_s;
	pthread_t threads[4];
	char end[64];

	(void)state;
	start(LOG_FORMAT_TEXT);
	for (unsigned i = 0; i < TP_ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_main, NULL), 0);
	for (unsigned i = 0; i < TP_ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(fake.n, rate);
	fake.n = 0;
	fake.now_ns += TP_NS_PER_S;
	log_tick();
	assert_int_equal(fake.n, 1);
	snprintf(end, sizeof(end), " count=%u\n", 4 * 2000 - rate);
	assert_non_null(strstr(fake.lines[0], end));
}

// Records of allocations are billed: none may be left out.
static void records_have_no_rate(void **state)
{
	static const enum log_event_id records[] = {
		LOG_EV_ALLOCATION_CREATED,
		LOG_EV_ALLOCATION_ENDED,
	};

	(void)state;
	start(LOG_FORMAT_TEXT);
	for (unsigned i = 0; i < 20000; i++)
		log_event(records[i % 2], LOG_FIELDS(log_u64("i", i)));
	assert_int_equal(fake.n, 20000);
	log_fini();
	assert_int_equal(fake.n, 20000);
}

static void names_are_usable_and_unique(void **state)
{
	(void)state;
	for (int i = 0; i < LOG_EV_COUNT; i++) {
		const struct log_event_info *e = log_event_info((enum log_event_id)i);

		assert_true(strspn(e->name, "abcdefghijklmnopqrstuvwxyz_") == strlen(e->name));
		assert_true(e->description[strlen(e->description) - 1] == '.');
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
				e->name, log_event_info((enum log_event_id)k)->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_line),
		cmocka_unit_test(json_line),
		cmocka_unit_test(no_fields),
		cmocka_unit_test(hostile_text_stays_in_its_field),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(level_changes_live),
		cmocka_unit_test(flood_is_counted_and_reported),
		cmocka_unit_test(one_prefix_hides_no_other),
		cmocka_unit_test(silence_is_reported_by_tick),
		cmocka_unit_test(end_reports_the_rest),
		cmocka_unit_test(stalled_reader_costs_lines_only),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(records_have_no_rate),
		cmocka_unit_test(names_are_usable_and_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
