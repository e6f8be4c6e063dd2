// SPDX-License-Identifier: BSD-3-Clause
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "setup.h"

#define NS_PER_S      1000000000ull
#define NS_PER_MS     1000000ull
#define KEEP_EVERY_NS (240 * NS_PER_S)
#define LATE_NS	      NS_PER_S // for copies
#define FREE_LIMIT_NS (2 * NS_PER_S)
// Packets of one flow before the loop does anything else.
#define SEND_MAX      64u

uint64_t sm_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

int sm_run_init(struct sm_run *r, const struct sm_options *o, volatile sig_atomic_t *stop)
{
	int err;

	memset(r, 0, sizeof(*r));
	r->options = o;
	r->stop = stop;
	r->streams = calloc(o->streams, sizeof(*r->streams));
	if (r->streams == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < o->streams; i++)
		r->streams[i].client.fd = r->streams[i].peer.fd = -1;
	for (uint32_t i = 0; i < o->streams; i++) {
		err = sm_stream_setup(&r->streams[i], o, (uint16_t)i);
		if (err < 0)
			return err;
	}
	return 0;
}

void sm_run_fini(struct sm_run *r)
{
	for (uint32_t i = 0; r->streams != NULL && i < r->options->streams; i++) {
		sm_end_close(&r->streams[i].client);
		sm_end_close(&r->streams[i].peer);
		sm_flow_fini(&r->streams[i].up);
		sm_flow_fini(&r->streams[i].down);
	}
	free(r->streams);
}

// --- Data.

static int end_send(struct sm_end *e, const uint8_t *payload, size_t len)
{
	if (e->relayed)
		return tc_client_send(&e->client, payload, len);
	return sendto(e->fd, payload, len, MSG_DONTWAIT, &e->remote.sa, tc_addr_len(&e->remote)) < 0
		       ? -errno
		       : 0;
}

static void flow_send(struct sm_flow *f, struct sm_end *e, const struct sm_options *o)
{
	uint8_t payload[SM_PAYLOAD_MAX];

	if (f->sent == f->capacity)
		return;
	sm_flow_write(f, payload, o->size_len, sm_now_ns());
	// The receiver may be quicker than the count: it must already know the number.
	sm_flow_sent(f, 0);
	// An ICMP error from before costs the next call, not the packet: once more.
	if (end_send(e, payload, o->size_len) < 0 && end_send(e, payload, o->size_len) < 0)
		f->send_errors++;
}

static void plain_source(struct sm_end *e, const union tc_addr *from)
{
	if (!e->remote_known) {
		e->remote = *from;
		e->remote_known = true;
	}
	if (!tc_addr_equal(from, &e->expected))
		e->other_source++;
}

static void end_drain(struct sm_end *e, struct sm_flow *f)
{
	uint8_t buf[2048];
	union tc_addr from;
	int n;

	while ((n = sm_end_receive(e, buf, sizeof(buf), &from)) >= 0) {
		uint64_t now_ns = sm_now_ns();
		const uint8_t *payload = buf;

		if (e->relayed)
			n = tc_client_input(&e->client, buf, (size_t)n, now_ns, &payload);
		else
			plain_source(e, &from);
		if (n >= 0)
			sm_flow_take(f, payload, (size_t)n, now_ns);
	}
}

static void stream_receive(struct sm_run *r, struct sm_stream *s)
{
	bool echo = r->options->echo_peer;

	end_drain(&s->client, echo ? &s->up : &s->down);
	if (echo)
		return;
	end_drain(&s->peer, &s->up);
	if (!s->peer_started && s->peer.remote_known) {
		s->peer_started = true;
		s->next_down_ns = sm_now_ns();
	}
}

// Sends due packets, SEND_MAX at most, and moves the time of the next one. On a busy machine a long
// backlog would grow while it is sent, and answers and questions would never be read.
static void due_send(struct sm_flow *f, struct sm_end *e, const struct sm_options *o,
	uint64_t now_ns, uint64_t *next_ns)
{
	for (unsigned n = 0; n < SEND_MAX && *next_ns <= now_ns; n++) {
		flow_send(f, e, o);
		*next_ns += NS_PER_S / o->rate_pps;
	}
}

