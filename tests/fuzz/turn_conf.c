// SPDX-License-Identifier: BSD-3-Clause
#include "turn_conf.h"

#include <stdlib.h>
#include <stun_client.h>

struct turn_known_user turn_users[4];
struct turn_conf turn_conf;

static struct turn_realm_conf turn_realm;

static void users_init(void)
{
	static struct turn_user statics[2];
	static const struct turn_secret secret = {
		.id = "s", .octets = (const uint8_t *)"secret", .len = 6};
	char password[40] = "password";

	turn_realm.secrets = &secret;
	turn_realm.n_secrets = 1;
	strcpy(turn_users[0].name, "alice");
	strcpy(turn_users[2].name, "nobody");
	strcpy(turn_users[3].name, "bob");
	for (unsigned i = 0; i < 4; i++) {
		if (i == 1 &&
			turn_mint_credential(&turn_realm, "carol", 2000000000, turn_users[i].name,
				sizeof(turn_users[i].name), password, sizeof(password)) != 0)
			abort();
		msg_key(turn_users[i].name, TURN_REALM, password, turn_users[i].key);
	}
	statics[0].name = turn_users[0].name;
	statics[1].name = turn_users[3].name;
	statics[0].key = turn_key_md5(turn_users[0].key);
	statics[1].key = turn_key_md5(turn_users[3].key);
	turn_realm.users = statics;
	turn_realm.n_users = 2;
}

void turn_conf_init(void)
{
	static struct turn_listener listeners[2] = {{.id = 1}, {.id = 2}};
	static struct turn_relay_address relays[2] = {{.id = 3}, {.id = 4}};
	static const uint8_t ip6[2][16] = {{0x2a, 5, [15] = 1}, {0x2a, 5, [15] = 2}};
	struct tp_addr own[5];
	const struct policy_config policy = {.own = own, .n_own = TP_ARRAY_LEN(own)};

	own[0] = listeners[0].local = listeners[0].advertised = tp_addr_ipv4(0x05050501, 3478);
	own[1] = listeners[1].local = listeners[1].advertised = tp_addr_ipv6(ip6[0], 3478);
	own[2] = relays[0].local = tp_addr_ipv4(0x05050502, 0);
	own[3] = relays[0].advertised = tp_addr_ipv4(0x05050503, 0);
	own[4] = relays[1].local = relays[1].advertised = tp_addr_ipv6(ip6[1], 0);
	turn_conf = (struct turn_conf){
		.realms = &turn_realm,
		.n_realms = 1,
		.listeners = listeners,
		.n_listeners = 2,
		.relays = relays,
		.n_relays = 2,
		.port_min = 50000,
		.port_max = 50005,
		.channel_max = 0x4fff,
		.default_family = TP_FAMILY_IPV4,
		.max_allocations = 7,
		.default_lifetime_s = 600,
		.max_lifetime_s = 3600,
		.permission_lifetime_s = 300,
		.channel_lifetime_s = 600,
		.nonce_lifetime_s = 600,
	};
	turn_realm = (struct turn_realm_conf){
		.name = TURN_REALM,
		.policy = policy_create(&policy),
		.user_quota = 4,
	};
	if (turn_realm.policy == NULL)
		abort();
	users_init();
}
