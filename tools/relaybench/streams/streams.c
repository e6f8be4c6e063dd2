// SPDX-License-Identifier: BSD-3-Clause
#include "streams.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <bench/cores.h>
#include <bench/exit.h>
#include <bench/host.h>
#include <bench/output.h>
#include <load/netns.h>
#include <turnpike/base.h>

#include "traffic.h"

#define PEER_BUFFER (64 << 20)

static int peer_open(void *ctx)
{
	const struct streams_options *o = ctx;
	static const int size = PEER_BUFFER, on = 1;
	int fd = socket(o->peer.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	if (bind(fd, &o->peer.sa, tc_addr_len(&o->peer)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

// The kernel chose the port.
static int peer_learn(struct streams_options *o, int fd)
{
	socklen_t len = sizeof(o->peer);

	return getsockname(fd, &o->peer.sa, &len) == 0 ? 0 : -errno;
}

static int measure(const struct streams_options *o, int peer_fd, json_t **out)
{
	switch (o->what) {
	case STREAMS_TRAFFIC:
		return streams_traffic_run(o, peer_fd, out);
	case STREAMS_HANDSHAKES:
		return streams_handshakes_run(o, out);
	default:
		return streams_idle_run(o, out);
	}
}

struct inside {
	const struct streams_options *o;
	int peer_fd;
	json_t *out;
};

static int measure_inside(void *ctx)
{
	struct inside *in = ctx;

	return measure(in->o, in->peer_fd, &in->out);
}

// The clients' addresses are local in their namespace for as long as it takes.
static int measure_there(struct inside *in)
{
	const struct streams_options *o = in->o;
	struct load_netns netns = {.n_ips = o->n_addresses};
	int rc;

	snprintf(netns.name, sizeof(netns.name), "%s", o->client_netns);
	snprintf(netns.interface, sizeof(netns.interface), "%s", o->client_interface);
	if (o->client.sa.sa_family == AF_INET) {
		netns.first_ip = ntohl(o->client.v4.sin_addr.s_addr);
		rc = load_netns_address(&netns);
		if (rc < 0)
			return rc;
	}
	rc = load_netns_open(o->client_netns, measure_inside, in);
	load_netns_undo(&netns);
	return rc;
}

static int files_allow(const struct streams_options *o)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -errno;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
	if (l.rlim_max >= o->clients + 64u)
		return 0;
	fprintf(stderr,
		"relaybench: %u clients need more than the %llu descriptors that this "
		"machine allows: raise the limit (ulimit -n) or run several\n",
		o->clients, (unsigned long long)l.rlim_max);
	return -EMFILE;
}

static int run(struct bench_host *g, void *arg)
{
	struct streams_options *o = arg;
	struct inside in = {.o = o, .peer_fd = -1};
	int rc = files_allow(o);

	(void)g;
	if (bench_cores_init(-1) >= 0 && o->core >= 0)
		bench_cores_on(o->core);
	if (rc == 0 && o->peer.sa.sa_family != 0) {
		in.peer_fd = load_netns_open(o->peer_netns, peer_open, o);
		rc = in.peer_fd < 0 ? in.peer_fd : peer_learn(o, in.peer_fd);
	}
	if (rc == 0)
		rc = measure_there(&in);
	if (rc < 0)
		fprintf(stderr, "relaybench: %s\n", strerror(-rc));
	if (in.peer_fd >= 0)
		close(in.peer_fd);
	if (rc == 0 && !o->json)
		json_dumpf(in.out, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	if (rc == 0 && !o->json)
		putchar('\n');
	if (rc == 0)
		rc = bench_output_write(
			bench_output_make(o->argc, o->argv, json_pack("{s:o}", "measured", in.out)),
			o->output, o->json);
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}

int streams_main(int argc, char **argv)
{
	struct streams_options o;
	int rc = streams_options_read(&o, argc, argv);

	if (rc != 0)
		return rc > 0 ? BENCH_EXIT_OK : BENCH_EXIT_USAGE;
	return bench_host_supervise(run, &o, !o.no_boost);
}
