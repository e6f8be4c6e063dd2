// SPDX-License-Identifier: BSD-3-Clause
// The section `protocol`: where the protocol leaves a choice.
#include "schema.h"

#include <turnpike/stun.h>

static const struct rule_choice families[] = {
	{.name = "ipv4", .value = CONF_FAMILY_IPV4},
	{.name = "ipv6", .value = CONF_FAMILY_IPV6},
	{.name = "keep", .value = CONF_FAMILY_KEEP},
	{.name = NULL},
};

static const struct rule protocol_rules[] = {
	{.key = "channel_max",
		.type = RULE_U16,
		RULE_AT(struct conf_protocol, channel_max),
		.min = TP_CHANNEL_MAX,
		.max = TP_CHANNEL_MAX_COMPAT,
		.initial = "0x4fff",
		.text = "Highest channel number. RFC 8656 ends at 0x4fff; some old clients bind up "
			"to 0x7fff. Channels that are bound outlive a lower one."},
	{.key = "default_family",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_protocol, default_family),
		.choices = families,
		.initial = "ipv4",
		.text = "Family of the relayed address where a client names none. `keep`: the one "
			"that the client comes by, where the relay has it. RFC 8656 says `ipv4`."},
	{.key = "permission_follows_channel",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, permission_follows_channel),
		.initial = "true",
		.text = "A live channel keeps its permission alive, for clients that send nothing "
			"but ChannelBind. Deviates from RFC 8656, as coturn does; false is "
			"strict."},
	{.key = "heal_black_holes",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, heal_black_holes),
		.initial = "true",
		.text = "Where packets of more than 1,280 bytes are repeated with growing waits "
			"and never arrive, tell their sender by ICMP to send shorter ones; over "
			"IPv6, send in fragments what the sender lets the network fragment."},
	{.key = "software",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, software),
		.initial = "false",
		.text = "Send the SOFTWARE attribute. Answers of the packet path (Binding, the "
			"first 401) have none."},
	{.key = "secure_stun",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, secure_stun),
		.initial = "false",
		.text = "Binding requests need credentials too."},
	{.key = "draining",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, draining),
		.initial = "false",
		.text = "Make no allocations any more: clients are sent to `alternate_servers`, or "
			"refused with 508. Calls go on."},
	{.key = "alternate_servers",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_protocol, alternate_servers),
		.item = RULE_PLACE,
		.example = "[\"192.0.2.20:3478\"]",
		.text = "Other relays, with the same users, to which clients of UDP and TCP are "
			"sent in turn (300) while this one is draining or full, those of their own "
			"address family."},
	{.key = "tls_alternate_servers",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_protocol, tls_alternate_servers),
		.item = RULE_PLACE,
		.example = "[\"192.0.2.20:5349\"]",
		.text = "The same for clients of TLS and DTLS that sign by SHA-256 (RFC 8489). "
			"Others, such as browsers, would look for the address in the certificate: "
			"they are refused with 508."},
	{.key = "alternate_domain",
		.type = RULE_TEXT,
		RULE_AT(struct conf_protocol, alternate_domain),
		.example = "turn2.example.org",
		.text = "Name in the certificates of `tls_alternate_servers`, which clients are "
			"told (ALTERNATE-DOMAIN). Without it they look for the name by which they "
			"came here."},
	{.key = "nat_discovery",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, nat_discovery),
		.initial = "false",
		.text = "Tell clients how their NAT behaves (RFC 5780): answers may leave by "
			"another listener than the one asked. Wants UDP listeners at two addresses "
			"of a family, with the same two ports each. The control process then "
			"answers "
			"all Binding requests, within `limits.first_contact_rate`."},
	{.key = "mobility",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, mobility),
		.initial = "true",
		.text = "Give mobility tickets (RFC 8016) to clients that ask for one: their "
			"allocation follows them to another address, port or transport. Until it "
			"expires it stays when its connection to the edge ends. Switched off, it "
			"ends those that wait, and moves that are not finished are given up."},
	{.key = "sha256",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, sha256),
		.initial = "true",
		.text = "Offer SHA-256 passwords (RFC 8489) beside MD5. Where a user has only an "
			"MD5 key none are offered."},
	{.key = "userhash",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, userhash),
		.initial = "true",
		.text = "Offer clients to send USERHASH (RFC 8489) instead of the user name. Where "
			"there are secrets or a directory it is not offered."},
	{.key = "credential_separator",
		.type = RULE_TEXT,
		RULE_AT(struct conf_protocol, credential_separator),
		.initial = ":",
		.text = "Character between time and name in the user name of a time-limited "
			"credential."},
	{.key = "end_with_credential",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, end_with_credential),
		.initial = "false",
		.text = "A call ends when its time-limited credential does. Else the credential "
			"is needed to begin a call, which may then go on."},
	{.key = "tcp_relay",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, tcp_relay),
		.initial = "true",
		.text = "Offer TCP allocations (RFC 6062) to clients that come by TCP or TLS."},
	{.key = NULL},
};

const struct section conf_schema_protocol = {
	.rules = protocol_rules,
	.size = sizeof(struct conf_protocol),
	.text = "Where the protocol leaves a choice.",
};
