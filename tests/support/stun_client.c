// SPDX-License-Identifier: BSD-3-Clause
#include "stun_client.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include <turnclient/stun.h>

// Not zeros, as some clients send: a server must not look at padding.
#define PADDING 0xa5

static struct tc_stun open_again(struct msg *m)
{
	return (struct tc_stun){
		.buf = m->octets,
		.size = MSG_MAX,
		.len = m->len,
		.padding = PADDING,
	};
}

static void close_again(struct msg *m, const struct tc_stun *t)
{
	if (t->full)
		abort();
	m->len = t->len;
}

void msg_key(const char *user, const char *realm, const char *password, uint8_t key[16])
{
	if (!tc_key(user, realm, password, key))
		abort();
}

void msg_start(struct msg *m, uint16_t type, const uint8_t txid[12])
{
	struct tc_stun t;

	tc_stun_init(&t, m->octets, MSG_MAX, type, txid);
	m->len = t.len;
}

void msg_attr(struct msg *m, uint16_t type, const void *value, size_t len)
{
	struct tc_stun t = open_again(m);

	tc_stun_put(&t, type, value, len);
	close_again(m, &t);
}

void msg_text(struct msg *m, uint16_t type, const char *text)
{
	msg_attr(m, type, text, strlen(text));
}

void msg_u32(struct msg *m, uint16_t type, uint32_t value)
{
	struct tc_stun t = open_again(m);

	tc_stun_put_u32(&t, type, value);
	close_again(m, &t);
}

void msg_xor_addr(struct msg *m, uint16_t type, const struct tp_addr *addr)
{
	struct tc_stun t = open_again(m);
	union tc_addr a = {.v4 = {.sin_family = AF_INET, .sin_port = addr->port_be}};

	if (addr->family == TP_FAMILY_IPV6) {
		a.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = addr->port_be};
		memcpy(&a.v6.sin6_addr, addr->ip, 16);
	} else {
		memcpy(&a.v4.sin_addr, addr->ip, 4);
	}
	tc_stun_put_addr(&t, type, &a);
	close_again(m, &t);
}

void msg_integrity(struct msg *m, const uint8_t key[16])
{
	struct tc_stun t = open_again(m);

	tc_stun_put_integrity(&t, key);
	close_again(m, &t);
}

void msg_integrity_sha256(struct msg *m, const uint8_t key[16])
{
	struct tc_stun t = open_again(m);

	tc_stun_put_integrity_sha256(&t, key);
	close_again(m, &t);
}

void msg_fingerprint(struct msg *m)
{
	struct tc_stun t = open_again(m);

	tc_stun_put_fingerprint(&t);
	close_again(m, &t);
}

const uint8_t *reply_attr(
	const uint8_t *octets, size_t len, uint16_t type, unsigned nth, uint16_t *value_len)
{
	size_t n = 0;
	const uint8_t *value = tc_stun_find_nth(octets, len, type, nth, &n);

	if (value != NULL)
		*value_len = (uint16_t)n;
	return value;
}

unsigned reply_code(const uint8_t *octets, size_t len)
{
	if (!tc_stun_valid(octets, len))
		return 1;
	if ((tc_stun_type(octets) & TC_ERROR) == TC_SUCCESS)
		return 0;
	if ((tc_stun_type(octets) & TC_ERROR) != TC_ERROR)
		return 1;
	return tc_stun_error(octets, len) != 0 ? (unsigned)tc_stun_error(octets, len) : 1;
}

bool reply_xor_addr(
	const uint8_t *octets, size_t len, uint16_t type, unsigned nth, struct tp_addr *addr)
{
	union tc_addr a;
	size_t n = 0;
	const uint8_t *value = tc_stun_find_nth(octets, len, type, nth, &n);

	if (value == NULL || !tc_stun_read_addr(octets, value, n, &a))
		return false;
	*addr = (struct tp_addr){.port_be = a.v4.sin_port, .family = value[1]};
	if (a.sa.sa_family == AF_INET6)
		memcpy(addr->ip, &a.v6.sin6_addr, 16);
	else
		memcpy(addr->ip, &a.v4.sin_addr, 4);
	return true;
}

bool reply_verifies(const uint8_t *octets, size_t len, const uint8_t key[16])
{
	return tc_stun_integrity_ok(octets, len, key);
}

bool reply_fingerprint_ok(const uint8_t *octets, size_t len)
{
	return tc_stun_fingerprint_ok(octets, len);
}

void msg_key_sha256(const char *user, const char *realm, const char *password, uint8_t key[32])
{
	char text[2048];
	int len = snprintf(text, sizeof(text), "%s:%s:%s", user, realm, password);

	SHA256((const uint8_t *)text, (size_t)len, key);
}

void msg_userhash(struct msg *m, const char *user, const char *realm)
{
	uint8_t hash[32];
	char text[2048];
	int len = snprintf(text, sizeof(text), "%s:%s", user, realm);

	SHA256((const uint8_t *)text, (size_t)len, hash);
	msg_attr(m, ATTR_USERHASH, hash, sizeof(hash));
}

// The MAC of the message in front of the attribute at `end`, whose value has that length.
static void sha256_mac(const uint8_t *octets, size_t end, size_t value_len, const uint8_t *key,
	size_t key_len, uint8_t mac[32])
{
	uint8_t *copy = malloc(end);

	if (copy == NULL)
		abort();
	memcpy(copy, octets, end);
	tp_store_be16(copy + 2, (uint16_t)(end + 4 + value_len - 20));
	if (HMAC(EVP_sha256(), key, (int)key_len, copy, end, mac, NULL) == NULL)
		abort();
	free(copy);
}

void msg_integrity_sha256_by(struct msg *m, const uint8_t *key, size_t key_len, size_t mac_len)
{
	uint8_t mac[32];

	sha256_mac(m->octets, m->len, mac_len, key, key_len, mac);
	msg_attr(m, ATTR_MESSAGE_INTEGRITY_SHA256, mac, mac_len);
}

bool reply_verifies_sha256(const uint8_t *octets, size_t len, const uint8_t *key, size_t key_len)
{
	uint16_t value_len;
	const uint8_t *value =
		reply_attr(octets, len, ATTR_MESSAGE_INTEGRITY_SHA256, 0, &value_len);
	uint8_t mac[32];

	if (value == NULL || value_len != sizeof(mac))
		return false;
	sha256_mac(octets, (size_t)(value - octets) - 4, value_len, key, key_len, mac);
	return memcmp(value, mac, sizeof(mac)) == 0;
}
