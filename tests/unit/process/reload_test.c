// SPDX-License-Identifier: BSD-3-Clause
// Reloads beside tables that lack something: refused, or in force with a warning.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <log/log.h>
#include <process/process.h>

#include "scratch_place.h"

#define BASE                                                                                       \
	"realm: a.example\n"                                                                       \
	"dataplane: {ports: [{device: net_null0}]}\n"                                              \
	"listeners: [{address: 10.77.0.1}]\n"                                                      \
	"secrets: [{id: one, secret_file: secret}]\n"
#define LIMITS "limits: {allocations: 8, entries: 64"
#define PLAIN  BASE LIMITS "}\n"
#define CAPPED BASE LIMITS ", caps: {user: {packet_rate: 7}}}\n"
#define SPENT  BASE LIMITS ", budget: {megabytes: 7, calls: cap}}\n"

struct world {
	struct shm_place place;
	struct process p;
	char config[320];
	char log[512];
};

static int next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex)
{
	(void)ctx;
	*gateway = *dst;
	*ifindex = 7;
	return 0;
}

static uint64_t neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex)
{
	(void)ctx;
	(void)gateway;
	(void)ifindex;
	return 0;
}

static void file_write(const struct world *w, const char *name, const char *text)
{
	char path[320];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->place.directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

// A process that has started with this configuration, at tables with so many slots of limits.
static void start(struct world *w, const char *text, uint32_t n_limits)
{
	const struct tables_env env = {.next_hop = next_hop, .neighbour = neighbour};
	struct conf_request request = {.role = CONF_FOR_CONTROL, .path = w->config};
	struct conf_errors errs = {0};
	struct shm_tables_shape shape;
	struct conf *conf = NULL;
	struct shm_error err;

	*w = (struct world){.log = ""};
	scratch_place_make(&w->place);
	snprintf(w->config, sizeof(w->config), "%s/reload.yaml", w->place.directory);
	file_write(w, "secret", "0123456789abcdef0123456789abcdef\n");
	file_write(w, "reload.yaml", text);
	if (conf_load(&request, &conf, &errs) < 0)
		fail_msg("%s: %s", errs.items[0].key, errs.items[0].problem);
	conf_errors_fini(&errs);
	w->p.options.config = w->config;
	w->p.core.settings = settings_create(conf);
	assert_non_null(w->p.core.settings);
	shape = settings_shape(w->p.core.settings->conf);
	shape.n_limits = n_limits;
	if (tables_create(&w->p.link.tables, &w->place, &shape, &env, &err) < 0)
		fail_msg("%s", err.text);
}

static void stop(struct world *w)
{
	tables_destroy(w->p.link.tables);
	settings_destroy(w->p.core.settings);
	scratch_place_remove(&w->place);
}

static void caps_without_room_are_refused(void **state)
{
	struct operator_reload r;
	struct world w;

	(void)state;
	start(&w, PLAIN, 0);
	file_write(&w, "reload.yaml", CAPPED);
	assert_int_equal(process_reload(&w.p, true, &r), 0);
	assert_int_equal(r.diff.n_restart, 1);
	assert_int_equal(process_reload(&w.p, false, &r), -EBUSY);
	assert_non_null(strstr(r.problem, "limits.caps"));
	assert_non_null(strstr(r.remedy, "stop all processes"));
	stop(&w);
	start(&w, PLAIN, 8 * 2 + 128);
	file_write(&w, "reload.yaml", CAPPED);
	assert_int_equal(process_reload(&w.p, true, &r), 0);
	assert_int_equal(r.diff.n_restart, 0);
	stop(&w);
}

static bool line_take(void *ctx, const char *line, size_t len)
{
	struct world *w = ctx;

	snprintf(w->log + strlen(w->log), sizeof(w->log) - strlen(w->log), "%.*s", (int)len, line);
	return true;
}

// A process that comes back beside a data plane has tables that were made without caps.
static void caps_without_room_are_named(void **state)
{
	struct world w;
	const struct log_env env = {.ctx = &w, .write = line_take};
	const struct log_settings settings = {
		.level = LOG_LEVEL_INFO, .process = "test", .instance = "test", .env = &env};

	(void)state;
	for (unsigned has_room = 0; has_room < 2; has_room++) {
		struct operator_reload r;

		start(&w, CAPPED, has_room ? 8 * 2 + 128 : 0);
		log_init(&settings);
		process_room_check(&w.p);
		log_fini();
		assert_int_equal(strstr(w.log, "config_warning") != NULL, !has_room);
		assert_int_equal(strstr(w.log, "limits.caps") != NULL, !has_room);
		// Other changes are taken over.
		assert_int_equal(process_reload(&w.p, true, &r), 0);
		assert_int_equal(r.diff.n_restart, 0);
		stop(&w);
	}
}

// The key is the one in the file.
static void a_budget_without_room_is_named(void **state)
{
	struct operator_reload r;
	struct world w;
	const struct log_env env = {.ctx = &w, .write = line_take};
	const struct log_settings settings = {
		.level = LOG_LEVEL_INFO, .process = "test", .instance = "test", .env = &env};

	(void)state;
	start(&w, SPENT, 0);
	log_init(&settings);
	process_room_check(&w.p);
	log_fini();
	assert_non_null(strstr(w.log, "limits.budget.calls"));
	stop(&w);
	start(&w, PLAIN, 0);
	file_write(&w, "reload.yaml", SPENT);
	assert_int_equal(process_reload(&w.p, false, &r), -EBUSY);
	assert_non_null(strstr(r.problem, "limits.budget.calls"));
	stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caps_without_room_are_refused),
		cmocka_unit_test(caps_without_room_are_named),
		cmocka_unit_test(a_budget_without_room_is_named),
	};

	return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