// Sends due packets and returns the time of the next.
static uint64_t stream_send(struct sm_run *r, struct sm_stream *s, uint64_t now_ns)
{
	due_send(&s->up, &s->client, r->options, now_ns, &s->next_up_ns);
	if (r->options->echo_peer || !s->peer_started)
		return s->next_up_ns;
	due_send(&s->down, &s->peer, r->options, now_ns, &s->next_down_ns);
	return s->next_up_ns < s->next_down_ns ? s->next_up_ns : s->next_down_ns;
}

// --- Requests in between.

static void plans_run(struct sm_run *r, struct sm_options *o, uint64_t now_ns)
{
	for (unsigned i = 0; i < o->n_plans; i++) {
		struct sm_plan *p = &o->plans[i];
		struct tc_request *q;

		if (p->done || now_ns - r->start_ns < p->at_ms * NS_PER_MS)
			continue;
		p->done = true;
		q = tc_client_request(&r->streams[0].client.client, p->kind, now_ns);
		if (q != NULL)
			q->reported = true;
	}
}

static void end_keep(struct sm_end *e, uint64_t now_ns)
{
	if (!e->relayed)
		return;
	(void)tc_client_request(&e->client, TC_K_REFRESH, now_ns);
	(void)tc_client_request(&e->client, TC_K_PERMISSION, now_ns);
	if (e->client.channel != 0)
		(void)tc_client_request(&e->client, TC_K_CHANNEL, now_ns);
}

static void clients_tick(struct sm_run *r, uint64_t now_ns, bool keep)
{
	for (uint32_t i = 0; i < r->options->streams; i++) {
		struct sm_end *ends[2] = {&r->streams[i].client, &r->streams[i].peer};

		for (int k = 0; k < 2; k++) {
			if (keep)
				end_keep(ends[k], now_ns);
			if (ends[k]->relayed)
				tc_client_tick(&ends[k]->client, now_ns);
		}
	}
}

static bool requests_waiting(const struct sm_run *r)
{
	for (uint32_t i = 0; i < r->options->streams; i++) {
		const struct tc_client *c = &r->streams[i].client.client;

		for (unsigned k = 0; k < c->n_requests; k++)
			if (c->requests[k].answer == TC_WAITING)
				return true;
	}
	return false;
}

// --- The loop.

// The longest silence so far, that which lasts at the moment among them.
static uint64_t live_gap_ns(const struct sm_run *r, const struct sm_flow *f, uint64_t now_ns)
{
	uint64_t since_ns = f->last_ns != 0 ? f->last_ns : r->start_ns;
	uint64_t silent_ns = now_ns > since_ns ? now_ns - since_ns : 0;

	return silent_ns > f->gap_ns ? silent_ns : f->gap_ns;
}

static void live_line(const struct sm_run *r, uint64_t now_ns)
{
	uint64_t sent[2] = {0}, received[2] = {0}, missing[2] = {0}, gap_ns[2] = {0};

	for (uint32_t i = 0; i < r->options->streams; i++) {
		const struct sm_flow *f[2] = {&r->streams[i].up, &r->streams[i].down};

		for (int k = 0; k < 2; k++) {
			uint64_t flow_gap_ns = live_gap_ns(r, f[k], now_ns);

			sent[k] += f[k]->sent;
			received[k] += f[k]->received;
			missing[k] += f[k]->highest - f[k]->received;
			gap_ns[k] = flow_gap_ns > gap_ns[k] ? flow_gap_ns : gap_ns[k];
		}
	}
	fprintf(stderr,
		"%5.1f s  up %llu sent %llu arrived %llu missing %.0f ms gap"
		"   down %llu sent %llu arrived %llu missing %.0f ms gap\n",
		(double)(now_ns - r->start_ns) / 1e9, (unsigned long long)sent[0],
		(unsigned long long)received[0], (unsigned long long)missing[0],
		(double)gap_ns[0] / 1e6, (unsigned long long)sent[1],
		(unsigned long long)received[1], (unsigned long long)missing[1],
		(double)gap_ns[1] / 1e6);
}

