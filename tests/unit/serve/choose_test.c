// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "internal.h"

static const char *const own_names[] = {"turn.example.org"};
static const char *const shop[] = {"shop.example.org", "*.shop.example.org"};
static const struct conf_backend backends[] = {
	{.plain = true},
	{.names = shop, .n_names = 2},
	{.n_names = 0},
};
static const struct conf_listener with_rest = {
	.names = own_names, .n_names = 1, .backends = backends, .n_backends = 3};
static const struct conf_listener shop_alone = {
	.names = own_names, .n_names = 1, .backends = backends, .n_backends = 2};

#define SHOP  (&backends[1])
#define REST  (&backends[2])
#define TURN  WIRE_HELLO_TURN
#define HTTP1 WIRE_HELLO_HTTP1
#define OTHER WIRE_HELLO_OTHER

static void names_and_protocols(void **state)
{
	static const struct {
		const char *name;
		unsigned protocols;
		bool own; // a certificate has the name
		const struct conf_backend *with_rest, *shop_alone;
	} rows[] = {
		{"", 0, false, NULL, NULL},
		{"", TURN, false, NULL, NULL},
		{"", TURN | OTHER, false, NULL, NULL},
		{"", HTTP1, false, REST, NULL},
		{"", HTTP1 | OTHER, false, REST, NULL},
		{"turn.example.org", 0, false, NULL, NULL},
		{"turn.example.org", TURN, true, NULL, NULL},
		{"turn.example.org", HTTP1 | OTHER, true, REST, NULL},
		{"other.example.org", 0, true, NULL, NULL},
		{"other.example.org", 0, false, REST, NULL},
		{"other.example.org", TURN, false, REST, NULL},
		{"?", 0, false, REST, NULL},
		{"shop.example.org", 0, false, SHOP, SHOP},
		// A certificate for *.example.org takes nothing away from the shop.
		{"shop.example.org", 0, true, SHOP, SHOP},
		{"shop.example.org", HTTP1 | OTHER, true, SHOP, SHOP},
		{"a.shop.example.org", HTTP1, false, SHOP, SHOP},
		{"a.b.shop.example.org", HTTP1, false, REST, NULL},
		{".shop.example.org", HTTP1, false, REST, NULL},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		static struct wire_hello h;

		snprintf(h.name, sizeof(h.name), "%s", rows[i].name);
		h.protocols = rows[i].protocols;
		if (choose_backend(&with_rest, &h, rows[i].own) != rows[i].with_rest ||
			choose_backend(&shop_alone, &h, rows[i].own) != rows[i].shop_alone)
			fail_msg("row %zu: '%s'", i, rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_protocols),
	};

	return cmocka_run_group_tests_name("serve choose", tests, NULL, NULL);
}
