// SPDX-License-Identifier: BSD-3-Clause
#include "pcapng.h"

#include <string.h>

#include <turnpike/base.h>

enum block { INTERFACE = 1, STATISTICS = 5, PACKET = 6, SECTION = 0x0a0d0d0a };

// Options of every block, of sections, interfaces, packets and statistics.
enum option {
	END = 0,
	COMMENT = 1,
	SHB_HARDWARE = 2,
	SHB_OS = 3,
	SHB_APPLICATION = 4,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	EPB_FLAGS = 2,
	ISB_START = 2,
	ISB_END = 3,
	ISB_RECEIVED = 4,
	ISB_DROPPED = 5,
};

#define ETHERNET   1u
#define BODY_MAX   2048u // of a block without its packet
#define TEXT_MAX   256u
#define INBOUND	   1u
#define OUTBOUND   2u
#define NANOSECOND 9u

// A block's body, or the part of it behind the packet.
struct body {
	uint8_t octets[BODY_MAX];
	uint32_t len;
};

static void padded_add(struct body *b, const void *data, uint32_t len)
{
	uint32_t padded = (len + 3) & ~3u;

	if (padded > BODY_MAX - b->len)
		return;
	memset(b->octets + b->len, 0, padded);
	if (len > 0)
		memcpy(b->octets + b->len, data, len);
	b->len += padded;
}

static void word_add(struct body *b, uint32_t v)
{
	padded_add(b, &v, sizeof(v));
}

// Times are two words, the high one first.
static void time_add(struct body *b, uint64_t ns)
{
	word_add(b, (uint32_t)(ns >> 32));
	word_add(b, (uint32_t)ns);
}

static void option_add(struct body *b, enum option code, const void *data, uint32_t len)
{
	const uint16_t head[2] = {(uint16_t)code, (uint16_t)len};

	padded_add(b, head, sizeof(head));
	padded_add(b, data, len);
}

static void text_add(struct body *b, enum option code, const char *text)
{
	if (text != NULL)
		option_add(b, code, text, (uint32_t)strnlen(text, TEXT_MAX));
}

static void time_option_add(struct body *b, enum option code, uint64_t ns)
{
	const uint32_t words[2] = {(uint32_t)(ns >> 32), (uint32_t)ns};

	option_add(b, code, words, sizeof(words));
}

static void block_write(FILE *out, uint32_t type, const struct body *before, const void *data,
	uint32_t data_len, const struct body *behind)
{
	static const uint8_t zeros[4];
	uint32_t padding = -data_len & 3u;
	uint32_t total = 12 + before->len + data_len + padding + (behind ? behind->len : 0);
	const uint32_t head[2] = {type, total};

	fwrite(head, sizeof(head), 1, out);
	fwrite(before->octets, 1, before->len, out);
	if (data_len > 0)
		fwrite(data, 1, data_len, out);
	fwrite(zeros, 1, padding, out);
	if (behind != NULL)
		fwrite(behind->octets, 1, behind->len, out);
	fwrite(&total, sizeof(total), 1, out);
}

void pcapng_section(FILE *out, const char *hardware, const char *os, const char *application)
{
	const uint16_t version[2] = {1, 0};
	const uint64_t unknown_len = UINT64_MAX;
	struct body b = {.len = 0};

	word_add(&b, 0x1a2b3c4d);
	padded_add(&b, version, sizeof(version));
	padded_add(&b, &unknown_len, sizeof(unknown_len));
	text_add(&b, SHB_HARDWARE, hardware);
	text_add(&b, SHB_OS, os);
	text_add(&b, SHB_APPLICATION, application);
	option_add(&b, END, NULL, 0);
	block_write(out, SECTION, &b, NULL, 0, NULL);
}

void pcapng_interface(FILE *out, const char *name, uint32_t snaplen)
{
	const uint16_t link[2] = {ETHERNET, 0};
	const uint8_t resolution = NANOSECOND;
	struct body b = {.len = 0};

	padded_add(&b, link, sizeof(link));
	word_add(&b, snaplen);
	text_add(&b, IF_NAME, name);
	option_add(&b, IF_TSRESOL, &resolution, sizeof(resolution));
	option_add(&b, END, NULL, 0);
	block_write(out, INTERFACE, &b, NULL, 0, NULL);
}

void pcapng_packet(FILE *out, const struct pcapng_packet *p)
{
	const uint32_t flags = p->outbound ? OUTBOUND : INBOUND;
	struct body before = {.len = 0}, behind = {.len = 0};

	word_add(&before, p->interface);
	time_add(&before, p->time_ns);
	word_add(&before, p->taken);
	word_add(&before, p->len);
	option_add(&behind, EPB_FLAGS, &flags, sizeof(flags));
	text_add(&behind, COMMENT, p->comment);
	option_add(&behind, END, NULL, 0);
	block_write(out, PACKET, &before, p->data, p->taken, &behind);
}

void pcapng_statistics(FILE *out, uint32_t interface, uint64_t start_ns, uint64_t end_ns,
	uint64_t received, uint64_t dropped)
{
	struct body b = {.len = 0};

	word_add(&b, interface);
	time_add(&b, end_ns);
	time_option_add(&b, ISB_START, start_ns);
	time_option_add(&b, ISB_END, end_ns);
	option_add(&b, ISB_RECEIVED, &received, sizeof(received));
	option_add(&b, ISB_DROPPED, &dropped, sizeof(dropped));
	option_add(&b, END, NULL, 0);
	block_write(out, STATISTICS, &b, NULL, 0, NULL);
}
