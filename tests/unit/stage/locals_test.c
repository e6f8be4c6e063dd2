// SPDX-License-Identifier: BSD-3-Clause
// Which packets are ours: own addresses and ports by the hundred, nonsense records, ICMP errors
// about us, and the time before there are tables.
#include "call.h"

#include <stdio.h>

static struct tp_addr own_at(unsigned i, uint16_t port)
{
	char text[32];

	if (i % 2 == 0)
		return tp_addr_ipv4(0xc0000200u + i, port);
	snprintf(text, sizeof(text), "2001:db8::%x", i);
	return relay_addr6(text, port);
}

// A table filled to the last id: relays and listeners on 511 addresses of both families.
static void fill_locals(struct relay *r)
{
	memset(r->locals, 0, sizeof(r->locals));
	for (unsigned id = 1; id < TP_LOCALS_MAX; id++) {
		struct tp_local *l = &r->locals[id];

		l->role = id < 512 ? TP_ROLE_RELAY : TP_ROLE_LISTENER;
		l->transport = TP_TRANSPORT_UDP;
		l->addr = own_at(id % 512, id < 512 ? 0 : 3478);
		l->external = l->addr;
		l->port_index = 0;
	}
	relay_locals_change(r);
}

static enum tp_drop end_of(struct relay *r, const struct tp_addr *dst)
{
	struct tp_addr src = dst->family == TP_FAMILY_IPV4 ? relay_addr4("192.0.9.9", 7777)
							   : relay_addr6("2001:db8:9::9", 7777);
	struct frame_spec spec = {.src = src, .dst = *dst, .payload = "\x40\x00\0\0", .len = 4};
	struct stage_pkt pkt;
	struct frame f;

	frame_build(&f, &spec);
	pkt = relay_run(r, &f);
	return pkt.verdict == STAGE_KERNEL ? TP_DROP_none : pkt.reason;
}

static void test_full_table(void **state)
{
	struct tp_addr a;
	struct relay *r;

	(void)state;
	r = relay_create(64, TP_HASH_KIND_SIPHASH);
	fill_locals(r);
	for (unsigned id = 1; id < 512; id++) {
		a = own_at(id, 3478);
		assert_int_equal(end_of(r, &a), TP_DROP_no_channel); // a listener's
		a = own_at(id, 50000);
		assert_int_equal(end_of(r, &a), TP_DROP_no_allocation); // a relay's
		a = own_at(id, 3479);
		assert_int_equal(end_of(r, &a), TP_DROP_none);
		a = own_at(id + 512, 50000);
		assert_int_equal(end_of(r, &a), TP_DROP_none);
	}
	relay_destroy(r);
}

// An IPv6 address that begins with the bytes of our IPv4 one is another.
static void test_families_kept_apart(void **state)
{
	const struct tp_addr alike = relay_addr6("a4d:1::", 3478);
	struct relay *r;

	(void)state;
	r = relay_create(64, TP_HASH_KIND_SIPHASH);
	assert_int_equal(end_of(r, &r->locals[RELAY_LISTENER4].addr), TP_DROP_no_channel);
	assert_int_equal(end_of(r, &alike), TP_DROP_none);
	relay_destroy(r);
}

static void test_nonsense_records_left_out(void **state)
{
	struct tp_addr listener = relay_addr4("192.0.2.1", 3478);
	struct tp_addr relayed = relay_addr4("192.0.2.1", 50000);
	struct tp_local sane;
	struct relay *r;

	(void)state;
	r = relay_create(64, TP_HASH_KIND_SIPHASH);
	memset(r->locals, 0, sizeof(r->locals));
	sane = (struct tp_local){.addr = listener,
		.external = listener,
		.role = TP_ROLE_LISTENER,
		.transport = TP_TRANSPORT_UDP};
	for (unsigned i = 0; i < 9; i++) {
		struct tp_local l = sane;

		switch (i) {
		case 0:
			l.role = TP_ROLE_FREE;
			break;
		case 1:
			l.role = TP_ROLE_RETIRED;
			break;
		case 2:
			l.role = 77;
			break;
		case 3:
			l.addr.family = 9;
			break;
		case 4:
			l.external.family = TP_FAMILY_IPV6;
			break;
		case 5:
			l.transport = 5;
			break;
		case 6:
			l.addr.port_be = 0;
			break;
		case 7:
			l.role = TP_ROLE_RELAY;
			l.port_index = TP_RELAYS_MAX;
			break;
		default:
			l.role = TP_ROLE_LISTENER; // sane after all: the test can fail
			break;
		}
		r->locals[1] = l;
		relay_locals_change(r);
		assert_int_equal(end_of(r, &listener), i == 8 ? TP_DROP_no_channel : TP_DROP_none);
		assert_int_equal(end_of(r, &relayed), TP_DROP_none);
	}
	// An array that the segment does not have.
	r->locals[1] = (struct tp_local){
		.addr = relayed, .external = relayed, .role = TP_ROLE_RELAY, .port_index = 500};
	relay_locals_change(r);
	assert_int_equal(end_of(r, &relayed), TP_DROP_no_allocation);
	relay_destroy(r);
}

