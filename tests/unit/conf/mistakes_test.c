// SPDX-License-Identifier: BSD-3-Clause
// Each kind of mistake is named with its line, its key and a remedy, and none hides another.
#include "support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct mistake {
	unsigned line;
	const char *key;
	const char *says;   // part of the problem; a warning begins with WARN
	const char *remedy; // part of the remedy
};

#define WARN "warning: "

struct row {
	const char *text;
	struct mistake mistakes[6];
};

// Three lines each: the lines of a row begin in line 4 or 5.
#define BASE	  SUPPORT_BASE
#define SECRET	  SUPPORT_SECRET

#define LETTERS16 "abcdefghijklmnop"
#define LETTERS64 LETTERS16 LETTERS16 LETTERS16 LETTERS16

static const struct row keys[] = {
	{BASE SECRET "realmm: x\n", {{5, "realmm", "unknown key", "did you mean realm"}}},
	{BASE SECRET "max_lifetime: 60\n", {{5, "max_lifetime", "unknown", "belongs into limits"}}},
	{BASE SECRET "log:\n  instance: a\n", {{6, "log.instance", "unknown", "top level"}}},
	{BASE SECRET "relay:\n  port: 5000-6000\n", {{6, "relay.port", "unknown", "ports"}}},
	{BASE SECRET "log: {lvl: debug}\n", {{5, "log.lvl", "unknown", "did you mean level"}}},
	{BASE SECRET "log: {qqqqqqqq: 1}\n",
		{{5, "log.qqqqqqqq", "unknown", "known here: format, level"}}},
	{BASE SECRET "\"a\\nb\\e[1m\": 1\n", {{5, "\"a\\nb\\u001b[1m\"", "unknown", "known here"}}},
	{BASE SECRET "<<: {realm: x}\n", {{5, "\"<<\"", "unknown", "known here"}}},
	{BASE SECRET "? [a]\n: b\n", {{5, "", "a key is not a word", "plain words"}}},
	{BASE SECRET "realm: a\nlog: {}\nrealm: b\n",
		{{7, "realm", "a second time, first in line 5", "keep one"}}},
	{BASE SECRET "limits:\n  entries: 500000\n  entries: 500001\n",
		{{7, "limits.entries", "first in line 6", "keep one"}}},
	{BASE "users:\n  - name: demo\n    password: hunter2\n",
		{{6, "users[0].password", "unknown key",
			"mode 0640 and name that with password_file"}}},
	{BASE "secrets: [{id: a, secret: hunter2}]\n",
		{{4, "secrets[0].secret", "unknown key", "secret_file"},
			{4, "secrets[0].secret_file", "is missing",
				"add secret_file: rest.secret"}}},
};

