// SPDX-License-Identifier: BSD-3-Clause
// A TURN server in its simplest form: arrays, loops and the RFC's rules in their order. It
// determines the answer of each request and the content of the tables afterwards. It shares no code
// with the server it judges.
#pragma once

#include <stun_client.h>

#define MODEL_CLIENTS	  48u
#define MODEL_PERMISSIONS 24u
#define MODEL_CHANNELS	  24u
#define MODEL_TOMBSTONES  16u
#define MODEL_PEERS	  3u // that one request names at most
#define MODEL_COOLDOWNS	  512u
#define MODEL_NO_LIFETIME UINT32_MAX

struct model_user {
	const char *quota_name;
	uint64_t expires_wall_s; // UINT64_MAX: a static user
};

struct model_request {
	unsigned client;
	uint16_t method;
	uint8_t txid[12];
	bool is_signed;
	bool password_ok;
	unsigned user;	     // index of a known user
	bool nonce_is_ours;  // of this client
	uint32_t nonce_at_s; // when it was issued
	bool unknown_attr;
	uint8_t transport;
	uint32_t lifetime_s;
	uint8_t family; // 0: none named
	struct tp_addr peers[MODEL_PEERS];
	unsigned n_peers;
	uint16_t number; // 0: none named
};

struct model_permission {
	struct tp_addr ip;
	uint32_t expires_s; // 0: unused
};

struct model_channel {
	struct tp_addr peer;
	uint32_t expires_s; // 0: unused
	uint16_t number;
};

struct model_allocation {
	uint32_t expires_s; // 0: none
	unsigned user;
	uint8_t txid[12];
	uint8_t family;
	struct tp_addr relayed; // local; told by the simulation after each Allocate
	struct model_permission permissions[MODEL_PERMISSIONS];
	struct model_channel channels[MODEL_CHANNELS];
};

struct model_tombstone {
	uint8_t txid[12];
	uint32_t until_s;
};

struct model_cooldown {
	struct tp_addr relayed;
	uint32_t until_s;
	const char *owner; // quota name of its user; NULL: not known
};

struct model {
	// settings
	const struct model_user *users;
	uint32_t user_quota;
	uint32_t max_allocations;
	unsigned ports_per_family;
	bool permission_follows_channel;
	bool (*denied)(const struct tp_addr *peer, bool with_port);
	struct tp_addr (*canonical)(const struct tp_addr *peer);
	// state
	struct model_allocation allocations[MODEL_CLIENTS];
	struct model_tombstone tombstones[MODEL_CLIENTS][MODEL_TOMBSTONES];
	struct model_cooldown cooldowns[MODEL_COOLDOWNS];
};

// Ends the objects that have expired by this time. Until then an expired object has no effect for
// its own client (model_handle sees to that), but counts as taken for others, as in a server that
// is late.
void model_expire(struct model *m, uint64_t now_ns);
// The code that must be answered (0: success), with the state changed accordingly.
unsigned model_handle(
	struct model *m, uint64_t now_ns, uint64_t wall_s, const struct model_request *r);
// The client's new allocation has this relayed address. False: the port may not be given.
bool model_port_give(struct model *m, unsigned client, const struct tp_addr *relayed);
void model_kill(struct model *m, uint64_t now_ns, unsigned client);
// Drops the state that a restarted server cannot know, and expires the rest at once.
void model_restart(struct model *m, uint64_t now_ns);
