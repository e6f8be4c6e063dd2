// SPDX-License-Identifier: BSD-3-Clause
// A correct configuration becomes the right struct.
#include "support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
	(void)state;
	support_write("one.secret", "lab-secret\n", 0600);
	support_write("two.secret",
		"\xef\xbb\xbf"
		"other",
		0640);
	support_write("demo.password", "demo-password\r\n", 0600);
	support_write("key", "0123456789abcdefABCDEF0123456789\n", 0600);
	support_write("users",
		"\xef\xbb\xbf# of the old server\n\nbob:00112233445566778899aabbccddeeff\r\n"
		"12:a:ffeeddccbbaa99887766554433221100",
		0600);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	support_clean();
	return 0;
}

static void assert_ip(const struct tp_addr *a, const char *text)
{
	char buf[TEXT_ADDR_SIZE];

	assert_string_equal(text_ip_format(a, buf), text);
	assert_int_equal(a->port_be, 0);
}

static void assert_addr(const struct tp_addr *a, const char *text)
{
	char buf[TEXT_ADDR_SIZE];

	assert_string_equal(text_addr_format(a, buf), text);
}

static void assert_octets(const struct conf_octets *o, const char *text)
{
	assert_int_equal(o->len, strlen(text));
	assert_memory_equal(o->data, text, o->len);
}

// The numbers of a struct conf: by default, and as `full` sets them.
struct number {
	const char *name;
	size_t offset;
	size_t size;
	uint64_t by_default;
	uint64_t in_full;
};

#define NUMBER(member, by_default, in_full)                                                        \
	{                                                                                          \
#member, offsetof(struct conf, member), sizeof(((struct conf *)0)->member),        \
			by_default, in_full                                                        \
	}

// Read for both roles.
static const struct number shared[] = {
	NUMBER(dataplane.workers, 1, 2),
	NUMBER(dataplane.n_cores, 0, 2),
	NUMBER(dataplane.poll, CONF_POLL_ADAPTIVE, CONF_POLL_BUSY),
	NUMBER(dataplane.hugepages, CONF_HUGEPAGES_AUTO, CONF_HUGEPAGES_NEVER),
	NUMBER(dataplane.n_ports, 1, 2),
	NUMBER(dataplane.fragment_mib, 4, 0),
	NUMBER(n_listeners, 1, 4),
	NUMBER(relay.n_addresses, 1, 3),
	NUMBER(relay.port_min, 49152, 50000),
	NUMBER(relay.port_max, 65535, 50099),
	NUMBER(relay.ttl, CONF_TTL_DECREMENT, CONF_TTL_RESET),
	NUMBER(relay.n_external, 0, 2),
	NUMBER(log.format, LOG_FORMAT_TEXT, LOG_FORMAT_JSON),
	NUMBER(log.level, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG),
};

