// SPDX-License-Identifier: BSD-3-Clause
// The 401 that the worker sends against the one that the TURN server sends.
#include <challenge_pair.h>
#include <core/challenge.h>
#include <message.h>
#include <stun_client.h>
#include <turnpike/nonce.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ATTR_ORIGIN   0x802f
#define ATTR_UNKNOWN  0x7777
#define ATTR_OPTIONAL 0x9999

static const uint8_t txid[12] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2};

// A request without integrity, unless an attribute says otherwise.
struct row {
	const char *name;
	uint16_t type;
	struct {
		uint16_t type;
		const void *value;
		uint16_t len;
	} attrs[4];
	bool fingerprint;
};

static const uint8_t udp[4] = {17};
static const uint8_t lifetime[4] = {0, 0, 2, 0x58};
static const uint8_t second_copy[4] = {0, 0, 2, 0};
static const uint8_t zeros[32];

static const struct row answered[] = {
	{"Allocate", MSG_ALLOCATE, {{ATTR_REQUESTED_TRANSPORT, udp, 4}}, false},
	{"Allocate, FINGERPRINT", MSG_ALLOCATE, {{ATTR_REQUESTED_TRANSPORT, udp, 4}}, true},
	{"Allocate of nothing", MSG_ALLOCATE, {{0}}, false},
	{"Allocate over TCP", MSG_ALLOCATE, {{ATTR_REQUESTED_TRANSPORT, lifetime, 4}}, false},
	{"Refresh", MSG_REFRESH, {{ATTR_LIFETIME, lifetime, 4}}, true},
	{"Refresh of nothing", MSG_REFRESH, {{0}}, false},
	{"CreatePermission", MSG_CREATE_PERMISSION, {{ATTR_XOR_PEER_ADDRESS, zeros, 8}}, false},
	{"ChannelBind", MSG_CHANNEL_BIND, {{ATTR_CHANNEL_NUMBER, zeros, 4}}, true},
	{"Connect", MSG_CONNECT, {{ATTR_XOR_PEER_ADDRESS, zeros, 8}}, false},
	{"ConnectionBind", MSG_CONNECTION_BIND, {{ATTR_CONNECTION_ID, zeros, 4}}, true},
	{"unknown attribute", MSG_ALLOCATE, {{ATTR_UNKNOWN, "abc", 3}}, true},
	{"optional attribute", MSG_ALLOCATE, {{ATTR_OPTIONAL, "abcde", 5}}, false},
	{"SOFTWARE", MSG_ALLOCATE, {{ATTR_SOFTWARE, "a client", 8}}, true},
	{"REALM and NONCE of another server", MSG_ALLOCATE,
		{{ATTR_USERNAME, "me", 2}, {ATTR_REALM, "elsewhere", 9}, {ATTR_NONCE, "n", 1}},
		false},
	{"ORIGIN", MSG_ALLOCATE, {{ATTR_ORIGIN, PAIR_ORIGIN, sizeof(PAIR_ORIGIN) - 1}}, false},
	{"TRANSACTION-TRANSMIT-COUNTER", MSG_ALLOCATE, {{ATTR_TRANSMIT_COUNTER, second_copy, 4}},
		true},
	{"two of them", MSG_REFRESH,
		{{ATTR_TRANSMIT_COUNTER, second_copy, 4}, {ATTR_TRANSMIT_COUNTER, zeros, 4}},
		false},
	{"one that is malformed, and a right one", MSG_ALLOCATE,
		{{ATTR_TRANSMIT_COUNTER, zeros, 3}, {ATTR_TRANSMIT_COUNTER, second_copy, 4}},
		false},
	{"malformed attribute", MSG_ALLOCATE, {{ATTR_REQUESTED_TRANSPORT, udp, 1}}, false},
	{"exclusive attributes", MSG_ALLOCATE,
		{{ATTR_RESERVATION_TOKEN, zeros, 8}, {ATTR_EVEN_PORT, zeros, 1}}, false},
};

static const struct row passed_on[] = {
	{"wrong integrity", MSG_REFRESH, {{ATTR_MESSAGE_INTEGRITY, zeros, 20}}, false},
	{"wrong SHA-256", MSG_REFRESH, {{ATTR_MESSAGE_INTEGRITY_SHA256, zeros, 32}}, true},
	{"integrity of an impossible length", MSG_REFRESH, {{ATTR_MESSAGE_INTEGRITY, zeros, 4}},
		false},
	{"unknown method", 0x000d, {{0}}, true},
};

static void row_build(struct message *m, const struct row *row)
{
	message_begin(m, row->type, txid);
	for (unsigned i = 0; i < TP_ARRAY_LEN(row->attrs) && row->attrs[i].type != 0; i++)
		message_attribute(m, row->attrs[i].type, row->attrs[i].value, row->attrs[i].len);
	if (row->fingerprint)
		message_fingerprint(m);
}

