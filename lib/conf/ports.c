// SPDX-License-Identifier: BSD-3-Clause
// Settles the ports and cores of the data plane.
#include "settle.h"

#include <turnpike/limits.h>

#include <net/if.h>
#include <string.h>

static int u32_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int string_compare(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

// Twins are interfaces too.
static const char *interface_of(const struct conf_port *p)
{
	return p->kernel != NULL ? p->kernel : p->interface;
}

static int interface_compare(const void *a, const void *b)
{
	return string_compare(interface_of(a), interface_of(b));
}

static int device_compare(const void *a, const void *b)
{
	return string_compare(
		((const struct conf_port *)a)->device, ((const struct conf_port *)b)->device);
}

// Two ports may both be without.
static void tell_same_interface(
	struct conf_loader *load, const struct spot *first, const struct spot *second)
{
	if (interface_of(second->at) != NULL)
		conf_complain(load, second, "open each interface once",
			"names the same interface as line %u", first->line);
}

static void tell_same_device(
	struct conf_loader *load, const struct spot *first, const struct spot *second)
{
	if (((const struct conf_port *)second->at)->device != NULL)
		conf_complain(load, second, "open each device once",
			"names the same device as line %u", first->line);
}

static bool is_interface_name(const char *name)
{
	return name[0] != '\0' && strlen(name) < IFNAMSIZ && strpbrk(name, "/ :,%") == NULL &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void twin_check(struct conf_loader *load, const struct conf_port *p)
{
	const struct spot *where = conf_spot_of_value(load, &p->kernel);

	if (!is_interface_name(p->kernel))
		conf_complain(load, where, "give a name such as tp0", "invalid interface name %s",
			conf_quote(load, p->kernel));
	else if (p->device == NULL || p->interface != NULL)
		conf_complain(load, where,
			"interface: for a device that the kernel sees, kernel: beside device: for "
			"one that it does not",
			"needs a device without an interface");
}

static void port_check(
	struct conf_loader *load, const struct conf_port *p, const struct spot *where)
{
	if (p->kernel != NULL)
		twin_check(load, p);
	if (p->interface == NULL && p->device == NULL)
		conf_complain(load, where, "give interface: NAME, or device: a PCI address",
			"names neither an interface nor a device");
	if (p->interface != NULL && !is_interface_name(p->interface))
		conf_complain(load, conf_spot_of_value(load, &p->interface),
			"give a name that `ip link` shows", "invalid interface name %s",
			conf_quote(load, p->interface));
	if (p->device != NULL && strpbrk(p->device, " \"'") != NULL)
		conf_complain(load, conf_spot_of_value(load, &p->device),
			"give a PCI address such as 0000:3b:00.0, or NAME,key=value,...",
			"%s is not a DPDK device", conf_quote(load, p->device));
	if (p->device != NULL && strlen(p->device) > DEVICE_MAX)
		conf_complain(load, conf_spot_of_value(load, &p->device), "shorten its arguments",
			"is longer than %u bytes", DEVICE_MAX);
}

void conf_settle_ports(struct conf_loader *load)
{
	const struct conf_dataplane *d = &load->draft->conf.dataplane;
	const struct spot *workers = conf_spot_of_value(load, &d->workers);

	for (size_t i = 0; i < d->n_ports; i++) {
		const struct spot *where = conf_spot_of_struct(load, &d->ports[i]);

		if (where != NULL)
			port_check(load, &d->ports[i], where);
	}
	if (d->n_ports > TP_PORTS_MAX)
		conf_complain(load, NULL, "use fewer", "dataplane.ports: %zu are more than %u",
			d->n_ports, TP_PORTS_MAX);
	conf_pairs_find(load, &(struct conf_pairs){d->ports, d->n_ports, sizeof(*d->ports), true,
				      interface_compare, tell_same_interface});
	conf_pairs_find(load, &(struct conf_pairs){d->ports, d->n_ports, sizeof(*d->ports), true,
				      device_compare, tell_same_device});
	conf_pairs_find(load, &(struct conf_pairs){d->cores, d->n_cores, sizeof(*d->cores), false,
				      u32_compare, conf_tell_same});
	if (d->n_cores > 0 && d->n_cores != d->workers)
		conf_complain(load,
			workers != NULL ? workers : conf_spot_of_value(load, &d->cores[0]),
			conf_textf(load, "write workers: %zu, or give %u cores", d->n_cores,
				d->workers),
			"%u workers for %zu cores", d->workers, d->n_cores);
}
