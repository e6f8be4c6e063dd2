// SPDX-License-Identifier: BSD-3-Clause
// Hand-made bad STUN and ChannelData to a listener: each row its own datagram and its own end.
#include "call.h"

#define COOKIE	 "2112a442 "
#define TXID	 "0102030405060708090a0b0c "
#define PEER	 "0012 0008 0001 cb73 2b5fa640 " // 10.77.2.2:60001, permitted
#define STRANGER "0012 0008 0001 cb73 2b5fa641 " // 10.77.2.3, not permitted
#define DATA	 "0013 0004 64617461 "		 // "data"
#define SOFTWARE "8022 0004 74657374 "

struct row {
	const char *name;
	const char *datagram; // hexadecimal
	enum tp_drop reason;
};

static const struct row rows[] = {
	{"empty datagram", "", TP_DROP_not_stun},
	{"ZRTP", "1000 0000 2112a442", TP_DROP_not_stun},
	{"DTLS ClientHello", "16feff 0000 000000000000 0004 01000000", TP_DROP_not_stun},
	{"RTP", "8000 0001 00000001 00000001", TP_DROP_not_stun},
	{"reserved byte 4", "0401 0000 " COOKIE TXID, TP_DROP_not_stun},
	{"reserved byte 15", "0f01 0000 " COOKIE TXID, TP_DROP_not_stun},
	{"QUIC", "c000 0001 08", TP_DROP_not_stun},
	{"all ones", "ffffffff", TP_DROP_not_stun},

	{"one byte of STUN", "00", TP_DROP_bad_stun},
	{"STUN type alone", "0001", TP_DROP_bad_stun},
	{"STUN header cut by one", "0001 0000 " COOKIE "0102030405060708090a0b", TP_DROP_bad_stun},
	{"cookie off by a bit", "0003 0000 2112a443 " TXID, TP_DROP_bad_stun},
	{"length beyond the datagram", "0001 0008 " COOKIE TXID, TP_DROP_bad_stun},
	{"length short of the datagram", "0001 0000 " COOKIE TXID SOFTWARE, TP_DROP_bad_stun},
	{"length not a multiple of four", "0001 0006 " COOKIE TXID "8022 0002 7465",
		TP_DROP_bad_stun},
	{"Send, length not a multiple of four", "0016 0016 " COOKIE TXID PEER DATA "0000",
		TP_DROP_bad_stun},
	{"length 65,535", "0003 ffff " COOKIE TXID, TP_DROP_bad_stun},

	{"Binding success", "0101 0000 " COOKIE TXID, TP_DROP_stun_response},
	{"Binding error", "0111 0000 " COOKIE TXID, TP_DROP_stun_response},
	{"Allocate success", "0103 0000 " COOKIE TXID, TP_DROP_stun_response},
	{"ChannelBind error", "0119 0000 " COOKIE TXID, TP_DROP_stun_response},
	{"Binding indication", "0011 0000 " COOKIE TXID, TP_DROP_binding_indication},
	{"Data indication to a server", "0017 0014 " COOKIE TXID PEER DATA, TP_DROP_bad_stun},
	{"Allocate as an indication", "0013 0000 " COOKIE TXID, TP_DROP_bad_stun},

	{"Binding, attribute over the end", "0001 0004 " COOKIE TXID "8022 0004", TP_DROP_bad_stun},
	{"Binding, attribute of 65,535 bytes", "0001 0008 " COOKIE TXID "8022 ffff 00000000",
		TP_DROP_bad_stun},
	{"Binding, wrong FINGERPRINT", "0001 0008 " COOKIE TXID "8028 0004 00000000",
		TP_DROP_bad_stun},
	{"Binding, FINGERPRINT of eight bytes",
		"0001 000c " COOKIE TXID "8028 0008 0000000000000000", TP_DROP_bad_stun},
	{"Binding, FINGERPRINT not last",
		"0001 0010 " COOKIE TXID "8028 0004 e57a3bcf 8022 0004 74657374", TP_DROP_bad_stun},

	{"Send, empty", "0016 0000 " COOKIE TXID, TP_DROP_bad_send},
	{"Send without DATA", "0016 000c " COOKIE TXID PEER, TP_DROP_bad_send},
	{"Send without a peer", "0016 0008 " COOKIE TXID DATA, TP_DROP_bad_send},
	{"Send, peer of four bytes", "0016 0010 " COOKIE TXID "0012 0004 0001cb73 " DATA,
		TP_DROP_bad_send},
	{"Send, peer without bytes", "0016 000c " COOKIE TXID "0012 0000 " DATA, TP_DROP_bad_send},
	{"Send, peer of family 0", "0016 0014 " COOKIE TXID "0012 0008 0000 cb73 2b5fa640 " DATA,
		TP_DROP_bad_send},
	{"Send, peer of family 3", "0016 0014 " COOKIE TXID "0012 0008 0003 cb73 2b5fa640 " DATA,
		TP_DROP_bad_send},
	{"Send, IPv6 family in eight bytes",
		"0016 0014 " COOKIE TXID "0012 0008 0002 cb73 2b5fa640 " DATA, TP_DROP_bad_send},
	{"Send, IPv4 family in twenty bytes",
		"0016 0020 " COOKIE TXID "0012 0014 0001 cb73 2b5fa640"
		"000000000000000000000000 " DATA,
		TP_DROP_bad_send},
	{"Send, peer port 0", "0016 0014 " COOKIE TXID "0012 0008 0001 2112 2b5fa640 " DATA,
		TP_DROP_bad_send},
	{"Send, first peer broken, second right",
		"0016 0020 " COOKIE TXID "0012 0008 0009 cb73 2b5fa640 " PEER DATA,
		TP_DROP_bad_send},
	{"Send, DATA over the end", "0016 0014 " COOKIE TXID PEER "0013 0005 64617461",
		TP_DROP_bad_send},
	{"Send, DATA of 65,535 bytes", "0016 0014 " COOKIE TXID PEER "0013 ffff 64617461",
		TP_DROP_bad_send},
	{"Send, broken behind DATA", "0016 0018 " COOKIE TXID PEER DATA "8022 0001",
		TP_DROP_bad_send},
	{"Send, DATA behind the integrity",
		"0016 002c " COOKIE TXID PEER
		"0008 0014 0000000000000000000000000000000000000000 " DATA,
		TP_DROP_bad_send},
	{"Send, CHANGE-REQUEST", "0016 001c " COOKIE TXID PEER DATA "0003 0004 00000006",
		TP_DROP_unknown_attribute},
	{"Send, CHANGE-REQUEST before the FINGERPRINT",
		"0016 0024 " COOKIE TXID PEER DATA "0003 0004 00000006 8028 0004 00000000",
		TP_DROP_unknown_attribute},
	{"Send, unknown required 0x0021", "0016 001c " COOKIE TXID "0021 0004 00000000 " PEER DATA,
		TP_DROP_unknown_attribute},
	{"Send, unknown required 0x0040", "0016 0018 " COOKIE TXID "0040 0000 " PEER DATA,
		TP_DROP_unknown_attribute},
	{"Send, unknown required 0x7fff", "0016 0018 " COOKIE TXID PEER DATA "7fff 0000",
		TP_DROP_unknown_attribute},
	{"Send to a peer without permission", "0016 0014 " COOKIE TXID STRANGER DATA,
		TP_DROP_no_permission},
	{"Send to a stranger, IPv4-mapped",
		"0016 0020 " COOKIE TXID "0012 0014 0002 cb73 2112a442010203040506f8f7 "
		"0347090f " DATA,
		TP_DROP_no_permission},
	{"Send to an IPv6 peer of an IPv4 allocation",
		"0016 0020 " COOKIE TXID
		"0012 0014 0002 cb73 dc65a4400102030405060708090a0b0e " DATA,
		TP_DROP_wrong_family},

	{"ChannelData, one byte", "40", TP_DROP_bad_channel_length},
	{"ChannelData, number alone", "4001", TP_DROP_bad_channel_length},
	{"ChannelData, header cut", "4001 00", TP_DROP_bad_channel_length},
	{"ChannelData, one byte missing", "4001 0005 64617461", TP_DROP_bad_channel_length},
	{"ChannelData of 65,535 bytes", "4001 ffff 64617461", TP_DROP_bad_channel_length},
	{"ChannelData, number 0x5000", "5000 0004 64617461", TP_DROP_bad_channel_number},
	{"ChannelData, number 0x7fff", "7fff 0000", TP_DROP_bad_channel_number},
	{"ChannelData, number not bound", "4002 0004 64617461", TP_DROP_no_channel},
	{"ChannelData, lowest number not bound", "4000 0000", TP_DROP_no_channel},
};

