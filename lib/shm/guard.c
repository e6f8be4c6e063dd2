// SPDX-License-Identifier: BSD-3-Clause
#include <shm/guard.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

struct guard {
	_Atomic uintptr_t base; // 0: free
	_Atomic size_t size;
	atomic_bool *_Atomic lost;
};

static struct guard guards[SHM_GUARDS_MAX];
static bool installed;

static bool range_replace(uintptr_t at)
{
	for (unsigned i = 0; i < SHM_GUARDS_MAX; i++) {
		struct guard *g = &guards[i];
		uintptr_t base = atomic_load(&g->base);
		size_t size = atomic_load(&g->size);
		atomic_bool *lost = atomic_load(&g->lost);

		if (base == 0 || at < base || at - base >= size)
			continue;
		// All of it, so that no half of a table is left. Another thread that faults at the
		// same time does the same once more, which does no harm.
		if (mmap((void *)base, size, PROT_READ | PROT_WRITE,
			    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			    0) == MAP_FAILED)
			return false;
		atomic_store(lost, true);
		return true;
	}
	return false;
}

static void sigbus_handle(int signal_number, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	// The kernel's own codes are above 0; a SIGBUS that somebody sent names no address.
	if (info->si_code <= 0 || !range_replace((uintptr_t)info->si_addr)) {
		signal(signal_number, SIG_DFL);
		if (info->si_code <= 0)
			raise(signal_number);
		// Else the instruction faults once more, now to its end.
	}
	errno = saved;
}

int shm_guard_install(void)
{
	struct sigaction action;

	if (installed)
		return 0;
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = sigbus_handle;
	action.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, NULL) < 0)
		return -errno;
	installed = true;
	return 0;
}

int shm_guard_add(void *base, size_t size, atomic_bool *lost)
{
	for (unsigned i = 0; i < SHM_GUARDS_MAX; i++) {
		struct guard *g = &guards[i];

		if (atomic_load(&g->base) != 0)
			continue;
		atomic_store(&g->size, size);
		atomic_store(&g->lost, lost);
		atomic_store(&g->base, (uintptr_t)base);
		return 0;
	}
	return -ENOSPC;
}

void shm_guard_remove(void *base)
{
	for (unsigned i = 0; i < SHM_GUARDS_MAX; i++)
		if (atomic_load(&guards[i].base) == (uintptr_t)base)
			atomic_store(&guards[i].base, 0);
}
