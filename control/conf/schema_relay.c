// SPDX-License-Identifier: BSD-3-Clause
#include "schema.h"

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

static const struct rule_choice hugepages[] = {
	{.name = "auto", .value = CONF_HUGEPAGES_AUTO},
	{.name = "never", .value = CONF_HUGEPAGES_NEVER},
	{.name = NULL},
};

#define NO_STREAMS "stream transports are not in this version"

static const struct rule_choice transports[] = {
	{.name = "udp", .value = CONF_TRANSPORT_UDP},
	{.name = "tcp", .value = CONF_TRANSPORT_TCP, .refusal = NO_STREAMS},
	{.name = "tls", .value = CONF_TRANSPORT_TLS, .refusal = NO_STREAMS},
	{.name = "dtls", .value = CONF_TRANSPORT_DTLS, .refusal = NO_STREAMS},
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
		.text = "`adaptive` sleeps up to 50 µs after many empty polls; `busy` never "
			"sleeps."},
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
	{.key = NULL},
};

const struct section schema_dataplane = {
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
		.text = "This version serves `udp` alone: " NO_STREAMS "."},
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
	{.key = "certificate",
		.type = RULE_PATH,
		RULE_AT(struct draft_listener, certificate),
		.example = "relay.pem",
		.text = "Certificate chain and key (PEM), for tls and dtls."},
	{.key = NULL},
};

const struct section schema_listener = {
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
	{.key = NULL},
};

const struct section schema_relay = {
	.rules = relay_rules,
	.size = sizeof(struct conf_relay),
	.text = "Where peers see the clients.",
};
