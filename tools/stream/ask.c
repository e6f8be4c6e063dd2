// SPDX-License-Identifier: BSD-3-Clause
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

static const enum tc_kind kinds[] = {TC_K_REFRESH, TC_K_PERMISSION, TC_K_CHANNEL};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct sm_flow *flow_of(const struct sm_run *r, uint32_t stream, int direction)
{
	return direction == 0 ? &r->streams[stream].up : &r->streams[stream].down;
}

static int n_directions(const struct sm_run *r)
{
	return r->options->echo_peer ? 1 : 2;
}

// ---- silences ---------------------------------------------------------------------------------

static void mark(struct sm_ask *a, struct sm_run *r, uint64_t now_ns)
{
	a->marked_ns = now_ns;
	for (uint32_t i = 0; i < r->options->streams; i++) {
		r->streams[i].up.silence_ns = r->streams[i].down.silence_ns = 0;
		r->streams[i].up.silence_end_ns = r->streams[i].down.silence_end_ns = 0;
	}
}

// The longest of all flows, and the latest end of one as long: when the last flow went on.
static void print_silence(const struct sm_ask *a, const struct sm_run *r, int direction)
{
	uint64_t longest_ns = 0, end_ns = 0;

	for (uint32_t i = 0; i < r->options->streams; i++) {
		const struct sm_flow *f = flow_of(r, i, direction);

		if (f->silence_end_ns < a->marked_ns)
			continue;
		if (f->silence_ns > longest_ns)
			longest_ns = f->silence_ns;
		if (f->silence_end_ns > end_ns)
			end_ns = f->silence_end_ns;
	}
	printf("\"%s\": {\"silent_ms\": %.1f, \"until\": %.6f}", direction == 0 ? "up" : "down",
		(double)longest_ns / 1e6, (double)end_ns / 1e9);
}

// ---- a check ----------------------------------------------------------------------------------

static void client_ask(struct sm_end *e, uint64_t now_ns)
{
	for (unsigned k = 0; k < SM_CHECKS && e->relayed; k++) {
		e->checks[k] = k < N_KINDS && (kinds[k] != TC_K_CHANNEL || e->client.channel != 0)
				       ? tc_client_request(&e->client, kinds[k], now_ns)
				       : NULL;
		// Kept from being used again until the check is over.
		if (e->checks[k] != NULL)
			e->checks[k]->reported = true;
	}
}

static void check_begin(struct sm_ask *a, struct sm_run *r, double seconds, uint64_t now_ns)
{
	a->checking = true;
	a->asked_ns = now_ns;
	a->until_ns = now_ns + (uint64_t)(seconds * 1e9);
	for (uint32_t i = 0; i < r->options->streams; i++) {
		struct sm_stream *s = &r->streams[i];

		s->up.asked = s->up.sent;
		s->down.asked = s->down.sent;
		client_ask(&s->client, now_ns);
		client_ask(&s->peer, now_ns);
	}
}

struct outcome {
	unsigned succeeded, refused, waiting;
	int code; // of the last refusal
	unsigned silent[2];
};

static void outcome_of_end(struct outcome *o, const struct sm_end *e)
{
	for (unsigned k = 0; k < SM_CHECKS && e->relayed; k++) {
		const struct tc_request *q = e->checks[k];

		if (q == NULL)
			continue;
		o->succeeded += q->answer == TC_SUCCEEDED;
		o->waiting += q->answer == TC_WAITING || q->answer == TC_UNANSWERED;
		if (q->answer == TC_FAILED) {
			o->refused++;
			o->code = q->error_code;
		}
	}
}

static struct outcome outcome_of(const struct sm_run *r)
{
	struct outcome o = {0};

	for (uint32_t i = 0; i < r->options->streams; i++) {
		const struct sm_stream *s = &r->streams[i];

		outcome_of_end(&o, &s->client);
		outcome_of_end(&o, &s->peer);
		for (int d = 0; d < n_directions(r); d++)
			o.silent[d] += flow_of(r, i, d)->highest <= flow_of(r, i, d)->asked;
	}
	return o;
}

static void client_free(struct sm_end *e)
{
	for (unsigned k = 0; k < SM_CHECKS && e->relayed; k++) {
		if (e->checks[k] == NULL)
			continue;
		e->checks[k]->reported = false;
		if (e->checks[k]->answer == TC_WAITING)
			e->checks[k]->answer = TC_UNANSWERED;
		e->checks[k] = NULL;
	}
}

static void check_end(struct sm_ask *a, struct sm_run *r, const struct outcome *o, uint64_t now_ns)
{
	printf("{\"after_ms\": %.1f, \"succeeded\": %u, \"refused\": %u, \"code\": %d, "
	       "\"unanswered\": %u, \"silent\": [%u, %u], ",
		(double)(now_ns - a->asked_ns) / 1e6, o->succeeded, o->refused, o->code, o->waiting,
		o->silent[0], o->silent[1]);
	for (int d = 0; d < n_directions(r); d++) {
		print_silence(a, r, d);
		printf(d + 1 < n_directions(r) ? ", " : "}\n");
	}
	fflush(stdout);
	a->checking = false;
	for (uint32_t i = 0; i < r->options->streams; i++) {
		client_free(&r->streams[i].client);
		client_free(&r->streams[i].peer);
	}
}

// ---- the lines --------------------------------------------------------------------------------

// The report has its answer.
static bool request(struct sm_run *r, const char *name, uint64_t now_ns)
{
	enum tc_kind kind = tc_kind_parse(name);
	struct tc_request *q;

	if (kind == TC_K_COUNT || kind == TC_K_ALLOCATE)
		return false;
	q = tc_client_request(&r->streams[0].client.client, kind, now_ns);
	if (q == NULL)
		return false;
	q->reported = true;
	printf("{\"requested\": \"%s\"}\n", name);
	fflush(stdout);
	return true;
}

static void obey(struct sm_ask *a, struct sm_run *r, uint64_t now_ns)
{
	if (strncmp(a->line, "check ", 6) == 0 && !a->checking) {
		check_begin(a, r, strtod(a->line + 6, NULL), now_ns);
	} else if (strcmp(a->line, "mark") == 0) {
		mark(a, r, now_ns);
		printf("{\"marked\": %.6f}\n", (double)now_ns / 1e9);
		fflush(stdout);
	} else if (strncmp(a->line, "request ", 8) != 0 || !request(r, a->line + 8, now_ns)) {
		printf("{\"error\": \"not understood, or too much at a time: use check SECONDS, "
		       "mark, or request KIND\"}\n");
		fflush(stdout);
	}
}

static void byte_take(struct sm_ask *a, struct sm_run *r, char c, uint64_t now_ns)
{
	if (c != '\n') {
		if (a->line_len < sizeof(a->line) - 1)
			a->line[a->line_len++] = c;
		return;
	}
	a->line[a->line_len] = '\0';
	a->line_len = 0;
	obey(a, r, now_ns);
}

void sm_ask_tick(struct sm_ask *a, struct sm_run *r, uint64_t now_ns)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	struct outcome o;
	char text[64];

	if (poll(&p, 1, 0) > 0) {
		ssize_t n = read(STDIN_FILENO, text, sizeof(text));

		if (n == 0 || (n < 0 && errno != EINTR))
			*r->stop = 1;
		for (ssize_t i = 0; i < n; i++)
			byte_take(a, r, text[i], now_ns);
	}
	if (!a->checking)
		return;
	o = outcome_of(r);
	if (now_ns >= a->until_ns || (o.waiting == 0 && o.silent[0] == 0 && o.silent[1] == 0))
		check_end(a, r, &o, now_ns);
}
