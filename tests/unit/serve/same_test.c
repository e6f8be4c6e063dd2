// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "internal.h"

#define LISTENER "{address: 127.0.0.1, transport: tcp, proxies: [10.0.0.0/8], "
#define BACKEND	 "backends: [{address: 127.0.0.1, port: 80, plain: true}], "
#define WEB	 "websocket: {path: /turn, origins: [a, b]}}"

static struct conf *load(const char *listeners)
{
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	char text[512];
	const struct conf_request request = {.role = CONF_FOR_EDGE, .text = text, .directory = "/"};

	snprintf(text, sizeof(text),
		"dataplane: {ports: [{interface: lo}]}\nrelay: {ports: 1-2}\nlisteners: [%s]\n"
		"edge: {certificates: [{certificate: a}]}\n",
		listeners);
	if (conf_load(&request, &conf, &errs) < 0)
		fail_msg("%s: %s", errs.items[0].key, errs.items[0].problem);
	conf_errors_fini(&errs);
	return conf;
}

static void every_change_is_seen(void **state)
{
	static const char *const rows[] = {
		"{address: 127.0.0.1, transport: tcp}",
		LISTENER BACKEND WEB ", {address: 127.0.0.1, port: 3478, transport: tls}",
		"{address: 127.0.0.1, port: 3478, transport: tls}",
		"{address: 127.0.0.1, transport: tcp, proxies: [10.0.0.0/9], " BACKEND WEB,
		LISTENER "backends: [{address: 127.0.0.1, port: 81, plain: true}], " WEB,
		LISTENER "backends: [{address: 127.0.0.1, port: 80, plain: true, "
			 "proxy_protocol: true}], " WEB,
		LISTENER BACKEND "websocket: {path: /tur, origins: [a, b]}}",
		LISTENER BACKEND "websocket: {path: /turn, origins: [a, c]}}",
		LISTENER BACKEND "websocket: {path: /turn, origins: [a]}}",
	};
	// Others come and go.
	static const char *const same[] = {
		LISTENER BACKEND WEB,
		LISTENER BACKEND WEB ", {address: 127.0.0.2, transport: tcp}",
		"{address: 127.0.0.1, port: 9, transport: tcp, proxies: [10.0.0.0/8], " BACKEND WEB,
	};
	struct conf *started = load(LISTENER BACKEND WEB);
	struct serve s = {.conf = started};

	(void)state;
	assert_int_equal(listen_ports_make(&s, started), 0);
	for (size_t i = 0; i < TP_ARRAY_LEN(same); i++) {
		struct conf *conf = load(same[i]);

		if (!serve_listeners_same(&s, conf))
			fail_msg("row %zu is another", i);
		conf_free(conf);
	}
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct conf *conf = load(rows[i]);

		if (serve_listeners_same(&s, conf))
			fail_msg("row %zu is the same", i);
		conf_free(conf);
	}
	free(s.ports);
	conf_free(started);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_change_is_seen),
	};

	return cmocka_run_group_tests_name("serve same", tests, NULL, NULL);
}