static const struct row types[] = {
	{BASE SECRET "realm: [a]\n",
		{{5, "realm", "needs a single value, not a list", "write it as"}}},
	{BASE SECRET "realm: {a: b}\n", {{5, "realm", "not a group of keys", "write it as"}}},
	{BASE SECRET "realm:\n", {{5, "realm", "has no value", "remove the key"}}},
	{BASE SECRET "realm: ''\n", {{5, "realm", "has no value", "remove the key"}}},
	{BASE SECRET "realm: " LETTERS64 LETTERS64 "\n",
		{{5, "realm", "has more than 127 characters", "shorter"}}},
	{BASE SECRET "realm: \"a\\0b\"\n", {{5, "realm", "NUL", "remove"}}},
	{BASE SECRET "realm: \"a\\nb\"\n", {{5, "realm", "\"a\\nb\" contains control", "control"}}},
	{BASE SECRET "log: debug\n", {{5, "log", "needs keys and values", "known here: format"}}},
	{BASE SECRET "log: [debug]\n", {{5, "log", "needs keys and values", "known here: format"}}},
	{BASE SECRET "relay: {addresses: 10.77.0.1}\n",
		{{5, "relay.addresses", "needs a list", "write it as [10.77.0.1]"}}},
	{BASE SECRET "relay: {external: {private: 10.77.0.1}}\n",
		{{5, "relay.external", "needs a list", "\"- \""}}},
	{BASE SECRET "users: [demo]\n",
		{{5, "users[0]", "needs keys and values", "known here: name"},
			{5, "users[0].name", "is missing", "add name: alice"}}},
	{BASE SECRET "limits: {allocations: many}\n",
		{{5, "limits.allocations", "\"many\" is not a number", "from 1 to 4194304"}}},
	{BASE SECRET "limits: {allocations: 0}\n",
		{{5, "limits.allocations", "out of range", "from 1"}}},
	{BASE SECRET "limits: {allocations: -1}\n",
		{{5, "limits.allocations", "not a number", "from 1"}}},
	{BASE SECRET "limits: {allocations: 010}\n",
		{{5, "limits.allocations", "not a number", "from 1"}}},
	{BASE SECRET "limits: {allocations: 1e3}\n",
		{{5, "limits.allocations", "not a number", "from 1"}}},
	{BASE SECRET "limits: {budget: {start: 29}}\n",
		{{5, "limits.budget.start", "out of range", "from 0 to 28"}}},
	{BASE SECRET "limits: {budget: {period: day, start: 24}}\n",
		{{5, "limits.budget.start", "is no hour of a day", "0 to 23"}}},
	{BASE SECRET "limits: {user_quota: 4294967296}\n",
		{{5, "limits.user_quota", "out of range", "a whole number"}}},
	{BASE SECRET "limits: {user_quota: 0xfffffffffffffffffffff}\n",
		{{5, "limits.user_quota", "not a number", "a whole number"}}},
	{BASE SECRET "protocol: {software: maybe}\n",
		{{5, "protocol.software", "neither true nor false", "give true or false"}}},
	{BASE SECRET "protocol: {channel_max: 0x8000}\n",
		{{5, "protocol.channel_max", "out of range", "from 0x4fff to 0x7fff"}}},
	{BASE SECRET "log: {level: loud}\n",
		{{5, "log.level", "\"loud\" is not known", "error or warning or info or debug"}}},
	{BASE SECRET "instance: a/b\n",
		{{5, "instance", "invalid instance name", "letters, digits"}}},
};

