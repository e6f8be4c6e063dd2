// SPDX-License-Identifier: BSD-3-Clause
#include <proc/signals.h>

#include <string.h>
#include <unistd.h>

#include <log/log.h>

void proc_signals_foreign(sigset_t *set)
{
	static const int plain[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGVTALRM, SIGPROF,
		SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU, SIGXFSZ};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		sigaddset(set, plain[i]);
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		sigaddset(set, s);
}

void proc_signal_log(int signal, uint32_t pid)
{
	// The error of the write says it already.
	if ((signal == SIGPIPE || signal == SIGXFSZ) && pid == (uint32_t)getpid())
		return;
	log_event(LOG_EV_SIGNAL_IGNORED,
		LOG_FIELDS(log_str("signal", strsignal(signal)), log_u64("pid", pid)));
}
