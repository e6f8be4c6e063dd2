// SPDX-License-Identifier: BSD-3-Clause
#include <plane/local.h>

#include <log/log.h>
#include <plane/refuse.h>
#include <rte_lcore.h>

#define MTU_MORE 40u

int plane_local_open(
	struct plane_local *l, const struct conf *conf, uint16_t mtu, unsigned n_workers)
{
	const struct io_local_settings s = {.port_min = conf->relay.port_min,
		.port_max = conf->relay.port_max,
		.mtu = (uint16_t)(mtu + MTU_MORE),
		.n_workers = n_workers};
	struct steer_fault fault;
	int err;

	for (size_t i = 0; i < conf->peers.n_local; i++) {
		const struct conf_place *p = &conf->peers.local[i];

		l->peers[l->n_peers++] = (struct stage_local_peer){
			.ip = p->ip, .port_min = p->port_min, .port_max = p->port_max};
	}
	// A packet of a client fits in any case, even one that becomes IPv6.
	l->mtu = (uint16_t)(mtu + MTU_MORE);
	if (l->n_peers == 0)
		return 0;
	err = io_local_create(&l->way, &s, &fault);
	return err == 0 ? 0 : plane_refuse(LOG_EV_START_FAILED, err, &fault);
}

int plane_local_start(struct plane_local *l)
{
	struct steer_fault fault;
	int err;

	if (l->way == NULL)
		return 0;
	err = -rte_ctrl_thread_create(&l->thread, "turnpike-local", NULL, io_twin_run, l->way);
	l->runs = err == 0;
	if (err == 0)
		return 0;
	(void)steer_fault_set(
		&fault, err, "raise the limit of threads", "no thread for local peers");
	return plane_refuse(LOG_EV_START_FAILED, err, &fault);
}

void plane_local_close(struct plane_local *l)
{
	if (l->runs) {
		io_twin_stop(l->way);
		pthread_join(l->thread, NULL);
	}
	io_twin_destroy(l->way);
	l->way = NULL;
	l->runs = false;
}