static const struct row addresses[] = {
	{"dataplane: {ports: [{interface: nic0}]}\nlisteners:\n  - address: relay.example\n" SECRET,
		{{3, "listeners[0].address", "\"relay.example\" is not an IP address",
			"192.0.2.10"}}},
	{"dataplane: {ports: [{interface: nic0}]}\nlisteners:\n  - address: "
	 "10.77.0.1:3478\n" SECRET,
		{{3, "listeners[0].address", "has a port", "such as 192.0.2.10"}}},
	{"dataplane: {ports: [{interface: nic0}]}\nlisteners:\n  - address: 10.77.0.1/24\n" SECRET,
		{{3, "listeners[0].address", "is a prefix", "such as"}}},
	{"dataplane: {ports: [{interface: nic0}]}\nlisteners:\n  - address: 10.77.0.0/24\n" SECRET,
		{{3, "listeners[0].address", "is a prefix", "such as"}}},
	{"dataplane: {ports: [{interface: nic0}]}\nlisteners:\n  - address: 0.0.0.0\n" SECRET,
		{{3, "listeners[0].address", "unspecified", "name each address"}}},
	{"dataplane: {ports: [{interface: nic0}]}\nlisteners:\n  - address: '::'\n" SECRET,
		{{3, "listeners[0].address", "unspecified", "name each address"}}},
	{"dataplane: {ports: [{interface: nic0}]}\nlisteners:\n  - address: "
	 "'::ffff:0.0.0.0'\n" SECRET,
		{{3, "listeners[0].address", "unspecified", "name each address"}}},
	{BASE SECRET "relay:\n  addresses:\n    - 224.0.0.1\n    - 255.255.255.255\n    - 0.1.2.3\n"
		     "    - ff02::1\n    - fe80::1\n",
		{{7, "relay.addresses[0]", "multicast", "one host"},
			{8, "relay.addresses[1]", "broadcast", "one host"},
			{9, "relay.addresses[2]", "0.0.0.0/8", "one host"},
			{10, "relay.addresses[3]", "multicast", "one host"},
			{11, "relay.addresses[4]", "link-local", "global"}}},
	{BASE "  - {address: 10.77.0.2, port: 0}\n  - {address: 10.77.0.2, port: 65536}\n" SECRET,
		{{4, "listeners[1].port", "out of range", "from 1 to 65535"},
			{5, "listeners[2].port", "out of range", "from 1 to 65535"}}},
	{BASE SECRET "peers:\n  allow:\n    - 10.0.0.1/8\n    - 10.0.0.0/33\n    - fd77::/129\n"
		     "  deny: [example.com]\n",
		{{7, "peers.allow[0]", "\"10.0.0.1/8\" has bits behind its prefix",
			 "write 10.0.0.0/8"},
			{8, "peers.allow[1]", "not an address prefix", "such as"},
			{9, "peers.allow[2]", "not an address prefix", "such as"},
			{10, "peers.deny[0]", "\"example.com\" is not an address prefix",
				"such as"}}},
	{BASE SECRET "peers:\n  allow:\n    - '10.0.0.1/8:53'\n    - '10.0.0.0/8:'\n"
		     "    - '[fd77::/16]:9-1'\n  deny: ['[fd77::/16]', '[fd77::/16:53', "
		     "'0.0.0.0/0:0']\n",
		{{7, "peers.allow[0]", "\"10.0.0.1/8\" has bits behind its prefix",
			 "write 10.0.0.0/8"},
			{8, "peers.allow[1]", "\"\" is not a range of ports", "such as"},
			{9, "peers.allow[2]", "\"9-1\" begins above its end", "lower port"},
			{10, "peers.deny[0]", "not an address prefix", "such as"},
			{10, "peers.deny[1]", "not an address prefix", "such as"},
			{10, "peers.deny[2]", "\"0\" is not a range of ports", "such as"}}},
	{BASE SECRET "policies:\n  - {name: a, users: [b, c, b]}\n  - {name: a, users: [c],\n"
		     "     allow: [127.0.0.0/8]}\n  - {name: d}\n",
		{{6, "policies[0].users[2]", "has policy \"a\" already", "once"},
			{7, "policies[1].name", "the name of another policy", "of its own"},
			{7, "policies[1].users[0]", "has policy \"a\" already", "once"},
			{8, "policies[1].allow[0]", "127.0.0.0/8 can't be opened", "remove"},
			{9, "policies[2].users", "is missing", "add users"}}},
	{BASE SECRET "protocol: {default_family: ipv5}\n",
		{{5, "protocol.default_family", "\"ipv5\" is not known", "ipv4 or ipv6 or keep"}}},
	{BASE SECRET "protocol: {default_family: ipv6}\n",
		{{5, "protocol.default_family", "no relay address is IPv6", "relay.addresses"}}},
	{BASE "  - {address: 10.77.0.1, port: 3479}\n  - {address: 10.77.0.2}\n" SECRET
	      "protocol: {nat_discovery: true}\n",
		{{7, "protocol.nat_discovery", "no two addresses have UDP listeners",
			"missing listeners"}}},
	{BASE SECRET "protocol: {alternate_servers: ['10.77.0.9:3478-3479']}\n",
		{{5, "protocol.alternate_servers[0]", "is a range of ports", "one port"}}},
	{BASE SECRET "protocol: {tls_alternate_servers: ['10.77.0.9:1-2']}\n",
		{{5, "protocol.tls_alternate_servers[0]", "is a range of ports", "one port"}}},
	{BASE SECRET "protocol: {alternate_domain: turn2.example.org}\n",
		{{5, "protocol.alternate_domain", "no servers of that name",
			"tls_alternate_servers"}}},
	{BASE SECRET "relay: {ports: 65535-49152}\n",
		{{5, "relay.ports", "begins above its end", "lower port first"}}},
	{BASE SECRET "relay: {ports: 49152-70000}\n",
		{{5, "relay.ports", "not a range of ports", "49152-65535"}}},
	{BASE SECRET "relay: {ports: 49152}\n", {{0}}},
	{BASE SECRET "relay: {ports: 600-700}\n",
		{{5, "relay.ports", WARN "services of this host", "1024"}}},
};

