// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <takeover/form.h>

static struct takeover_connection sample(void)
{
	return (struct takeover_connection){
		.listener = tp_addr_ipv4(0x0a000001, 443),
		.remote = tp_addr_ipv4(0x0a000002, 4000),
		.connection = 0x1122334455667788ull,
		.thread = 3,
		.listener_id = 7,
		.state = TAKEOVER_OPEN,
		.flags = TAKEOVER_BY_TLS | TAKEOVER_FRAMED,
		.skip = 9,
		.n_asked = 11,
		.blobs =
			{
				[TAKEOVER_PARTIAL] = {(const uint8_t *)"part", 4},
				[TAKEOVER_WS] = {(const uint8_t *)"frame", 5},
				[TAKEOVER_BACKLOG] = {(const uint8_t *)"waits", 5},
			},
	};
}

static uint8_t *write_out(const struct takeover_connection *c, size_t *len)
{
	uint8_t *bytes;

	*len = takeover_connection_size(c);
	bytes = malloc(*len);
	assert_non_null(bytes);
	takeover_connection_write(c, bytes);
	return bytes;
}

static bool reads(const struct takeover_connection *c)
{
	struct takeover_connection out;
	size_t len;
	uint8_t *bytes = write_out(c, &len);
	bool right = takeover_connection_read(&out, bytes, len);

	free(bytes);
	return right;
}

static void what_was_written_is_read(void **state)
{
	const struct takeover_connection in = sample();
	struct takeover_connection out;
	size_t len;
	uint8_t *bytes = write_out(&in, &len);

	(void)state;
	assert_true(takeover_connection_read(&out, bytes, len));
	assert_true(tp_addr_equal(&out.listener, &in.listener));
	assert_true(tp_addr_equal(&out.remote, &in.remote));
	assert_int_equal(out.connection, in.connection);
	assert_int_equal(out.thread, 3);
	assert_int_equal(out.listener_id, 7);
	assert_int_equal(out.state, TAKEOVER_OPEN);
	assert_int_equal(out.flags, in.flags);
	assert_int_equal(out.skip, 9);
	assert_int_equal(out.n_asked, 11);
	for (unsigned i = 0; i < TAKEOVER_BLOBS; i++) {
		assert_int_equal(out.blobs[i].len, in.blobs[i].len);
		if (in.blobs[i].len > 0)
			assert_memory_equal(out.blobs[i].bytes, in.blobs[i].bytes, in.blobs[i].len);
	}
	free(bytes);
}

// Cut anywhere, or with a byte behind: nothing of it is believed.
static void another_length_is_refused(void **state)
{
	const struct takeover_connection in = sample();
	struct takeover_connection out;
	size_t len;
	uint8_t *bytes = write_out(&in, &len), *longer = calloc(1, len + 1);

	(void)state;
	assert_non_null(longer);
	memcpy(longer, bytes, len);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *shorter = malloc(cut + 1);

		assert_non_null(shorter);
		memcpy(shorter, bytes, cut);
		assert_false(takeover_connection_read(&out, shorter, cut));
		free(shorter);
	}
	assert_false(takeover_connection_read(&out, longer, len + 1));
	free(longer);
	free(bytes);
}

static void parts_that_contradict_are_refused(void **state)
{
	struct takeover_connection c = sample();

	(void)state;
	assert_true(reads(&c));
	c.state = TAKEOVER_STATES;
	assert_false(reads(&c));
	c = sample();
	c.state = TAKEOVER_FIRST; // with a handle
	assert_false(reads(&c));
	c = sample();
	c.connection = 0;
	assert_false(reads(&c));
	c = sample();
	c.listener_id = 0;
	assert_false(reads(&c));
	c = sample();
	c.flags |= 0x80;
	assert_false(reads(&c));
	c = sample();
	c.remote.family = 3;
	assert_false(reads(&c));
	c = sample();
	c.blobs[TAKEOVER_WS].len = 0;
	assert_false(reads(&c));
	c = sample();
	c.blobs[TAKEOVER_HEAD] = (struct takeover_blob){(const uint8_t *)"GET", 3};
	assert_false(reads(&c));
}

