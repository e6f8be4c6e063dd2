// SPDX-License-Identifier: BSD-3-Clause
// From the rings of an observation to the socket of its reader. It never waits: records that a slow
// reader does not take stay in the rings until these are full. Housekeeping's thread only.
#pragma once

#include <observe/records.h>

struct stream {
	struct records *records;
	int fd; // the reader's socket; -1: nobody reads
	uint64_t until_ns;
	uint32_t cause; // enum tp_observe_end_cause
	bool ending;	// disarmed; the rest of the rings goes out, then the END
	size_t len;	// bytes of `message` that wait; 0: none
	uint8_t message[TP_OBSERVE_MESSAGE_MAX] TP_ALIGNED(8);
};

void observe_stream_init(struct stream *s, struct records *r);
// Whether a stranger's descriptor keeps messages apart and can't make us wait.
bool observe_stream_is_reader(int fd);
// Takes over `fd` and tells it `state`. TP_OBSERVE_RUNS: the records are armed, none is read yet;
// else it is closed.
void observe_stream_begin(
	struct stream *s, int fd, enum tp_observe_state state, uint32_t seconds, uint64_t now_ns);
// Ends the observation for this reason, if there is one.
void observe_stream_end(struct stream *s, enum tp_observe_end_cause cause, uint64_t now_ns);
// Sends the records there are.
void observe_stream_tick(struct stream *s, uint64_t now_ns);
// Sends the END where the reader takes it, and closes.
void observe_stream_stop(struct stream *s, enum tp_observe_end_cause cause, uint64_t now_ns);
