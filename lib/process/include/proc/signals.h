// SPDX-License-Identifier: BSD-3-Clause
// Signals that mean nothing to a process of ours, and would end it.
#pragma once

#include <signal.h>
#include <stdint.h>

// Adds every signal that ends a process by default, real-time ones too, but for those of its own
// faults, SIGKILL, SIGTERM, SIGINT and SIGQUIT, which ends it at once with a core dump where
// wanted.
void proc_signals_foreign(sigset_t *set);

// Logs that one arrived; `pid` sent it. Not one that a write of this process raised.
void proc_signal_log(int signal, uint32_t pid);