static unsigned digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static uint16_t read_hex(const char *text, uint8_t *out)
{
	unsigned n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		out[n / 2] = (uint8_t)(out[n / 2] << 4 | digit(*text));
		n++;
	}
	assert_int_equal(n % 2, 0);
	return (uint16_t)(n / 2);
}

// Clauses: 8489 5-2, 9-1; 8656 11.2-1, 12-1
static void test_each_bad_message(void **state)
{
	uint64_t expected[TP_DROP_COUNT] = {0};
	uint8_t datagram[256];
	struct stage_pkt pkt;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		print_message("%s\n", rows[i].name);
		memset(datagram, 0, sizeof(datagram));
		pkt = call_send_bytes(&c, &f, &c.client, &c.listener, datagram,
			read_hex(rows[i].datagram, datagram));
		call_assert_drop(&pkt, rows[i].reason);
		expected[rows[i].reason]++;
	}
	for (unsigned i = 0; i < TP_DROP_COUNT; i++)
		assert_int_equal(c.r->stats->drops[i], expected[i]);
	call_end(&c);
}

// Nothing of it depends on whom it comes from: a stranger's bad message ends the same way.
// Clauses: 8656 5-5
static void test_strangers_end_the_same(void **state)
{
	struct tp_addr stranger = relay_addr4("10.77.1.9", 5000);
	uint8_t datagram[256];
	struct stage_pkt pkt;
	enum tp_drop reason;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		reason = rows[i].reason;
		if (reason == TP_DROP_no_permission || reason == TP_DROP_wrong_family)
			reason = TP_DROP_no_allocation;
		memset(datagram, 0, sizeof(datagram));
		pkt = call_send_bytes(&c, &f, &stranger, &c.listener, datagram,
			read_hex(rows[i].datagram, datagram));
		call_assert_drop(&pkt, reason);
	}
	call_end(&c);
}

