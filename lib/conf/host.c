// SPDX-License-Identifier: BSD-3-Clause
// The configuration held against the host: addresses that no interface has.
#include <conf/conf.h>

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>

#include <text/addr.h>

#include "errors.h"

#define REMEDY "ip address add, or name an address that this host has"

bool conf_addresses_are_kernels(const struct conf *c)
{
	for (size_t i = 0; i < c->dataplane.n_ports; i++) {
		if (c->dataplane.ports[i].interface == NULL && c->dataplane.ports[i].kernel == NULL)
			return false;
	}
	return true;
}

static struct tp_addr addr_of(const struct sockaddr *sa)
{
	struct tp_addr none = {0};

	if (sa != NULL && sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		return tp_addr_ipv4(tp_load_be32((const void *)&in->sin_addr), 0);
	}
	if (sa != NULL && sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		return tp_addr_ipv6(in6->sin6_addr.s6_addr, 0);
	}
	return none;
}

bool conf_host_has(void *ctx, const struct tp_addr *ip)
{
	struct ifaddrs *list;
	bool found = false;

	(void)ctx;
	// A host that does not say is not accused of anything.
	if (getifaddrs(&list) < 0)
		return true;
	for (const struct ifaddrs *i = list; i != NULL && !found; i = i->ifa_next) {
		struct tp_addr a = addr_of(i->ifa_addr);

		found = a.family != TP_FAMILY_NONE && tp_addr_same_ip(&a, ip);
	}
	freeifaddrs(list);
	return found;
}

static void absent_add(
	const struct conf *c, const char *key, const struct tp_addr *ip, struct conf_errors *errs)
{
	char problem[96], text[TEXT_ADDR_SIZE];
	const struct conf_error e = {.warning = true,
		.file = c->path == NULL ? "" : c->path,
		.key = key,
		.problem = problem,
		.remedy = REMEDY};

	snprintf(problem, sizeof(problem), "no interface of this host has %s",
		text_ip_format(ip, text));
	conf_errors_add(errs, &e);
}

void conf_host_judge(
	const struct conf *c, conf_has_address_fn has, void *ctx, struct conf_errors *errs)
{
	char key[48];

	if (!conf_addresses_are_kernels(c))
		return;
	for (size_t i = 0; i < c->n_listeners; i++) {
		snprintf(key, sizeof(key), "listeners[%zu].address", i);
		if (!has(ctx, &c->listeners[i].addr))
			absent_add(c, key, &c->listeners[i].addr, errs);
	}
	for (size_t i = 0; i < c->relay.n_addresses; i++) {
		const struct tp_addr *ip = &c->relay.addresses[i];
		bool said = false;

		// By default they are the listeners'.
		for (size_t k = 0; k < c->n_listeners; k++)
			said |= tp_addr_same_ip(&c->listeners[k].addr, ip);
		snprintf(key, sizeof(key), "relay.addresses[%zu]", i);
		if (!said && !has(ctx, ip))
			absent_add(c, key, ip, errs);
	}
}
