// SPDX-License-Identifier: BSD-3-Clause
// Tells systemd how the process is; nothing where there is none.
#pragma once

// "READY=1", "STOPPING=1" and the like, as sd_notify(3).
void io_notify(const char *state);