static void row_check(struct pair *p, const struct row *row, bool by_worker)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct tp_addr client = pair_client(v6, (uint16_t)(2000 + v6));
		struct pair_verdict v;
		struct message m;

		row_build(&m, row);
		v = pair_compare(p, &client, m.data, m.len);
		if (v.wrong != NULL)
			fail_msg("%s: %s", row->name, v.wrong);
		if (v.by_worker != by_worker)
			fail_msg("%s: answered by %s", row->name,
				v.by_worker ? "the worker" : "the server alone");
		if (by_worker && v.code != 401)
			fail_msg("%s: the server answers %u", row->name, v.code);
	}
}

static void rows_check(struct pair *p, const struct row *rows, size_t n, bool by_worker)
{
	for (size_t i = 0; i < n; i++)
		row_check(p, &rows[i], by_worker);
}

// Clauses: 8489 9.2.4-1, 9.2.4-3
static void answers_are_the_servers(void **state)
{
	const struct pair_shape shape = {0};
	struct pair p;

	(void)state;
	pair_start(&p, &shape);
	rows_check(&p, answered, TP_ARRAY_LEN(answered), true);
	rows_check(&p, passed_on, TP_ARRAY_LEN(passed_on), false);
	pair_stop(&p);
}

// PASSWORD-ALGORITHMS, and the nonces' feature bits.
static void features_are_the_servers(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < 4; i++) {
		const struct pair_shape shape = {.features = i << 22};
		struct pair p;

		pair_start(&p, &shape);
		rows_check(&p, answered, TP_ARRAY_LEN(answered), true);
		rows_check(&p, passed_on, TP_ARRAY_LEN(passed_on), false);
		pair_stop(&p);
	}
}

// Binding is challenged by an option alone; without it, unknown attributes make it the server's.
static void binding_by_secure_stun(void **state)
{
	static const struct row plain = {"Binding", MSG_BINDING, {{0}}, true};
	static const struct row odd = {"odd Binding", MSG_BINDING, {{ATTR_UNKNOWN, "a", 1}}, true};
	struct pair_shape shape = {0};
	struct pair p;

	(void)state;
	pair_start(&p, &shape);
	row_check(&p, &plain, false);
	row_check(&p, &odd, false);
	pair_stop(&p);
	shape.secure_stun = true;
	pair_start(&p, &shape);
	row_check(&p, &plain, true);
	row_check(&p, &odd, true);
	pair_stop(&p);
}

// Of several realms, REALM and ORIGIN choose one: only the server knows which.
static void certain_realms_alone(void **state)
{
	static const struct row origin = {"ORIGIN", MSG_ALLOCATE,
		{{ATTR_ORIGIN, PAIR_ORIGIN, sizeof(PAIR_ORIGIN) - 1}}, true};
	static const struct row realm = {
		"REALM", MSG_ALLOCATE, {{ATTR_REALM, PAIR_SECOND, sizeof(PAIR_SECOND) - 1}}, true};
	const struct pair_shape shape = {.two_realms = true};
	struct pair p;

	(void)state;
	pair_start(&p, &shape);
	row_check(&p, &answered[0], true);
	row_check(&p, &origin, false);
	row_check(&p, &realm, false);
	// Listeners of another realm than the one that the worker has.
	p.r->locals[RELAY_LISTENER4].realm_id = 4;
	p.r->locals[RELAY_LISTENER6].realm_id = 4;
	relay_locals_change(p.r);
	row_check(&p, &answered[0], false);
	pair_stop(&p);
}

static void realms_of_all_lengths(void **state)
{
	char name[TP_PATH_REALM_MAX + 2];

	(void)state;
	for (size_t len = 1; len < sizeof(name); len++) {
		const struct pair_shape shape = {
			.realm = name, .features = TP_FEATURE_PASSWORD_ALGORITHMS};
		struct tp_addr client = pair_client(false, 2000);
		struct pair_verdict v;
		struct message m;
		struct pair p;

		memset(name, 'r', len);
		name[len] = '\0';
		pair_start(&p, &shape);
		row_build(&m, &answered[1]);
		v = pair_compare(&p, &client, m.data, m.len);
		if (v.wrong != NULL)
			fail_msg("realm of %zu bytes: %s", len, v.wrong);
		assert_int_equal(v.by_worker, len <= TP_PATH_REALM_MAX);
		// Counted in whole packets.
		if (v.by_worker)
			assert_true(v.answer_len + 28 <= 3 * (m.len + 28u));
		pair_stop(&p);
	}
}