static const struct row missing[] = {
	{"", {{0, "dataplane.ports", "is missing", "add ports: [{interface: eth0}]"},
		     {0, "listeners", "is missing", "add listeners: [{address: 192.0.2.10}]"},
		     {0, "secrets", "no users or secrets configured", "add secrets"}}},
	{"# nothing\n--- \n...\n",
		{{3, "dataplane.ports", "is missing", "add ports: [{interface: eth0}]"},
			{3, "listeners", "is missing", "add listeners: [{address: 192.0.2.10}]"},
			{0, "secrets", "no users or secrets configured", "add secrets"}}},
	{"[]\n", {{1, "", "needs keys and values", "known here: instance"},
			 {1, "dataplane.ports", "is missing", "add ports: [{interface: eth0}]"},
			 {1, "listeners", "is missing", "add listeners: [{address: 192.0.2.10}]"},
			 {0, "secrets", "no users or secrets configured", "add secrets"}}},
	{BASE, {{0, "secrets", "no users or secrets configured", "add secrets"}}},
	{BASE "users: []\nsecrets:\n",
		{{0, "secrets", "no users or secrets configured", "add secrets"}}},
	{"listeners: []\ndataplane:\n  ports: []\n" SECRET,
		{{1, "listeners", "is empty", "at least one"},
			{3, "dataplane.ports", "is empty", "at least one"}}},
	{"dataplane: {ports: [{}]}\nlisteners: [{port: 3478}]\n" SECRET,
		{{1, "dataplane.ports[0]", "neither an interface nor a device", "interface: NAME"},
			{2, "listeners[0].address", "is missing", "add address: 192.0.2.10"}}},
	{BASE SECRET "relay: {external: [{public: 198.51.100.7}]}\n",
		{{5, "relay.external[0].private", "is missing", "add private: 10.0.0.10"}}},
	{BASE "users: [{password_file: demo.password}]\n",
		{{4, "users[0].name", "is missing", "add name: alice"}}},
};

