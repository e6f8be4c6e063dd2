// SPDX-License-Identifier: BSD-3-Clause
#include <fdpass/wake.h>

#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

// TFD_IOC_SET_TICKS of <linux/timerfd.h>, which can't be included beside <sys/timerfd.h>. It sets
// the count of expirations and wakes those that wait. Setting a time programs the clock for an
// interrupt instead, and in a virtual machine costs ten times as much. Kernels without
// CONFIG_CHECKPOINT_RESTORE lack it.
#define SET_TICKS _IOW('T', 0, uint64_t)

int fdpass_wake(int timer)
{
	static const struct itimerspec at_once = {.it_value = {.tv_nsec = 1}};
	const uint64_t ticks = 1;

	if (ioctl(timer, SET_TICKS, &ticks) == 0)
		return 0;
	return timerfd_settime(timer, TFD_TIMER_ABSTIME, &at_once, NULL) == 0 ? 0 : -errno;
}
