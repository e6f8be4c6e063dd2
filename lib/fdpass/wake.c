// SPDX-License-Identifier: BSD-3-Clause
#include <fdpass/wake.h>

#include <errno.h>
#include <sys/timerfd.h>

// The request sets the count of expirations and wakes those that wait. Setting a time programs the
// clock for an interrupt, which leaves a virtual machine each time. Kernels without
// CONFIG_CHECKPOINT_RESTORE lack the request.
int fdpass_wake(int timer)
{
	static const struct itimerspec at_once = {.it_value = {.tv_nsec = 1}};
	const uint64_t ticks = 1;

	if (ioctl(timer, FDPASS_WAKE_REQUEST, &ticks) == 0)
		return 0;
	return timerfd_settime(timer, TFD_TIMER_ABSTIME, &at_once, NULL) == 0 ? 0 : -errno;
}
