// SPDX-License-Identifier: BSD-3-Clause
// Copies of one allocation's frames, as received and as sent. A frame belongs to the allocation
// when it goes between the client and the listener, or when it comes to or from a relayed transport
// address. With a stream client also its messages, as they come from and go to the edge: in the
// clear, and without the headers of its connection.
#pragma once

#include <observe/records.h>
#include <stage/stage.h>
#include <turnpike/capture.h>

#define CAPTURE_RING (1u << 20) // bytes per worker

// The part of a request that workers read.
struct capture_filter {
	uint32_t snaplen; // not 0
	uint32_t n_relayed;
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_addr relayed[2];
	uint64_t connection; // 0: none
};
TP_ASSERT_SIZE(struct capture_filter, 96);

struct capture {
	struct records records;
	_Atomic uint64_t filter[sizeof(struct capture_filter) / 8];
};

// Kept by a worker between the two ends of its burst.
struct capture_burst {
	uint32_t number; // 0: nothing is captured
	uint32_t head;	 // of the ring, with the records that are not published yet
	struct capture_filter filter;
	struct {
		uint8_t pkt;
		struct tp_capture_record *rec;
	} put[STAGE_BURST];
	unsigned n_put;
};

// Housekeeping: whether a request can be served; observe_capture_arm as observe_records_arm.
bool observe_capture_request_is_right(const struct tp_capture_request *r);
int observe_capture_arm(struct capture *c, const struct tp_capture_request *r);

// By worker `w`, around stage_run. At most STAGE_BURST frames.
void observe_capture_before(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, uint64_t now_ns);
void observe_capture_after(
	struct capture *c, struct capture_burst *b, unsigned w, const struct stage_pkt *pkts);
// Around the port's taking of frames, which is when they leave; only data, len and tx_port of each
// are read. The port refused those from `sent` on. At most STAGE_BURST frames.
void observe_capture_leaving(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, uint64_t now_ns);
void observe_capture_left(struct capture *c, struct capture_burst *b, unsigned w, unsigned sent);
// In place of observe_capture_before for messages of stream clients.
void observe_capture_messages(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, const struct stage_message *messages, unsigned n,
	uint64_t now_ns);
// Around stage_edge_give: the worker's n_stream_out of before, at most STAGE_BURST.
void observe_capture_giving(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_stream_out *out, unsigned n, uint64_t now_ns);
void observe_capture_given(
	struct capture *c, struct capture_burst *b, unsigned w, const struct stage_stream_out *out);
