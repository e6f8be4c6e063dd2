// SPDX-License-Identifier: BSD-3-Clause
#include "bearer.h"

#include <openssl/evp.h>

const char bearer_token_256[] = "AAxoNGozazJqMm40YjX2jBHC7B+SVS3um9fAly0JZyANkOl1RIk/"
				"unRADnQLynefnztirGc2gd3TyghVUAEJSA==";
const char bearer_token_128[] = "AAxoNGozazJqMm40YjWW5d5WK+LGJNQ9/IVy6RpTEOxJfgKeDAldIlWB1mLegC52"
				"WHV60y2/vokyZmOGPgpK0Q==";

const char bearer_token_other[] =
	"AAxoNGozazJqMm40YjbwGr/QdpgQeSqSvl2AO4VUi7JW9vSNXsvchWf30VK0jsj8GdbATwbJookT420LqXBXeQ==";

const struct turn_token_key bearer_key_256 = {
	.id = "north", .algorithm = TURN_TOKEN_A256GCM, .octets = "carleon"};
const struct turn_token_key bearer_key_128 = {
	.id = "south", .algorithm = TURN_TOKEN_A128GCM, .octets = "carleon"};

struct bytes bearer_decode(const char *base64)
{
	struct bytes b;
	size_t len = strlen(base64);

	b.len = (size_t)EVP_DecodeBlock(b.octets, (const unsigned char *)base64, (int)len);
	while (base64[len - 1] == '=') {
		b.len--;
		len--;
	}
	return b;
}

void bearer_init(struct bearer *f)
{
	static const struct turn_token_key keys[2] = {
		{.id = "north", .algorithm = TURN_TOKEN_A256GCM, .octets = "carleon"},
		{.id = "south", .algorithm = TURN_TOKEN_A128GCM, .octets = "carleon"},
	};

	harness_init(&f->h);
	f->h.realms[0].token_server = SERVER;
	f->h.realms[0].token_keys = keys;
	f->h.realms[0].n_token_keys = 2;
	f->h.wall_s = ISSUED_S + 10;
	f->token = bearer_decode(bearer_token_256);
	f->mac_key = MAC_KEY;
	client_init(&f->c, 0xc6336401, 5000);
	f->c.user = "north";
}

static unsigned finish(struct bearer *f, struct msg *m, bool token)
{
	if (token)
		msg_attr(m, ATTR_ACCESS_TOKEN, f->token.octets, f->token.len);
	msg_text(m, ATTR_USERNAME, f->c.user);
	msg_text(m, ATTR_REALM, f->c.realm);
	msg_text(m, ATTR_NONCE, f->c.nonce);
	msg_integrity_sha256_by(m, (const uint8_t *)f->mac_key, strlen(f->mac_key), 32);
	return client_send(&f->h, &f->c, m);
}

unsigned bearer_ask(struct bearer *f, uint16_t type, uint32_t lifetime_s, bool token)
{
	struct msg m;

	client_start(&f->c, &m, type);
	if (type == MSG_ALLOCATE)
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (lifetime_s != UINT32_MAX)
		msg_u32(&m, ATTR_LIFETIME, lifetime_s);
	return finish(f, &m, token);
}

unsigned bearer_allocate_with(struct bearer *f, uint16_t attr, const uint8_t *value, uint16_t len)
{
	struct msg m;

	client_challenge(&f->h, &f->c);
	client_start(&f->c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_attr(&m, attr, value, len);
	return finish(f, &m, true);
}

unsigned bearer_allocate(struct bearer *f)
{
	client_challenge(&f->h, &f->c);
	return bearer_ask(f, MSG_ALLOCATE, 3600, true);
}

void bearer_take(struct bearer *f, const char *user, const char *token, const char *mac_key)
{
	f->c.user = user;
	f->token = bearer_decode(token);
	f->mac_key = mac_key;
}
