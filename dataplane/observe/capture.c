// SPDX-License-Identifier: BSD-3-Clause
#include <observe/capture.h>

#include "secrets.h"

static bool is_address(const struct tp_addr *a)
{
	return a->family == TP_FAMILY_IPV4 || a->family == TP_FAMILY_IPV6;
}

bool observe_capture_request_is_right(const struct tp_capture_request *r)
{
	if (r->ask.magic != TP_CAPTURE_REQUEST_MAGIC || r->ask.number == 0 || r->ask.count == 0 ||
		r->ask.count > TP_CAPTURE_FRAMES_MAX || r->ask.seconds == 0 ||
		r->ask.seconds > TP_CAPTURE_SECONDS_MAX || r->n_relayed > TP_ARRAY_LEN(r->relayed))
		return false;
	for (unsigned i = 0; i < r->n_relayed; i++) {
		if (!is_address(&r->relayed[i]))
			return false;
	}
	return is_address(&r->client) && is_address(&r->listener);
}

int observe_capture_arm(struct capture *c, const struct tp_capture_request *r)
{
	struct capture_filter filter = {
		.snaplen = r->snaplen == 0 || r->snaplen > TP_CAPTURE_TAKEN_MAX
				   ? TP_CAPTURE_TAKEN_MAX
				   : r->snaplen,
		.n_relayed = r->n_relayed,
		.client = r->client,
		.listener = r->listener,
		.relayed = {r->relayed[0], r->relayed[1]},
		.connection = r->connection,
	};
	uint64_t words[TP_ARRAY_LEN(c->filter)];

	_Static_assert(sizeof(words) == sizeof(filter), "whole words");
	memcpy(words, &filter, sizeof(words));
	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		atomic_store_explicit(&c->filter[i], words[i], memory_order_relaxed);
	return observe_records_arm(&c->records, r->ask.number, r->ask.count);
}

static bool is_one_of(const struct capture_filter *f, const struct tp_addr *relayed)
{
	for (unsigned i = 0; i < f->n_relayed; i++) {
		if (tp_addr_equal(&f->relayed[i], relayed))
			return true;
	}
	return false;
}

static bool belongs(const struct capture_filter *f, const struct stage_pkt *pkt, bool sent)
{
	struct tp_addr from, to;
	uint16_t payload;

	if (!endpoints_read(pkt->data, pkt->len, &from, &to, &payload))
		return false;
	if (sent)
		return is_one_of(f, &from) ||
		       (tp_addr_equal(&f->client, &to) && tp_addr_equal(&f->listener, &from));
	return is_one_of(f, &to) ||
	       (tp_addr_equal(&f->client, &from) && tp_addr_equal(&f->listener, &to));
}

static struct tp_capture_record *frame_put(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkt, uint8_t source, uint64_t now_ns)
{
	uint16_t taken = pkt->len < b->filter.snaplen ? pkt->len : (uint16_t)b->filter.snaplen;
	uint32_t size = (uint32_t)(sizeof(struct tp_capture_record) + taken + 7) & ~7u;
	struct tp_capture_record *rec =
		observe_records_reserve(&c->records, w, &b->head, size, source);

	if (rec == NULL)
		return NULL;
	memset((uint8_t *)rec + size - 8, 0, 8);
	*rec = (struct tp_capture_record){
		.head = {size, b->number, now_ns},
		.len = pkt->len,
		.taken = taken,
		.port = source,
		.worker = w,
	};
	memcpy(rec + 1, pkt->data, taken);
	return rec;
}

// The filter may change while it is read: then it is of another capture, and this burst of none.
static bool filter_read(struct capture *c, struct capture_burst *b)
{
	const _Atomic uint32_t *armed = &c->records.armed;
	uint64_t words[TP_ARRAY_LEN(c->filter)];

	b->number = atomic_load_explicit(armed, memory_order_acquire);
	if (b->number == 0)
		return false;
	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		words[i] = atomic_load_explicit(&c->filter[i], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(armed, memory_order_relaxed) != b->number)
		b->number = 0;
	memcpy(&b->filter, words, sizeof(words));
	return b->number != 0;
}

static void put_note(struct capture_burst *b, unsigned i, struct tp_capture_record *rec)
{
	b->put[b->n_put].pkt = (uint8_t)i;
	b->put[b->n_put++].rec = rec;
}