static void wait_until(struct sm_run *r, struct pollfd *fds, uint64_t until_ns)
{
	uint64_t now_ns = sm_now_ns();
	uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec t;
	nfds_t n = 0;

	if (left_ns > 5 * NS_PER_MS)
		left_ns = 5 * NS_PER_MS;
	t.tv_sec = 0;
	t.tv_nsec = (long)left_ns;
	for (uint32_t i = 0; i < r->options->streams; i++) {
		fds[n++] = (struct pollfd){.fd = r->streams[i].client.fd, .events = POLLIN};
		fds[n++] = (struct pollfd){.fd = r->streams[i].peer.fd, .events = POLLIN};
	}
	(void)ppoll(fds, n, &t, NULL);
}

static bool all_arrived(const struct sm_run *r)
{
	for (uint32_t i = 0; i < r->options->streams; i++) {
		if (sm_flow_lost(&r->streams[i].up) > 0 || sm_flow_lost(&r->streams[i].down) > 0)
			return false;
	}
	return true;
}

// Receives for a while after the last packet was sent, longer while an answer is awaited. A longer
// while than LATE_NS is for packets that are missing alone.
static void run_drain(struct sm_run *r, struct pollfd *fds)
{
	uint64_t start_ns = sm_now_ns();
	uint64_t limit_ns = r->options->drain_ms * NS_PER_MS;

	for (;;) {
		uint64_t now_ns = sm_now_ns();

		for (uint32_t i = 0; i < r->options->streams; i++)
			stream_receive(r, &r->streams[i]);
		clients_tick(r, now_ns, false);
		if (now_ns - start_ns >= limit_ns &&
			(!requests_waiting(r) || now_ns - start_ns >= limit_ns + FREE_LIMIT_NS * 5))
			return;
		if (now_ns - start_ns >= LATE_NS && all_arrived(r) && !requests_waiting(r))
			return;
		wait_until(r, fds, now_ns + 2 * NS_PER_MS);
	}
}

static void run_free(struct sm_run *r)
{
	uint64_t start_ns = sm_now_ns();

	for (uint32_t i = 0; i < r->options->streams; i++) {
		(void)tc_client_request(&r->streams[i].client.client, TC_K_REFRESH_ZERO, start_ns);
		if (r->streams[i].peer.relayed)
			(void)tc_client_request(
				&r->streams[i].peer.client, TC_K_REFRESH_ZERO, start_ns);
	}
	while (requests_waiting(r) && sm_now_ns() - start_ns < FREE_LIMIT_NS)
		for (uint32_t i = 0; i < r->options->streams; i++)
			sm_end_wait(&r->streams[i].client, sm_now_ns());
}

static double wall_clock_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void sm_run_go(struct sm_run *r)
{
	struct sm_options plan = *r->options;
	struct pollfd *fds = calloc(2 * (size_t)plan.streams, sizeof(*fds));
	uint64_t keep_ns, live_ns, now_ns = sm_now_ns();

	if (fds == NULL)
		return;
	r->start_ns = now_ns;
	r->started_at = wall_clock_s();
	r->end_ns = now_ns + (uint64_t)(plan.seconds * 1e9);
	keep_ns = now_ns + KEEP_EVERY_NS;
	live_ns = now_ns + NS_PER_S;
	// Spread over one interval, so that a burst is not the test's own making.
	for (uint32_t i = 0; i < plan.streams; i++)
		r->streams[i].next_up_ns = r->streams[i].next_down_ns =
			now_ns + NS_PER_S / plan.rate_pps * i / plan.streams;
	while ((now_ns = sm_now_ns()) < r->end_ns && !*r->stop) {
		uint64_t next_ns = r->end_ns;

		for (uint32_t i = 0; i < plan.streams; i++) {
			uint64_t t_ns = stream_send(r, &r->streams[i], now_ns);

			stream_receive(r, &r->streams[i]);
			next_ns = t_ns < next_ns ? t_ns : next_ns;
		}
		plans_run(r, &plan, now_ns);
		clients_tick(r, now_ns, now_ns >= keep_ns);
		if (now_ns >= keep_ns)
			keep_ns += KEEP_EVERY_NS;
		if (plan.interactive)
			sm_ask_tick(&r->ask, r, now_ns);
		if (plan.live && now_ns >= live_ns) {
			live_line(r, now_ns);
			live_ns += NS_PER_S;
		}
		wait_until(r, fds, next_ns);
	}
	r->end_ns = sm_now_ns();
	run_drain(r, fds);
	run_free(r);
	free(fds);
}
