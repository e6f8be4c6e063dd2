// SPDX-License-Identifier: BSD-3-Clause
// Hand-made bad frames, IP packets and UDP datagrams. Each row takes a good frame that would have
// been relayed, spoils it, and names its own end.
#include "call.h"

#define KERNEL	 TP_DROP_none  // not dropped: the kernel's
#define FRAGMENT TP_DROP_COUNT // not dropped: to be put together

// Where an edit counts from.
enum place { END, ETH, IP, L4, MSG };

// The frame before it is spoilt.
enum base {
	CHANNEL4, // ChannelData over IPv4
	CHANNEL6,
	PEER4, // datagram of a peer with a channel
	PEER6,
	REQUEST4, // Allocate request without attributes
	BINDING4, // Binding request
	BINDING6,
};

enum fix { FIX_NONE, FIX_IP = 1, FIX_UDP = 2, FIX_BOTH = 3 };

struct edit {
	enum place place;
	uint16_t offset;
	const char *octets; // as they are, with an explicit length
	uint8_t len;
};

struct row {
	const char *name;
	enum base base;
	enum tp_drop reason; // or KERNEL, FRAGMENT
	enum fix fix;
	int16_t grow; // bytes cut off (negative) or added behind the frame
	struct edit edits[3];
};

#define AT(place, offset, octets)                                                                  \
	{                                                                                          \
		place, offset, octets, sizeof(octets) - 1                                          \
	}

// Bytes of the IPv6 address `fd77::1` and others, as they stand in a header.
#define FD77_1	"\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
#define LOCAL6	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
#define NONE6	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define MULTI6	"\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
#define MAPPED6 "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x4d\x01\x02"

