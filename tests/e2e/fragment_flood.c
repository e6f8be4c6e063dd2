// SPDX-License-Identifier: BSD-3-Clause
// Sends fragments that never make a datagram, past the kernel's stack, until its time is over:
// first ones of datagrams without an end, from one source and from spoofed ones, overlapping and
// tiny ones, of IPv4 and IPv6, each datagram with an identification of its own. Prints how many the
// interface took, and how many it had no room for.
//
//   fragment_flood INTERFACE SOURCE-MAC TO-MAC FROM4 TO4 FROM6 TO6 PORT RATE SECONDS
//
// Spoofed sources are of the network of FROM4, /24, and that of FROM6, /64. RATE 0: as many as go.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH	    64u
#define FRAME	    512u
#define FIRST	    256u // bytes of a first fragment
#define TINY	    8u
#define TINY_COUNT  69u
#define SECONDS_MAX 600
#define UDP	    17u
#define FRAGMENT    44u // IPv6's header
#define MORE	    1u

struct flood {
	int fd;
	uint8_t ethernet[14];
	uint8_t from4[4], to4[4], from6[16], to6[16];
	uint16_t port;
	uint64_t random;
	uint64_t sent, refused;
	unsigned n;
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	uint8_t frames[BATCH][FRAME];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t random_next(struct flood *f)
{
	f->random = f->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(f->random >> 32);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

// ---- frames -------------------------------------------------------------------------------------

static void flush(struct flood *f)
{
	unsigned at = 0;

	while (at < f->n) {
		int n = sendmmsg(f->fd, f->m + at, f->n - at, MSG_DONTWAIT);

		if (n <= 0)
			break;
		at += (unsigned)n;
	}
	f->sent += at;
	f->refused += f->n - at;
	f->n = 0;
}

static uint8_t *frame_begin(struct flood *f, uint16_t type)
{
	uint8_t *frame = f->frames[f->n];

	memcpy(frame, f->ethernet, 12);
	put16(frame + 12, type);
	return frame + 14;
}

static void frame_end(struct flood *f, size_t len)
{
	f->v[f->n] = (struct iovec){.iov_base = f->frames[f->n], .iov_len = 14 + len};
	f->m[f->n].msg_hdr = (struct msghdr){.msg_iov = &f->v[f->n], .msg_iovlen = 1};
	if (++f->n == BATCH)
		flush(f);
}

struct piece {
	bool spoofed;
	uint32_t source; // of a spoofed one
	uint32_t id;
	unsigned offset; // in units of 8 bytes
	unsigned len;
};

static void body_put(const struct flood *f, uint8_t *at, const struct piece *p)
{
	memset(at, 0, p->len);
	if (p->offset != 0)
		return;
	put16(at, 5000);
	put16(at + 2, f->port);
	put16(at + 4, 4000);
}

// Each has more to come: none is a datagram's end.
static void piece_send4(struct flood *f, const struct piece *p)
{
	uint8_t *ip = frame_begin(f, ETHERTYPE_IP);
	uint32_t sum = 0;

	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + p->len);
	put16(ip + 4, p->id);
	put16(ip + 6, 0x2000 | p->offset);
	ip[8] = 64;
	ip[9] = UDP;
	memcpy(ip + 12, f->from4, 4);
	if (p->spoofed)
		ip[15] = (uint8_t)(3 + p->source % 247);
	memcpy(ip + 16, f->to4, 4);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)));
	body_put(f, ip + 20, p);
	frame_end(f, 20 + p->len);
}

static void piece_send6(struct flood *f, const struct piece *p)
{
	uint8_t *ip = frame_begin(f, ETHERTYPE_IPV6);

	memset(ip, 0, 48);
	ip[0] = 0x60;
	put16(ip + 4, 8 + p->len);
	ip[6] = FRAGMENT;
	ip[7] = 64;
	memcpy(ip + 8, f->from6, 16);
	if (p->spoofed)
		put16(ip + 22, 0x100 + p->source);
	memcpy(ip + 24, f->to6, 16);
	ip[40] = UDP;
	put16(ip + 42, p->offset << 3 | MORE);
	put16(ip + 44, p->id >> 16);
	put16(ip + 46, p->id);
	body_put(f, ip + 48, p);
	frame_end(f, 48 + p->len);
}

