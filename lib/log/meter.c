// SPDX-License-Identifier: BSD-3-Clause
#include "meter.h"

#include <string.h>

// The address of the line's client; NULL: it names none.
static const struct tp_addr *client_of(const struct log_field *fields)
{
	for (const struct log_field *f = fields; f != NULL && f->type != LOG_TYPE_END; f++) {
		if (f->type == LOG_TYPE_ADDR && strcmp(f->key, "client") == 0)
			return f->data;
	}
	return NULL;
}

// FNV-1a, folded.
static unsigned prefix_slot(const struct tp_addr *client)
{
	unsigned len = client->family == TP_FAMILY_IPV6 ? 8 : 4;
	uint32_t hash = 2166136261u;

	for (unsigned i = 0; i < len; i++)
		hash = (hash ^ client->ip[i]) * 16777619u;
	return (hash ^ hash >> 16) % METER_PREFIXES;
}

bool meter_pass(struct meter *m, unsigned lines_per_s, const struct log_field *fields,
	uint64_t now_ns, uint64_t *suppressed)
{
	const struct tp_addr *client = lines_per_s > 0 ? client_of(fields) : NULL;
	uint16_t *share = client != NULL ? &m->by_prefix[prefix_slot(client)] : NULL;

	if (m->lines == 0 || now_ns - m->window_ns >= METER_WINDOW_NS) {
		m->window_ns = now_ns;
		m->lines = 0;
		memset(m->by_prefix, 0, sizeof(m->by_prefix));
	}
	if (lines_per_s > 0 && (m->lines >= lines_per_s ||
				       (share != NULL && 2u * *share > lines_per_s - m->lines))) {
		m->suppressed++;
		return false;
	}
	m->lines++;
	if (share != NULL)
		++*share;
	*suppressed = m->suppressed;
	m->suppressed = 0;
	return true;
}