// Frames carry ChannelData or a datagram with eight bytes of data: 14 + 20 + 8 + 4 + 8 = 54.
static const struct row rows[] = {
	// Cut and padded frames.
	{"no byte", CHANNEL4, TP_DROP_short_frame, FIX_NONE, -54, {{0}}},
	{"Ethernet header cut", CHANNEL4, TP_DROP_short_frame, FIX_NONE, -41, {{0}}},
	{"Ethernet header alone", CHANNEL4, TP_DROP_short_frame, FIX_NONE, -40, {{0}}},
	{"IPv4 header cut", CHANNEL4, TP_DROP_short_frame, FIX_NONE, -21, {{0}}},
	{"IPv6 header cut", CHANNEL6, TP_DROP_short_frame, FIX_NONE, -21, {{0}}},
	{"IPv4 header alone", CHANNEL4, TP_DROP_bad_ip, FIX_NONE, -20, {{0}}},
	{"last byte missing", CHANNEL4, TP_DROP_bad_ip, FIX_NONE, -1, {{0}}},
	{"last byte missing, IPv6", CHANNEL6, TP_DROP_bad_ip, FIX_NONE, -1, {{0}}},

	// IPv4.
	{"IPv4 with version 6", CHANNEL4, TP_DROP_bad_ip, FIX_NONE, 0, {AT(IP, 0, "\x65")}},
	{"IPv4 with version 0", CHANNEL4, TP_DROP_bad_ip, FIX_NONE, 0, {AT(IP, 0, "\x05")}},
	{"header of 16 bytes", CHANNEL4, TP_DROP_bad_ip, FIX_NONE, 0, {AT(IP, 0, "\x44")}},
	{"header of 0 bytes", CHANNEL4, TP_DROP_bad_ip, FIX_NONE, 0, {AT(IP, 0, "\x40")}},
	{"header of 60 bytes in 40", PEER4, TP_DROP_bad_ip, FIX_NONE, 0, {AT(IP, 0, "\x4f")}},
	{"total length 0", CHANNEL4, TP_DROP_bad_ip, FIX_IP, 0, {AT(IP, 2, "\0\0")}},
	{"total length 19", CHANNEL4, TP_DROP_bad_ip, FIX_IP, 0, {AT(IP, 2, "\0\x13")}},
	{"total length one too long", CHANNEL4, TP_DROP_bad_ip, FIX_IP, 0, {AT(IP, 3, "\x29")}},
	{"total length 65,535", CHANNEL4, TP_DROP_bad_ip, FIX_IP, 0, {AT(IP, 2, "\xff\xff")}},
	{"header checksum wrong", CHANNEL4, TP_DROP_bad_ip_checksum, FIX_NONE, 0,
		{AT(IP, 10, "\x12\x34")}},
	{"header checksum zero", PEER4, TP_DROP_bad_ip_checksum, FIX_NONE, 0, {AT(IP, 10, "\0\0")}},
	// The first four bytes of the datagram become no-operation options, ports follow.
	{"IPv4 options", CHANNEL4, TP_DROP_ip_options, FIX_IP, 4,
		{AT(IP, 0, "\x46"), AT(IP, 3, "\x2c"),
			AT(L4, 0, "\x01\x01\x01\x01\xc3\x51\x0d\x96")}},
	{"more fragments", CHANNEL4, FRAGMENT, FIX_IP, 0, {AT(IP, 6, "\x20\0")}},
	{"last fragment", CHANNEL4, FRAGMENT, FIX_IP, 0, {AT(IP, 6, "\0\x01")}},
	{"fragment in the middle, to the relay", PEER4, FRAGMENT, FIX_IP, 0,
		{AT(IP, 6, "\x3f\xff")}},
	{"TTL 1", CHANNEL4, TP_DROP_ttl_expired, FIX_IP, 0, {AT(IP, 8, "\x01")}},
	{"TTL 0", PEER4, TP_DROP_ttl_expired, FIX_IP, 0, {AT(IP, 8, "\0")}},

	// IPv6.
	{"IPv6 with version 4", CHANNEL6, TP_DROP_bad_ip, FIX_NONE, 0, {AT(IP, 0, "\x40")}},
	{"payload one too long", CHANNEL6, TP_DROP_bad_ip, FIX_NONE, 0, {AT(IP, 5, "\x15")}},
	{"payload 65,535", PEER6, TP_DROP_bad_ip, FIX_NONE, 0, {AT(IP, 4, "\xff\xff")}},
	{"payload 0", CHANNEL6, TP_DROP_short_frame, FIX_NONE, 0, {AT(IP, 4, "\0\0")}},
	{"hop limit 1", CHANNEL6, TP_DROP_ttl_expired, FIX_NONE, 0, {AT(IP, 7, "\x01")}},
	{"hop limit 0", PEER6, TP_DROP_ttl_expired, FIX_NONE, 0, {AT(IP, 7, "\0")}},
	{"hop-by-hop options", CHANNEL6, TP_DROP_ip6_extension, FIX_NONE, 8,
		{AT(IP, 5, "\x1c"), AT(IP, 6, "\0"),
			AT(L4, 0, "\x11\0\x01\x04\0\0\0\0\xc3\x51\x0d\x96")}},
	{"routing header", PEER6, TP_DROP_ip6_extension, FIX_NONE, 8,
		{AT(IP, 5, "\x18"), AT(IP, 6, "\x2b"),
			AT(L4, 0, "\x11\0\0\0\0\0\0\0\xea\x61\xc3\x50")}},
	{"two extension headers", CHANNEL6, TP_DROP_ip6_extension, FIX_NONE, 16,
		{AT(IP, 5, "\x24"), AT(IP, 6, "\0"),
			AT(L4, 0, "\x3c\0\x01\x04\0\0\0\0\x11\0\x01\x04\0\0\0\0\xc3\x51\x0d\x96")}},
	{"extension over the end", CHANNEL6, TP_DROP_ip6_extension, FIX_NONE, 0,
		{AT(IP, 6, "\0"), AT(L4, 0, "\x11\xff")}},
	{"fragment with options", CHANNEL4, TP_DROP_ip_options, FIX_IP, 4,
		{AT(IP, 0, "\x46"), AT(IP, 3, "\x2c"), AT(IP, 6, "\x20\0")}},
	{"IPv6 fragment", CHANNEL6, FRAGMENT, FIX_NONE, 0,
		{AT(IP, 6, "\x2c"), AT(L4, 0, "\x11\0\0\x01\0\0\0\x01")}},
	{"IPv6 fragment behind options", CHANNEL6, TP_DROP_ip6_extension, FIX_NONE, 0,
		{AT(IP, 6, "\x3c"), AT(L4, 0, "\x2c\0\x01\x04\0\0\0\0\x11\0\0\x08\0\0\0\x01")}},

	// UDP.
	{"UDP header cut by the IP length", CHANNEL4, TP_DROP_short_frame, FIX_IP, 0,
		{AT(IP, 3, "\x1b")}},
	{"no UDP header", CHANNEL4, TP_DROP_short_frame, FIX_IP, 0, {AT(IP, 3, "\x14")}},
	{"UDP length 0", CHANNEL4, TP_DROP_bad_udp_length, FIX_NONE, 0, {AT(L4, 4, "\0\0")}},
	{"UDP length 7", PEER4, TP_DROP_bad_udp_length, FIX_NONE, 0, {AT(L4, 4, "\0\x07")}},
	{"UDP length one short", CHANNEL4, TP_DROP_bad_udp_length, FIX_UDP, 0, {AT(L4, 5, "\x13")}},
	{"UDP length one long", CHANNEL6, TP_DROP_bad_udp_length, FIX_NONE, 0, {AT(L4, 5, "\x15")}},
	{"UDP length 65,535", PEER6, TP_DROP_bad_udp_length, FIX_NONE, 0, {AT(L4, 4, "\xff\xff")}},
	{"IPv6 without checksum", CHANNEL6, TP_DROP_bad_udp_checksum, FIX_NONE, 0,
		{AT(L4, 6, "\0\0")}},
	{"IPv6 peer without checksum", PEER6, TP_DROP_bad_udp_checksum, FIX_NONE, 0,
		{AT(L4, 6, "\0\0")}},
	{"request with a wrong checksum", REQUEST4, TP_DROP_bad_udp_checksum, FIX_NONE, 0,
		{AT(L4, 6, "\x12\x34")}},
	{"Binding with a wrong checksum", BINDING4, TP_DROP_bad_udp_checksum, FIX_NONE, 0,
		{AT(MSG, 19, "\xff")}},
	{"Binding with a wrong checksum, IPv6", BINDING6, TP_DROP_bad_udp_checksum, FIX_NONE, 0,
		{AT(MSG, 19, "\xff")}},

	// Sources.
	{"from 0.0.0.0", CHANNEL4, TP_DROP_bad_source, FIX_BOTH, 0, {AT(IP, 12, "\0\0\0\0")}},
	{"from 127.0.0.1", PEER4, TP_DROP_bad_source, FIX_BOTH, 0, {AT(IP, 12, "\x7f\0\0\x01")}},
	{"from 224.0.0.1", CHANNEL4, TP_DROP_bad_source, FIX_BOTH, 0, {AT(IP, 12, "\xe0\0\0\x01")}},
	{"from 240.0.0.1", PEER4, TP_DROP_bad_source, FIX_BOTH, 0, {AT(IP, 12, "\xf0\0\0\x01")}},
	{"from broadcast", BINDING4, TP_DROP_bad_source, FIX_BOTH, 0,
		{AT(IP, 12, "\xff\xff\xff\xff")}},
	{"from port 0", PEER4, TP_DROP_bad_source, FIX_UDP, 0, {AT(L4, 0, "\0\0")}},
	{"from ::", CHANNEL6, TP_DROP_bad_source, FIX_UDP, 0, {AT(IP, 8, NONE6)}},
	{"from ::1", PEER6, TP_DROP_bad_source, FIX_UDP, 0, {AT(IP, 8, LOCAL6)}},
	{"from ff02::1", CHANNEL6, TP_DROP_bad_source, FIX_UDP, 0, {AT(IP, 8, MULTI6)}},
	{"from ::ffff:10.77.1.2", BINDING6, TP_DROP_bad_source, FIX_UDP, 0, {AT(IP, 8, MAPPED6)}},
	{"from our own address", PEER4, TP_DROP_own_source, FIX_BOTH, 0,
		{AT(IP, 12, "\x0a\x4d\0\x01")}},
	{"from our external address", PEER4, TP_DROP_own_source, FIX_BOTH, 0,
		{AT(IP, 12, "\xc6\x33\x64\x02")}},
	{"from our own address, IPv6", CHANNEL6, TP_DROP_own_source, FIX_UDP, 0,
		{AT(IP, 8, FD77_1)}},
	{"Binding from a group's MAC", BINDING4, TP_DROP_bad_source, FIX_NONE, 0,
		{AT(ETH, 6, "\x03")}},

	// Nobody there.
	{"another client's channel", CHANNEL4, TP_DROP_no_channel, FIX_UDP, 0,
		{AT(L4, 0, "\xc3\x52")}},
	{"channel by another listener", CHANNEL4, TP_DROP_no_channel, FIX_UDP, 0,
		{AT(L4, 2, "\xc0\x30")}},
	{"port without an allocation", PEER4, TP_DROP_no_allocation, FIX_UDP, 0,
		{AT(L4, 2, "\xc3\x51")}},
	{"lowest port of the range", PEER6, TP_DROP_no_allocation, FIX_UDP, 0,
		{AT(L4, 2, "\xc0\0")}},
	{"highest port of the range", PEER4, TP_DROP_no_allocation, FIX_UDP, 0,
		{AT(L4, 2, "\xff\xff")}},
	{"peer without a permission", PEER4, TP_DROP_no_permission, FIX_BOTH, 0,
		{AT(IP, 15, "\x07")}},

	// The kernel's.
	{"VLAN tag", CHANNEL4, KERNEL, FIX_NONE, 0, {AT(ETH, 12, "\x81\0")}},
	{"ARP", CHANNEL4, KERNEL, FIX_NONE, 0, {AT(ETH, 12, "\x08\x06")}},
	{"LLDP", CHANNEL4, KERNEL, FIX_NONE, 0, {AT(ETH, 12, "\x88\xcc")}},
	{"to another MAC", CHANNEL4, KERNEL, FIX_NONE, 0, {AT(ETH, 5, "\x77")}},
	{"to all MACs", CHANNEL4, KERNEL, FIX_NONE, 0, {AT(ETH, 0, "\xff\xff\xff\xff\xff\xff")}},
	{"TCP", CHANNEL4, KERNEL, FIX_IP, 0, {AT(IP, 9, "\x06")}},
	{"fragment to another MAC", CHANNEL4, KERNEL, FIX_IP, 0,
		{AT(ETH, 5, "\x77"), AT(IP, 6, "\x20\0")}},
	{"fragment of TCP over IPv6", CHANNEL6, KERNEL, FIX_NONE, 0,
		{AT(IP, 6, "\x2c"), AT(L4, 0, "\x06\0\0\x01\0\0\0\x01")}},
	{"fragment of TCP", CHANNEL4, KERNEL, FIX_IP, 0, {AT(IP, 9, "\x06"), AT(IP, 6, "\x20\0")}},
	{"ICMP echo", CHANNEL4, KERNEL, FIX_IP, 0, {AT(IP, 9, "\x01"), AT(L4, 0, "\x08\0")}},
	{"TCP over IPv6", CHANNEL6, KERNEL, FIX_NONE, 0, {AT(IP, 6, "\x06")}},
	{"TCP behind options, IPv6", CHANNEL6, KERNEL, FIX_NONE, 0,
		{AT(IP, 6, "\0"), AT(L4, 0, "\x06\0\x01\x04\0\0\0\0")}},
	{"to another host", CHANNEL4, KERNEL, FIX_IP, 0, {AT(IP, 19, "\x63")}},
	{"to our external address", PEER4, KERNEL, FIX_BOTH, 0, {AT(IP, 16, "\xc6\x33\x64\x02")}},
	{"fragment to our external address", PEER4, KERNEL, FIX_BOTH, 0,
		{AT(IP, 16, "\xc6\x33\x64\x02"), AT(IP, 6, "\x20\0")}},
	{"to port 53", CHANNEL4, KERNEL, FIX_UDP, 0, {AT(L4, 2, "\0\x35")}},
	{"below the relay range", PEER4, KERNEL, FIX_UDP, 0, {AT(L4, 2, "\xbf\xff")}},
	{"bad length to port 53", CHANNEL4, KERNEL, FIX_NONE, 0,
		{AT(L4, 2, "\0\x35"), AT(L4, 4, "\0\x01")}},
	{"IPv4 options to port 53", CHANNEL4, KERNEL, FIX_IP, 4,
		{AT(IP, 0, "\x46"), AT(IP, 3, "\x2c"), AT(L4, 0, "\x01\x01\x01\x01\0\x35\0\x35")}},
};

