// SPDX-License-Identifier: BSD-3-Clause
// The cost of requests with a wrong password, by user: a stranger must not learn by it whether a
// user exists. Instructions inside turn_input, which other programs do not change;
// password_test.sh compares them.
//
//   valgrind --tool=callgrind --toggle-collect=turn_input password_bench CASE COUNT
#include "harness.h"

// Names of one length.
#define KNOWN	USER // alice
#define UNKNOWN "bella"

static void rest_seen(struct harness *h, struct client *c)
{
	struct client other;

	client_init(&other, 0xc6336402, 6000);
	client_rest_user(&other, "old secret", h->wall_s + 60, "carol");
	assert_int_equal(client_allocate(h, &other, 600), 0);
	client_rest_user(c, "no secret", h->wall_s + 60, "carol");
}

static void rest_unseen(struct harness *h, struct client *c)
{
	client_rest_user(c, "no secret", h->wall_s + 60, "carol");
}

static void known(struct harness *h, struct client *c)
{
	(void)h;
	client_user(c, KNOWN, "a wrong password");
}

static void unknown(struct harness *h, struct client *c)
{
	(void)h;
	client_user(c, UNKNOWN, "a wrong password");
}

static const struct bench_case {
	const char *name;
	void (*make)(struct harness *h, struct client *c);
} cases[] = {
	{"known", known},
	{"unknown", unknown},
	{"rest-seen", rest_seen},
	{"rest-unseen", rest_unseen},
};

static void run(const struct bench_case *one, unsigned count)
{
	struct harness h;
	struct client c;
	struct msg m;

	harness_init(&h);
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	one->make(&h, &c);
	client_challenge(&h, &c);
	for (unsigned i = 0; i < count; i++) {
		client_start(&c, &m, MSG_ALLOCATE);
		assert_int_equal(client_finish(&h, &c, &m), 401);
	}
	harness_stop(&h);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < TP_ARRAY_LEN(cases); i++) {
		if (strcmp(argv[1], cases[i].name) != 0)
			continue;
		run(&cases[i], (unsigned)strtoul(argv[2], NULL, 10));
		return 0;
	}
	fprintf(stderr, "usage: password_bench known|unknown|rest-seen|rest-unseen COUNT\n");
	return 2;
}
