// SPDX-License-Identifier: BSD-3-Clause
// Waking a process by a timer of its own (timerfd_create(2)), whose descriptor it has passed. The
// other side polls it; nothing that it does to the timer makes the caller wait, as a write to an
// eventfd whose count is full might. Any thread, any number of them.
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

// The request of ioctl(2) by which it is done, for filters of system calls: TFD_IOC_SET_TICKS of
// <linux/timerfd.h>, which can't be included beside <sys/timerfd.h>.
#define FDPASS_WAKE_REQUEST _IOW('T', 0, uint64_t)

// The timer is readable now. A time to which it is set may pass, and wake once more. Returns 0, or
// a negative errno where the descriptor is no timer.
int fdpass_wake(int timer);
