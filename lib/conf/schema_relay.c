// SPDX-License-Identifier: BSD-3-Clause
#include "schema.h"

#include <turnpike/fragment.h>
#include <turnpike/limits.h>

// A pair of ports is written as two neighbours.
_Static_assert(offsetof(struct conf_relay, port_max) == offsetof(struct conf_relay, port_min) + 2,
	"port_max does not follow port_min");
_Static_assert(sizeof(enum conf_transport) == sizeof(int), "a choice is an int");

static const struct rule_choice polls[] = {
	{.name = "adaptive", .value = CONF_POLL_ADAPTIVE},
	{.name = "busy", .value = CONF_POLL_BUSY},
	{.name = NULL},
};

static const struct rule_choice priorities[] = {
	{.name = "realtime", .value = CONF_PRIORITY_REALTIME},
	{.name = "normal", .value = CONF_PRIORITY_NORMAL},
	{.name = NULL},
};

static const struct rule_choice hugepages[] = {
	{.name = "auto", .value = CONF_HUGEPAGES_AUTO},
	{.name = "never", .value = CONF_HUGEPAGES_NEVER},
	{.name = NULL},
};

static const struct rule_choice transports[] = {
	{.name = "udp", .value = CONF_TRANSPORT_UDP},
	{.name = "tcp", .value = CONF_TRANSPORT_TCP},
	{.name = "tls", .value = CONF_TRANSPORT_TLS},
	{.name = "dtls", .value = CONF_TRANSPORT_DTLS},
	{.name = NULL},
};

static const struct rule_choice xdp_modes[] = {
	{.name = "auto", .value = CONF_XDP_AUTO},
	{.name = "native", .value = CONF_XDP_NATIVE},
	{.name = "generic", .value = CONF_XDP_GENERIC},
	{.name = NULL},
};

static const struct rule port_rules[] = {
	{.key = "interface",
		.type = RULE_TEXT,
		RULE_AT(struct conf_port, interface),
		.example = "eth0",
		.text = "Kernel interface that owns the addresses of this port. Alone, the port is "
			"`net_af_xdp` on it."},
	{.key = "device",
		.type = RULE_TEXT,
		RULE_AT(struct conf_port, device),
		.example = "0000:3b:00.0",
		.text = "DPDK device: a PCI address or device arguments such as "
			"`net_af_packet0,iface=eth0`. One of `interface` and `device` is needed."},
	{.key = "kernel",
		.type = RULE_TEXT,
		RULE_AT(struct conf_port, kernel),
		.example = "tp0",
		.text = "For a device that the kernel does not see, such as a card bound to "
			"vfio-pci: TAP interface by which the kernel takes part. It gets the "
			"device's MAC address and MTU; addresses and routes are given to it as to "
			"any interface."},
	{.key = "mtu",
		.type = RULE_U16,
		RULE_AT(struct conf_port, mtu),
		.min = 576,
		.max = 9600,
		.initial_text = "the device's",
		.example = "9000",
		.text = "MTU of a device that the kernel does not see; elsewhere the kernel "
			"interface's holds."},
	{.key = "xdp",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_port, xdp),
		.choices = xdp_modes,
		.initial = "auto",
		.text = "How the steering program is attached: `native` in the driver, `generic` "
			"in "
			"the kernel's own receive path, slower and without zero copy, for drivers "
			"that misbehave; `auto` is native where the driver can. `relayctl port "
			"show` "
			"shows the mode in use."},
	{.key = NULL},
};

static const struct section port_section = {
	.rules = port_rules,
	.size = sizeof(struct conf_port),
	.text = "Every port the data plane opens.",
};

