// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds of the control process' targets: turn_seeds DIRECTORY, which must hold the
// directories turn_server and stun_message. The seeds in corpus/ were made by it. The clients
// behave as real ones were seen to on the wire: the same attributes, in the same order.
#include <rfc5769.h>
#include <stdio.h>
#include <stdlib.h>
#include <stun_client.h>

#include "turn_steps.h"

struct script {
	const char *directory;
	const char *name;
	uint8_t octets[8192];
	size_t len;
	uint8_t txid;
};

static void file_write(
	const char *directory, const char *target, const char *name, const void *data, size_t len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/seed-%s", directory, target, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static void script_start(struct script *s, const char *directory, const char *name)
{
	*s = (struct script){.directory = directory, .name = name};
}

static void script_end(struct script *s)
{
	file_write(s->directory, "turn_server", s->name, s->octets, s->len);
}

static void put(struct script *s, const void *data, size_t len)
{
	if (s->len + len > sizeof(s->octets))
		abort();
	memcpy(s->octets + s->len, data, len);
	s->len += len;
}

static void put_u8(struct script *s, unsigned v)
{
	const uint8_t octet = (uint8_t)v;

	put(s, &octet, 1);
}

static void put_u16(struct script *s, unsigned v)
{
	put_u8(s, v >> 8);
	put_u8(s, v);
}

static void step(struct script *s, enum turn_step step, unsigned operand)
{
	put_u8(s, step);
	if (step == STEP_SLEEP || step == STEP_LATE)
		put_u16(s, operand);
	else if (step == STEP_KILL)
		put_u8(s, operand);
}

// The attributes of `m` as a step; also a datagram of its own for the reader.
static void request(struct script *s, unsigned client, unsigned flags, const struct msg *m)
{
	char name[64];

	put_u8(s, STEP_REQUEST);
	put_u8(s, client);
	put_u8(s, tp_load_be16(m->octets));
	put_u8(s, m->octets[8]);
	put_u8(s, flags);
	put_u16(s, (unsigned)(m->len - 20));
	put(s, m->octets + 20, m->len - 20);
	snprintf(name, sizeof(name), "%s-%02u", s->name, m->octets[8]);
	file_write(s->directory, "stun_message", name, m->octets, m->len);
}

static void start(struct script *s, struct msg *m, uint16_t method)
{
	uint8_t txid[12];

	memset(txid, ++s->txid, sizeof(txid));
	msg_start(m, method, txid);
}

static void allocate(struct script *s, unsigned client, unsigned flags, uint32_t lifetime_s)
{
	struct msg m;

	start(s, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (lifetime_s != 0)
		msg_u32(&m, ATTR_LIFETIME, lifetime_s);
	request(s, client, flags, &m);
}

static void refresh(struct script *s, unsigned client, unsigned flags, uint32_t lifetime_s)
{
	struct msg m;

	start(s, &m, MSG_REFRESH);
	msg_u32(&m, ATTR_LIFETIME, lifetime_s);
	request(s, client, flags, &m);
}

static void permit(
	struct script *s, unsigned client, unsigned flags, const struct tp_addr *peers, unsigned n)
{
	struct msg m;

	start(s, &m, MSG_CREATE_PERMISSION);
	for (unsigned i = 0; i < n; i++)
		msg_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, &peers[i]);
	request(s, client, flags, &m);
}

static void bind_channel(struct script *s, unsigned client, unsigned flags, uint16_t number,
	const struct tp_addr *peer)
{
	struct msg m;

	start(s, &m, MSG_CHANNEL_BIND);
	msg_u32(&m, ATTR_CHANNEL_NUMBER, (uint32_t)number << 16);
	msg_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, peer);
	request(s, client, flags, &m);
}

