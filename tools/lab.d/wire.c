// SPDX-License-Identifier: BSD-3-Clause
// The other end of the cable where the relay's card is net_memif: a TAP interface of this network
// namespace on one side, a memif server on the other. Each frame takes one of the card's receive
// queues by chance, as if it had no RSS at all: code that depends on one worker seeing a whole flow
// fails here.
//
//   wire SOCKET INTERFACE MAC QUEUES
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <io/eal.h>
#include <io/pool.h>
#include <io/port.h>
#include <log/log.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define BUFFERS	    16384u
#define BURST	    32u
#define IDLE_MAX    200u
#define IDLE_NAP_NS 20000

static volatile sig_atomic_t stopped;

struct wire {
	struct io_port port;
	struct rte_mempool *pool;
	struct rte_mbuf *received[BURST]; // of these, `next` and up wait for room on the other side
	uint16_t n_received;
	uint16_t next;
	uint16_t rx_queue;
	struct rte_mbuf *to_send; // waits for room on the card's queue; NULL: none
	uint32_t dice;
};

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static uint16_t throw(struct wire * w)
{
	w->dice = w->dice * 1664525u + 1013904223u;
	return (uint16_t)((w->dice >> 16) % w->port.n_tx_queues);
}

// A cable loses no frame: frames without room wait, and the sender's queue fills.
static unsigned from_card(struct wire *w)
{
	unsigned n = 0;

	if (w->next == w->n_received) {
		w->rx_queue = (uint16_t)((w->rx_queue + 1) % w->port.n_rx_queues);
		w->n_received = rte_eth_rx_burst(w->port.id, w->rx_queue, w->received, BURST);
		w->next = 0;
	}
	for (; w->next < w->n_received; w->next++, n++) {
		struct rte_mbuf *m = w->received[w->next];

		if (!io_twin_give(w->port.twin, 0, rte_pktmbuf_mtod(m, uint8_t *), m->data_len))
			break;
		rte_pktmbuf_free(m);
	}
	return n;
}

static struct rte_mbuf *copy_next(struct wire *w)
{
	struct rte_mbuf *m;
	const uint8_t *frame;
	char *data;
	uint16_t len;

	frame = io_twin_peek(w->port.twin, &len);
	m = frame == NULL ? NULL : rte_pktmbuf_alloc(w->pool);
	if (m == NULL)
		return NULL;
	data = rte_pktmbuf_append(m, len);
	memcpy(data, frame, len);
	io_twin_release(w->port.twin);
	return m;
}

static unsigned to_card(struct wire *w)
{
	for (unsigned n = 0; n < BURST; n++) {
		if (w->to_send == NULL)
			w->to_send = copy_next(w);
		if (w->to_send == NULL ||
			rte_eth_tx_burst(w->port.id, throw(w), &w->to_send, 1) == 0)
			return n;
		w->to_send = NULL;
	}
	return BURST;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void run(struct wire *w)
{
	const struct timespec nap = {.tv_nsec = IDLE_NAP_NS};
	unsigned idle = 0;

	while (!stopped) {
		unsigned n = to_card(w) + from_card(w);

		io_twin_wake(w->port.twin, 0, now_ns());
		idle = n > 0 ? 0 : idle + 1;
		if (idle > IDLE_MAX)
			nanosleep(&nap, NULL);
	}
}

static int open_port(struct wire *w, const char *device, const char *interface, unsigned queues,
	struct steer_fault *fault)
{
	bool leftover;
	int err = io_device_parse(&w->port.device, device, NULL, 0, fault);

	w->port.lock_directory = "/run";
	if (err == 0)
		err = io_device_set_twin(&w->port.device, interface, 0, fault);
	if (err == 0)
		err = io_port_prepare(&w->port, queues, &leftover, fault);
	if (err == 0)
		err = io_port_probe(&w->port, queues, "", fault);
	return err == 0 ? io_port_start(&w->port, queues, w->pool, fault) : err;
}

int main(int argc, char **argv)
{
	struct wire w = {.port = {.lock_fd = -1}, .dice = 1};
	struct sigaction end = {.sa_handler = stop};
	struct steer_fault fault = {.problem = ""};
	unsigned core;
	struct eal_settings eal = {.cores = &core, .n_cores = 1, .no_huge = true};
	char device[256], instance[TP_INSTANCE_MAX];
	int err;

	if (argc != 5) {
		fprintf(stderr, "usage: wire SOCKET INTERFACE MAC QUEUES\n");
		return 2;
	}
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	log_level_set(LOG_LEVEL_WARNING);
	snprintf(device, sizeof(device),
		"net_memif0,role=server,socket-abstract=no,socket=%s,mac=%s", argv[1], argv[3]);
	snprintf(instance, sizeof(instance), "wire-%d", (int)getpid());
	eal.instance = instance;
	eal.memory_octets = io_pool_octets(BUFFERS, RTE_ETHER_MTU);
	io_eal_cores_choose(&core, 1);
	err = io_eal_start(&eal, &fault);
	w.pool = err == 0 ? io_pool_create(0, BUFFERS, RTE_ETHER_MTU) : NULL;
	if (w.pool != NULL)
		err = open_port(&w, device, argv[2], (unsigned)atoi(argv[4]), &fault);
	if (err == 0 && w.pool != NULL)
		run(&w);
	else
		fprintf(stderr, "wire: %s (%s)\n", fault.problem, fault.remedy);
	io_port_close(&w.port);
	if (w.pool != NULL)
		io_pool_destroy(w.pool);
	io_eal_stop(&eal);
	return err == 0 && w.pool != NULL ? 0 : 1;
}
