// SPDX-License-Identifier: BSD-3-Clause
#include "client_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

#define NS_PER_MS   1000000ull
#define NS_PER_S    1000000000ull
#define RTO_NS	    (500 * NS_PER_MS)
#define TRIES_MAX   7u
#define SCAN_NS	    (20 * NS_PER_MS)
#define RENEW_NS    (200 * NS_PER_S)  // before a permission's 300 s
#define QUIET_NS    (300 * NS_PER_MS) // from the last media of an allocation to its deletion
#define RENEW_CHECK 4096u	      // slots looked at in one tick

int load_client_create(struct load_client **out, const struct load_client_options *o)
{
	struct load_client *c = calloc(1, sizeof(*c));
	uint32_t n = o->population.n_allocations;

	if (c == NULL)
		return -ENOMEM;
	c->o = *o;
	c->n = n;
	c->next_client = n;
	c->slots = calloc(n, sizeof(*c->slots));
	c->queue = calloc(n, sizeof(*c->queue));
	c->quiet = calloc(n, sizeof(*c->quiet));
	c->flights = calloc(o->window, sizeof(*c->flights));
	if (c->slots == NULL || c->queue == NULL || c->quiet == NULL || c->flights == NULL) {
		load_client_destroy(c);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		c->slots[i].client = i;
		c->slots[i].flight = LOAD_NO_FLIGHT;
	}
	*out = c;
	return 0;
}

void load_client_destroy(struct load_client *c)
{
	if (c == NULL)
		return;
	free(c->slots);
	free(c->queue);
	free(c->quiet);
	free(c->flights);
	free(c);
}

const struct load_slot *load_client_slot(const struct load_client *c, uint32_t allocation)
{
	return &c->slots[allocation];
}

const struct load_client_counts *load_client_counts(const struct load_client *c)
{
	return &c->counts;
}

uint32_t load_client_live(const struct load_client *c)
{
	return c->live;
}

uint32_t load_client_pending(const struct load_client *c)
{
	return c->n_flights + c->queue_len + c->quiet_len;
}

// ---- requests -----------------------------------------------------------------------------------

static uint32_t index_of(const struct load_client *c, const struct load_slot *s)
{
	return (uint32_t)(s - c->slots);
}

static void request_send(struct load_client *c, struct load_slot *s)
{
	uint8_t buf[TC_STUN_MAX];
	const struct load_request r = {.population = &c->o.population,
		.user = c->o.user,
		.realm = c->realm,
		.key = c->key,
		.lifetime_s = c->o.lifetime_s,
		.id = {index_of(c, s), s->serial, c->o.run}};
	size_t len = load_request_build(&r, s, buf);

	c->counts.requests++;
	c->o.send(c->o.ctx, s->client, buf, len);
}

void load_client_begin(
	struct load_client *c, struct load_slot *s, enum load_state state, uint64_t now_ns)
{
	if (s->flight == LOAD_NO_FLIGHT) {
		s->flight = c->n_flights;
		c->flights[c->n_flights++] = index_of(c, s);
	}
	s->state = (uint8_t)state;
	s->serial++;
	s->tries = 0;
	s->next_ns = now_ns + RTO_NS;
	request_send(c, s);
}

void load_client_end(struct load_client *c, struct load_slot *s, enum load_state state)
{
	uint32_t last = c->flights[--c->n_flights];

	c->flights[s->flight] = last;
	c->slots[last].flight = s->flight;
	s->flight = LOAD_NO_FLIGHT;
	s->state = (uint8_t)state;
}

void load_client_give_up(struct load_client *c, struct load_slot *s)
{
	c->counts.failed++;
	c->live -= s->media;
	s->media = false;
	load_client_end(c, s, LOAD_FAILED);
}

// ---- waiting ------------------------------------------------------------------------------------

void load_client_queue(struct load_client *c, struct load_slot *s)
{
	c->queue[(c->queue_head + c->queue_len++) % c->n] = index_of(c, s);
}

void load_client_open(struct load_client *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->slots[i].state == LOAD_ABSENT)
			load_client_queue(c, &c->slots[i]);
}

static void media_end(struct load_client *c, struct load_slot *s, uint64_t now_ns)
{
	c->live--;
	s->media = false;
	s->next_ns = now_ns;
	c->quiet[(c->quiet_head + c->quiet_len++) % c->n] = index_of(c, s);
}

void load_client_close(struct load_client *c)
{
	c->queue_len = 0;
	for (uint32_t i = 0; i < c->n; i++) {
		c->slots[i].replace = false;
		if (c->slots[i].media)
			media_end(c, &c->slots[i], 0);
	}
}

bool load_client_replace(struct load_client *c, uint32_t allocation, uint64_t now_ns)
{
	struct load_slot *s = &c->slots[allocation];

	if (s->state != LOAD_LIVE || !s->media)
		return false;
	s->replace = true;
	media_end(c, s, now_ns + QUIET_NS);
	return true;
}

static void quiet_tick(struct load_client *c, uint64_t now_ns)
{
	// At the end of the queue stand those that a request still holds.
	for (uint32_t n = c->quiet_len; n > 0 && c->n_flights < c->o.window; n--) {
		uint32_t i = c->quiet[c->quiet_head];
		struct load_slot *s = &c->slots[i];

		if (s->flight == LOAD_NO_FLIGHT && now_ns < s->next_ns)
			return;
		c->quiet_head = (c->quiet_head + 1) % c->n;
		c->quiet_len--;
		if (s->flight != LOAD_NO_FLIGHT)
			c->quiet[(c->quiet_head + c->quiet_len++) % c->n] = i;
		else
			load_client_begin(c, s, LOAD_DELETE, now_ns);
	}
}

static void queue_tick(struct load_client *c, uint64_t now_ns)
{
	while (c->queue_len > 0 && c->n_flights < c->o.window) {
		struct load_slot *s = &c->slots[c->queue[c->queue_head]];

		c->queue_head = (c->queue_head + 1) % c->n;
		c->queue_len--;
		s->channel = 0;
		s->started_ns = now_ns;
		load_client_begin(c, s, LOAD_CHALLENGE, now_ns);
	}
}

static void renew_tick(struct load_client *c, uint64_t now_ns)
{
	for (uint32_t n = 0; n < RENEW_CHECK && n < c->n && c->n_flights < c->o.window; n++) {
		struct load_slot *s = &c->slots[c->renew_at];

		c->renew_at = (c->renew_at + 1) % c->n;
		if (s->state != LOAD_LIVE || !s->media || now_ns - s->renewed_ns < RENEW_NS)
			continue;
		s->channel = 0;
		load_client_begin(c, s, LOAD_REFRESH, now_ns);
	}
}

static void flights_scan(struct load_client *c, uint64_t now_ns)
{
	for (uint32_t i = c->n_flights; i-- > 0;) {
		struct load_slot *s = &c->slots[c->flights[i]];

		if (now_ns < s->next_ns)
			continue;
		if (++s->tries == TRIES_MAX) {
			load_client_give_up(c, s);
			continue;
		}
		s->next_ns = now_ns + (RTO_NS << s->tries);
		c->counts.again++;
		request_send(c, s);
	}
}

void load_client_tick(struct load_client *c, uint64_t now_ns)
{
	quiet_tick(c, now_ns);
	queue_tick(c, now_ns);
	if (now_ns - c->scanned_ns < SCAN_NS)
		return;
	c->scanned_ns = now_ns;
	flights_scan(c, now_ns);
	renew_tick(c, now_ns);
}