// Read for the control process.
static const struct number control_only[] = {
	NUMBER(n_users, 0, 4),
	NUMBER(n_secrets, 1, 2),
	NUMBER(peers.n_allow, 0, 2),
	NUMBER(peers.n_deny, 0, 2),
	NUMBER(limits.allocations, 16384, 100),
	NUMBER(limits.entries, 8 * 16384, 2000),
	NUMBER(limits.user_quota, 0, 7),
	NUMBER(limits.secret_quota, 0, 8),
	NUMBER(limits.allocate_rate, 0, 9),
	NUMBER(limits.allocate_burst, 20, 10),
	NUMBER(limits.max_lifetime_s, 3600, 7200),
	NUMBER(limits.default_lifetime_s, 600, 900),
	NUMBER(limits.permission_lifetime_s, 300, 301),
	NUMBER(limits.channel_lifetime_s, 600, 601),
	NUMBER(limits.nonce_lifetime_s, 600, 60),
	NUMBER(limits.credential_lifetime_s, 31 * 86400, 3600),
	NUMBER(limits.first_contact_rate, 200, 0),
	NUMBER(limits.user_connections, 1024, 12),
	NUMBER(limits.user_ports, 0, 7),
	NUMBER(limits.realm_allocations, 0, 8),
	NUMBER(limits.realm_connections, 0, 9),
	NUMBER(limits.peer_rate, 16, 10),
	NUMBER(limits.peer_burst, 512, 11),
	NUMBER(limits.port_rate, 16, 12),
	NUMBER(limits.budget.megabytes, 0, 5000),
	NUMBER(limits.budget.period, CONF_BUDGET_MONTH, CONF_BUDGET_DAY),
	NUMBER(limits.budget.start, 0, 4),
	NUMBER(limits.budget.spent, CONF_SPENT_END, CONF_SPENT_CAP),
	NUMBER(limits.budget.bandwidth_kbps, 128, 96),
	NUMBER(limits.caps.allocation.bandwidth_kbps, 0, 4000),
	NUMBER(limits.caps.allocation.packet_rate, 0, 500),
	NUMBER(limits.caps.allocation.burst_ms, 40, 100),
	NUMBER(limits.caps.user.bandwidth_kbps, 0, 8000),
	NUMBER(limits.caps.user.burst_ms, 40, 40),
	NUMBER(limits.caps.realm.bandwidth_kbps, 0, 100000),
	NUMBER(limits.caps.all.bandwidth_kbps, 0, 4294967295),
	NUMBER(protocol.channel_max, 0x4fff, 0x7fff),
	NUMBER(protocol.default_family, CONF_FAMILY_IPV4, CONF_FAMILY_KEEP),
	NUMBER(protocol.permission_follows_channel, true, false),
	NUMBER(protocol.heal_black_holes, true, false),
	NUMBER(protocol.software, false, true),
	NUMBER(protocol.secure_stun, false, true),
	NUMBER(protocol.draining, false, true),
	NUMBER(protocol.n_alternate_servers, 0, 2),
	NUMBER(protocol.n_tls_alternate_servers, 0, 1),
	NUMBER(protocol.nat_discovery, false, false),
	NUMBER(protocol.mobility, true, true),
	NUMBER(protocol.sha256, true, false),
	NUMBER(protocol.userhash, true, false),
	NUMBER(protocol.tcp_relay, true, false),
	NUMBER(secret_generated, false, false),
};

static uint64_t number_of(const struct conf *c, const struct number *n)
{
	const char *at = (const char *)c + n->offset;
	uint64_t v = 0;

	memcpy(&v, at, n->size); // little-endian hosts, as the tables
	return v;
}

static void assert_numbers(const struct conf *c, const struct number *rows, size_t n, bool full)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t want = full ? rows[i].in_full : rows[i].by_default;

		if (number_of(c, &rows[i]) != want)
			fail_msg("%s is %llu", rows[i].name,
				(unsigned long long)number_of(c, &rows[i]));
	}
}

// Clauses: 8656 7.2-7, 7.2-10
static void defaults_fill_the_rest(void **state)
{
	struct conf *c = support_load_good(CONF_FOR_CONTROL, SUPPORT_BASE SUPPORT_SECRET);

	(void)state;
	assert_numbers(c, shared, TP_ARRAY_LEN(shared), false);
	assert_numbers(c, control_only, TP_ARRAY_LEN(control_only), false);
	assert_null(c->path);
	assert_string_equal(c->instance, "default");
	assert_string_equal(c->runtime_directory, "/run/turnpike/default");
	assert_string_equal(c->realm, "turnpike");
	assert_string_equal(c->dataplane.ports[0].interface, "nic0");
	assert_null(c->dataplane.ports[0].device);
	assert_int_equal(c->listeners[0].transport, CONF_TRANSPORT_UDP);
	assert_addr(&c->listeners[0].addr, "10.77.0.1:3478");
	assert_null(c->listeners[0].certificate);
	assert_ip(&c->relay.addresses[0], "10.77.0.1");
	assert_string_equal(c->secrets[0].id, "one");
	assert_octets(&c->secrets[0].octets, "lab-secret");
	assert_null(c->segment.directory);
	assert_string_equal(c->control.socket, "/run/turnpike/default/control.sock");
	assert_string_equal(c->control.group, "turnpike");
	assert_string_equal(c->segment.group, "turnpike-files");
	conf_free(c);
}