static void test_before_there_are_tables(void **state)
{
	struct stage_locals *locals;
	struct stage_pkt pkt;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	locals = (struct stage_locals *)(uintptr_t)c.r->worker->locals;
	c.r->worker->locals = NULL;
	pkt = call_send_bytes(&c, &f, &c.peer, &c.relayed, "abc", 3);
	call_assert_drop(&pkt, TP_DROP_not_ready);
	frame_data(&f)[12] = 0x81; // not IP
	pkt = relay_run(c.r, &f);
	assert_int_equal(pkt.verdict, STAGE_KERNEL);
	c.r->worker->locals = locals;
	call_end(&c);
}

// An ICMP error: `error` header, then the start of the datagram it is about.
static enum tp_drop icmp_end(struct relay *r, uint8_t type, const struct tp_addr *quoted_src,
	unsigned quoted_len, uint8_t quoted_proto)
{
	bool v4 = quoted_src->family == TP_FAMILY_IPV4;
	struct frame_spec inner = {
		.src = *quoted_src, .dst = *quoted_src, .payload = "x", .len = 1};
	struct frame_spec outer = {.payload = "", .len = 0};
	uint8_t icmp[128] = {type, 3};
	struct stage_pkt pkt;
	struct frame f;

	frame_build(&f, &inner);
	frame_data(&f)[14 + (v4 ? 9 : 6)] = quoted_proto;
	memcpy(icmp + 8, frame_data(&f) + 14, 64);
	// The outer packet: eight bytes of ICMP header take the place of the UDP header.
	outer.src = v4 ? relay_addr4("10.77.2.254", 0) : relay_addr6("fd77:2::fe", 0);
	outer.dst = v4 ? relay_addr4("10.77.0.1", 0) : relay_addr6("fd77::1", 0);
	outer.payload = icmp + 8;
	outer.len = (uint16_t)quoted_len;
	frame_build(&f, &outer);
	memcpy(frame_data(&f) + 14 + (v4 ? 20 : 40), icmp, 8);
	frame_data(&f)[14 + (v4 ? 9 : 6)] = v4 ? 1 : 58;
	frame_fix_ip_csum(&f);
	pkt = relay_run(r, &f);
	return pkt.verdict == STAGE_KERNEL ? TP_DROP_none : pkt.reason;
}

static void test_icmp_errors(void **state)
{
	const struct tp_addr relayed4 = relay_addr4("10.77.0.1", 50000);
	const struct tp_addr relayed6 = relay_addr6("fd77::1", 50000);
	const struct tp_addr listener = relay_addr4("10.77.0.1", 3478);
	const struct tp_addr dns = relay_addr4("10.77.0.1", 40000);
	const struct tp_addr other = relay_addr4("10.77.0.9", 50000);
	static const uint8_t errors4[] = {3, 4, 11, 12}, errors6[] = {1, 2, 3, 4};
	struct relay *r;

	(void)state;
	r = relay_create(64, TP_HASH_KIND_SIPHASH);
	// Ours, thus never the kernel's; their checksums are wrong.
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(icmp_end(r, errors4[i], &relayed4, 28, 17),
			i % 2 == 0 ? TP_DROP_icmp_bad : TP_DROP_icmp);
		assert_int_equal(icmp_end(r, errors6[i], &relayed6, 48, 17),
			i < 3 ? TP_DROP_icmp_bad : TP_DROP_icmp);
	}
	assert_int_equal(icmp_end(r, 3, &listener, 28, 17), TP_DROP_icmp_bad);
	assert_int_equal(icmp_end(r, 3, &relayed4, 24, 17), TP_DROP_icmp_bad); // ports are enough
	assert_int_equal(icmp_end(r, 3, &relayed4, 23, 17), TP_DROP_none);
	assert_int_equal(icmp_end(r, 1, &relayed6, 43, 17), TP_DROP_none);
	assert_int_equal(icmp_end(r, 3, &relayed4, 28, 6), TP_DROP_none); // quotes TCP
	assert_int_equal(icmp_end(r, 3, &dns, 28, 17), TP_DROP_none);
	assert_int_equal(icmp_end(r, 3, &other, 28, 17), TP_DROP_none);
	assert_int_equal(icmp_end(r, 8, &relayed4, 28, 17), TP_DROP_none);   // echo
	assert_int_equal(icmp_end(r, 135, &relayed6, 48, 17), TP_DROP_none); // neighbour
	relay_destroy(r);
}