static void piece_send(struct flood *f, bool v6, const struct piece *p)
{
	if (v6)
		piece_send6(f, p);
	else
		piece_send4(f, p);
}

// ---- kinds --------------------------------------------------------------------------------------

// One bad datagram.
static void datagram_send(struct flood *f, unsigned kind, bool v6)
{
	struct piece p = {.id = random_next(f), .source = random_next(f) & 0xffff, .len = FIRST};

	switch (kind) {
	case 0: // without an end
		piece_send(f, v6, &p);
		break;
	case 1: // the same, from anywhere
		p.spoofed = true;
		piece_send(f, v6, &p);
		break;
	case 2: // overlapping
		piece_send(f, v6, &p);
		p.offset = FIRST / TINY / 2;
		piece_send(f, v6, &p);
		break;
	default: // tiny
		p.spoofed = true;
		p.len = TINY;
		for (; p.offset <= TINY_COUNT; p.offset++)
			piece_send(f, v6, &p);
		break;
	}
}

static void run(struct flood *f, double rate, double seconds)
{
	const struct timespec pause = {.tv_nsec = 200000};
	uint64_t start = now_ns(), span = 0;

	for (unsigned number = 0; (double)span < seconds * 1e9; span = now_ns() - start) {
		// Refused ones count as well: a full interface gets no more than the rate.
		if (rate > 0 && (double)(f->sent + f->refused) > (double)span * rate / 1e9) {
			nanosleep(&pause, NULL);
			continue;
		}
		for (unsigned i = 0; i < BATCH; i++, number++)
			// Tiny ones come by the seventy.
			datagram_send(f, number % 35 == 0 ? 3 : number % 3, number / 3 % 2 == 1);
		flush(f);
	}
	printf("%llu sent, %llu refused, %.0f per second\n", (unsigned long long)f->sent,
		(unsigned long long)f->refused, (double)f->sent * 1e9 / (double)span);
}

// ---- start --------------------------------------------------------------------------------------

static bool mac_read(const char *text, uint8_t out[6])
{
	unsigned b[6];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
		return false;
	for (unsigned i = 0; i < 6; i++)
		out[i] = (uint8_t)b[i];
	return true;
}

static bool socket_open(struct flood *f, const char *interface)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
	const int on = 1;

	// Protocol 0: it receives nothing.
	f->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	return f->fd >= 0 && a.sll_ifindex != 0 &&
	       setsockopt(f->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) == 0 &&
	       bind(f->fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

int main(int argc, char **argv)
{
	static struct flood f = {.fd = -1, .random = 1};
	double rate, seconds;

	if (argc != 11 || !mac_read(argv[2], f.ethernet + 6) || !mac_read(argv[3], f.ethernet) ||
		inet_pton(AF_INET, argv[4], f.from4) != 1 ||
		inet_pton(AF_INET, argv[5], f.to4) != 1 ||
		inet_pton(AF_INET6, argv[6], f.from6) != 1 ||
		inet_pton(AF_INET6, argv[7], f.to6) != 1) {
		fputs("fragment_flood INTERFACE SOURCE-MAC TO-MAC FROM4 TO4 FROM6 TO6 PORT RATE "
		      "SECONDS\n",
			stderr);
		return 2;
	}
	f.port = (uint16_t)atoi(argv[8]);
	rate = atof(argv[9]);
	seconds = atof(argv[10]);
	if (seconds <= 0 || seconds > SECONDS_MAX) {
		fprintf(stderr, "fragment_flood: SECONDS: up to %d\n", SECONDS_MAX);
		return 2;
	}
	if (!socket_open(&f, argv[1])) {
		fprintf(stderr, "fragment_flood: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	run(&f, rate, seconds);
	return 0;
}
