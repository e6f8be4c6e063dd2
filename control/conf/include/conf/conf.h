// SPDX-License-Identifier: BSD-3-Clause
// The configuration of both processes: one YAML file, or defaults for one interface.
//
// conf_load answers with a complete, checked, read-only struct conf, or with every mistake it
// found. Every text in it is UTF-8 without control characters, every address is folded, every
// number is in its range, every list is free of duplicates (those of peers excepted), every path is
// absolute or relative to the working directory of the process (paths in the file are relative to
// the file). Options are described, with their defaults, in docs/configuration.md, which is
// generated from the same table that reads them.
//
// Threads: a struct conf may be read by any thread and is never changed; one thread frees it. Its
// memory is kept out of core dumps and wiped when freed.
#pragma once

#include <log/level.h>
#include <text/addr.h>

#include <conf/errors.h>

// Who asks decides what is read.
enum conf_role {
	CONF_FOR_CONTROL,   // everything, with the secrets
	CONF_FOR_DATAPLANE, // instance, runtime_directory, dataplane, listeners, relay, segment,
			    // control and log: other sections stay empty, no secret file is opened
};

enum conf_transport {
	CONF_TRANSPORT_UDP,
	CONF_TRANSPORT_TCP, // this and the next two: not accepted by this version
	CONF_TRANSPORT_TLS,
	CONF_TRANSPORT_DTLS,
};

enum conf_poll {
	CONF_POLL_ADAPTIVE, // sleep after many empty polls
	CONF_POLL_BUSY,
};

enum conf_hugepages {
	CONF_HUGEPAGES_AUTO, // where there are any
	CONF_HUGEPAGES_NEVER,
};

struct conf_port {
	const char *device; // DPDK device arguments or PCI address; NULL: net_af_xdp on interface
	const char *interface; // kernel interface that owns the addresses; NULL without one
	const char *kernel;    // of a device the kernel does not see: its twin there; NULL: none
	uint16_t mtu;	       // of a device the kernel does not see; 0: the device's own
};

struct conf_dataplane {
	uint32_t workers;
	const uint32_t *cores; // one per worker, or none: the data plane chooses
	size_t n_cores;
	enum conf_poll poll;
	enum conf_hugepages hugepages;
	uint32_t hold_us;	       // that packets may wait for others to leave with
	uint32_t mbufs;		       // packet buffers per NUMA node; 0: the data plane reckons
	const struct conf_port *ports; // at least one
	size_t n_ports;
};

struct conf_listener {
	enum conf_transport transport;
	struct tp_addr addr;	 // with its port, never unspecified or multicast
	const char *certificate; // TLS and DTLS; else NULL
};

// 1:1 NAT: packets to `public_ip` arrive at `private_ip`. Same family, ports 0.
struct conf_external {
	struct tp_addr private_ip; // of a listener or a relay address
	struct tp_addr public_ip;
};

struct conf_relay {
	const struct tp_addr *addresses; // ports 0, at least one; default: those of the listeners
	size_t n_addresses;
	uint16_t port_min; // inclusive
	uint16_t port_max;
	const struct conf_external *external;
	size_t n_external;
};

// Octets that are never printed.
struct conf_octets {
	const uint8_t *data;
	size_t len;
};

struct conf_user {
	const char *name;
	bool has_key;		     // then key is set, else password
	uint8_t key[16];	     // MD5(name ":" realm ":" password), RFC 8489 9.2.2
	struct conf_octets password; // UTF-8, as in the file without its end of line
};

// A shared secret of time-limited ("REST") credentials.
struct conf_secret {
	const char *id;
	struct conf_octets octets; // as in the file without its end of line
};

struct conf_peers {
	const struct text_cidr *allow;
	size_t n_allow;
	const struct text_cidr *deny;
	size_t n_deny;
};

struct conf_limits {
	uint32_t allocations; // most at a time
	uint32_t entries;     // of the table; never 0: the default follows from allocations
	uint32_t user_quota;  // allocations of one user; 0: no limit
	uint32_t max_lifetime_s;
	uint32_t default_lifetime_s;
	uint32_t permission_lifetime_s;
	uint32_t channel_lifetime_s;
	uint32_t nonce_lifetime_s;
	uint32_t first_contact_rate; // packets per second and source prefix; 0: no limit
};

struct conf_protocol {
	uint16_t channel_max; // TP_CHANNEL_MAX to TP_CHANNEL_MAX_COMPAT
	bool permission_follows_channel;
	bool software;	  // send SOFTWARE
	bool secure_stun; // Binding needs credentials
};

struct conf_log {
	enum log_format format;
	enum log_level level;
};

enum conf_numa {
	CONF_NUMA_PORTS,
	CONF_NUMA_NONE,
};

struct conf_segment {
	const char *directory; // NULL: <shm/place.h> chooses
	enum conf_numa numa;
};

struct conf_control {
	const char *socket; // operator socket, 0660
	const char *group;  // its group, and that of the shared files
};

struct conf {
	const char *path; // the file; NULL: defaults or a text
	const char *instance;
	const char *runtime_directory; // sockets of this instance
	const char *realm;
	struct conf_dataplane dataplane;
	const struct conf_listener *listeners; // at least one
	size_t n_listeners;
	struct conf_relay relay;
	const struct conf_user *users; // with those of users_file; users or secrets: at least one
	size_t n_users;
	const struct conf_secret *secrets; // newest first
	size_t n_secrets;
	struct conf_peers peers;
	struct conf_limits limits;
	struct conf_protocol protocol;
	struct conf_log log;
	struct conf_segment segment;
	struct conf_control control;
	// A secret was made up because there is no file: secrets[0], text of letters and digits.
	// The caller shows it once.
	bool secret_generated;
};

// Where the configuration comes from: `path`, else `text`, else the defaults for `interface` (NULL:
// the one of the default route). Everything else may be NULL or zero.
struct conf_request {
	enum conf_role role;
	const char *path;
	const char *text; // a configuration in memory; `directory` is what its paths start from
	const char *directory;
	const char *interface;
	const char *instance; // overrides the file's
};

// 0: *out is set and errs may hold warnings. -EINVAL: errs holds at least one error. -ENOMEM.
int conf_load(const struct conf_request *req, struct conf **out, struct conf_errors *errs);

// Wipes and frees; NULL is fine.
void conf_free(struct conf *c);

// Letters, digits, '-' and '_', 1 to 31 of them; not beginning with '-'; not holding "map_".
bool conf_instance_valid(const char *name);

// The external address of `ip` (its port is kept), or `ip` itself.
struct tp_addr conf_external_of(const struct conf *c, const struct tp_addr *ip);

const char *conf_transport_name(enum conf_transport t);
