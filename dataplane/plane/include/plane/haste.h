// SPDX-License-Identifier: BSD-3-Clause
// The workers' real-time priority for the start: calls wait until it is over, and on a busy machine
// it would wait for the CPU several times as long as it runs. The main thread calls these, after
// plane_privilege_realtime has succeeded.
#pragma once

// Raises the calling thread; threads that it creates inherit the priority.
void plane_haste_begin(void);
// Gives all threads but the calling one the ordinary priority again.
void plane_haste_end_others(void);
// Gives the calling thread the ordinary priority again.
void plane_haste_end(void);