static const char full[] =
	"instance: lab\n"
	"runtime_directory: /run/turnpike-lab\n"
	"realm: lab.turnpike\n"
	"dataplane:\n"
	"  workers: 2\n"
	"  cores: [2, 0x3]\n"
	"  poll: busy\n"
	"  hugepages: never\n"
	"  fragment_memory: 0\n"
	"  ports:\n"
	"    - device: 0000:3b:00.0\n"
	"    - {device: 'net_af_packet0,iface=nic1', interface: nic1}\n"
	"listeners:\n"
	"  - {transport: udp, address: 10.77.0.1, port: 3478}\n"
	"  - {address: 10.77.0.1, port: 3479}\n"
	"  - {address: 'fd77::1'}\n"
	"  - {address: '::ffff:10.77.0.2'}\n"
	"relay:\n"
	"  addresses: [10.77.0.1, 'fd77::1', 10.77.0.3]\n"
	"  ports: 50000-50099\n"
	"  ttl: reset\n"
	"  external:\n"
	"    - {private: 10.77.0.1, public: 198.51.100.7}\n"
	"    - {private: 'fd77::1', public: '2001:db8::7'}\n"
	"users:\n"
	"  - {name: demo, password_file: demo.password}\n"
	"  - {name: \"J\\xf6rg\", key_file: key}\n"
	"users_file: users\n"
	"secrets:\n"
	"  - {id: new, secret_file: two.secret}\n"
	"  - {id: old, secret_file: one.secret}\n"
	"peers: {allow: [10.77.0.0/16, '[fd77::/16]:443'], deny: ['10.77.9.0/24:20-22', "
	"192.0.2.1]}\n"
	"limits:\n"
	"  allocations: 100\n"
	"  entries: 2000\n"
	"  user_quota: 7\n"
	"  user_connections: 12\n"
	"  secret_quota: 8\n"
	"  allocate_rate: 9\n"
	"  allocate_burst: 10\n"
	"  user_ports: 7\n  realm_allocations: 8\n  realm_connections: 9\n  peer_rate: 10\n"
	"  peer_burst: 11\n  port_rate: 12\n"
	"  budget: {megabytes: 5000, period: day, start: 4, calls: cap, bandwidth: 96}\n"
	"  caps: {allocation: {bandwidth: 4000, packet_rate: 500, burst: 100},\n"
	"    user: {bandwidth: 8000}, realm: {bandwidth: 100000}, all: {bandwidth: 4294967295}}\n"
	"  max_lifetime: 7200\n"
	"  default_lifetime: 900\n"
	"  permission_lifetime: 301\n"
	"  channel_lifetime: 601\n"
	"  nonce_lifetime: 60\n"
	"  credential_lifetime: 3600\n"
	"  first_contact_rate: 0\n"
	"protocol: {channel_max: 0x7fff, default_family: keep, permission_follows_channel: false, "
	"heal_black_holes: "
	"false, software: on, "
	"secure_stun: yes, draining: true, alternate_servers: [10.77.0.9:3478, '[fd77::9]:443'], "
	"tls_alternate_servers: [10.77.0.9:5349], alternate_domain: relay.example.org, "
	"sha256: no, userhash: false, tcp_relay: no}\n"
	"log: {format: json, level: debug}\n"
	"segment: {directory: /run/turnpike-lab/huge}\n"
	"control: {socket: ctl.sock, group: staff}\n";

static void assert_full_shared(const struct conf *c)
{
	assert_numbers(c, shared, TP_ARRAY_LEN(shared), true);
	assert_string_equal(c->instance, "lab");
	assert_string_equal(c->runtime_directory, "/run/turnpike-lab");
	assert_int_equal(c->dataplane.cores[0], 2);
	assert_int_equal(c->dataplane.cores[1], 3);
	assert_string_equal(c->dataplane.ports[0].device, "0000:3b:00.0");
	assert_null(c->dataplane.ports[0].interface);
	assert_string_equal(c->dataplane.ports[1].device, "net_af_packet0,iface=nic1");
	assert_string_equal(c->dataplane.ports[1].interface, "nic1");
	assert_addr(&c->listeners[1].addr, "10.77.0.1:3479");
	assert_addr(&c->listeners[2].addr, "[fd77::1]:3478");
	assert_addr(&c->listeners[3].addr, "10.77.0.2:3478");
	assert_ip(&c->relay.addresses[1], "fd77::1");
	assert_ip(&c->relay.addresses[2], "10.77.0.3");
	assert_string_equal(c->segment.directory, "/run/turnpike-lab/huge");
}

