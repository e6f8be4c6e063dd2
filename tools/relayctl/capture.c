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

#include <turnpike/capture.h>
#include <turnpike/drop.h>

#include "pcapng.h"
#include "stream.h"

struct taking {
	FILE *out;
	uint32_t n_ports;
	struct rctl_stream stream;
	uint64_t first_ns, last_ns;
	uint64_t frames;
	uint64_t refused; // of them, by the port when they were to leave
	uint64_t frames_of[TP_PORTS_MAX];
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

static void file_begin(struct taking *t, const json_t *ports, uint32_t snaplen)
{
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
		pcapng_interface(t->out, json_string_value(name), snaplen);
		t->n_ports++;
	}
}

static void record_write(struct taking *t, const struct tp_capture_record *rec)
{
	const struct tp_drop_text *why = tp_drop_text(rec->reason);
	char comment[128];
	struct pcapng_packet p = {.interface = rec->port,
		.time_ns = rec->head.time_ns + t->stream.wall_ns,
		.data = rec + 1,
		.taken = rec->taken,
		.len = rec->len,
		.outbound = rec->direction == TP_CAPTURE_SENT};

	if (rec->verdict == 0) {
		snprintf(comment, sizeof(comment), "dropped: %s", why == NULL ? "?" : why->name);
		p.comment = comment;
		t->refused += p.outbound;
	} else if (!p.outbound && rec->verdict == 2) {
		p.comment = "to turnpike-control";
	}
	pcapng_packet(t->out, &p);
	if (t->frames++ == 0)
		t->first_ns = p.time_ns;
	if (p.time_ns > t->last_ns)
		t->last_ns = p.time_ns;
	t->frames_of[rec->port]++;
}

static bool records_write(void *ctx, const uint8_t *records, size_t len)
{
	struct taking *t = ctx;
	const struct tp_capture_record *rec;

	while ((rec = rctl_stream_record(&records, &len, sizeof(*rec))) != NULL) {
		if (rec->port < t->n_ports && rec->taken <= rec->head.size - sizeof(*rec))
			record_write(t, rec);
	}
	// A file that can't be written, or a pipe without a reader.
	return fflush(t->out) == 0;
}

static void file_end(struct taking *t)
{
	const struct rctl_stream *stream = &t->stream;
	const uint64_t *missed = stream->end.missed;
	bool gone = stream->ended && stream->end.cause == TP_OBSERVE_ENDED;

	for (uint32_t i = 0; i < t->n_ports; i++)
		pcapng_statistics(
			t->out, i, t->first_ns, t->last_ns, t->frames_of[i] + missed[i], missed[i]);
	fprintf(stderr, "relayctl: %" PRIu64 " frames captured, %" PRIu64 " missed: %s\n",
		t->frames, rctl_stream_missed(stream),
		gone ? "the allocation has ended" : rctl_stream_cause(stream));
	if (t->refused > 0)
		fprintf(stderr,
			"  %" PRIu64 " of them did not leave: the port was full (tx_full)\n",
			t->refused);
}

static int file_close(FILE *out)
{
	int failed = ferror(out);

	return (out == stdout ? fflush(out) : fclose(out)) != 0 || failed ? -1 : 0;
}

int rctl_capture_run(int fd, const char *path, const json_t *result, uint32_t snaplen)
{
	struct taking t = {.out = NULL};
	int rc = rctl_stream_begin(&t.stream, fd, "capture");

	if (rc != RCTL_EXIT_OK)
		return rc;
	t.out = file_open(path);
	if (t.out == NULL)
		return RCTL_EXIT_USAGE;
	file_begin(&t, json_object_get(result, "ports"), snaplen);
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