static void base_build(struct call *c, enum base base, struct frame *f)
{
	static const uint8_t txid[12] = {9, 9, 9};
	struct frame_spec spec = {.src = c->client, .dst = c->listener};
	struct message m;

	if (base == CHANNEL4 || base == CHANNEL6) {
		message_channel(&m, CALL_NUMBER, "12345678", 8, 0);
	} else if (base == PEER4 || base == PEER6) {
		spec.src = c->peer;
		spec.dst = c->relayed;
		memcpy(m.data, "12345678abcd", 12);
		m.len = 12;
	} else {
		message_begin(&m, base == REQUEST4 ? 0x0003 : 0x0001, txid);
	}
	spec.payload = m.data;
	spec.len = m.len;
	frame_build(f, &spec);
}

static bool is_ipv6(enum base base)
{
	return base == CHANNEL6 || base == PEER6 || base == BINDING6;
}

static void spoil(struct frame *f, const struct row *row)
{
	unsigned ip_len = is_ipv6(row->base) ? 40 : 20;
	const unsigned from[] = {0, 0, 14, 14 + ip_len, 14 + ip_len + 8};

	f->len = (uint16_t)(f->len + row->grow);
	for (const struct edit *e = row->edits; e < row->edits + 3 && e->place != END; e++)
		memcpy(frame_data(f) + from[e->place] + e->offset, e->octets, e->len);
	if (row->fix & FIX_UDP)
		frame_fix_udp_csum(f);
	if (row->fix & FIX_IP)
		frame_fix_ip_csum(f);
}