static struct tp_addr peer_at(unsigned i)
{
	static const uint8_t ip6[16] = {0x2a, 7, [15] = 7};
	const struct tp_addr peers[] = {tp_addr_ipv4(0x08080808, 4000),
		tp_addr_ipv4(0x08080808, 4001), tp_addr_ipv4(0x01010101, 5000),
		tp_addr_ipv6(ip6, 4000), tp_addr_ipv4(0x05050502, 50001),
		tp_addr_ipv4(0x05050503, 50002), tp_addr_ipv4(0x05050501, 3478),
		tp_addr_ipv4(0x0a000001, 1)};

	return peers[i];
}

// Binding on the same socket, then calls without FINGERPRINT, everything again after 240 s.
static void seed_chromium(const char *directory)
{
	struct script s;
	struct msg m;
	struct tp_addr peer = peer_at(0);

	script_start(&s, directory, "chromium");
	start(&s, &m, MSG_BINDING);
	request(&s, 0, FLAG_UNSIGNED, &m);
	allocate(&s, 0, FLAG_UNSIGNED, 0);
	allocate(&s, 0, 1, 0);
	for (unsigned i = 0; i < 3; i++) {
		permit(&s, 0, 1, &peer, 1);
		bind_channel(&s, 0, 1, 0x4000, &peer);
		step(&s, STEP_SLEEP, 240);
	}
	refresh(&s, 0, 1, 600);
	refresh(&s, 0, 1, 0);
	script_end(&s);
}

// LIFETIME 3600, FINGERPRINT on all, permissions after 291 s, never a channel.
static void seed_firefox(const char *directory)
{
	struct tp_addr peers[2] = {peer_at(0), peer_at(2)};
	struct script s;

	script_start(&s, directory, "firefox");
	allocate(&s, 2, FLAG_UNSIGNED | FLAG_FINGERPRINT, 3600);
	allocate(&s, 2, FLAG_FINGERPRINT, 3600);
	for (unsigned i = 0; i < 4; i++) {
		permit(&s, 2, FLAG_FINGERPRINT, &peers[i % 2], 1);
		step(&s, STEP_SLEEP, 291);
		step(&s, STEP_LOOK, 0);
	}
	script_end(&s);
}

// ChannelBind without CreatePermission each 500 s; the server restarts in between.
static void seed_aioice(const char *directory)
{
	struct tp_addr peer = peer_at(3);
	struct script s;
	struct msg m;

	script_start(&s, directory, "aioice");
	start(&s, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_LIFETIME, 600);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY, 2u << 24);
	request(&s, 1, 0, &m);
	for (unsigned i = 0; i < 3; i++) {
		bind_channel(&s, 1, 0, 0x4001, &peer);
		step(&s, STEP_SLEEP, 500);
		step(&s, STEP_RESTART, 0);
		refresh(&s, 1, 0, 600);
	}
	script_end(&s);
}

// SOFTWARE and FINGERPRINT everywhere; both ends on this relay, by either of its names.
static void seed_libjuice(const char *directory)
{
	struct script s;
	struct msg m;

	script_start(&s, directory, "libjuice");
	for (unsigned client = 0; client < 4; client += 2) {
		struct tp_addr peer = peer_at(4 + client / 2);

		start(&s, &m, MSG_ALLOCATE);
		msg_text(&m, ATTR_SOFTWARE, "libjuice");
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
		request(&s, client, 3 | FLAG_FINGERPRINT, &m);
		permit(&s, client, 3 | FLAG_FINGERPRINT, &peer, 1);
		bind_channel(&s, client, 3 | FLAG_FINGERPRINT, 0x4002, &peer);
	}
	step(&s, STEP_KILL, 0);
	step(&s, STEP_LATE, 700);
	allocate(&s, 0, 3, 0);
	script_end(&s);
}

// The first Allocate without REQUESTED-TRANSPORT.
static void seed_p1stun(const char *directory)
{
	struct script s;
	struct msg m;

	script_start(&s, directory, "p1stun");
	start(&s, &m, MSG_ALLOCATE);
	request(&s, 4, FLAG_UNSIGNED, &m);
	start(&s, &m, MSG_ALLOCATE);
	request(&s, 4, 0, &m);
	allocate(&s, 4, 0, 0);
	script_end(&s);
}

