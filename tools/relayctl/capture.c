// SPDX-License-Identifier: BSD-3-Clause
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <text/addr.h>
#include <turnpike/capture.h>
#include <turnpike/drop.h>

#include "encap.h"
#include "pcapng.h"
#include "stream.h"

#define EDGE_NAME "turnpike-edge" // interface of a stream client's messages

struct taking {
	FILE *out;
	uint32_t n_ports;      // interfaces of ports
	uint32_t n_interfaces; // those, and with a stream client one of its messages
	uint32_t snaplen;      // 0: all
	const char *transport; // of the stream client; NULL: none
	struct rctl_encap encap;
	struct rctl_stream stream;
	uint64_t first_ns, last_ns;
	uint64_t frames;
	uint64_t refused; // of them, by the port when they were to leave
	uint64_t frames_of[TP_OBSERVE_SOURCES];
};

static bool is_stdout(const char *path)
{
	return path == NULL || strcmp(path, "-") == 0;
}

bool rctl_capture_may_write(const char *path)
{
	if (!is_stdout(path) || isatty(STDOUT_FILENO) != 1)
		return true;
	fprintf(stderr, "relayctl: a capture is not for the terminal\n"
			"  next: give a file, -w FILE, or pipe it: relayctl capture ALLOCATION | "
			"tcpdump -r -\n");
	return false;
}

// NULL after a message.
static FILE *file_open(const char *path)
{
	struct stat st;
	FILE *out;
	int fd;

	if (is_stdout(path))
		return stdout;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	// A file that others can read must not become a capture for them.
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		(fchmod(fd, 0600) != 0 || ftruncate(fd, 0) != 0)) {
		int err = errno;

		close(fd);
		fd = -1;
		errno = err;
	}
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (out == NULL)
		fprintf(stderr, "relayctl: %s: %s\n", path, strerror(errno));
	return out;
}

static bool address_read(const json_t *result, const char *key, struct tp_addr *out)
{
	const char *text = json_string_value(json_object_get(result, key));

	return text != NULL && text_addr_parse(text, out) == 0;
}

// A stream client's messages come without the headers of its connection.
static void client_read(struct taking *t, const json_t *result)
{
	const char *transport = json_string_value(json_object_get(result, "transport"));

	if (transport == NULL || strcmp(transport, "udp") == 0 ||
		!address_read(result, "client", &t->encap.client) ||
		!address_read(result, "listener", &t->encap.listener) ||
		t->encap.client.family != t->encap.listener.family)
		return;
	t->transport = transport;
	t->encap.by_tcp = strcmp(transport, "dtls") != 0;
}

static void file_begin(struct taking *t, const json_t *result)
{
	const json_t *ports = json_object_get(result, "ports");
	struct utsname host = {0};
	char os[sizeof(host.sysname) + sizeof(host.release) + 1];
	size_t i;
	const json_t *name;

	(void)uname(&host);
	snprintf(os, sizeof(os), "%s %s", host.sysname, host.release);
	pcapng_section(t->out, host.machine, os, "turnpike " TURNPIKE_VERSION);
	json_array_foreach((json_t *)ports, i, name)
	{
		if (t->n_ports == TP_PORTS_MAX)
			break;
		pcapng_interface(t->out, json_string_value(name), t->snaplen);
		t->n_ports++;
	}
	client_read(t, result);
	t->n_interfaces = t->n_ports;
	if (t->transport != NULL) {
		pcapng_interface(t->out, EDGE_NAME, t->snaplen);
		t->n_interfaces++;
	}
}

// Its part in the packet's comment.
static void fate_write(const struct tp_capture_record *rec, char *out, size_t size)
{
	const struct tp_drop_text *why = tp_drop_text(rec->reason);

	out[0] = '\0';
	if (rec->verdict == 0)
		snprintf(out, size, "dropped: %s", why == NULL ? "?" : why->name);
	else if (rec->direction == TP_CAPTURE_RECEIVED && rec->verdict == 2)
		snprintf(out, size, "to turnpike-control");
}

static void packet_write(
	struct taking *t, const struct tp_capture_record *rec, struct pcapng_packet *p)
{
	char fate[96], comment[128];

	fate_write(rec, fate, sizeof(fate));
	if (rec->form == TP_CAPTURE_MESSAGE) {
		snprintf(comment, sizeof(comment), "%s client%s%s", t->transport,
			fate[0] != '\0' ? "; " : "", fate);
		p->comment = comment;
	} else if (fate[0] != '\0') {
		p->comment = fate;
	}
	if (t->snaplen != 0 && p->taken > t->snaplen)
		p->taken = t->snaplen;
	pcapng_packet(t->out, p);
	t->refused += rec->verdict == 0 && p->outbound;
	if (t->frames++ == 0)
		t->first_ns = p->time_ns;
	if (p->time_ns > t->last_ns)
		t->last_ns = p->time_ns;
	t->frames_of[p->interface]++;
}