static const struct row relations[] = {
	{BASE "  - {transport: tcp, address: 10.77.0.1, certificate: relay.pem}\n"
	      "  - {transport: tls, address: 10.77.0.1}\n"
	      "  - {transport: dtls, address: 10.77.0.1}\n"
	      "  - {transport: sctp, address: 10.77.0.1}\n"
	      "  - {address: 10.77.0.2, proxies: [10.0.0.0/8]}\n" SECRET,
		{{4, "listeners[1].certificate", "tcp uses no certificate", "remove it"},
			{5, "listeners[2]", "a tls listener has no certificate",
				"add edge: {certificates:"},
			{6, "listeners[3]", "a dtls listener has no certificate",
				"add edge: {certificates:"},
			{7, "listeners[4].transport", "\"sctp\" is not known here",
				"give udp or tcp or tls or dtls"},
			{8, "listeners[5]", "no PROXY protocol goes ahead of udp",
				"remove proxies"}}},
	{BASE "  - {transport: tls, address: 10.77.0.1, port: 3478}\n"
	      "edge: {threads: 65, certificates: [{key: a}], idle_timeout: 9}\n" SECRET,
		{{5, "edge.threads", "out of range", "from 1 to 64"},
			{5, "edge.certificates[0].certificate", "is missing",
				"add certificate: fullchain.pem"},
			{5, "edge.idle_timeout", "out of range", "from 10 to 86400"}}},
	{BASE "    backends: [{address: 10.0.0.1, port: 80}]\n"
	      "  - {transport: tcp, address: 10.77.0.2, backends: [{address: '::1', port: 80}]}\n"
	      "  - {transport: tls, address: 10.77.0.3, certificate: a.pem, names: [a/b],\n"
	      "     backends: [{names: ['*.x', '*'], address: 10.77.0.2, port: 3478}]}\n" SECRET,
		{{3, "listeners[0]", "udp connections are not handed on", "remove backends"},
			{5, "listeners[1].backends[0]", "hand on plain HTTP alone",
				"plain: true without names"},
			{6, "listeners[2].names[0]", "\"a/b\" is no name of a host",
				"*.example.org"},
			{7, "listeners[2].backends[0]", "is a listener of this relay",
				"another server"},
			{7, "listeners[2].backends[0].names[1]", "\"*\" is no name of a host",
				"www.example.org"}}},
	{BASE "    client_ca: ca.pem\n" SECRET,
		{{4, "listeners[0].client_ca", "udp asks for no certificate", "remove it"}}},
	{BASE "    websocket: {path: /turn}\n"
	      "  - {transport: tcp, address: 10.77.0.2, websocket: {path: turn}}\n"
	      "  - {transport: tcp, address: 10.77.0.3, websocket: {path: /turn}}\n"
	      "  - {transport: tcp, address: 10.77.0.4, websocket: {origins: ['*']}}\n" SECRET,
		{{4, "listeners[0].websocket.path", "no WebSocket comes by udp",
			 "remove websocket"},
			{5, "listeners[1].websocket.path", "\"turn\" is no path", "/turn"},
			{6, "listeners[2].websocket.path", "no page may begin", "add origins"},
			{7, "listeners[3].websocket.origins[0]", "without a path", "add path"}}},
	{BASE "    certificate: relay.pem\n" SECRET,
		{{4, "listeners[0].certificate", "udp uses no certificate", "remove it"}}},
	{BASE "  - {address: 10.77.0.1, port: 3479}\n  - {address: '::ffff:10.77.0.1'}\n" SECRET,
		{{5, "listeners[2]", "the same as listeners[0] in line 3", "keep one"}}},
	{BASE SECRET "relay: {addresses: [10.77.0.1, 10.77.0.2, '::ffff:10.77.0.1']}\n",
		{{5, "relay.addresses[2]", "the same as relay.addresses[0] in line 5",
			"keep one"}}},
	{BASE "    port: 50000\n" SECRET,
		{{4, "listeners[0].port", "port 50000 is one of the relayed ports 49152-65535",
			"narrow relay.ports"}}},
	{BASE SECRET "relay: {ports: 3000-4000}\n",
		{{3, "listeners[0]", "port 3478 is one of the relayed ports 3000-4000", "narrow"}}},
	// Another address may have its relay range where this one listens.
	{BASE "    port: 50000\n" SECRET "relay: {addresses: [10.77.0.2]}\n", {{0}}},
	{BASE SECRET "relay:\n  external:\n"
		     "    - {private: 10.77.0.1, public: '2001:db8::1'}\n"
		     "    - {private: 10.77.0.9, public: 198.51.100.9}\n",
		{{7, "relay.external[0].public", "of another family", "IPv4 to IPv4"},
			{8, "relay.external[1].private",
				"10.77.0.9 is not an address of this relay", "relay.addresses"}}},
	{BASE "  - address: 10.77.0.2\n" SECRET "relay:\n  external:\n"
	      "    - {private: 10.77.0.1, public: 198.51.100.1}\n"
	      "    - {private: 10.77.0.1, public: 198.51.100.2}\n"
	      "    - {private: 10.77.0.2, public: 198.51.100.1}\n",
		{{9, "relay.external[1]", "the same private address as line 8", "once"},
			{10, "relay.external[2]", "the same public address as line 8",
				"of its own"}}},
	{"dataplane:\n  ports: [{interface: a}, {interface: a}, {device: x}, {device: x}]\n"
	 "listeners: [{address: 10.77.0.1}]\n" SECRET,
		{{2, "dataplane.ports[1]", "same interface", "once"},
			{2, "dataplane.ports[3]", "same device", "once"}}},
	{"dataplane:\n  ports: [{interface: a b}, {interface: abcdefghijklmnop}, {interface: ..}]\n"
	 "listeners: [{address: 10.77.0.1}]\n" SECRET,
		{{2, "dataplane.ports[0].interface", "invalid interface name", "ip link"},
			{2, "dataplane.ports[1].interface", "invalid interface name", "ip link"},
			{2, "dataplane.ports[2].interface", "invalid interface name", "ip link"}}},
	{"dataplane:\n  ports: [{device: x, kernel: a/b}, {interface: a, kernel: b},\n"
	 "    {device: y, kernel: c}, {device: z, kernel: c}]\n"
	 "listeners: [{address: 10.77.0.1}]\n" SECRET,
		{{2, "dataplane.ports[0].kernel", "invalid interface name", "tp0"},
			{2, "dataplane.ports[1].kernel", "without an interface", "interface:"},
			{3, "dataplane.ports[3]", "same interface as line 3", "once"}}},
	{"dataplane:\n  workers: 2\n  cores: [1]\n  ports: [{interface: a}]\n"
	 "listeners: [{address: 10.77.0.1}]\n" SECRET,
		{{2, "dataplane.workers", "2 workers for 1 cores", "workers: 1"}}},
	{"dataplane:\n  workers: 3\n  cores: [1, 2, 1]\n  ports: [{interface: a}]\n"
	 "listeners: [{address: 10.77.0.1}]\n" SECRET,
		{{3, "dataplane.cores[2]", "the same as dataplane.cores[0]", "keep one"}}},
	{BASE SECRET "peers:\n  local: ['10.77.0.1:20000', '10.77.0.9:20000',\n"
		     "    '10.77.0.1:3000-4000', '10.77.0.1:65000']\n",
		{{6, "peers.local[1]", "10.77.0.9 is not an address of this relay", "listener"},
			{7, "peers.local[2]", "port 3478 is a listener's", "leave"},
			{7, "peers.local[3]", "among the relayed ports 49152-65535", "move"}}},
	{BASE SECRET "peers:\n  local: ['10.77.0.1', 'fd77::1:20000', '10.77.0.1:9-8',\n"
		     "    '0.0.0.0:9', '10.77.0.1:x']\n",
		{{6, "peers.local[0]", "not an address with ports", "20000-20999"},
			{6, "peers.local[1]", "not an address with ports", "[2001:db8::1]"},
			{6, "peers.local[2]", "begins above its end", "lower port first"},
			{7, "peers.local[3]", "unspecified", "name each"},
			{7, "peers.local[4]", "not a range of ports", "range"}}},
	{BASE SECRET "limits:\n  default_lifetime: 4000\n",
		{{6, "limits.default_lifetime", "longer than max_lifetime 3600", "lower"}}},
	{BASE SECRET "limits:\n  max_lifetime: 300\n",
		{{6, "limits.max_lifetime", "default_lifetime 600 is longer", "raise"}}},
	{BASE SECRET "limits:\n  permission_lifetime: 299\n  channel_lifetime: 599\n",
		{{6, "limits.permission_lifetime", WARN "RFC 8656", "300"},
			{7, "limits.channel_lifetime", WARN "RFC 8656", "600"}}},
	{BASE SECRET "limits:\n  allocations: 1000\n  entries: 3999\n",
		{{7, "limits.entries", WARN "too few for 1000", "at least 4000"}}},
	{BASE SECRET "limits: {allocations: 101}\nrelay: {ports: 5000-5099}\n",
		{{5, "limits.allocations", WARN "exceed the ports of the 1 relay addresses",
			"widen"}}},
	{BASE SECRET "peers:\n  allow: [10.0.0.0/8, 10.0.0.0/8]\n",
		{{6, "peers.allow[1]", WARN "the same as peers.allow[0]", "keep one"}}},
	{BASE SECRET
		"peers:\n  deny: ['9.0.0.0/8:53', 9.0.0.0/8, '9.0.0.0/8:53-54', '9.0.0.0/8:53']\n",
		{{6, "peers.deny[3]", WARN "the same as peers.deny[0]", "keep one"}}},
	{BASE SECRET "peers:\n  allow: [10.0.0.0/8, 127.0.0.0/8, 0.0.0.0/0, 'ff02::/16']\n",
		{{6, "peers.allow[1]", "127.0.0.0/8 can't be opened: loopback", "remove"},
			{6, "peers.allow[3]", "ff02::/16 can't be opened: multicast", "remove"}}},
	{BASE "secrets: [{id: one, secret_file: one.secret}, {id: one, secret_file: one.secret}]\n",
		{{4, "secrets[1]", "same id as the secret in line 4", "of its own"}}},
	{BASE SECRET "control: {socket: "
		     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n",
		{{5, "control.socket", "longer than 107 bytes", "shorten"}}},
	// The damage of one entry does not spread to checks between entries.
	{BASE "  - {address: 10.77.0.x}\n  - {address: 10.77.0.y}\n" SECRET,
		{{4, "listeners[1].address", "not an IP address", "such as"},
			{5, "listeners[2].address", "not an IP address", "such as"}}},
};

