// SPDX-License-Identifier: BSD-3-Clause
// Stands in for the control process: makes the instance's tables with listeners and relay
// addresses and nothing else, keeps the role until it is killed, and asks for a grace period every
// 10 ms. Its output shows whether the data plane runs them.
//
//   tables_make INSTANCE RUN_DIRECTORY SEGMENT_DIRECTORY LOW HIGH ADDRESS PORT...
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <shm/futex.h>
#include <shm/segment.h>

static const struct shm_tables_shape shape = {.n_entries = 4096,
	.n_next_hops = 64,
	.n_port_indexes = 4,
	.n_allocations = 256,
	.n_workers = 1};

static void fail(const struct shm_error *err)
{
	fprintf(stderr, "%s\n", err->text);
	exit(1);
}

static bool set_listener(struct tp_local *l, const char *ip, const char *port)
{
	uint8_t octets[16];
	uint16_t number = (uint16_t)atoi(port);

	memset(l, 0, sizeof(*l));
	if (inet_pton(AF_INET, ip, octets) == 1)
		l->addr = tp_addr_ipv4(tp_load_be32(octets), number);
	else if (inet_pton(AF_INET6, ip, octets) == 1)
		l->addr = tp_addr_ipv6(octets, number);
	else
		return false;
	l->external = l->addr;
	l->role = TP_ROLE_LISTENER;
	l->transport = TP_TRANSPORT_UDP;
	return true;
}

// The listener's address is a relay address too.
static void set_relay(struct tp_local *l, const struct tp_local *listener, uint16_t port_index)
{
	memset(l, 0, sizeof(*l));
	l->addr = listener->addr;
	l->addr.port_be = 0;
	l->external = l->addr;
	l->role = TP_ROLE_RELAY;
	l->port_index = port_index;
}

// Prints how many grace periods have passed, once a second.
static void ask(struct shm_tables *t, const struct shm_place *p)
{
	const struct timespec gap = {.tv_nsec = 10000000};
	struct shm_error err;

	for (unsigned i = 0;; i++) {
		struct shm_state s;

		atomic_fetch_add_explicit(&t->header->gp_req, 1, memory_order_release);
		shm_futex_wake(&t->header->gp_req);
		nanosleep(&gap, NULL);
		if (i % 100 != 0 || shm_state_open(&s, p, t, 0, false, &err) != 0)
			continue;
		printf("grace %u of %u\n", (unsigned)atomic_load(&s.header->gp_done),
			(unsigned)atomic_load(&t->header->gp_req));
		fflush(stdout);
		shm_state_close(&s);
	}
}

int main(int argc, char **argv)
{
	struct shm_place place;
	struct shm_tables tables;
	struct shm_inject inject;
	struct shm_error err;
	unsigned n = 0;

	if (argc < 8) {
		fprintf(stderr, "usage: %s INSTANCE RUN SEGMENT LOW HIGH ADDRESS PORT...\n",
			argv[0]);
		return 2;
	}
	if (shm_place_init(&place, argv[1], argv[2], argv[3], (gid_t)-1, &err) != 0 ||
		shm_role_lock(&place, SHM_ROLE_CONTROL, &err) < 0 ||
		shm_place_choose(&place, 0, false, &err) != 0 ||
		shm_tables_create(&tables, &place, &shape, &err) != 0)
		fail(&err);
	tables.header->path.relay_port_min = (uint16_t)atoi(argv[4]);
	tables.header->path.relay_port_max = (uint16_t)atoi(argv[5]);
	for (int i = 6; i + 1 < argc && n < shape.n_port_indexes; i += 2, n++) {
		struct tp_local *listener = &tables.locals[1 + 2 * n];

		if (!set_listener(listener, argv[i], argv[i + 1])) {
			fprintf(stderr, "%s: no address\n", argv[i]);
			return 2;
		}
		set_relay(listener + 1, listener, (uint16_t)n);
	}
	if (shm_inject_create(&inject, &place, &tables, 1, &err) != 0 ||
		shm_file_publish(&inject.file, &place, &err) != 0 ||
		shm_file_publish(&tables.file, &place, &err) != 0)
		fail(&err);
	ask(&tables, &place);
}
