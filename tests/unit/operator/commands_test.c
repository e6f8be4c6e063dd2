// SPDX-License-Identifier: BSD-3-Clause
// Answers of the operator's commands: what they name is what the relay has.
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uris_are_the_listeners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
