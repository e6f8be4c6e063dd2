// SPDX-License-Identifier: BSD-3-Clause
// Tells systemd the state of the process; does nothing where there is none.
#pragma once

// "READY=1", "STOPPING=1" and the like, as sd_notify(3). RELOADING=1 gets its time for
// Type=notify-reload.
void proc_notify(const char *state);