static const struct row syntax[] = {
	{BASE SECRET "log:\n\tlevel: debug\n", {{6, "", "not YAML", "not tabs"}}},
	{BASE SECRET "log: {level: debug\n", {{6, "", "not YAML", "YAML indents"}}},
	{BASE SECRET "log:\n  level: debug\n format: json\n",
		{{7, "", "not YAML", "YAML indents"}}},
	{BASE SECRET "realm: @home\n", {{5, "", "not YAML", "quote values"}}},
	{BASE SECRET "realm: *nowhere\n", {{5, "", "not YAML", "YAML indents"}}},
	{BASE SECRET "realm: \x01\n", {{5, "", "not UTF-8 text", "UTF-8"}}},
	{BASE SECRET "realm: \xff\n", {{5, "", "not UTF-8 text", "UTF-8"}}},
	{BASE SECRET "---\nrealm: b\n", {{5, "", "second YAML document", "one document"}}},
	{BASE SECRET "---\n  - [\n", {{5, "", "second YAML document", "one document"}}},
};

// Small files on which libyaml would spend minutes: `piece` many times, then `end`.
static const struct {
	const char *piece;
	unsigned times;
	const char *end;
	struct mistake mistake;
} bounds[] = {
	{"[", 17, "", {1, "", "nested deeper than 16", "brackets"}},
	{"[", 400000, "", {1, "", "nested deeper than 16", "brackets"}},
	{"{a: ", 100000, "", {1, "", "nested deeper than 16", "brackets"}},
	{"- ", 100000, "", {1, "", "nested deeper than 16", "indentation"}},
	{"- &a b\n", 150000, "", {65, "", "more than 64 anchors", "write the values"}},
	{"%TAG !a! a:\n", 80000, "--- {}\n", {0, "", "more than 16 directives", "begin with %"}},
};