static void everything_is_read(void **state)
{
	struct conf *c = support_load_good(CONF_FOR_CONTROL, full);
	char path[256], cidr[TEXT_ADDR_SIZE];
	static const uint8_t key[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd,
		0xef, 0x01, 0x23, 0x45, 0x67, 0x89};

	(void)state;
	assert_full_shared(c);
	assert_numbers(c, control_only, TP_ARRAY_LEN(control_only), true);
	assert_string_equal(c->realm, "lab.turnpike");
	assert_string_equal(c->users[0].name, "demo");
	assert_false(c->users[0].has_key);
	assert_octets(&c->users[0].password, "demo-password");
	assert_string_equal(c->users[1].name, "J\xc3\xb6rg");
	assert_true(c->users[1].has_key);
	assert_memory_equal(c->users[1].key, key, 16);
	assert_string_equal(c->users[2].name, "bob");
	assert_int_equal(c->users[2].key[15], 0xff);
	assert_string_equal(c->users[3].name, "12:a");
	assert_int_equal(c->users[3].key[15], 0x00);
	assert_string_equal(c->secrets[0].id, "new");
	assert_octets(&c->secrets[0].octets, "other");
	assert_octets(&c->secrets[1].octets, "lab-secret");
	assert_string_equal(text_scope_format(&c->peers.allow[0], cidr), "10.77.0.0/16");
	assert_string_equal(text_scope_format(&c->peers.allow[1], cidr), "[fd77::/16]:443");
	assert_string_equal(text_scope_format(&c->peers.deny[0], cidr), "10.77.9.0/24:20-22");
	assert_string_equal(text_scope_format(&c->peers.deny[1], cidr), "192.0.2.1/32");
	snprintf(path, sizeof(path), "%s/ctl.sock", support_directory());
	assert_string_equal(c->control.socket, path);
	assert_string_equal(c->control.group, "staff");
	conf_free(c);
}

static void external_maps_both_families(void **state)
{
	struct conf *c = support_load_good(CONF_FOR_CONTROL, full);
	struct tp_addr a;

	(void)state;
	assert_int_equal(text_addr_parse("10.77.0.1:3478", &a), 0);
	a = conf_external_of(c, &a);
	assert_addr(&a, "198.51.100.7:3478");
	assert_int_equal(text_ip_parse("fd77::1", &a), 0);
	a = conf_external_of(c, &a);
	assert_ip(&a, "2001:db8::7");
	assert_int_equal(text_addr_parse("10.77.0.3:5", &a), 0);
	a = conf_external_of(c, &a);
	assert_addr(&a, "10.77.0.3:5");
	conf_free(c);
}

// The data plane reads its own sections and opens no secret: here they are not even readable.
static void dataplane_sees_no_secret(void **state)
{
	struct conf *c;

	(void)state;
	support_write("one.secret", "", 0777);
	unlink("two.secret");
	c = support_load_good(CONF_FOR_DATAPLANE, full);
	assert_full_shared(c);
	assert_int_equal(c->n_users, 0);
	assert_int_equal(c->n_secrets, 0);
	conf_free(c);
	c = support_load_good(CONF_FOR_DATAPLANE,
		SUPPORT_BASE "limits: nonsense\nsecrets: [{secret_file: /nowhere}]\n");
	conf_free(c);
}

static const char streams[] =
	SUPPORT_BASE "  - {address: 10.77.0.1, transport: tcp, proxies: [10.1.0.0/16, 'fd77::1']}\n"
		     "  - {address: 10.77.0.1, transport: tls}\n"
		     "  - {address: 10.77.0.2, transport: tls, port: 443, certificate: /own.pem,\n"
		     "     client_ca: /ca.pem,\n"
		     "     names: [turn.example.org], backends: [{names: [a.example.org],\n"
		     "     address: 127.0.0.1, port: 8443, proxy_protocol: true},\n"
		     "     {address: '::1', port: 80, plain: true}],\n"
		     "     websocket: {path: /turn, origins: ['https://a.example.org']}}\n"
		     "edge:\n"
		     "  threads: 3\n"
		     "  certificates:\n"
		     "    - {certificate: /chain.pem, key: /key.pem, ocsp: /ocsp}\n"
		     "    - certificate: /both.pem\n"
		     "  ticket_key_file: /tickets\n"
		     "  connections: 5\n"
		     "  connections_per_prefix: 4\n"
		     "  handshake_rate: 0\n"
		     "  handshake_rate_per_prefix: 3\n"
		     "  handshake_timeout: 2\n"
		     "  idle_timeout: 11\n"
		     "  drain: 12\n"
		     "  queue_age_ms: 500\n"
		     "  queue_bytes: 20000\n";