static void check_row(const struct row *row)
{
	uint8_t family = is_ipv6(row->base) ? TP_FAMILY_IPV6 : TP_FAMILY_IPV4;
	struct stage_pkt pkt;
	struct frame f, before;
	struct call c;

	print_message("%s\n", row->name);
	call_start(&c, family, family);
	base_build(&c, row->base, &f);
	assert_int_not_equal(relay_run(c.r, &f).verdict, STAGE_DROP);
	base_build(&c, row->base, &f);
	spoil(&f, row);
	before = f;
	pkt = relay_run(c.r, &f);
	if (row->reason == FRAGMENT) {
		assert_int_equal(pkt.verdict, STAGE_FRAGMENT);
		assert_memory_equal(&f, &before, sizeof(f));
	} else if (row->reason != KERNEL) {
		call_assert_drop(&pkt, row->reason);
		assert_int_equal(c.r->stats->drops[row->reason], 1);
	} else {
		assert_int_equal(pkt.verdict, STAGE_KERNEL);
		assert_memory_equal(&f, &before, sizeof(f)); // unchanged
		assert_int_equal(c.r->stats->path_packets[TP_PATH_to_kernel], 1);
	}
	call_end(&c);
}

static void test_each_bad_packet(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

// Frames for the kernel are dropped by name where there is none.
static void test_no_kernel_behind(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		bool tagged = strcmp(rows[i].name, "VLAN tag") == 0;
		uint8_t family = is_ipv6(rows[i].base) ? TP_FAMILY_IPV6 : TP_FAMILY_IPV4;
		struct stage_pkt pkt;
		struct frame f;
		struct call c;

		if (rows[i].reason != KERNEL)
			continue;
		print_message("%s\n", rows[i].name);
		call_start(&c, family, family);
		for (unsigned p = 0; p < c.r->worker->n_ports; p++)
			c.r->worker->ports[p].kernel = STAGE_KERNEL_NONE;
		base_build(&c, rows[i].base, &f);
		spoil(&f, &rows[i]);
		pkt = relay_run(c.r, &f);
		call_assert_drop(&pkt, tagged ? TP_DROP_vlan_tag : TP_DROP_not_ours);
		assert_int_equal(c.r->stats->path_packets[TP_PATH_to_kernel], 0);
		call_end(&c);
	}
}

