// SPDX-License-Identifier: BSD-3-Clause
#include "defaults.h"

#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#define SECRET_OCTETS 24u

// Flags of /proc/net/route, /proc/net/ipv6_route and /proc/net/if_inet6 (linux/route.h,
// linux/if_addr.h).
#define ROUTE_UP      0x0001u
#define ROUTE_REJECT  0x0200u
#define ADDRESS_POOR  (0x01u | 0x08u | 0x20u | 0x40u) // temporary, failed, deprecated, tentative

int conf_defaults_route_find(FILE *route, char interface[IFNAMSIZ])
{
	unsigned best = UINT_MAX;
	char line[256], name[IFNAMSIZ];

	while (fgets(line, sizeof(line), route) != NULL) {
		unsigned destination, flags, metric, mask;

		// Iface Destination Gateway Flags RefCnt Use Metric Mask
		if (sscanf(line, "%15s %x %*x %x %*d %*d %u %x", name, &destination, &flags,
			    &metric, &mask) != 5)
			continue;
		if (destination != 0 || mask != 0 || (flags & ROUTE_UP) == 0 ||
			(flags & ROUTE_REJECT) != 0 || metric >= best)
			continue;
		best = metric;
		memcpy(interface, name, sizeof(name));
	}
	return best != UINT_MAX ? 0 : -ENOENT;
}

int conf_defaults_route6_find(FILE *route, char interface[IFNAMSIZ])
{
	unsigned best = UINT_MAX;
	char line[256], name[IFNAMSIZ], destination[33];

	while (fgets(line, sizeof(line), route) != NULL) {
		unsigned prefix, metric, flags;

		// destination length source length next-hop metric refcnt use flags interface
		if (sscanf(line, "%32s %x %*s %*x %*s %x %*x %*x %x %15s", destination, &prefix,
			    &metric, &flags, name) != 5)
			continue;
		if (strspn(destination, "0") != 32 || prefix != 0 || (flags & ROUTE_UP) == 0 ||
			(flags & ROUTE_REJECT) != 0 || strcmp(name, "lo") == 0 || metric >= best)
			continue;
		best = metric;
		memcpy(interface, name, sizeof(name));
	}
	return best != UINT_MAX ? 0 : -ENOENT;
}

size_t conf_defaults_ipv6_collect(
	FILE *if_inet6, const char *interface, struct tp_addr *out, size_t n)
{
	char line[256], name[IFNAMSIZ], hex[33];

	while (n < DEFAULTS_ADDRESSES_MAX && fgets(line, sizeof(line), if_inet6) != NULL) {
		unsigned scope, flags;
		uint8_t ip[16];

		// address ifindex length scope flags interface
		if (sscanf(line, "%32s %*x %*x %x %x %15s", hex, &scope, &flags, name) != 4)
			continue;
		if (scope != 0 || (flags & ADDRESS_POOR) != 0 || strcmp(name, interface) != 0 ||
			strlen(hex) != 32)
			continue;
		for (size_t i = 0; i < sizeof(ip); i++) {
			unsigned octet = 0;

			sscanf(hex + 2 * i, "%2x", &octet);
			ip[i] = (uint8_t)octet;
		}
		out[n++] = tp_addr_ipv6(ip, 0);
	}
	return n;
}

static size_t ipv4_collect(const char *interface, struct tp_addr *out, size_t n)
{
	struct ifaddrs *list;

	if (getifaddrs(&list) < 0)
		return n;
	for (struct ifaddrs *i = list; i != NULL && n < DEFAULTS_ADDRESSES_MAX; i = i->ifa_next) {
		struct sockaddr_in in;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET ||
			strcmp(i->ifa_name, interface) != 0)
			continue;
		memcpy(&in, i->ifa_addr, sizeof(in));
		out[n] = tp_addr_ipv4(tp_load_be32(&in.sin_addr), 0);
		// 169.254/16 has no meaning beyond the link.
		if (out[n].ip[0] != 169 || out[n].ip[1] != 254)
			n++;
	}
	freeifaddrs(list);
	return n;
}

static size_t addresses_collect(const char *interface, struct tp_addr *out)
{
	size_t n = ipv4_collect(interface, out, 0);
	FILE *f = fopen("/proc/net/if_inet6", "re");

	if (f != NULL) {
		n = conf_defaults_ipv6_collect(f, interface, out, n);
		fclose(f);
	}
	return n;
}

static bool interface_find(char interface[IFNAMSIZ])
{
	FILE *f = fopen("/proc/net/route", "re");
	int rc = -ENOENT;

	if (f != NULL) {
		rc = conf_defaults_route_find(f, interface);
		fclose(f);
	}
	f = rc < 0 ? fopen("/proc/net/ipv6_route", "re") : NULL;
	if (f != NULL) {
		rc = conf_defaults_route6_find(f, interface);
		fclose(f);
	}
	return rc == 0;
}

const char *conf_defaults_text(
	struct conf_loader *load, const char *interface, const struct tp_addr *addresses, size_t n)
{
	const char *text = conf_textf(
		load, "dataplane:\n  ports:\n    - interface: \"%s\"\nlisteners:\n", interface);

	for (size_t i = 0; i < n; i++) {
		char ip[TEXT_ADDR_SIZE];

		text = conf_textf(
			load, "%s  - address: \"%s\"\n", text, text_ip_format(&addresses[i], ip));
	}
	return text;
}

const char *conf_defaults_make(struct conf_loader *load, const char *interface)
{
	static const char *const remedy = "name one with --interface, or write a configuration and "
					  "name it with --config";
	struct tp_addr addresses[DEFAULTS_ADDRESSES_MAX];
	char found[IFNAMSIZ];
	size_t n;

	if (interface == NULL) {
		if (!interface_find(found)) {
			conf_complain(load, NULL, remedy,
				"no default route, so no interface can be chosen");
			return NULL;
		}
		interface = found;
	}
	if (if_nametoindex(interface) == 0) {
		conf_complain(load, NULL, "give a name that `ip link` shows",
			"interface %s does not exist", conf_quote(load, interface));
		return NULL;
	}
	n = addresses_collect(interface, addresses);
	if (n == 0) {
		conf_complain(load, NULL, remedy, "the interface %s has no usable address",
			conf_quote(load, interface));
		return NULL;
	}
	load->file = conf_textf(load, "defaults for %s", interface);
	return conf_defaults_text(load, interface, addresses, n);
}

void conf_defaults_secret_make(struct conf_loader *load)
{
	struct conf_secret *secret = conf_array(load, 1, sizeof(*secret));
	char *text = conf_array(load, 2 * SECRET_OCTETS + 1, 1);
	uint8_t octets[SECRET_OCTETS];

	if (secret == NULL || text == NULL)
		return;
	if (getrandom(octets, sizeof(octets), 0) != (ssize_t)sizeof(octets)) {
		conf_complain(load, NULL, "write a configuration with a secret of your own",
			"the kernel returned no random numbers");
		return;
	}
	for (size_t i = 0; i < SECRET_OCTETS; i++)
		snprintf(text + 2 * i, 3, "%02x", octets[i]);
	explicit_bzero(octets, sizeof(octets));
	*secret = (struct conf_secret){
		.id = "generated",
		.octets = {(const uint8_t *)text, 2 * SECRET_OCTETS},
	};
	load->draft->conf.secrets = secret;
	load->draft->conf.n_secrets = 1;
	load->draft->conf.secret_generated = true;
}