static void an_association_is_checked(void **state)
{
	struct takeover_association a = {.next_hop = 1, .tag = 2};
	struct takeover_connection c = sample();

	(void)state;
	c.flags = TAKEOVER_DTLS;
	c.blobs[TAKEOVER_WS].len = 0;
	assert_false(reads(&c)); // says no more
	c.blobs[TAKEOVER_ASSOCIATION] = (struct takeover_blob){(const uint8_t *)&a, sizeof(a)};
	assert_true(reads(&c));
	c.blobs[TAKEOVER_ASSOCIATION].len--;
	assert_false(reads(&c));
	c.blobs[TAKEOVER_ASSOCIATION].len++;
	c.flags = 0; // of a stream
	assert_false(reads(&c));
	c.flags = TAKEOVER_DTLS;
	c.connection = 0;
	assert_false(reads(&c));
	c.state = TAKEOVER_BEGUN; // no message has come
	assert_true(reads(&c));
	c.listener_id = 0;
	assert_false(reads(&c));
	c.listener_id = 7;
	c.state = TAKEOVER_FIRST;
	assert_false(reads(&c));
}

static void one_with_another_side_is_checked(void **state)
{
	struct takeover_pass p = {
		.backend = tp_addr_ipv4(0x0a000003, 80), .flags = TAKEOVER_CONNECTED};
	struct takeover_connection c = sample();

	(void)state;
	c.state = TAKEOVER_PASS;
	c.flags = 0;
	c.blobs[TAKEOVER_WS].len = 0;
	assert_false(reads(&c)); // says no more
	c.blobs[TAKEOVER_PASSING] = (struct takeover_blob){(const uint8_t *)&p, sizeof(p)};
	assert_false(reads(&c)); // a backend's with a handle
	p.key = 9;
	assert_false(reads(&c)); // of a backend and a peer
	p.backend.family = 0;
	assert_true(reads(&c));
	c.blobs[TAKEOVER_UP] = (struct takeover_blob){(const uint8_t *)"up", 2};
	assert_true(reads(&c));
	p.flags = TAKEOVER_PASS_FLAGS + 1;
	assert_false(reads(&c));
	p.flags = 0;
	c.state = TAKEOVER_OPEN;
	assert_false(reads(&c));
	c.blobs[TAKEOVER_UP].len = 0;
	assert_false(reads(&c));
	c.state = TAKEOVER_PASS;
	c.connection = 0;
	c.listener_id = 0;
	assert_false(reads(&c)); // a peer's without a handle
	p.key = 0;
	p.backend.family = TP_FAMILY_IPV4;
	assert_true(reads(&c));
	c.blobs[TAKEOVER_PASSING].len--;
	assert_false(reads(&c));
}

// Anybody can connect from port 0: that must not end a take-over.
static void a_client_of_port_0_moves(void **state)
{
	struct takeover_connection c = {
		.listener = tp_addr_ipv4(0x0a000001, 443),
		.remote = tp_addr_ipv4(0x0a000002, 0),
		.state = TAKEOVER_FIRST,
	};

	(void)state;
	assert_true(reads(&c));
	c = sample();
	c.remote.port_be = 0; // with a handle
	assert_false(reads(&c));
	c = sample();
	c.listener.port_be = 0;
	assert_false(reads(&c));
}

static void heads_are_judged(void **state)
{
	struct takeover_head h = takeover_head_make(TAKEOVER_HELLO, sizeof(struct takeover_hello));

	(void)state;
	assert_int_equal(takeover_head_check(&h), TAKEOVER_RIGHT);
	h.version++;
	assert_int_equal(takeover_head_check(&h), TAKEOVER_OTHER_VERSION);
	h.magic++;
	assert_int_equal(takeover_head_check(&h), TAKEOVER_NOT_OURS);
	h = takeover_head_make(TAKEOVER_HELLO, 7);
	assert_int_equal(takeover_head_check(&h), TAKEOVER_NOT_OURS);
	h = takeover_head_make(TAKEOVER_KINDS, 0);
	assert_int_equal(takeover_head_check(&h), TAKEOVER_NOT_OURS);
	h = takeover_head_make(0, 0);
	assert_int_equal(takeover_head_check(&h), TAKEOVER_NOT_OURS);
	h = takeover_head_make(TAKEOVER_CONNECTION, TAKEOVER_BODY_MAX + 1);
	assert_int_equal(takeover_head_check(&h), TAKEOVER_NOT_OURS);
	h = takeover_head_make(TAKEOVER_GO, 1);
	assert_int_equal(takeover_head_check(&h), TAKEOVER_NOT_OURS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(another_length_is_refused),
		cmocka_unit_test(parts_that_contradict_are_refused),
		cmocka_unit_test(an_association_is_checked),
		cmocka_unit_test(one_with_another_side_is_checked),
		cmocka_unit_test(a_client_of_port_0_moves),
		cmocka_unit_test(heads_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
