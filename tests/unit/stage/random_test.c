// SPDX-License-Identifier: BSD-3-Clause
// Twelve thousand random packets, every direction and family pair, each verified in full: lengths
// odd and even, padding, missing checksums. Some arrive damaged: those must leave with a checksum
// that is wrong by the very same difference.
#include "call.h"

#include <stdio.h>

#define PACKETS	    12000u
#define PAYLOAD_MAX 1200u

enum direction { CHANNEL_TO_PEER, SEND_TO_PEER, PEER_TO_CHANNEL, PEER_TO_DATA, DIRECTIONS };

struct sample {
	uint8_t direction;
	uint8_t payload[PAYLOAD_MAX];
	uint16_t len;
	struct message m;
	uint16_t damage_from; // bytes of the message that may be damaged without changing its
	uint16_t damage_to;   // meaning: payload and padding
	struct frame_spec spec;
};

static struct frame_random rng;

static void sample_send(struct sample *s, const struct tp_addr *peer)
{
	unsigned shape = frame_random_below(&rng, 8);
	uint8_t junk[16];

	frame_random_fill(&rng, junk, sizeof(junk));
	message_begin(&s->m, TP_TURN_SEND_INDICATION, junk);
	if (shape & 1)
		message_attribute(&s->m, 0x8022, junk, (uint16_t)frame_random_below(&rng, 16));
	if (shape & 2)
		message_address(&s->m, TP_ATTR_XOR_PEER_ADDRESS, peer);
	s->damage_from = (uint16_t)(s->m.len + 4);
	message_attribute(&s->m, TP_ATTR_DATA, s->payload, s->len);
	s->damage_to = s->m.len;
	if (!(shape & 2))
		message_address(&s->m, TP_ATTR_XOR_PEER_ADDRESS, peer);
	if (shape & 4)
		message_fingerprint(&s->m);
}

static void sample_make(struct sample *s, const struct call *c)
{
	s->direction = (uint8_t)frame_random_below(&rng, DIRECTIONS);
	s->len = (uint16_t)frame_random_below(&rng, frame_random_below(&rng, 4) ? 300 : 1200);
	frame_random_fill(&rng, s->payload, s->len);
	if (frame_random_below(&rng, 50) == 0) // sums of 0 and 0xffff
		memset(s->payload, frame_random_below(&rng, 2) ? 0xff : 0, s->len);
	s->damage_from = 0;
	s->damage_to = s->len;
	s->spec = (struct frame_spec){.src = c->client, .dst = c->listener};
	switch (s->direction) {
	case CHANNEL_TO_PEER:
		message_channel(
			&s->m, CALL_NUMBER, s->payload, s->len, frame_random_below(&rng, 4));
		s->damage_from = 4;
		s->damage_to = s->m.len;
		break;
	case SEND_TO_PEER:
		sample_send(s, frame_random_below(&rng, 2) ? &c->peer : &c->visitor);
		break;
	default:
		memcpy(s->m.data, s->payload, s->len);
		s->m.len = s->len;
		s->spec.src = s->direction == PEER_TO_CHANNEL ? c->peer : c->visitor;
		s->spec.dst = c->relayed;
		break;
	}
	s->spec.payload = s->m.data;
	s->spec.len = s->m.len;
	s->spec.tos = (uint8_t)frame_random_next(&rng);
	s->spec.ttl = (uint8_t)(2 + frame_random_below(&rng, 254));
	s->spec.df = frame_random_below(&rng, 2);
	s->spec.id = (uint16_t)frame_random_next(&rng);
	s->spec.no_csum = s->spec.src.family == TP_FAMILY_IPV4 && !frame_random_below(&rng, 4);
}

// Flips bits of payload, padding or checksum. Returns the error of the checksum.
static uint32_t damage(struct frame *f, const struct sample *s)
{
	uint8_t *end = frame_data(f) + f->len, *msg = end - s->m.len;
	unsigned n = s->damage_to - s->damage_from;

	if (n == 0 || frame_random_below(&rng, 8) == 0)
		msg[-1] ^= 1; // the checksum itself
	else
		msg[s->damage_from + frame_random_below(&rng, n)] ^=
			(uint8_t)(1 + frame_random_below(&rng, 255));
	return frame_csum_off(frame_data(f));
}

// The payload as it arrived, damage included.
static void read_payload(
	const struct sample *s, const struct frame_view *v, const uint8_t **data, uint16_t *len)
{
	struct tp_addr from;
	const char *wrong;

	*data = v->payload;
	*len = v->len;
	if (s->direction == PEER_TO_CHANNEL) {
		assert_int_equal(tp_load_be16(v->payload), CALL_NUMBER);
		assert_int_equal(tp_load_be16(v->payload + 2), v->len - 4);
		*data += 4;
		*len = (uint16_t)(*len - 4);
	} else if (s->direction == PEER_TO_DATA) {
		wrong = message_read_data(v->payload, v->len, &from, data, len);
		if (wrong != NULL)
			fail_msg("%s", wrong);
		call_assert_addr(&from, &s->spec.src);
	}
}

static void check_one(struct call *c, struct sample *s)
{
	bool damaged = !s->spec.no_csum && frame_random_below(&rng, 4) == 0;
	uint8_t arrived[PAYLOAD_MAX];
	uint32_t off = 0;
	struct stage_pkt pkt;
	struct frame_view v;
	const uint8_t *got;
	struct frame f;
	uint16_t len;

	frame_build(&f, &s->spec);
	if (damaged)
		off = damage(&f, s);
	memcpy(arrived, frame_data(&f) + f.len - s->m.len + s->damage_from, s->len);
	pkt = relay_run(c->r, &f);
	v = call_read(&pkt);
	if (off != 0)
		assert_false(v.udp_csum_right);
	else
		assert_true(v.udp_csum_right);
	if (v.csum != 0)
		assert_int_equal(frame_csum_off(pkt.data), off);
	else
		assert_true(s->spec.no_csum);
	assert_int_equal(v.tos, s->spec.tos);
	assert_int_equal(v.ttl, s->spec.ttl - 1);
	read_payload(s, &v, &got, &len);
	assert_int_equal(len, s->len);
	assert_memory_equal(got, arrived, len);
}

static void test_random_packets(void **state)
{
	static const uint8_t families[2] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	static struct sample s;
	struct call c;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		call_start(&c, families[i / 2], families[i % 2]);
		for (unsigned n = 0; n < PACKETS / 4; n++) {
			sample_make(&s, &c);
			check_one(&c, &s);
		}
		call_end(&c);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_packets)};

	rng.state = argc > 1 ? strtoull(argv[1], NULL, 0) : 20260101;
	printf("seed %llu\n", (unsigned long long)rng.state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
