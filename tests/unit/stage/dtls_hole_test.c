// SPDX-License-Identifier: BSD-3-Clause
// Legs that swallow long packets, of clients that came by DTLS: the leg to the client, whose peer
// is told the length that fits beside what DTLS adds, and the one to the peer.
#include "dtls_stand.h"

// Returns the length of the fragments in which the message leaves to the peer; 0: in none.
static unsigned message_run(struct stand *s, struct frame *f, const void *bytes, uint16_t len)
{
	const struct stage_message source = {
		.remote = s->call.client, .connection = connection, .listener_id = s->id};
	struct stage_pkt pkt = {.data = frame_data(f),
		.headroom = FRAME_FRONT,
		.tailroom = (uint16_t)(FRAME_MAX - len - 4)};
	struct message m;

	message_channel(&m, NUMBER, bytes, len, 0);
	memcpy(pkt.data, m.data, m.len);
	pkt.len = m.len;
	stage_run_messages(s->call.r->worker, &pkt, &source, 1, s->call.r->now_ns);
	assert_true(pkt.verdict == STAGE_SEND || pkt.verdict == STAGE_CUT);
	return pkt.verdict == STAGE_CUT ? pkt.mtu : 0;
}

static const uint8_t dtls[1400] = {22}, consent[] = {0x80, 1};

static struct stage_pkt peer_run(
	struct stand *s, struct frame *f, const void *bytes, uint16_t len, bool df)
{
	struct frame_spec spec = {
		.src = s->call.peer, .dst = s->relayed, .payload = bytes, .len = len, .df = df};

	s->call.r->worker->n_stream_out = 0;
	s->call.r->now_ns += TP_NS_PER_MS;
	frame_build(f, &spec);
	return relay_run(s->call.r, f);
}

static void assert_hole(struct stand *s, bool to_client)
{
	const struct tp_ring_slot *slot = relay_punted(s->call.r, TP_PUNT_LIVE);
	uint64_t count = s->call.r->stats->path_packets[TP_PATH_mtu_black_hole];
	struct tp_ring_report about;

	assert_non_null(slot);
	assert_int_equal(slot->kind, TP_RING_REPORT);
	memcpy(&about, slot->data, sizeof(about));
	assert_int_equal(about.type, TP_REPORT_BLACK_HOLE);
	assert_int_equal(about.allocation, s->allocation);
	assert_int_equal(about.mtu, 1280);
	call_assert_addr(&slot->remote, to_client ? &s->call.client : &s->call.peer);
	if (to_client)
		assert_int_equal(slot->local_id, s->id);
	assert_null(relay_punted(s->call.r, TP_PUNT_LIVE));
	assert_int_equal(count, 1);
	s->call.r->stats->path_packets[TP_PATH_mtu_black_hole] = 0;
}

static void healing(struct stand *s, uint32_t how)
{
	s->call.r->path.black_holes = how;
	relay_locals_change(s->call.r);
}

// The number that the peer is told, once, of so many flights with growing waits; 0: none.
static uint32_t peer_repeats(struct stand *s, bool df, unsigned flights)
{
	struct stage_pkt pkt;
	uint32_t number = 0;
	struct frame f;

	for (unsigned i = 0; i < flights; i++) {
		// Something short passes the other way, so the leg lives.
		(void)message_run(s, &f, consent, sizeof(consent));
		pkt = peer_run(s, &f, dtls, sizeof(dtls), df);
		if (pkt.verdict != STAGE_STREAM) {
			assert_int_equal(number, 0);
			number = told(&pkt);
		}
		s->call.r->now_ns += TP_NS_PER_S << i;
	}
	return number;
}

static void check_hole_to_client(struct stand *s)
{
	bool v6 = s->call.client.family == TP_FAMILY_IPV6;
	bool peer6 = s->call.peer.family == TP_FAMILY_IPV6;
	uint32_t number = number_of(s, true, 1280);

	assert_int_equal(peer_repeats(s, true, 6), 0);
	healing(s, TP_BLACK_HOLES_HEALED);
	leg_set(s, 1500);
	assert_int_equal(peer_repeats(s, true, 6), 0);
	leg_set(s, 0);
	assert_null(relay_punted(s->call.r, TP_PUNT_LIVE));
	assert_int_equal(peer_repeats(s, true, 6), peer6 && number < 1280 ? 1280 : number);
	assert_hole(s, true);
	if (peer6)
		return;
	// Nobody to tell: over IPv6 the relay makes the fragments from now on.
	assert_int_equal(peer_repeats(s, false, 6), 0);
	if (v6)
		assert_hole(s, true);
	else
		assert_null(relay_punted(s->call.r, TP_PUNT_LIVE));
}

static void test_hole_to_the_client(void **state)
{
	(void)state;
	each(check_hole_to_client);
}

// The client's own messages: over IPv6 they leave in fragments once the hole is seen.
static void check_hole_to_peer(struct stand *s)
{
	bool v6 = s->call.peer.family == TP_FAMILY_IPV6;
	struct frame f;

	for (uint32_t how = TP_BLACK_HOLES_LEFT; how <= TP_BLACK_HOLES_HEALED; how++) {
		unsigned cuts = 0;

		healing(s, how);
		for (unsigned i = 0; i < 6; i++) {
			(void)peer_run(s, &f, consent, sizeof(consent), true);
			cuts += message_run(s, &f, dtls, sizeof(dtls)) == 1280;
			s->call.r->now_ns += TP_NS_PER_S << i;
		}
		assert_int_equal(cuts, how == TP_BLACK_HOLES_HEALED && v6);
	}
	if (v6)
		assert_hole(s, false);
	assert_null(relay_punted(s->call.r, TP_PUNT_LIVE));
}

static void test_hole_to_the_peer(void **state)
{
	(void)state;
	each(check_hole_to_peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hole_to_the_client),
		cmocka_unit_test(test_hole_to_the_peer),
	};

	return cmocka_run_group_tests_name("stage: dtls hole", tests, NULL, NULL);
}