static const struct rule dataplane_rules[] = {
	{.key = "ports",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_dataplane, ports),
		.section = &port_section,
		.required = true,
		.example = "[{interface: eth0}]",
		.text = "Ports that the data plane opens."},
	{.key = "workers",
		.type = RULE_U32,
		RULE_AT(struct conf_dataplane, workers),
		.min = 1,
		.max = TP_WORKERS_MAX,
		.initial = "1",
		.text = "Poll-mode workers, each on a core of its own."},
	{.key = "cores",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_dataplane, cores),
		.item = RULE_U32,
		.max = 1023,
		.initial_text = "chosen at start",
		.example = "[2, 3]",
		.text = "Cores of the workers, one each."},
	{.key = "poll",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_dataplane, poll),
		.choices = polls,
		.initial = "adaptive",
		.text = "`adaptive` sleeps when it finds nothing until a packet comes, on ports "
			"other than `net_af_xdp` for 50 µs; `busy` never sleeps."},
	{.key = "priority",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_dataplane, priority),
		.choices = priorities,
		.initial = "realtime",
		.text = "Of workers with `poll: adaptive`. `realtime` (SCHED_RR, 1): other "
			"programs "
			"of the core do not keep packets waiting, where the host allows it; "
			"`normal`: they share the core as the kernel decides."},
	{.key = "hold_us",
		.type = RULE_U32,
		RULE_AT(struct conf_dataplane, hold_us),
		.max = 50,
		.initial = "0",
		.text = "While packets keep coming, those to be sent wait up to so many "
			"microseconds until 32 can leave together."},
	{.key = "hugepages",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_dataplane, hugepages),
		.choices = hugepages,
		.initial = "auto",
		.text = "`auto` takes hugepages where there are any; `never` works without."},
	{.key = "mbufs",
		.type = RULE_U32,
		RULE_AT(struct conf_dataplane, mbufs),
		.min = 4096,
		.max = 1u << 24,
		.initial_text = "8192 per receive queue, at least 16384",
		.text = "Packet buffers of each NUMA node, about 2.4 KB each."},
	{.key = "fragment_memory",
		.type = RULE_U32,
		RULE_AT(struct conf_dataplane, fragment_mib),
		.max = TP_FRAGMENT_MIB_MAX,
		.initial = "4",
		.unit = "MiB",
		.text = "Memory of each worker for datagrams that arrive in fragments, a quarter "
			"more with what belongs to them. A source prefix, /32 or /64, has a "
			"sixteenth, at least 128 KiB. 0: fragments are dropped."},
	{.key = NULL},
};

const struct section conf_schema_dataplane = {
	.rules = dataplane_rules,
	.size = sizeof(struct conf_dataplane),
	.text = "The packet path. Read by the data plane at its start.",
};

static const struct rule listener_rules[] = {
	{.key = "transport",
		.type = RULE_CHOICE,
		RULE_AT(struct draft_listener, transport),
		.choices = transports,
		.initial = "udp",
		.text = "How clients come: `udp`; `tcp`, `tls` or `dtls`, which the process "
			"turnpike-edge serves. A tcp and a tls listener may share a port, as may "
			"a udp and a dtls listener: the first bytes tell them apart."},
	{.key = "address",
		.type = RULE_IP,
		RULE_AT(struct draft_listener, ip),
		.required = true,
		.example = "192.0.2.10",
		.text = "One address of this host. There is no wildcard: name each address."},
	{.key = "port",
		.type = RULE_U16,
		RULE_AT(struct draft_listener, port),
		.min = 1,
		.max = UINT16_MAX,
		.initial_text = "3478; 5349 for tls and dtls",
		.text = "Port where clients arrive."},
	{.key = "realm",
		.type = RULE_TEXT,
		RULE_AT(struct draft_listener, realm),
		.prepared = true,
		.initial_text = "that of the file",
		.example = "business.example.org",
		.text = "Realm of its clients, one of `realms`, unless their ORIGIN chooses "
			"another."},
	{.key = "certificate",
		.type = RULE_PATH,
		RULE_AT(struct draft_listener, certificate),
		.example = "relay.pem",
		.initial_text = "those of `edge.certificates`",
		.text = "Of this listener alone, for tls and dtls: PEM file with the certificate, "
			"its "
			"chain and its key."},
	{.key = "client_ca",
		.type = RULE_PATH,
		RULE_AT(struct draft_listener, client_ca),
		.example = "clients.pem",
		.initial_text = "clients need no certificate",
		.text = "On tls listeners: PEM file with authorities. Only clients with a "
			"certificate "
			"that one of them signed may connect; users and passwords are asked for "
			"all "
			"the same."},
	{.key = "proxies",
		.type = RULE_LIST,
		RULE_AT_LIST(struct draft_listener, proxies),
		.item = RULE_CIDR,
		.example = "[10.0.0.0/28]",
		.text = "For tcp and tls: only these addresses may connect, and each connection "
			"begins with a header of the PROXY protocol, version 1 or 2, that names "
			"the client. The header must come within 5 s, or `edge.handshake_timeout` "
			"if that is less."},
	{.key = "names",
		.type = RULE_LIST,
		RULE_AT_LIST(struct draft_listener, names),
		.item = RULE_TEXT,
		.initial_text = "those of the certificates",
		.example = "[turn.example.org]",
		.text = "On tls listeners with `backends`: names by which clients reach the relay "
			"itself, "
			"besides those of its certificates. `*.example.org` is every name with one "
			"more part."},
	{.key = "backends",
		.type = RULE_LIST,
		RULE_AT_LIST(struct draft_listener, backends),
		.section = &conf_schema_backend},
	{.key = "websocket",
		.type = RULE_MAP,
		RULE_AT(struct draft_listener, websocket),
		.section = &conf_schema_websocket},
	{.key = NULL},
};

