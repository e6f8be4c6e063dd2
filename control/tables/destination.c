// SPDX-License-Identifier: BSD-3-Clause
// Entries by the network of their destination, so that a changed route costs as much as the entries
// that it concerns.
#include "tables.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS 65536u

int tables_destinations_init(struct destinations *d, uint32_t n_entries)
{
	d->heads = calloc(BUCKETS, sizeof(*d->heads));
	d->links = calloc(n_entries, sizeof(*d->links));
	return d->heads == NULL || d->links == NULL ? -ENOMEM : 0;
}

void tables_destinations_fini(struct destinations *d)
{
	free(d->heads);
	free(d->links);
	*d = (struct destinations){.heads = NULL};
}

// The /24 of an IPv4 address, the /64 of an IPv6 address.
static uint64_t network_of(const struct tp_addr *a)
{
	return a->family == TP_FAMILY_IPV4 ? tp_load_be32(a->ip) >> 8 : tp_load_be64(a->ip);
}

static uint32_t *head_of(const struct destinations *d, uint64_t network)
{
	return &d->heads[network * 0x9e3779b97f4a7c15u >> 48];
}

static uint32_t *entry_head(const struct tables *t, uint32_t entry)
{
	struct tp_addr dst = tables_content_destination(entry_of(t, entry));

	return head_of(&t->destinations, network_of(&dst));
}

void tables_destination_add(struct tables *t, uint32_t entry)
{
	uint32_t *head = entry_head(t, entry);

	t->destinations.links[entry] = (struct link){.prev = 0, .next = *head};
	if (*head != 0)
		t->destinations.links[*head].prev = entry;
	*head = entry;
}

bool tables_destination_remove(struct tables *t, uint32_t entry)
{
	struct link *l = &t->destinations.links[entry];
	uint32_t *head = entry_head(t, entry);

	if (l->prev != 0)
		t->destinations.links[l->prev].next = l->next;
	else if (*head == entry)
		*head = l->next;
	else
		return false;
	if (l->next != 0)
		t->destinations.links[l->next].prev = l->prev;
	*l = (struct link){0, 0};
	return true;
}

static bool in_prefix(const struct tp_addr *a, const struct tp_addr *prefix, unsigned len)
{
	unsigned bytes = len / 8, bits = len % 8;

	return a->family == prefix->family && memcmp(a->ip, prefix->ip, bytes) == 0 &&
	       (bits == 0 || (a->ip[bytes] ^ prefix->ip[bytes]) >> (8 - bits) == 0);
}

bool tables_destinations_visit(struct tables *t, const struct tp_addr *prefix, unsigned len,
	void (*visit)(struct tables *t, uint32_t entry))
{
	unsigned network_len = prefix->family == TP_FAMILY_IPV4 ? 24 : 64;
	uint64_t network = network_of(prefix), n;

	if (len > tp_family_ip_len(prefix->family) * 8 || len + DESTINATION_BITS < network_len)
		return false;
	n = len < network_len ? (uint64_t)1 << (network_len - len) : 1;
	network &= ~(n - 1);
	for (uint64_t k = 0; k < n; k++) {
		uint32_t next;

		for (uint32_t i = *head_of(&t->destinations, network + k); i != 0; i = next) {
			struct tp_addr dst = tables_content_destination(entry_of(t, i));

			next = t->destinations.links[i].next;
			if (network_of(&dst) == network + k && in_prefix(&dst, prefix, len))
				visit(t, i);
		}
	}
	return true;
}
