// SPDX-License-Identifier: BSD-3-Clause
#include <proc/notify.h>

#ifdef HAVE_SYSTEMD
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include <proc/clock.h>

void proc_notify(const char *state)
{
	char buf[64];

	if (strcmp(state, "RELOADING=1") == 0) {
		// A reload is told with its time, for Type=notify-reload.
		snprintf(buf, sizeof(buf), "RELOADING=1\nMONOTONIC_USEC=%llu",
			(unsigned long long)(proc_clock_ns(CLOCK_MONOTONIC) / TP_NS_PER_US));
		state = buf;
	}
	(void)sd_notify(0, state);
}
#else
void proc_notify(const char *state)
{
	(void)state;
}
#endif