// An answer of more than three times the request is not the worker's to send.
static void amplification_is_bounded(void **state)
{
	char name[TP_PATH_REALM_MAX + 1] = {0};
	const struct pair_shape shape = {.realm = name};
	struct tp_addr client = pair_client(false, 2000);
	struct stage_pkt pkt;
	struct frame_spec spec;
	struct message m;
	struct frame f;
	struct pair p;

	(void)state;
	memset(name, 'r', TP_PATH_REALM_MAX);
	pair_start(&p, &shape);
	message_begin(&m, MSG_REFRESH, txid); // 20 bytes: at most 116 of an answer's 140
	spec = (struct frame_spec){.src = client,
		.dst = p.r->locals[RELAY_LISTENER4].addr,
		.payload = m.data,
		.len = m.len};
	frame_build(&f, &spec);
	pkt = relay_run(p.r, &f);
	assert_int_equal(pkt.verdict, STAGE_PUNT);
	assert_int_equal(p.r->stats->path_packets[TP_PATH_challenge], 0);
	pair_stop(&p);
}

// The bytes behind a realm of another length than the one before are zero.
// Clauses: 8489 14-3
static void padding_shows_no_old_memory(void **state)
{
	struct core_challenge fresh = {0}, used;

	(void)state;
	memset(&used, 0xa5, sizeof(used));
	for (size_t len = 1; len <= 8; len++) {
		core_challenge_prepare(&fresh, (const uint8_t *)"elsewhere", len, 0);
		core_challenge_prepare(&used, (const uint8_t *)"elsewhere", len, 0);
		assert_int_equal(used.len, fresh.len);
		assert_memory_equal(used.attrs, fresh.attrs, fresh.len);
		memset(&fresh, 0, sizeof(fresh));
		memset(&used, 0xa5, sizeof(used));
	}
}

static void malformed_is_dropped(void **state)
{
	const struct pair_shape shape = {0};
	struct tp_addr client = pair_client(false, 2000);
	struct pair_verdict v;
	struct message m;
	struct pair p;

	(void)state;
	pair_start(&p, &shape);
	row_build(&m, &answered[1]);
	m.data[m.len - 1] ^= 1;
	v = pair_compare(&p, &client, m.data, m.len);
	assert_null(v.wrong);
	assert_int_equal(v.drop, TP_DROP_bad_stun);
	row_build(&m, &answered[0]);
	m.data[23] = 200; // runs over the end
	v = pair_compare(&p, &client, m.data, m.len);
	assert_null(v.wrong);
	assert_int_equal(v.drop, TP_DROP_bad_stun);
	pair_stop(&p);
}

// The server takes the nonce that the worker gave, also when its clock was read earlier.
static void nonce_is_taken(void **state)
{
	const struct pair_shape shape = {0};
	struct tp_addr client = pair_client(false, 2000);
	struct turn_tuple from = {.remote = client, .listener_id = RELAY_LISTENER4};
	const uint8_t *nonce;
	struct frame_view view;
	struct frame_spec spec;
	struct stage_pkt pkt;
	struct turn_out out;
	struct message m;
	char text[TP_NONCE_LEN + 1] = {0};
	uint8_t key[16];
	uint16_t len;
	struct frame f;
	struct msg request;
	struct pair p;

	(void)state;
	pair_start(&p, &shape);
	row_build(&m, &answered[0]);
	spec = (struct frame_spec){.src = client,
		.dst = p.r->locals[RELAY_LISTENER4].addr,
		.payload = m.data,
		.len = m.len};
	frame_build(&f, &spec);
	pkt = relay_run(p.r, &f);
	assert_int_equal(pkt.verdict, STAGE_SEND);
	assert_null(frame_read(pkt.data, pkt.len, &view));
	nonce = reply_attr(view.payload, view.len, ATTR_NONCE, 0, &len);
	assert_non_null(nonce);
	assert_int_equal(len, TP_NONCE_LEN);
	memcpy(text, nonce, len);
	// The realm has no users: an unknown one with a good nonce is told 401, else 438, when it
	// names another realm.
	msg_key("me", "elsewhere", "password", key);
	for (unsigned early = 0; early < 3; early++) {
		msg_start(&request, MSG_ALLOCATE, txid);
		msg_text(&request, ATTR_USERNAME, "me");
		msg_text(&request, ATTR_REALM, "elsewhere");
		msg_text(&request, ATTR_NONCE, text);
		msg_integrity(&request, key);
		turn_input(p.s, p.r->now_ns - early * TP_NS_PER_S, 1900000000, &from,
			request.octets, request.len);
		while (turn_next(p.s, &out))
			if (out.kind == TURN_OUT_SEND)
				assert_int_equal(
					reply_code(out.data, out.len), early < 2 ? 401 : 438);
	}
	pair_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_the_servers),
		cmocka_unit_test(features_are_the_servers),
		cmocka_unit_test(binding_by_secure_stun),
		cmocka_unit_test(certain_realms_alone),
		cmocka_unit_test(realms_of_all_lengths),
		cmocka_unit_test(amplification_is_bounded),
		cmocka_unit_test(padding_shows_no_old_memory),
		cmocka_unit_test(malformed_is_dropped),
		cmocka_unit_test(nonce_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