// Those that belong, not published yet.
static void frames_put(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, enum tp_capture_direction direction,
	uint64_t now_ns)
{
	b->n_put = 0;
	if (!filter_read(c, b))
		return;
	b->head = observe_records_head(&c->records, w);
	for (unsigned i = 0; i < n && i < STAGE_BURST; i++) {
		bool sent = direction == TP_CAPTURE_SENT;
		struct tp_capture_record *rec;

		if (!belongs(&b->filter, &pkts[i], sent))
			continue;
		rec = frame_put(
			c, b, w, &pkts[i], sent ? pkts[i].tx_port : pkts[i].rx_port, now_ns);
		if (rec == NULL)
			continue;
		rec->direction = direction;
		secrets_blank(
			(uint8_t *)(rec + 1), (uint16_t)rec->taken, &b->filter.listener, sent);
		put_note(b, i, rec);
	}
}

static bool is_captured(const struct capture_burst *b, uint64_t connection)
{
	return connection != 0 && connection == b->filter.connection;
}

static void message_put(struct capture *c, struct capture_burst *b, unsigned w, unsigned i,
	const struct stage_pkt *pkt, enum tp_capture_direction direction, uint64_t now_ns)
{
	struct tp_capture_record *rec = frame_put(c, b, w, pkt, TP_OBSERVE_EDGE, now_ns);

	if (rec == NULL)
		return;
	rec->direction = direction;
	rec->form = TP_CAPTURE_MESSAGE;
	secrets_blank_message((uint8_t *)(rec + 1), rec->taken);
	put_note(b, i, rec);
}

static void frames_publish(struct capture *c, const struct capture_burst *b, unsigned w)
{
	if (b->number != 0)
		observe_records_publish(&c->records, w, b->head);
}

void observe_capture_before(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, uint64_t now_ns)
{
	frames_put(c, b, w, pkts, n, TP_CAPTURE_RECEIVED, now_ns);
}

void observe_capture_after(
	struct capture *c, struct capture_burst *b, unsigned w, const struct stage_pkt *pkts)
{
	for (unsigned i = 0; i < b->n_put; i++) {
		const struct stage_pkt *pkt = &pkts[b->put[i].pkt];
		struct tp_capture_record *rec = b->put[i].rec;

		rec->verdict = observed_verdict(pkt);
		rec->reason = pkt->verdict == STAGE_DROP ? pkt->reason : TP_DROP_none;
	}
	frames_publish(c, b, w);
}

void observe_capture_leaving(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, uint64_t now_ns)
{
	frames_put(c, b, w, pkts, n, TP_CAPTURE_SENT, now_ns);
}

void observe_capture_left(struct capture *c, struct capture_burst *b, unsigned w, unsigned sent)
{
	for (unsigned i = 0; i < b->n_put; i++) {
		struct tp_capture_record *rec = b->put[i].rec;
		bool left = b->put[i].pkt < sent;

		rec->verdict = left ? STAGE_SEND : STAGE_DROP;
		rec->reason = left ? TP_DROP_none : TP_DROP_tx_full;
	}
	frames_publish(c, b, w);
}

void observe_capture_messages(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, const struct stage_message *messages, unsigned n,
	uint64_t now_ns)
{
	b->n_put = 0;
	if (!filter_read(c, b))
		return;
	b->head = observe_records_head(&c->records, w);
	for (unsigned i = 0; i < n && i < STAGE_BURST; i++) {
		if (!messages[i].is_records && is_captured(b, messages[i].connection))
			message_put(c, b, w, i, &pkts[i], TP_CAPTURE_RECEIVED, now_ns);
	}
}

void observe_capture_giving(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_stream_out *out, unsigned n, uint64_t now_ns)
{
	b->n_put = 0;
	if (!filter_read(c, b))
		return;
	b->head = observe_records_head(&c->records, w);
	for (unsigned i = 0; i < n && i < STAGE_BURST; i++) {
		if (is_captured(b, out[i].connection))
			message_put(c, b, w, i, out[i].pkt, TP_CAPTURE_SENT, now_ns);
	}
}

void observe_capture_given(
	struct capture *c, struct capture_burst *b, unsigned w, const struct stage_stream_out *out)
{
	for (unsigned i = 0; i < b->n_put; i++) {
		struct tp_capture_record *rec = b->put[i].rec;

		rec->reason = out[b->put[i].pkt].reason;
		rec->verdict = rec->reason == TP_DROP_none ? STAGE_SEND : STAGE_DROP;
	}
	frames_publish(c, b, w);
}