// Chains of overflow buckets, deleted entries whose signature stays, both hash kinds: everything
// that is published is found, nothing else.
static void check_crowded(uint32_t hash_kind)
{
	struct tp_entry_relay at = {RELAY_RELAY4, 0}, none = {0};
	struct tp_addr client, listener;
	uint32_t channel[200];
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;
	struct call c;

	c.r = relay_create(1024, hash_kind);
	// Far fewer buckets than keys.
	c.r->worker->table.bucket_mask = 15;
	c.r->n_main = 16;
	listener = c.r->locals[RELAY_LISTENER4].addr;
	for (unsigned i = 0; i < 200; i++) {
		struct tp_addr peer = tp_addr_ipv4(0x0a4d0202, (uint16_t)(1000 + i));
		uint32_t a;

		client = tp_addr_ipv4(0x0a4d0102, (uint16_t)(1000 + i));
		at.port_be = tp_htons((uint16_t)(50000 + i));
		a = relay_allocation(c.r, &client, RELAY_LISTENER4, at, none);
		channel[i] = relay_channel(c.r, a, 0, CALL_NUMBER, &peer);
	}
	for (unsigned i = 0; i < 200; i += 7)
		c.r->entries[channel[i]].key.kind = TP_KIND_FREE; // as if another had the slot
	message_channel(&m, CALL_NUMBER, "here", 4, 0);
	for (unsigned i = 0; i < 200; i++) {
		client = tp_addr_ipv4(0x0a4d0102, (uint16_t)(1000 + i));
		pkt = call_send_bytes(&c, &f, &client, &listener, m.data, m.len);
		if (i % 7 == 0) {
			call_assert_drop(&pkt, TP_DROP_no_channel);
			continue;
		}
		v = call_read(&pkt);
		assert_int_equal(tp_addr_port(&v.dst), 1000 + i);
	}
	relay_destroy(c.r);
}

static void test_crowded_table(void **state)
{
	(void)state;
	check_crowded(TP_HASH_KIND_SIPHASH);
	if (tp_hash_supported(TP_HASH_KIND_AES))
		check_crowded(TP_HASH_KIND_AES);
}

// A mixed burst: each frame gets its own verdict, regardless of its neighbours.
static void test_mixed_burst(void **state)
{
	struct stage_pkt pkts[100];
	static struct frame frames[100];
	struct frame_spec spec;
	struct message m;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV6);
	for (unsigned i = 0; i < 100; i++) {
		spec = (struct frame_spec){.src = c.client, .dst = c.listener, .payload = m.data};
		message_channel(
			&m, i % 5 == 1 ? 0x4777 : CALL_NUMBER, "abcdefgh", (uint16_t)(i % 9), 0);
		if (i % 5 == 2)
			call_send_indication(&m, &c.visitor, "xyz", 3, true);
		spec.len = m.len;
		if (i % 5 == 3) {
			spec.src = c.visitor;
			spec.dst = c.relayed;
		}
		frame_build(&frames[i], &spec);
		if (i % 5 == 4)
			frame_data(&frames[i])[13] = 0x06;
		pkts[i] = (struct stage_pkt){.data = frame_data(&frames[i]),
			.len = frames[i].len,
			.headroom = FRAME_FRONT,
			.tailroom = (uint16_t)(FRAME_MAX - frames[i].len),
			.cookie = &frames[i]};
	}
	stage_run(c.r->worker, pkts, 100, c.r->now_ns);
	for (unsigned i = 0; i < 100; i++) {
		struct frame_view v;

		assert_ptr_equal(pkts[i].cookie, &frames[i]);
		if (i % 5 == 1) {
			call_assert_drop(&pkts[i], TP_DROP_no_channel);
			continue;
		}
		if (i % 5 == 4) {
			assert_int_equal(pkts[i].verdict, STAGE_KERNEL);
			continue;
		}
		v = call_read(&pkts[i]);
		assert_true(v.udp_csum_right);
		if (i % 5 == 0)
			assert_int_equal(v.len, i % 9);
		call_assert_addr(&v.dst, i % 5 == 0   ? &c.peer
					 : i % 5 == 2 ? &c.visitor
						      : &c.client);
	}
	assert_int_equal(c.r->stats->rx_packets, 100);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_families_kept_apart),
		cmocka_unit_test(test_nonsense_records_left_out),
		cmocka_unit_test(test_before_there_are_tables),
		cmocka_unit_test(test_icmp_errors),
		cmocka_unit_test(test_crowded_table),
		cmocka_unit_test(test_mixed_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
