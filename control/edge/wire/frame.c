// SPDX-License-Identifier: BSD-3-Clause
#include <wire/frame.h>

#include <turnpike/ring.h>
#include <turnpike/stun.h>

_Static_assert(WIRE_MESSAGE_MAX == TP_RING_DATA_MAX, "a message fills a ring's slot");

struct shape {
	size_t len;   // of the message; 0: not known yet
	size_t taken; // on the stream, padding included
	enum wire_fault fault;
};

// The two bits before the first message of a STUN agent are 0; a channel number begins with 01.
static struct shape shape_of(const uint8_t *p, size_t len)
{
	struct shape s = {0};

	if ((p[0] & 0x80) != 0)
		return (struct shape){.fault = WIRE_FAULT_first};
	if (len < TP_CHANNEL_HEADER_LEN)
		return s;
	s.len = tp_load_be16(p + 2);
	if ((p[0] & 0x40) != 0) {
		s.len += TP_CHANNEL_HEADER_LEN;
		s.taken = s.len + wire_padding(s.len);
		return s;
	}
	if ((s.len & 3) != 0)
		return (struct shape){.fault = WIRE_FAULT_length};
	if (len < 8)
		return (struct shape){0};
	if (tp_load_be32(p + 4) != TP_STUN_MAGIC_COOKIE)
		return (struct shape){.fault = WIRE_FAULT_cookie};
	s.len += TP_STUN_HEADER_LEN;
	s.taken = s.len;
	return s;
}

static void skipped_pass(struct wire_framer *s, struct wire_frame *f, size_t len)
{
	size_t n = len - f->at < s->skip ? len - f->at : s->skip;

	f->at += n;
	s->skip -= (uint32_t)n;
}

enum wire_step wire_frame_next(
	struct wire_framer *s, struct wire_frame *f, const uint8_t *bytes, size_t len)
{
	for (;;) {
		struct shape shape;

		skipped_pass(s, f, len);
		if (f->at == len)
			return WIRE_STEP_MORE;
		shape = shape_of(bytes + f->at, len - f->at);
		if (shape.fault != WIRE_FAULT_NONE) {
			f->fault = shape.fault;
			return WIRE_STEP_FAULT;
		}
		if (shape.len > WIRE_MESSAGE_MAX) {
			s->skip = (uint32_t)shape.taken;
			s->oversize++;
			continue;
		}
		if (shape.len == 0 || shape.taken > len - f->at)
			return WIRE_STEP_MORE;
		f->data = bytes + f->at;
		f->len = shape.len;
		f->at += shape.taken;
		return WIRE_STEP_MESSAGE;
	}
}

const char *wire_fault_name(enum wire_fault fault)
{
	static const char *const names[WIRE_FAULT_COUNT] = {[WIRE_FAULT_NONE] = "none",
#define WIRE_FAULT_NAME(name, text) [WIRE_FAULT_##name] = "garbage_" #name,
		WIRE_FAULTS(WIRE_FAULT_NAME)
#undef WIRE_FAULT_NAME
	};

	return names[fault];
}

const char *wire_fault_text(enum wire_fault fault)
{
	static const char *const texts[WIRE_FAULT_COUNT] = {[WIRE_FAULT_NONE] = "",
#define WIRE_FAULT_TEXT(name, text) [WIRE_FAULT_##name] = (text),
		WIRE_FAULTS(WIRE_FAULT_TEXT)
#undef WIRE_FAULT_TEXT
	};

	return texts[fault];
}