const struct section conf_schema_listener = {
	.rules = listener_rules,
	.size = sizeof(struct draft_listener),
	.text = "Where clients arrive.",
};

static const struct rule external_rules[] = {
	{.key = "private",
		.type = RULE_IP,
		RULE_AT(struct conf_external, private_ip),
		.required = true,
		.example = "10.0.0.10",
		.text = "Address of a listener or a relay address."},
	{.key = "public",
		.type = RULE_IP,
		RULE_AT(struct conf_external, public_ip),
		.required = true,
		.example = "192.0.2.10",
		.text = "Address outside that is mapped 1:1 to it, of the same family."},
	{.key = NULL},
};

static const struct section external_section = {
	.rules = external_rules,
	.size = sizeof(struct conf_external),
	.text = "For a host behind 1:1 NAT, as in most clouds: what clients and peers are told.",
};

static const struct rule_choice ttls[] = {
	{.name = "decrement", .value = CONF_TTL_DECREMENT},
	{.name = "reset", .value = CONF_TTL_RESET},
	{.name = NULL},
};

static const struct rule relay_rules[] = {
	{.key = "addresses",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_relay, addresses),
		.item = RULE_IP,
		.initial_text = "those of the listeners",
		.example = "[192.0.2.10]",
		.text = "Addresses of this host that relayed transport addresses are made of. Each "
			"gives as many allocations as `ports` has ports."},
	{.key = "ports",
		.type = RULE_PORTS,
		RULE_AT(struct conf_relay, port_min),
		.initial = "49152-65535",
		.example = "49152-65535",
		.text = "Range of relayed ports, the same on each address. The kernel is kept from "
			"choosing them for its own sockets (`net.ipv4.ip_local_reserved_ports`)."},
	{.key = "external",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_relay, external),
		.section = &external_section,
		.text = "1:1 NAT in front of this host."},
	{.key = "ttl",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_relay, ttl),
		.choices = ttls,
		.initial = "decrement",
		.text = "TTL or hop limit of relayed packets: `decrement` makes it one less, as a "
			"router does, so client, relay and peer together may be 64 hops apart at "
			"most with the usual operating systems; `reset` begins anew with 64, so "
			"each side may be, but nothing ends a loop of packets between relays."},
	{.key = NULL},
};

const struct section conf_schema_relay = {
	.rules = relay_rules,
	.size = sizeof(struct conf_relay),
	.text = "Where peers see the clients.",
};
