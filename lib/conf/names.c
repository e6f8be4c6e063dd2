// SPDX-License-Identifier: BSD-3-Clause
#include <conf/conf.h>

#include <turnpike/limits.h>

#include <string.h>

bool conf_instance_valid(const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_";
	size_t len = strlen(name);

	// DPDK removes files whose names hold "map_" at its start.
	return len > 0 && len < TP_INSTANCE_MAX && name[0] != '-' && strspn(name, plain) == len &&
	       strstr(name, "map_") == NULL;
}

const char *conf_transport_name(enum conf_transport t)
{
	static const char *const names[] = {"udp", "tcp", "tls", "dtls"};

	return names[t];
}
