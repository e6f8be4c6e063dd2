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

// The asking program; it decides which sections are read.
enum conf_role {
	CONF_FOR_CONTROL,   // everything, with the secrets
	CONF_FOR_DATAPLANE, // instance, runtime_directory, dataplane, listeners, relay, peers,
			    // segment, control and log: other sections stay empty, no secret file
			    // is opened
	CONF_FOR_EDGE,	    // the data plane's sections, and edge; no secret file is opened
	CONF_FOR_DIRECTORY, // everything but users and secrets, with the files of the directory
};

enum conf_transport {
	CONF_TRANSPORT_UDP,
	CONF_TRANSPORT_TCP,
	CONF_TRANSPORT_TLS,
	CONF_TRANSPORT_DTLS,
};

enum conf_poll {
	CONF_POLL_ADAPTIVE, // sleep after many empty polls
	CONF_POLL_BUSY,
};

enum conf_priority {
	CONF_PRIORITY_REALTIME, // of workers that sleep, where the host allows it
	CONF_PRIORITY_NORMAL,
};

enum conf_hugepages {
	CONF_HUGEPAGES_AUTO, // where there are any
	CONF_HUGEPAGES_NEVER,
};

enum conf_xdp {
	CONF_XDP_AUTO, // native where the driver can, else generic
	CONF_XDP_NATIVE,
	CONF_XDP_GENERIC,
};

struct conf_port {
	const char *device; // DPDK device arguments or PCI address; NULL: net_af_xdp on interface
	const char *interface; // kernel interface that owns the addresses; NULL without one
	const char *kernel;    // of a device the kernel does not see: its twin there; NULL: none
	uint16_t mtu;	       // of a device the kernel does not see; 0: the device's own
	enum conf_xdp xdp;     // of net_af_xdp
};

struct conf_dataplane {
	uint32_t workers;
	const uint32_t *cores; // one per worker, or none: the data plane chooses
	size_t n_cores;
	enum conf_poll poll;
	enum conf_priority priority;
	enum conf_hugepages hugepages;
	uint32_t hold_us;      // that packets may wait for others to leave with
	uint32_t mbufs;	       // packet buffers per NUMA node; 0: computed by the data plane
	uint32_t fragment_mib; // memory of a worker for fragments; 0: they are dropped
	const struct conf_port *ports; // at least one
	size_t n_ports;
};

// A server of the operator's that gets connections which are not for the relay.
struct conf_backend {
	const char *const *names; // "www.example.org", "*.example.org"; none: every name
	size_t n_names;
	struct tp_addr addr; // with its port
	bool proxy_protocol; // each connection begins with a header of version 2
	bool plain;	     // it gets bytes without TLS, which ended here or before
};

// TURN in WebSockets.
struct conf_websocket {
	const char *path;	    // of the request; NULL: none are taken
	const char *const *origins; // that may begin one; "*": any
	size_t n_origins;
};

#define CONF_BACKENDS_MAX 64u // of a listener

struct conf_listener {
	enum conf_transport transport;
	struct tp_addr addr;	 // with its port, never unspecified or multicast
	const char *certificate; // TLS and DTLS: of this listener, chain and key; NULL: edge's
	const char
		*client_ca; // TLS and DTLS: signs clients' certificates; NULL: none are asked for
	// TCP and TLS: these alone may connect, and say by the PROXY protocol for whom; none:
	// direct
	const struct text_cidr *proxies;
	size_t n_proxies;
	const char *const *names; // TLS: the relay's own, besides those of the certificates
	size_t n_names;
	const struct conf_backend *backends; // TCP and TLS; at most CONF_BACKENDS_MAX
	size_t n_backends;
	struct conf_websocket websocket; // TCP and TLS
	uint32_t realm; // 0: the file's own; else one more than the index in realms
};

// A certificate with its chain, and its key: PEM files, which may be the same.
struct conf_certificate {
	const char *certificate;
	const char *key;
	const char *ocsp; // response in DER; NULL: none
};

// The process that ends connections of TCP and TLS and associations of DTLS.
struct conf_edge {
	uint32_t threads;
	const struct conf_certificate *certificates;
	size_t n_certificates;
	const char *ticket_key_file;	    // NULL: random keys
	uint32_t connections;		    // most at a time
	uint32_t connections_per_prefix;    // 0: no limit
	uint32_t handshake_rate;	    // per second; 0: no limit
	uint32_t handshake_rate_per_prefix; // per second; 0: no limit
	uint32_t handshake_timeout_s;
	uint32_t idle_timeout_s;
	uint32_t drain_s; // of a process that another has taken over
	uint32_t queue_age_ms;
	uint32_t queue_bytes;
};

// 1:1 NAT: packets to `public_ip` arrive at `private_ip`. Same family, ports 0.
struct conf_external {
	struct tp_addr private_ip; // of a listener or a relay address
	struct tp_addr public_ip;
};

enum conf_ttl {
	CONF_TTL_DECREMENT,
	CONF_TTL_RESET,
};