static bool is_warning(const struct mistake *m)
{
	return strncmp(m->says, WARN, strlen(WARN)) == 0;
}

static void row_check(const struct row *row)
{
	struct conf_errors errs = {0};
	struct conf *c = NULL;
	unsigned n = 0, n_errors = 0;
	char line[1024];
	int rc = support_load(CONF_FOR_CONTROL, row->text, &c, &errs);

	print_message("%.400s\n", row->text);
	for (size_t i = 0; i < errs.len; i++)
		print_message("  %s\n", conf_error_format(&errs.items[i], line, sizeof(line)));
	for (; n < TP_ARRAY_LEN(row->mistakes) && row->mistakes[n].says != NULL; n++)
		n_errors += !is_warning(&row->mistakes[n]);
	assert_int_equal(errs.len, n);
	assert_int_equal(errs.n_errors, n_errors);
	assert_int_equal(rc, n_errors > 0 ? -EINVAL : 0);
	for (unsigned i = 0; i < n; i++) {
		const struct mistake *m = &row->mistakes[i];
		const char *says = m->says + (is_warning(m) ? strlen(WARN) : 0);
		bool found = false;

		for (size_t k = 0; k < errs.len && !found; k++) {
			const struct conf_error *e = &errs.items[k];

			found = e->line == m->line && strcmp(e->key, m->key) == 0 &&
				strstr(e->problem, says) != NULL &&
				strstr(e->remedy, m->remedy) != NULL && e->warning == is_warning(m);
		}
		if (!found)
			fail_msg("line %u: %s: %s; %s", m->line, m->key, m->says, m->remedy);
	}
	for (size_t i = 1; i < errs.len; i++)
		assert_true(errs.items[i - 1].line <= errs.items[i].line);
	conf_errors_fini(&errs);
	if (rc == 0)
		conf_free(c);
}

