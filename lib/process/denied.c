// SPDX-License-Identifier: BSD-3-Clause
#include "denied.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <seccomp.h>

#include <log/log.h>
#include <proc/sandbox.h>

#define CALLS_MAX 1024u
#define WORD	  64u

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

// Calls denied so far, a bit each, and those that a line has named.
static _Atomic uint64_t denied[CALLS_MAX / WORD];
static uint64_t named[CALLS_MAX / WORD];
static _Atomic uint32_t count;

#if defined(__x86_64__)
static bool result_set(ucontext_t *u, long result)
{
	u->uc_mcontext.gregs[REG_RAX] = result;
	return true;
}
#define CAN_RETURN true
#elif defined(__aarch64__)
static bool result_set(ucontext_t *u, long result)
{
	u->uc_mcontext.regs[0] = (unsigned long)result;
	return true;
}
#define CAN_RETURN true
#else
static bool result_set(ucontext_t *u, long result)
{
	(void)u;
	(void)result;
	return false;
}
#define CAN_RETURN false
#endif

// In any thread, in the place of the call.
static void on_denied(int sig, siginfo_t *info, void *context)
{
	unsigned call = (unsigned)info->si_syscall;

	(void)sig;
	if (info->si_code != SYS_SECCOMP || !result_set(context, -EPERM))
		return;
	if (call < CALLS_MAX)
		atomic_fetch_or(&denied[call / WORD], UINT64_C(1) << call % WORD);
	atomic_fetch_add(&count, 1);
}

bool denied_install(void)
{
	struct sigaction a = {.sa_sigaction = on_denied, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	return CAN_RETURN && sigaction(SIGSYS, &a, NULL) == 0 &&
	       sigprocmask(SIG_UNBLOCK, &set, NULL) == 0;
}

static void denied_name(unsigned call)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)call);

	log_event(LOG_EV_CALL_DENIED,
		LOG_FIELDS(log_str("call", name == NULL ? "unknown" : name),
			log_u64("number", call), log_u64("denied", atomic_load(&count)),
			log_str("remedy", "report it; --no-sandbox runs without the filter")));
	free(name);
}

void proc_denied_log(void)
{
	for (unsigned i = 0; i < CALLS_MAX / WORD; i++) {
		uint64_t fresh = atomic_load_explicit(&denied[i], memory_order_relaxed) & ~named[i];

		named[i] |= fresh;
		for (; fresh != 0; fresh &= fresh - 1)
			denied_name(i * WORD + (unsigned)__builtin_ctzll(fresh));
	}
}

uint32_t proc_denied_count(void)
{
	return atomic_load(&count);
}
