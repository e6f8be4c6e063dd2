// SPDX-License-Identifier: BSD-3-Clause
// The start at the workers' real-time priority: calls wait until it is over, and on a busy machine
// it would wait for its turn several times as long as it works. All calls by the main thread, where
// plane_privilege_realtime has allowed it.
#pragma once

// The calling thread, and those that it makes from now on.
void plane_haste_begin(void);
// All threads but the calling one have the ordinary priority again.
void plane_haste_end_others(void);
// The calling one, too.
void plane_haste_end(void);