// Channels bound several times, EVEN-PORT, RESERVATION-TOKEN, LIFETIME 777.
static void seed_uclient(const char *directory)
{
	static const uint8_t token[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct script s;
	struct msg m;

	script_start(&s, directory, "uclient");
	for (unsigned i = 0; i < 3; i++) {
		start(&s, &m, MSG_ALLOCATE);
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
		msg_u32(&m, ATTR_LIFETIME, 777);
		if (i == 1)
			msg_attr(&m, ATTR_RESERVATION_TOKEN, token, sizeof(token));
		else
			msg_attr(&m, ATTR_EVEN_PORT, i == 0 ? "\x80" : "", 1);
		request(&s, 6, 0, &m);
	}
	for (unsigned i = 0; i < 4; i++) {
		struct tp_addr peer = peer_at(i % 2);

		bind_channel(&s, 6, 0, (uint16_t)(0x4000 + i), &peer);
	}
	refresh(&s, 6, 0, 777);
	refresh(&s, 6, 0, 0);
	refresh(&s, 6, 0, 0);
	script_end(&s);
}

// Refused requests: peers, full tables, a drain, other users, broken and repeated requests.
static void seed_refusals(const char *directory)
{
	struct tp_addr peers[8];
	struct script s;

	for (unsigned i = 0; i < 8; i++)
		peers[i] = peer_at(i);
	script_start(&s, directory, "refusals");
	for (unsigned flags = 0; flags < 256; flags += 15)
		allocate(&s, flags % STEP_CLIENTS, flags, 600);
	s.txid = 0;
	allocate(&s, 0, 0, 600);
	permit(&s, 0, 0, peers, 8);
	permit(&s, 0, 0, peers, 3);
	for (unsigned table = 0; table < 3; table++) {
		put_u8(&s, STEP_LIMIT);
		put_u8(&s, table);
		put_u8(&s, 1);
		permit(&s, 0, 0, peers, 3);
		bind_channel(&s, 0, FLAG_TRAILER, 0x4000, &peers[0]);
		bind_channel(&s, 0, FLAG_SHA256, 0x4001, &peers[2]);
	}
	allocate(&s, 5, 3, 0);
	script_end(&s);
}

static void seed_raw(const char *directory)
{
	static const struct {
		const char *name;
		const uint8_t *octets;
		size_t len;
	} vectors[] = {
		{"rfc5769-request", rfc5769_request, sizeof(rfc5769_request)},
		{"rfc5769-ipv4", rfc5769_response_ipv4, sizeof(rfc5769_response_ipv4)},
		{"rfc5769-ipv6", rfc5769_response_ipv6, sizeof(rfc5769_response_ipv6)},
		{"rfc5769-long-term", rfc5769_request_long_term, sizeof(rfc5769_request_long_term)},
	};
	struct script s;

	script_start(&s, directory, "raw");
	for (size_t i = 0; i < TP_ARRAY_LEN(vectors); i++) {
		file_write(directory, "stun_message", vectors[i].name, vectors[i].octets,
			vectors[i].len);
		put_u8(&s, STEP_RAW);
		put_u8(&s, (unsigned)i);
		put_u16(&s, (unsigned)vectors[i].len);
		put(&s, vectors[i].octets, vectors[i].len);
	}
	script_end(&s);
}

int main(int argc, char **argv)
{
	static void (*const seeds[])(const char *directory) = {seed_chromium, seed_firefox,
		seed_aioice, seed_libjuice, seed_p1stun, seed_uclient, seed_refusals, seed_raw};

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < TP_ARRAY_LEN(seeds); i++)
		seeds[i](argv[1]);
	return 0;
}
