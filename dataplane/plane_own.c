// SPDX-License-Identifier: BSD-3-Clause
// Keeps the kernel off what is ours: steering maps, nft guard, reserved ports.
#include "plane.h"

#include <errno.h>

#include <log/log.h>
#include <steer/guard.h>

static void reserve(struct plane *p, const struct own *own)
{
	struct reserve_ports ports;
	int err;

	reserve_ports_of(&ports, own->items, own->n);
	err = reserve_apply(RESERVE_SYSCTL, RESERVE_RANGE, p->record, &ports);
	p->reserved = p->reserved || err == 0;
	if (err == 0 || reserve_verify(RESERVE_SYSCTL, &ports) == 1)
		return;
	log_event(LOG_EV_PORTS_NOT_RESERVED,
		LOG_FIELDS(log_u64("port_min", p->conf->relay.port_min),
			log_u64("port_max", p->conf->relay.port_max), log_errno(err),
			log_str("remedy", err == -ENOSPC
						  ? "relay.ports: leave the host some of "
						    "net.ipv4.ip_local_port_range"
						  : "sysctl net.ipv4.ip_local_reserved_ports")));
}

void plane_own_apply(struct plane *p, const struct own *own)
{
	struct steer_fault fault;
	int err;

	if (own_equal(&p->own, own))
		return;
	p->own = *own;
	for (unsigned i = 0; i < p->n_ports; i++) {
		err = io_port_steer(&p->ports[i], own->items, own->n, &fault);
		if (err != 0)
			log_event(LOG_EV_STEERING_REFUSED,
				LOG_FIELDS(log_str("interface", p->ports[i].device.interface),
					log_str("problem", fault.problem),
					log_str("remedy", fault.remedy)));
	}
	err = guard_install(p->conf->instance, own->items, own->n, &fault);
	p->guarded = p->guarded || err == 0;
	if (err != 0)
		log_event(LOG_EV_GUARD_FAILED, LOG_FIELDS(log_str("problem", fault.problem),
						       log_str("remedy", fault.remedy)));
	reserve(p, own);
}

void plane_own_verify(struct plane *p)
{
	struct reserve_ports ports;

	reserve_ports_of(&ports, p->own.items, p->own.n);
	if (!p->reserved || reserve_verify(RESERVE_SYSCTL, &ports) != 0)
		return;
	log_event(LOG_EV_PORTS_NOT_RESERVED,
		LOG_FIELDS(log_str("problem", "net.ipv4.ip_local_reserved_ports was overwritten"),
			log_str("remedy", "done: merged again")));
	reserve_apply(RESERVE_SYSCTL, RESERVE_RANGE, p->record, &ports);
}

void plane_own_release(struct plane *p)
{
	struct steer_fault fault;
	int err;

	if (p->guarded && guard_remove(p->conf->instance, &fault) != 0)
		log_event(LOG_EV_GUARD_FAILED, LOG_FIELDS(log_str("problem", fault.problem),
						       log_str("remedy", fault.remedy)));
	err = p->reserved ? reserve_release(RESERVE_SYSCTL, p->record) : 0;
	if (err != 0)
		log_event(LOG_EV_PORTS_NOT_RESERVED,
			LOG_FIELDS(log_str("record", p->record), log_errno(err)));
}
