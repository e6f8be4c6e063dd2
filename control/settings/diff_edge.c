// SPDX-License-Identifier: BSD-3-Clause
// Changes that turnpike-edge has to take over by a reload, or a restart, of its own.
#include "parts.h"

#include <string.h>

static bool certificates_equal(const struct conf_edge *a, const struct conf_edge *b)
{
	bool same = a->n_certificates == b->n_certificates;

	for (size_t i = 0; same && i < a->n_certificates; i++) {
		const struct conf_certificate *x = &a->certificates[i], *y = &b->certificates[i];

		same = strcmp(x->certificate, y->certificate) == 0 && strcmp(x->key, y->key) == 0 &&
		       settings_texts_equal(x->ocsp, y->ocsp);
	}
	return same;
}

static void section_compare(
	struct settings_diff *d, const struct conf_edge *a, const struct conf_edge *b)
{
	if (b->connections < a->connections)
		settings_diff_number(d, "edge.connections", false, a->connections, b->connections);
	settings_diff_number(d, "edge.connections_per_prefix", false, a->connections_per_prefix,
		b->connections_per_prefix);
	settings_diff_number(d, "edge.handshake_rate", false, a->handshake_rate, b->handshake_rate);
	settings_diff_number(d, "edge.handshake_rate_per_prefix", false,
		a->handshake_rate_per_prefix, b->handshake_rate_per_prefix);
	settings_diff_number(
		d, "edge.handshake_timeout", false, a->handshake_timeout_s, b->handshake_timeout_s);
	settings_diff_number(d, "edge.idle_timeout", false, a->idle_timeout_s, b->idle_timeout_s);
	settings_diff_number(d, "edge.drain", false, a->drain_s, b->drain_s);
	settings_diff_number(d, "edge.queue_age_ms", false, a->queue_age_ms, b->queue_age_ms);
	settings_diff_number(d, "edge.queue_bytes", false, a->queue_bytes, b->queue_bytes);
	if (!certificates_equal(a, b))
		settings_diff_add(d, "edge.certificates", false, "changed");
	if (b->ticket_key_file != NULL)
		settings_diff_text(
			d, "edge.ticket_key_file", false, a->ticket_key_file, b->ticket_key_file);
}

static void certificate_compare(
	struct settings_diff *d, const struct conf_listener *from, const struct conf_listener *to)
{
	char text[TEXT_ADDR_SIZE];

	if (!settings_texts_equal(from->certificate, to->certificate) ||
		!settings_texts_equal(from->client_ca, to->client_ca))
		settings_diff_add(d, "listeners", false, "%s has other certificates",
			text_addr_format(&to->addr, text));
}

static void opening_compare(
	struct settings_diff *d, const struct conf_listener *from, const struct conf_listener *to)
{
	char text[TEXT_ADDR_SIZE];

	if (!conf_listener_same(from, to))
		settings_diff_add(d, "listeners", false,
			"%s has other proxies, names, backends or websocket",
			text_addr_format(&to->addr, text));
}

static void listeners_compare(struct settings_diff *d, const struct conf *from,
	const struct conf *to,
	void (*compare)(struct settings_diff *d, const struct conf_listener *from,
		const struct conf_listener *to))
{
	for (size_t i = 0; i < to->n_listeners; i++) {
		const struct conf_listener *was = settings_listener_find(from, &to->listeners[i]);

		if (was != NULL)
			compare(d, was, &to->listeners[i]);
	}
}

void settings_diff_edge(struct settings_diff *d, const struct conf *from, const struct conf *to)
{
	unsigned first = d->n;

	section_compare(d, &from->edge, &to->edge);
	listeners_compare(d, from, to, certificate_compare);
	settings_diff_reach(d, first, SETTINGS_EDGE);
	first = d->n;
	settings_diff_number(d, "edge.threads", false, from->edge.threads, to->edge.threads);
	// A thread has room for so many as it started with.
	if (to->edge.connections > from->edge.connections)
		settings_diff_number(
			d, "edge.connections", false, from->edge.connections, to->edge.connections);
	// A seed that it has read stays.
	if (to->edge.ticket_key_file == NULL)
		settings_diff_text(
			d, "edge.ticket_key_file", false, from->edge.ticket_key_file, NULL);
	listeners_compare(d, from, to, opening_compare);
	settings_diff_reach(d, first, SETTINGS_EDGE_START);
}