struct conf_relay {
	const struct tp_addr *addresses; // ports 0, at least one; default: those of the listeners
	size_t n_addresses;
	uint16_t port_min; // inclusive
	uint16_t port_max;
	enum conf_ttl ttl;
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

// How passwords are made from a secret.
enum conf_hmac {
	CONF_HMAC_SHA1,
	CONF_HMAC_SHA256,
	CONF_HMAC_ANY, // both are accepted
};

// Most bytes of a secret or password. HMAC takes any length; the bound is that of the file.
#define CONF_SECRET_MAX 4096u

// A shared secret of time-limited ("REST") credentials.
struct conf_secret {
	const char *id;
	struct conf_octets octets; // as in the file without its end of line
	enum conf_hmac hmac;
	uint64_t not_before_s; // Unix time; 0: at any time before
	uint64_t not_after_s;  // 0: for ever
};

enum conf_token_algorithm {
	CONF_TOKEN_A256GCM,
	CONF_TOKEN_A128GCM,
};

// A key by which an authorization server encrypts tokens (RFC 7635).
struct conf_token_key {
	const char *id;
	enum conf_token_algorithm algorithm;
	uint8_t octets[32];    // of A128GCM the first 16
	uint64_t not_before_s; // Unix time; 0: at any time before
	uint64_t not_after_s;  // 0: for ever
};

struct conf_tokens {
	const char *server_name; // NULL: no tokens are taken
	const struct conf_token_key *keys;
	size_t n_keys;
};

enum conf_source_type {
	CONF_SOURCE_SQLITE,
	CONF_SOURCE_POSTGRESQL,
	CONF_SOURCE_REDIS,
	CONF_SOURCE_HTTP,
};

// A database of users. Texts that do not belong to the type are NULL.
struct conf_source {
	const char *name;
	enum conf_source_type type;
	const char *const *realms; // none: all that no other source names
	size_t n_realms;
	const char *path;	     // SQLITE
	const char *connection_file; // POSTGRESQL, REDIS
	const char *url;	     // HTTP, and the next four, which may be NULL
	const char *bearer_file;
	const char *ca_file;
	const char *certificate;
	const char *key_file;
	bool secrets;	     // of time-limited credentials are in it, too: not HTTP
	bool token_keys;     // likewise
	uint32_t timeout_ms; // of one question
	uint32_t life_s;     // of an answer with a key
	uint32_t negative_life_s;
	uint32_t connections;
	uint32_t queue;
	// In the role DIRECTORY alone, one line each.
	struct conf_octets connection;
	struct conf_octets bearer;
};

struct conf_directory {
	const struct conf_source *sources;
	size_t n_sources;
};

// The source of a realm's users; NULL: none.
const struct conf_source *conf_source_of(const struct conf_directory *d, const char *realm);
const char *conf_source_type_name(enum conf_source_type type);

// Ports of an address, inclusive.
struct conf_place {
	struct tp_addr ip; // port 0
	uint16_t port_min;
	uint16_t port_max;
};

#define CONF_LOCAL_PEERS_MAX 32u

struct conf_peers {
	const struct text_scope *allow;
	size_t n_allow;
	const struct text_scope *deny;
	size_t n_deny;
	bool dry_run;			// deny is tried: counted, and let through
	const struct conf_place *local; // at most CONF_LOCAL_PEERS_MAX
	size_t n_local;
};

// Bandwidth and packet rate; each 0: no limit.
struct conf_cap {
	uint32_t bandwidth_kbps; // 1,000 bits per second
	uint32_t packet_rate;
	uint32_t burst_ms; // so much of a rate passes at once
};

struct conf_caps {
	struct conf_cap allocation; // of each
	struct conf_cap user;	    // of each
	struct conf_cap realm;
	struct conf_cap all; // of the file alone: of all realms
};

enum conf_budget_period {
	CONF_BUDGET_MONTH,
	CONF_BUDGET_DAY,
};

enum conf_budget_spent {
	CONF_SPENT_END,
	CONF_SPENT_CAP,
};

// The bytes of each user in a period.
struct conf_budget {
	uint32_t megabytes; // 0: no budget
	enum conf_budget_period period;
	uint32_t start;		      // day of the month, 0 as 1; hour of the day
	enum conf_budget_spent spent; // end of the calls then, or their cap
	uint32_t bandwidth_kbps;      // of a user's calls, with CAP
};

// Rules for some users of a realm, instead of its own.
struct conf_policy {
	struct conf_peers peers;
	const char *name;
	const char *const *users;
	size_t n_users;
};

struct conf_limits {
	struct conf_caps caps;	   // the file's own realm's, and all
	struct conf_budget budget; // of each user of the file's own realm
	uint32_t allocations;	   // most at a time
	uint32_t entries;	   // of the table; never 0: the default follows from allocations
	uint32_t user_quota;	   // allocations of one user; 0: no limit
	uint32_t secret_quota;	   // allocations of one secret's nameless credentials; 0: no limit
	uint32_t allocate_rate;	   // Allocate requests of one user per second; 0: no limit
	uint32_t allocate_burst;   // beyond the rate
	uint32_t max_lifetime_s;
	uint32_t default_lifetime_s;
	uint32_t permission_lifetime_s;
	uint32_t channel_lifetime_s;
	uint32_t nonce_lifetime_s;
	uint32_t credential_lifetime_s; // longest of a REST credential; 0: no limit
	uint32_t first_contact_rate;	// packets per second and source prefix; 0: no limit
	uint32_t user_connections;	// of one user with peers, by TCP; 0: no limit
	uint32_t user_ports;		// of one user: in use, reserved, at rest; 0: no limit
	uint32_t realm_allocations;	// of the file's own realm; 0: no limit
	uint32_t realm_connections;	// likewise
	uint32_t peer_rate;		// new peers of one allocation per second; 0: no limit
	uint32_t peer_burst;		// beyond the rate
	uint32_t port_rate;		// new ports of peers by Send per second; 0: no limit
};

// Each message with another REALM or ORIGIN is compared with all of them.
#define CONF_REALMS_MAX 64u

// Another realm than the file's own, with everything that the first has of its own.
struct conf_realm {
	const char *name;
	uint16_t id;		    // made from the name, never 0; the file's own realm has 0
	const char *const *origins; // values of ORIGIN that choose it on any listener
	size_t n_origins;
	const struct conf_user *users;
	size_t n_users;
	const struct conf_secret *secrets; // newest first
	size_t n_secrets;
	struct conf_tokens tokens;
	struct conf_peers peers;
	const struct conf_policy *policies;
	size_t n_policies;
	uint32_t allocations; // most at a time; 0: those of the relay
	uint32_t connections; // with peers, by TCP; 0: no limit
	uint32_t user_ports;  // and the following: as in struct conf_limits
	uint32_t user_quota;
	uint32_t secret_quota;
	uint32_t allocate_rate;
	uint32_t allocate_burst;
	uint32_t port_rate;
	struct conf_caps caps;
	struct conf_budget budget;
};

#define CONF_ALTERNATES_MAX 32u

enum conf_family {
	CONF_FAMILY_IPV4,
	CONF_FAMILY_IPV6,
	CONF_FAMILY_KEEP, // the client's own
};

struct conf_protocol {
	uint16_t channel_max;		 // TP_CHANNEL_MAX to TP_CHANNEL_MAX_COMPAT
	enum conf_family default_family; // of an Allocate request that names none
	bool permission_follows_channel;
	bool heal_black_holes;
	bool software;	  // send SOFTWARE
	bool secure_stun; // Binding needs credentials
	bool draining;
	const struct conf_place *alternate_servers; // of one port each, at most CONF_ALTERNATES_MAX
	size_t n_alternate_servers;
	const struct conf_place *tls_alternate_servers; // the same for clients of TLS and DTLS
	size_t n_tls_alternate_servers;
	const char *alternate_domain;	  // in the certificates of these; NULL: as in this relay's
	bool nat_discovery;		  // RFC 5780
	bool mobility;			  // RFC 8016
	bool sha256;			  // offer PASSWORD-ALGORITHMS
	bool userhash;			  // offer USERHASH
	const char *credential_separator; // one character, between time and name
	bool end_with_credential;	  // a call is over when its credential is
	bool tcp_relay;			  // offer TCP allocations
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
	const char *group; // of the files that both processes share, and of their directory
};

struct conf_control {
	const char *socket;	     // operator socket, 0660
	const char *group;	     // of the operators, who may use it
	const char *state_directory; // of the bans
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
	struct conf_edge edge;
	const struct conf_user
		*users; // with those of users_file; users, secrets or sources: at least one
	size_t n_users;
	const struct conf_secret *secrets; // newest first
	size_t n_secrets;
	struct conf_tokens tokens;
	const struct conf_realm *realms; // besides `realm`
	size_t n_realms;
	struct conf_directory directory;
	struct conf_peers peers;
	const struct conf_policy *policies;
	size_t n_policies;
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
	const char *text; // a configuration in memory; its relative paths start at `directory`
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

// ---- host.c -----------------------------------------------------------------------------------

// False: a port has no kernel interface, whose addresses the kernel could tell.
bool conf_addresses_are_kernels(const struct conf *c);
// Whether an interface of a host has the address; ports do not count.
typedef bool (*conf_has_address_fn)(void *ctx, const struct tp_addr *ip);
// Asks the kernel, by a socket of netlink; `ctx` is not used.
bool conf_host_has(void *ctx, const struct tp_addr *ip);
// Adds a warning for each listener's and relay address that no interface has.
void conf_host_judge(
	const struct conf *c, conf_has_address_fn has, void *ctx, struct conf_errors *errs);

// The external address of `ip` (its port is kept), or `ip` itself.
struct tp_addr conf_external_of(const struct conf *c, const struct tp_addr *ip);

// Whether a listener needs the process turnpike-edge.
bool conf_has_edge(const struct conf *c);
// Whether a listener has backends.
bool conf_has_backends(const struct conf *c);

// Whether both have the same place, and the same of the keys that are read when a listener is
// opened: proxies, names, backends and websocket.
bool conf_listener_same(const struct conf_listener *a, const struct conf_listener *b);

const char *conf_transport_name(enum conf_transport t);
