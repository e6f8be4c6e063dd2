// SPDX-License-Identifier: BSD-3-Clause
#include "setup.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S       1000000000ull
#define SETUP_LIMIT_NS (60 * NS_PER_S) // a client gives up after 39.5 s

void sm_end_wait(struct sm_end *e, uint64_t now_ns)
{
	uint8_t buf[2048];
	struct pollfd p = {.fd = e->fd, .events = POLLIN};
	const uint8_t *payload;
	union tc_addr from;
	int n;

	(void)poll(&p, 1, 20);
	while ((n = sm_end_receive(e, buf, sizeof(buf), &from)) >= 0)
		(void)tc_client_input(&e->client, buf, (size_t)n, now_ns, &payload);
	tc_client_tick(&e->client, sm_now_ns());
}

static int request_and_wait(struct sm_end *e, enum tc_kind kind)
{
	uint64_t start_ns = sm_now_ns();
	struct tc_request *r = tc_client_request(&e->client, kind, start_ns);

	if (r == NULL)
		return -ENOBUFS;
	while (r->answer == TC_WAITING && sm_now_ns() - start_ns < SETUP_LIMIT_NS)
		sm_end_wait(e, sm_now_ns());
	if (r->answer == TC_SUCCEEDED)
		return 0;
	if (r->answer == TC_FAILED)
		fprintf(stderr, "stream: %s answered %d%s\n", tc_kind_name(kind), r->error_code,
			r->error_code == 0 ? " (success without valid integrity)" : "");
	else
		fprintf(stderr, "stream: %s not answered in %llu s\n", tc_kind_name(kind),
			SETUP_LIMIT_NS / NS_PER_S);
	return -ECONNREFUSED;
}

static int end_permit(struct sm_end *e, const union tc_addr *peer, bool by_indication)
{
	int err;

	e->client.peer = *peer;
	err = request_and_wait(e, TC_K_PERMISSION);
	if (err == 0 && !by_indication) {
		err = request_and_wait(e, TC_K_CHANNEL);
		e->client.channel = TC_CHANNEL_FIRST;
	}
	return err;
}

static int end_open_relayed(struct sm_end *e, const struct sm_options *o, const char *netns,
	const union tc_addr *bind_to)
{
	int err = sm_end_open(e, netns, bind_to, &o->server);

	if (err < 0) {
		fprintf(stderr, "stream: no socket to the server: %s\n", strerror(-err));
		return err;
	}
	err = tc_client_init(&e->client, e->fd, &o->credential, o->family);
	if (err < 0)
		return err;
	e->relayed = true;
	return request_and_wait(e, TC_K_ALLOCATE);
}

int sm_stream_setup(struct sm_stream *s, const struct sm_options *o, uint16_t number)
{
	uint32_t capacity = (uint32_t)(o->seconds * o->rate_pps) + 16;
	union tc_addr peer = o->peer;
	int err;

	s->client.fd = s->peer.fd = -1;
	if (sm_flow_init(&s->up, number, 0, capacity) < 0 ||
		sm_flow_init(&s->down, number, 1, capacity) < 0)
		return -ENOMEM;
	err = end_open_relayed(&s->client, o, o->netns, &o->bind_to);
	if (err < 0)
		return err;
	if (o->peer_relayed) {
		err = end_open_relayed(&s->peer, o, o->peer_netns, &o->peer_bind);
		if (err < 0)
			return err;
		peer = s->peer.client.relayed;
		err = end_permit(&s->peer, &s->client.client.relayed, o->by_indication);
		s->peer_started = true;
	} else if (!o->echo_peer) {
		err = sm_end_open(&s->peer, o->peer_netns, &o->peer, NULL);
		if (err < 0)
			fprintf(stderr, "stream: no peer socket: %s\n", strerror(-err));
		// A port of 0 was given one by the kernel.
		peer = s->peer.own;
		s->peer.expected = s->client.client.relayed;
	}
	return err < 0 ? err : end_permit(&s->client, &peer, o->by_indication);
}
