// SPDX-License-Identifier: BSD-3-Clause
// Answers of the operator's commands: they name exactly the parts that the relay has.
#include "desk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEAD                                                                                       \
	"realm: desk.example\n"                                                                    \
	"dataplane: {ports: [{device: net_null0}]}\n"                                              \
	"secrets: [{id: one, secret_file: secret}]\n"                                              \
	"relay: {ports: 2000-2100}\n"                                                              \
	"limits: {allocations: 8, entries: 64}\n"

// RFC 7065: scheme and transport are the listener's, each URI stands once.
static void uris_are_the_listeners(void **state)
{
	static const char config[] = HEAD
		"realms: [{name: other.example, secrets: [{id: two, secret_file: secret}]}]\n"
		"edge: {certificates: [{certificate: c.pem, key: k.pem}]}\n"
		"listeners:\n"
		"  - {address: \"fd77::1\"}\n"
		"  - {address: 10.77.0.1}\n"
		"  - {address: 10.77.0.1, transport: tcp}\n"
		"  - {address: 10.77.0.1, transport: tls, port: 5349}\n"
		"  - {address: 10.77.0.1, transport: dtls, port: 5349}\n"
		"  - {address: 10.77.0.2, realm: other.example}\n"
		"  - {address: 10.77.0.2, transport: tcp, port: 8443, proxies: [10.0.0.0/28]}\n"
		"  - {address: 10.77.0.1, transport: tls, port: 443,\n"
		"     names: [\"*.desk.example\", turn.desk.example],\n"
		"     backends: [{address: 127.0.0.1, port: 9443}]}\n"
		"  - {address: 10.77.0.2, transport: tls, port: 443, names: [turn.desk.example],\n"
		"     backends: [{address: 127.0.0.1, port: 9443}]}\n";
	static const char *const expected[] = {
		"turn:10.77.0.1:3478?transport=udp",
		"turn:10.77.0.1:3478?transport=tcp",
		"turns:10.77.0.1:5349?transport=tcp",
		"turns:10.77.0.1:5349?transport=udp",
		"turns:turn.desk.example:443?transport=tcp",
		"turn:[fd77::1]:3478?transport=udp",
	};
	struct desk *d = desk_make_of(config, false);
	json_t *answer = desk_ask(d, "credential mint", json_pack("{s:s}", "user", "anna"));
	const json_t *uris = json_object_get(answer, "uris");

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(expected); i++) {
		const char *uri = json_string_value(json_array_get(uris, i));

		assert_string_equal(uri == NULL ? "none" : uri, expected[i]);
	}
	assert_int_equal(json_array_size(uris), TP_ARRAY_LEN(expected));
	json_decref(answer);
	desk_free(d);
}

// An address with a port, or a prefix with bits behind it, is no name of a user: its ban would shut
// nobody out.
static void addresses_are_no_names(void **state)
{
	static const char *const subjects[] = {"10.0.0.1/8", "10.0.0.0/33", "198.51.100.7:4000",
		"fd77::1/64", "[fd77::1]:4000", "[fd77::1]"};
	struct desk *d = desk_make(false);

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(subjects); i++) {
		bool failed;
		json_t *answer =
			desk_try(d, "ban add", json_pack("{s:s}", "subject", subjects[i]), &failed);

		if (!failed)
			fail_msg("%s is banned as a %s", subjects[i],
				json_string_value(json_object_get(answer, "kind")));
		json_decref(answer);
	}
	json_decref(desk_ask(d, "ban add", json_pack("{s:s}", "subject", "anna/10.1")));
	json_decref(desk_ask(d, "ban add", json_pack("{s:s}", "subject", "10.0.0.0/8")));
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uris_are_the_listeners),
		cmocka_unit_test(addresses_are_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
