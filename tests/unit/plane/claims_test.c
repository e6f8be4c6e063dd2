// SPDX-License-Identifier: BSD-3-Clause
#include <plane/claims.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char text[] = "dataplane: {ports: [{interface: lo}]}\n"
			   "realm: example.org\n"
			   "listeners:\n"
			   "  - {address: 192.0.2.1, port: 3478}\n"
			   "  - {address: 2001:db8::1, port: 3479}\n"
			   "relay: {addresses: [192.0.2.2], ports: 50000-50099}\n"
			   "secrets: [{id: a, secret_file: /dev/null}]\n";

static struct tp_local local(uint8_t role, uint32_t ip, uint16_t port)
{
	struct tp_local l = {.role = role, .addr = tp_addr_ipv4(ip, port)};

	l.transport = role == TP_ROLE_LISTENER ? TP_TRANSPORT_UDP : 0;
	return l;
}

static void test_conf(void **state)
{
	const struct conf_request req = {
		.role = CONF_FOR_DATAPLANE, .text = text, .directory = "/"};
	struct conf_errors errs = {.items = NULL};
	const struct tp_addr relay = tp_addr_ipv4(0xc0000202, 0);
	struct conf *conf;
	struct plane_claimed o;

	(void)state;
	assert_int_equal(conf_load(&req, &conf, &errs), 0);
	plane_claimed_from_conf(&o, conf);
	assert_int_equal(o.n, 3);
	assert_int_equal(o.items[0].kind, STEER_LISTENER);
	assert_int_equal(o.items[0].port_min, 3478);
	assert_int_equal(o.items[0].port_max, 3478);
	assert_int_equal(o.items[0].addr.port_be, 0);
	assert_int_equal(o.items[1].addr.family, TP_FAMILY_IPV6);
	assert_int_equal(o.items[2].kind, STEER_RELAY);
	assert_int_equal(o.items[2].port_min, 50000);
	assert_int_equal(o.items[2].port_max, 50099);
	assert_true(tp_addr_equal(&o.items[2].addr, &relay));
	conf_free(conf);
	conf_errors_fini(&errs);
}

static void test_locals(void **state)
{
	static struct tp_local locals[TP_LOCALS_MAX];
	struct tp_path_config path = {.relay_port_min = 50000, .relay_port_max = 50099};
	struct plane_claimed o, other;

	(void)state;
	locals[0] = local(TP_ROLE_LISTENER, 0xc0000209, 1); // id 0 is never used
	locals[1] = local(TP_ROLE_LISTENER, 0xc0000201, 3478);
	locals[2] = local(TP_ROLE_RETIRED, 0xc0000201, 3479);
	locals[3] = local(TP_ROLE_RELAY, 0xc0000202, 0);
	locals[4] = local(TP_ROLE_LISTENER, 0xc0000201, 0);
	locals[5] = local(TP_ROLE_LISTENER, 0xc0000201, 3480);
	locals[5].transport = 77;
	locals[6] = local(TP_ROLE_RELAY, 0xc0000203, 0);
	locals[6].addr.family = 9;
	plane_claimed_from_locals(&o, locals, &path);
	assert_int_equal(o.n, 2);
	assert_int_equal(o.items[0].port_min, 3478);
	assert_int_equal(o.items[1].port_max, 50099);
	// DTLS comes as UDP: the port it shares with UDP, and one of its own.
	locals[8] = locals[9] = locals[1];
	locals[8].transport = locals[9].transport = TP_TRANSPORT_DTLS;
	locals[9].addr.port_be = tp_htons(5349);
	plane_claimed_from_locals(&other, locals, &path);
	assert_int_equal(other.n, 3);
	assert_int_equal(other.items[2].port_min, 5349);
	locals[8].role = locals[9].role = TP_ROLE_FREE;

	// The same in another order is the same; anything else is not.
	locals[7] = locals[1];
	locals[1].role = TP_ROLE_FREE;
	plane_claimed_from_locals(&other, locals, &path);
	assert_true(plane_claimed_equal(&o, &other));
	path.relay_port_max = 50100;
	plane_claimed_from_locals(&other, locals, &path);
	assert_false(plane_claimed_equal(&o, &other));
	path.relay_port_min = 50101;
	plane_claimed_from_locals(&other, locals, &path);
	assert_int_equal(other.n, 1);
	assert_false(plane_claimed_equal(&o, &other));
	assert_false(plane_claimed_equal(&other, &o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_locals),
	};

	return cmocka_run_group_tests_name("plane claims", tests, NULL, NULL);
}