// ChannelData of a stream is padded (RFC 8656 12.5).
static uint16_t stream_padding(const struct taking *t, const struct tp_capture_record *rec)
{
	return t->encap.by_tcp ? (uint16_t)(-rec->len & 3) : 0;
}

static void message_write(struct taking *t, const struct tp_capture_record *rec)
{
	uint8_t bytes[RCTL_ENCAP_MAX + TP_CAPTURE_TAKEN_MAX + 3];
	bool outbound = rec->direction == TP_CAPTURE_SENT;
	uint16_t padding = stream_padding(t, rec);
	uint32_t headers =
		rctl_encap_headers(&t->encap, outbound, (uint16_t)(rec->len + padding), bytes);
	uint32_t taken = headers + rec->taken;
	struct pcapng_packet p = {.interface = t->n_ports,
		.time_ns = rec->head.time_ns + t->stream.wall_ns,
		.data = bytes,
		.len = headers + rec->len + padding,
		.outbound = outbound};

	memcpy(bytes + headers, rec + 1, rec->taken);
	memset(bytes + taken, 0, padding);
	p.taken = rec->taken == rec->len ? taken + padding : taken;
	packet_write(t, rec, &p);
}

static void frame_write(struct taking *t, const struct tp_capture_record *rec)
{
	struct pcapng_packet p = {.interface = rec->port,
		.time_ns = rec->head.time_ns + t->stream.wall_ns,
		.data = rec + 1,
		.taken = rec->taken,
		.len = rec->len,
		.outbound = rec->direction == TP_CAPTURE_SENT};

	packet_write(t, rec, &p);
}

static bool records_write(void *ctx, const uint8_t *records, size_t len)
{
	struct taking *t = ctx;
	const struct tp_capture_record *rec;

	while ((rec = rctl_stream_record(&records, &len, sizeof(*rec))) != NULL) {
		bool whole = rec->taken <= rec->head.size - sizeof(*rec);

		if (!whole)
			continue;
		if (rec->form == TP_CAPTURE_FRAME && rec->port < t->n_ports)
			frame_write(t, rec);
		else if (rec->form == TP_CAPTURE_MESSAGE && t->transport != NULL &&
			 rec->taken <= TP_CAPTURE_TAKEN_MAX)
			message_write(t, rec);
	}
	// A file that can't be written, or a pipe without a reader.
	return fflush(t->out) == 0;
}

static uint64_t missed_of(const struct taking *t, uint32_t interface)
{
	return t->stream.end.missed[interface < t->n_ports ? interface : TP_OBSERVE_EDGE];
}

static void file_end(struct taking *t)
{
	const struct rctl_stream *stream = &t->stream;
	bool gone = stream->ended && stream->end.cause == TP_OBSERVE_ENDED;

	for (uint32_t i = 0; i < t->n_interfaces; i++)
		pcapng_statistics(t->out, i, t->first_ns, t->last_ns,
			t->frames_of[i] + missed_of(t, i), missed_of(t, i));
	fprintf(stderr, "relayctl: %" PRIu64 " frames captured, %" PRIu64 " missed: %s\n",
		t->frames, rctl_stream_missed(stream),
		gone ? "the allocation has ended" : rctl_stream_cause(stream));
	if (t->refused > 0)
		fprintf(stderr,
			"  %" PRIu64 " of them did not leave: the port (tx_full) or a ring of the "
			"edge (edge_full) was full\n",
			t->refused);
}

static int file_close(FILE *out)
{
	int failed = ferror(out);

	return (out == stdout ? fflush(out) : fclose(out)) != 0 || failed ? -1 : 0;
}

int rctl_capture_run(int fd, const char *path, const json_t *result, uint32_t snaplen)
{
	struct taking t = {.out = NULL, .snaplen = snaplen};
	int rc = rctl_stream_begin(&t.stream, fd, "capture");

	if (rc != RCTL_EXIT_OK)
		return rc;
	t.out = file_open(path);
	if (t.out == NULL)
		return RCTL_EXIT_USAGE;
	file_begin(&t, result);
	// The reader of a pipe may know now that it runs.
	(void)fflush(t.out);
	rctl_stream_read(&t.stream, records_write, &t);
	file_end(&t);
	if (file_close(t.out) != 0) {
		perror("relayctl: the capture can't be written");
		return RCTL_EXIT_REFUSED;
	}
	return t.stream.ended ? RCTL_EXIT_OK : RCTL_EXIT_NO_DAEMON;
}
