// SPDX-License-Identifier: BSD-3-Clause
// Connections opened and closed, or held.
#include <errno.h>
#include <time.h>

#include <bench/host.h>
#include <load/histogram.h>
#include <turnpike/base.h>

#include "crowd.h"
#include "server.h"
#include "traffic.h"

#define SETTLE_NS   1000000000ull // until the server has nothing to do for connections that are open
#define LEFT_S	    120u	  // likewise, for those that have left
#define LEFT_SAME_S 4u

// ---- handshakes ---------------------------------------------------------------------------------

struct handshakes {
	struct streams_crowd crowd;
	bool counts;
	uint64_t done, resumed;
	const char *version; // of the last
	struct load_histogram delay;
};

static void handshake_done(void *ctx, uint32_t client)
{
	struct handshakes *h = ctx;
	const struct streams_client *c = &h->crowd.clients[client];

	if (!h->counts)
		return;
	h->done++;
	h->version = SSL_get_version(c->conn.ssl);
	h->resumed += (uint64_t)SSL_session_reused(c->conn.ssl);
	load_histogram_add(&h->delay, streams_now_ns() - c->began_ns);
}

// Those that reached their goal leave and come again.
static void turn(struct handshakes *h)
{
	struct streams_crowd *c = &h->crowd;

	streams_crowd_poll(c, 10);
	for (uint32_t i = 0; i < c->o->clients; i++) {
		if (c->clients[i].state == STREAMS_LIVE)
			streams_crowd_end(c, i);
		if (c->clients[i].state == STREAMS_ABSENT)
			streams_crowd_begin(c, i);
	}
}

// Until the time is over; a first handshake may take longer.
static bool goes_on(const struct handshakes *h, uint64_t start_ns)
{
	const struct streams_options *o = h->crowd.o;
	double seconds = (double)(streams_now_ns() - start_ns) / 1e9;

	return !bench_host_stopped() && h->crowd.n_gone < o->clients &&
	       (seconds < o->seconds || (h->done == 0 && seconds < o->setup_limit_s));
}

int streams_handshakes_run(const struct streams_options *o, json_t **out)
{
	static struct handshakes h;
	struct streams_server before, after;
	uint64_t start_ns, span_ns;
	int rc = streams_crowd_open(&h.crowd, o, STREAMS_GOAL_BINDING);

	h.crowd.ctx = &h;
	h.crowd.reached = handshake_done;
	// One of each client first: it gives the tickets.
	if (rc == 0)
		rc = streams_crowd_set_up(&h.crowd);
	if (rc == 0)
		rc = streams_server_read(o, &before);
	if (rc < 0)
		goto end;
	h.counts = true;
	start_ns = streams_now_ns();
	while (goes_on(&h, start_ns))
		turn(&h);
	span_ns = streams_now_ns() - start_ns;
	rc = streams_server_read(o, &after);
	if (rc == 0)
		*out = json_pack("{s:I, s:s, s:I, s:I, s:f, s:I, s:I, s:o}", "handshakes",
			(json_int_t)h.done, "version", h.version == NULL ? "none" : h.version,
			"resumed", (json_int_t)h.resumed, "failed", (json_int_t)h.crowd.n_gone,
			"per_second", (double)h.done * 1e9 / (double)span_ns, "p50_ns",
			(json_int_t)load_histogram_part(&h.delay, 0.5), "p99_ns",
			(json_int_t)load_histogram_part(&h.delay, 0.99), "server_cpu",
			streams_server_cpu(&before, &after, h.done));
end:
	streams_crowd_close(&h.crowd);
	return rc;
}

// ---- idle ---------------------------------------------------------------------------------------

static void hold(struct streams_crowd *c, uint64_t ns)
{
	uint64_t start_ns = streams_now_ns();

	while (!bench_host_stopped() && streams_now_ns() - start_ns < ns)
		streams_crowd_poll(c, 20);
}

static double each(uint64_t before, uint64_t after, uint32_t n)
{
	return ((double)after - (double)before) / (double)n;
}

// The server's memory once it has nothing to do for the clients that have left.
static int left_read(const struct streams_options *o, struct streams_server *left)
{
	const struct timespec pause = {.tv_sec = SETTLE_NS / TP_NS_PER_S};
	uint64_t before = UINT64_MAX;
	unsigned same = 0;
	int rc = 0;

	for (unsigned i = 0; i < LEFT_S && same < LEFT_SAME_S && rc == 0; i++) {
		(void)nanosleep(&pause, NULL);
		rc = streams_server_read(o, left);
		same = left->resident == before ? same + 1 : 0;
		before = left->resident;
	}
	return rc;
}

struct idle {
	struct streams_server before, held, end, left;
	uint64_t setup_ns;
	uint32_t n_held, n_closed, n_answered;
};

static int idle_hold(struct streams_crowd *c, const struct streams_options *o, struct idle *i)
{
	uint64_t start_ns = streams_now_ns();
	int rc = streams_server_read(o, &i->before);

	if (rc == 0)
		rc = streams_crowd_set_up(c);
	i->setup_ns = streams_now_ns() - start_ns;
	if (rc < 0)
		return rc;
	hold(c, SETTLE_NS);
	rc = streams_server_read(o, &i->held);
	hold(c, (uint64_t)(o->seconds * 1e9));
	if (rc == 0)
		rc = streams_server_read(o, &i->end);
	i->n_held = c->n_live;
	i->n_closed = c->n_gone;
	// Those that the server does not answer are counted, no failure of the measurement.
	if (rc == 0 && streams_crowd_ask(c) == -EINTR)
		rc = -EINTR;
	i->n_answered = c->n_live;
	hold(c, (uint64_t)(o->stay_s * 1e9));
	return rc;
}

int streams_idle_run(const struct streams_options *o, json_t **out)
{
	static struct streams_crowd c;
	struct idle i = {.setup_ns = 0};
	uint32_t n = o->clients;
	int rc = streams_crowd_open(
		&c, o, o->allocate ? STREAMS_GOAL_ALLOCATE : STREAMS_GOAL_BINDING);

	if (rc == 0)
		rc = idle_hold(&c, o, &i);
	streams_crowd_close(&c);
	if (rc == 0)
		rc = left_read(o, &i.left);
	if (rc == 0)
		*out = json_pack("{s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:o}",
			"setup_seconds", (double)i.setup_ns / 1e9, "held", (json_int_t)i.n_held,
			"closed", (json_int_t)i.n_closed, "answered", (json_int_t)i.n_answered,
			"resident_before", (json_int_t)i.before.resident, "resident_each",
			each(i.before.resident, i.held.resident, n), "proportional_each",
			each(i.before.proportional, i.held.proportional, n), "private_dirty_each",
			each(i.before.private_dirty, i.held.private_dirty, n), "resident_left",
			(json_int_t)i.left.resident, "server_cpu",
			streams_server_cpu(&i.held, &i.end, n));
	return rc;
}
