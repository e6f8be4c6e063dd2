// SPDX-License-Identifier: BSD-3-Clause
// The host under the running process: its addresses, the cores of the workers, memory.
#include <process/process.h>

#include <sched.h>

#include <log/log.h>
#include <proc/host.h>

// ---- addresses --------------------------------------------------------------------------------

static void address_log(const struct tables_local *l, bool present)
{
	const char *role = l->role == TP_ROLE_LISTENER ? "listener" : "relay address";

	if (present)
		log_event(LOG_EV_ADDRESS_PRESENT,
			LOG_FIELDS(log_str("role", role), log_ip("address", &l->addr)));
	else
		log_event(LOG_EV_ADDRESS_ABSENT,
			LOG_FIELDS(log_str("role", role), log_ip("address", &l->addr),
				log_str("remedy", "ip address add, or correct the configuration")));
}

void process_addresses_check(struct process *p)
{
	const struct settings *s = p->core.settings;

	if (!conf_addresses_are_kernels(s->conf))
		return;
	for (size_t i = 0; i < s->n_locals; i++) {
		const struct tables_local *l = &s->locals[i];
		bool present = net_mirror_address_owner(p->link.hops.mirror, &l->addr) != 0;

		if (l->id >= TP_LOCALS_MAX)
			continue;
		if (l->role == TP_ROLE_RELAY)
			turn_relay_set_present(p->core.turn, l->id, present);
		if (present != p->absent[l->id])
			continue;
		p->absent[l->id] = !present;
		if (settings_local_is_first(s, i))
			address_log(l, present);
	}
}

// ---- cores ------------------------------------------------------------------------------------

void process_cores_choose(struct process *p)
{
	const struct shm_state *s = &p->link.state;
	uint32_t cores[TP_WORKERS_MAX];
	uint32_t n = 0;
	cpu_set_t set = p->cores;

	if (!p->link.up)
		return;
	for (; n < s->n_workers && n < TP_WORKERS_MAX; n++)
		cores[n] = atomic_load_explicit(&s->workers[n].lcore, memory_order_relaxed);
	// Where all cores are workers', the kernel places us best.
	proc_cores_without(&set, cores, n);
	// A worker tells its core a moment after its data plane has come.
	if (CPU_EQUAL(&set, &p->placed))
		return;
	p->placed = set;
	(void)sched_setaffinity(0, sizeof(set), &set);
}

// ---- memory -----------------------------------------------------------------------------------

void process_memory_check(const struct process *p)
{
	(void)proc_memory_suffices(settings_memory(p->core.settings->conf), PROC_CGROUP_SELF,
		PROC_CGROUP_ROOT,
		"raise MemoryMax of the unit or memory.max, or lower limits.allocations");
	if (proc_memory_lock() < 0)
		log_event(LOG_EV_MEMORY_NOT_LOCKED,
			LOG_FIELDS(log_str("remedy", "LimitMEMLOCK=infinity in the unit")));
}
