// SPDX-License-Identifier: BSD-3-Clause
#include <plane/grace.h>

#include <signal.h>

#include <shm/futex.h>
#include <urcu-qsbr.h>

static void *grace_run(void *arg)
{
	struct plane_grace *g = arg;
	uint32_t done = 0;

	for (;;) {
		uint32_t wanted = atomic_load_explicit(&g->wanted, memory_order_acquire);

		if (atomic_load(&g->stop))
			return NULL;
		if (wanted == done) {
			shm_futex_wait(&g->wanted, wanted, TP_NS_PER_S);
			continue;
		}
		urcu_qsbr_synchronize_rcu();
		done = wanted;
		atomic_store_explicit(&g->done, done, memory_order_release);
		shm_futex_wake(&g->done);
	}
}

int plane_grace_init(struct plane_grace *g)
{
	sigset_t all, before;
	int err;

	memset(g, 0, sizeof(*g));
	// Signals are the main thread's: they end its sleeps.
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&g->thread, NULL, grace_run, g);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	g->runs = err == 0;
	return -err;
}

void plane_grace_fini(struct plane_grace *g)
{
	if (!g->runs)
		return;
	atomic_store(&g->stop, true);
	plane_grace_begin(g);
	pthread_join(g->thread, NULL);
	g->runs = false;
}

uint32_t plane_grace_begin(struct plane_grace *g)
{
	uint32_t number = atomic_fetch_add_explicit(&g->wanted, 1, memory_order_acq_rel) + 1;

	shm_futex_wake(&g->wanted);
	return number;
}

bool plane_grace_wait(struct plane_grace *g, uint32_t number, uint64_t timeout_ns)
{
	uint32_t done = atomic_load_explicit(&g->done, memory_order_acquire);

	if ((int32_t)(done - number) >= 0)
		return true;
	shm_futex_wait(&g->done, done, timeout_ns);
	done = atomic_load_explicit(&g->done, memory_order_acquire);
	return (int32_t)(done - number) >= 0;
}