static void assert_backends(const struct conf_listener *l)
{
	assert_int_equal(l->n_names, 1);
	assert_string_equal(l->names[0], "turn.example.org");
	assert_int_equal(l->n_backends, 2);
	assert_int_equal(l->backends[0].n_names, 1);
	assert_string_equal(l->backends[0].names[0], "a.example.org");
	assert_addr(&l->backends[0].addr, "127.0.0.1:8443");
	assert_true(l->backends[0].proxy_protocol && !l->backends[0].plain);
	assert_int_equal(l->backends[1].n_names, 0);
	assert_addr(&l->backends[1].addr, "[::1]:80");
	assert_true(!l->backends[1].proxy_protocol && l->backends[1].plain);
	assert_string_equal(l->websocket.path, "/turn");
	assert_int_equal(l->websocket.n_origins, 1);
	assert_string_equal(l->websocket.origins[0], "https://a.example.org");
}

static void assert_streams(const struct conf *c)
{
	char cidr[TEXT_ADDR_SIZE];

	assert_true(conf_has_edge(c));
	assert_int_equal(c->n_listeners, 4);
	assert_int_equal(c->listeners[1].transport, CONF_TRANSPORT_TCP);
	assert_addr(&c->listeners[1].addr, "10.77.0.1:3478");
	assert_int_equal(c->listeners[1].n_proxies, 2);
	assert_string_equal(text_cidr_format(&c->listeners[1].proxies[0], cidr), "10.1.0.0/16");
	assert_int_equal(c->listeners[2].transport, CONF_TRANSPORT_TLS);
	assert_addr(&c->listeners[2].addr, "10.77.0.1:5349");
	assert_int_equal(c->listeners[2].n_proxies, 0);
	assert_null(c->listeners[2].certificate);
	assert_string_equal(c->listeners[3].certificate, "/own.pem");
	assert_string_equal(c->listeners[3].client_ca, "/ca.pem");
	assert_null(c->listeners[2].client_ca);
	assert_true(conf_has_backends(c));
	assert_backends(&c->listeners[3]);
	assert_int_equal(c->edge.threads, 3);
	assert_int_equal(c->edge.n_certificates, 2);
	assert_string_equal(c->edge.certificates[0].key, "/key.pem");
	assert_string_equal(c->edge.certificates[1].key, "/both.pem");
	assert_string_equal(c->edge.certificates[0].ocsp, "/ocsp");
	assert_null(c->edge.certificates[1].ocsp);
	assert_string_equal(c->edge.ticket_key_file, "/tickets");
	assert_int_equal(c->edge.connections, 5);
	assert_int_equal(c->edge.connections_per_prefix, 4);
	assert_int_equal(c->edge.handshake_rate, 0);
	assert_int_equal(c->edge.handshake_rate_per_prefix, 3);
	assert_int_equal(c->edge.handshake_timeout_s, 2);
	assert_int_equal(c->edge.idle_timeout_s, 11);
	assert_int_equal(c->edge.drain_s, 12);
	assert_int_equal(c->edge.queue_age_ms, 500);
	assert_int_equal(c->edge.queue_bytes, 20000);
}

// The edge opens no secret, and reads no section of the TURN server.
static void edge_reads_its_section(void **state)
{
	char text[2048];
	struct conf *c;

	(void)state;
	snprintf(text, sizeof(text), "%s%s", streams, SUPPORT_SECRET);
	support_write("one.secret", "lab-secret\n", 0600);
	c = support_load_good(CONF_FOR_CONTROL, text);
	assert_streams(c);
	conf_free(c);
	snprintf(text, sizeof(text), "%slimits: nonsense\nsecrets: [{secret_file: /nowhere}]\n",
		streams);
	c = support_load_good(CONF_FOR_EDGE, text);
	assert_streams(c);
	assert_int_equal(c->n_secrets, 0);
	conf_free(c);
	c = support_load_good(CONF_FOR_DATAPLANE, text);
	assert_int_equal(c->edge.n_certificates, 0);
	assert_int_equal(c->n_listeners, 4);
	conf_free(c);
	c = support_load_good(CONF_FOR_EDGE, SUPPORT_BASE);
	assert_false(conf_has_edge(c));
	conf_free(c);
}