// The messages the rows are made of are right when nothing is spoilt: the rows fail for their
// stated reason and no other.
static void test_parts_are_sound(void **state)
{
	static const char *const sound[] = {"0016 0014 " COOKIE TXID PEER DATA,
		"0016 001c " COOKIE TXID SOFTWARE DATA PEER,
		"0016 0020 " COOKIE TXID PEER STRANGER DATA, // the first of a kind counts
		"0016 0018 " COOKIE TXID PEER "0012 0000" DATA,
		"0016 0018 " COOKIE TXID PEER DATA "001a 0000", // DONT-FRAGMENT
		"0016 0018 " COOKIE TXID PEER DATA "000d 0000", // LIFETIME: known, out of place
		"0016 0018 " COOKIE TXID PEER DATA "8001 0000", // unknown, may be ignored
		// The permitted peer, spelled as IPv4-mapped IPv6.
		"0016 0020 " COOKIE TXID "0012 0014 0002 cb73 2112a442010203040506f8f7 "
		"0347090e " DATA,
		"4001 0004 64617461", "4001 0000", "4001 0004 64617461 00000000"};
	uint8_t datagram[256];
	struct stage_pkt pkt;
	struct frame_view v;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < TP_ARRAY_LEN(sound); i++) {
		print_message("%s\n", sound[i]);
		memset(datagram, 0, sizeof(datagram));
		pkt = call_send_bytes(
			&c, &f, &c.client, &c.listener, datagram, read_hex(sound[i], datagram));
		v = call_read(&pkt);
		assert_true(v.udp_csum_right);
		call_assert_addr(&v.dst, &c.peer);
	}
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bad_message),
		cmocka_unit_test(test_strangers_end_the_same),
		cmocka_unit_test(test_parts_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