// Without tables everything goes to a twin's kernel, ours too: the guard is in front of it.
static void test_twin_without_tables(void **state)
{
	static const enum base bases[] = {CHANNEL4, CHANNEL6, PEER4, PEER6, BINDING4, REQUEST4};

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(bases); i++) {
		uint8_t family = is_ipv6(bases[i]) ? TP_FAMILY_IPV6 : TP_FAMILY_IPV4;
		const struct stage_locals *locals;
		struct stage_pkt pkt;
		struct frame f;
		struct call c;

		call_start(&c, family, family);
		locals = c.r->worker->locals;
		for (unsigned p = 0; p < c.r->worker->n_ports; p++)
			c.r->worker->ports[p].kernel = STAGE_KERNEL_TWIN;
		base_build(&c, bases[i], &f);
		assert_int_not_equal(relay_run(c.r, &f).verdict, STAGE_KERNEL);
		c.r->worker->locals = NULL;
		base_build(&c, bases[i], &f);
		pkt = relay_run(c.r, &f);
		assert_int_equal(pkt.verdict, STAGE_KERNEL);
		c.r->worker->locals = locals;
		call_end(&c);
	}
}

// Ethernet pads short packets: the padding is not part of the IP packet.
static void test_padding_of_short_frames_ignored(void **state)
{
	struct stage_pkt pkt;
	struct frame_view v;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	base_build(&c, CHANNEL4, &f);
	f.len += 6;
	pkt = relay_run(c.r, &f);
	v = call_read(&pkt);
	assert_int_equal(v.len, 8);
	assert_true(v.udp_csum_right);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bad_packet),
		cmocka_unit_test(test_no_kernel_behind),
		cmocka_unit_test(test_twin_without_tables),
		cmocka_unit_test(test_padding_of_short_frames_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