#define ROWS_TEST(rows)                                                                            \
	static void mistakes_of_##rows(void **state)                                               \
	{                                                                                          \
		(void)state;                                                                       \
		for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++)                                    \
			row_check(&rows[i]);                                                       \
	}

ROWS_TEST(keys)
ROWS_TEST(types)
ROWS_TEST(addresses)
ROWS_TEST(missing)
ROWS_TEST(relations)
ROWS_TEST(syntax)

// Clauses: 8489 14.9-1; 8656 7.2-8
static void mistakes_of_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(bounds); i++) {
		size_t len = strlen(bounds[i].piece), all = len * bounds[i].times;
		char *text = malloc(all + strlen(bounds[i].end) + 1);
		struct row row = {.text = text, .mistakes = {bounds[i].mistake}};

		assert_non_null(text);
		for (unsigned k = 0; k < bounds[i].times; k++)
			memcpy(text + k * len, bounds[i].piece, len);
		strcpy(text + all, bounds[i].end);
		row_check(&row);
		free(text);
	}
}

// Clauses: 8489 14.16-1
static void alternate_domains_are_host_names(void **state)
{
	static const char *const wrong[] = {"turn_2.example.org", "turn2..org", ".org",
		"turn2.org.", "-a.org", "a-.org", "*.example.org", "t\u00fcrn.org"};
	static const char file[] = BASE SECRET
		"protocol: {tls_alternate_servers: ['10.77.0.9:5349'], alternate_domain: '%s'}\n";
	static const struct mistake mistake = {
		5, "protocol.alternate_domain", "is not a host name", "turn2.example.org"};
	char text[1024], name[256];
	struct row row = {.text = text};

	(void)state;
	// 63 bytes in a part, 253 in all.
	memset(name, 'a', sizeof(name));
	name[63] = name[127] = name[191] = '.';
	name[253] = '\0';
	snprintf(text, sizeof(text), file, name);
	row_check(&row);
	row.mistakes[0] = mistake;
	for (size_t i = 0; i < TP_ARRAY_LEN(wrong); i++) {
		snprintf(text, sizeof(text), file, wrong[i]);
		row_check(&row);
	}
	name[253] = 'a';
	name[254] = '\0';
	snprintf(text, sizeof(text), file, name);
	row_check(&row);
	name[191] = 'a';
	name[200] = '\0';
	snprintf(text, sizeof(text), file, name);
	row_check(&row);
}

static int setup(void **state)
{
	(void)state;
	support_write("one.secret", "lab-secret\n", 0600);
	support_write("demo.password", "demo-password\n", 0600);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	support_clean();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_of_keys),
		cmocka_unit_test(mistakes_of_types),
		cmocka_unit_test(mistakes_of_addresses),
		cmocka_unit_test(mistakes_of_missing),
		cmocka_unit_test(mistakes_of_relations),
		cmocka_unit_test(mistakes_of_syntax),
		cmocka_unit_test(mistakes_of_bounds),
		cmocka_unit_test(alternate_domains_are_host_names),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