static void file_starts_its_relative_paths(void **state)
{
	struct conf_errors errs = {0};
	struct conf_request req = {.role = CONF_FOR_CONTROL, .instance = "blue"};
	char path[256], cwd[256];
	struct conf *c;

	(void)state;
	setup(NULL);
	support_write("turnpike.yaml", full, 0644);
	snprintf(path, sizeof(path), "%s/turnpike.yaml", support_directory());
	req.path = path;
	assert_int_equal(conf_load(&req, &c, &errs), 0);
	assert_string_equal(c->path, path);
	assert_string_equal(c->instance, "blue");
	assert_octets(&c->secrets[0].octets, "other");
	conf_free(c);

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(support_directory()), 0);
	req.path = "turnpike.yaml";
	assert_int_equal(conf_load(&req, &c, &errs), 0);
	assert_string_equal(c->control.socket, "ctl.sock");
	conf_free(c);
	assert_int_equal(chdir(cwd), 0);
	assert_int_equal(errs.len, 0);
	conf_errors_fini(&errs);
}

static void instance_names_the_paths(void **state)
{
	struct conf_errors errs = {0};
	struct conf_request req = {
		.role = CONF_FOR_CONTROL,
		.text = SUPPORT_BASE SUPPORT_SECRET "instance: red\n",
		.directory = support_directory(),
		.instance = "blue",
	};
	struct conf *c;

	(void)state;
	assert_int_equal(conf_load(&req, &c, &errs), 0);
	assert_string_equal(c->instance, "blue");
	assert_string_equal(c->control.socket, "/run/turnpike/blue/control.sock");
	conf_free(c);
	req.instance = "../blue";
	assert_int_equal(conf_load(&req, &c, &errs), -EINVAL);
	assert_int_equal(errs.len, 1);
	conf_errors_fini(&errs);
}

static void instance_names(void **state)
{
	static const char *const bad[] = {"", "-a", "a/b", "a b", ".", "map_x", "rtemap_1",
		"\xc3\xb6", "a23456789012345678901234567890123"};

	(void)state;
	assert_true(conf_instance_valid("default"));
	assert_true(conf_instance_valid("a234567890123456789012345678901"));
	assert_false(conf_instance_valid("a2345678901234567890123456789012"));
	for (size_t i = 0; i < TP_ARRAY_LEN(bad); i++)
		assert_false(conf_instance_valid(bad[i]));
}

static void lists_may_be_empty(void **state)
{
	struct conf *c = support_load_good(CONF_FOR_CONTROL, SUPPORT_BASE SUPPORT_SECRET
		"users:\npeers:\nrelay: {external: [], addresses: ~}\nlimits: {}\nlog:\n");

	(void)state;
	assert_int_equal(c->n_users, 0);
	assert_int_equal(c->relay.n_addresses, 1);
	conf_free(c);
}

static void aliases_are_values(void **state)
{
	struct conf *c =
		support_load_good(CONF_FOR_CONTROL, "dataplane: {ports: [{interface: nic0}]}\n"
						    "listeners:\n  - {address: &a 10.77.0.1}\n"
						    "relay: {addresses: [*a]}\n" SUPPORT_SECRET);

	(void)state;
	assert_ip(&c->relay.addresses[0], "10.77.0.1");
	conf_free(c);
}

static void free_takes_null(void **state)
{
	(void)state;
	conf_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_fill_the_rest),
		cmocka_unit_test(everything_is_read),
		cmocka_unit_test(external_maps_both_families),
		cmocka_unit_test(dataplane_sees_no_secret),
		cmocka_unit_test(edge_reads_its_section),
		cmocka_unit_test(file_starts_its_relative_paths),
		cmocka_unit_test(instance_names_the_paths),
		cmocka_unit_test(instance_names),
		cmocka_unit_test(lists_may_be_empty),
		cmocka_unit_test(aliases_are_values),
		cmocka_unit_test(free_takes_null),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
