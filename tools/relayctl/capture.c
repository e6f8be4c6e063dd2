// SPDX-License-Identifier: BSD-3-Clause
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <turnpike/capture.h>
#include <turnpike/drop.h>

#include "pcapng.h"

#define BEGIN_MS 5000
#define LEAVE_MS 5000

struct taking {
	FILE *out;
	uint32_t n_ports;
	uint64_t wall_ns; // to add to the records' times
	uint64_t first_ns, last_ns;
	uint64_t frames;
	uint64_t refused; // of them, by the port when they were to leave
	uint64_t frames_of[TP_PORTS_MAX];
	bool ended;
	struct tp_capture_end end;
};

struct message {
	struct tp_capture_message head;
	uint8_t body[TP_CAPTURE_MESSAGE_MAX] TP_ALIGNED(8);
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

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
	// What was readable to others before must not become a capture for them.
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

// The body's octets; 0: the socket has ended; -EAGAIN: nothing came; -EINTR; or no message.
static ssize_t message_receive(int fd, struct message *m, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int ready = poll(&p, 1, timeout_ms);
	ssize_t n;

	if (ready <= 0)
		return ready == 0 ? -EAGAIN : -errno;
	n = recv(fd, m, sizeof(*m), 0);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	if ((size_t)n < sizeof(m->head) || m->head.magic != TP_CAPTURE_MESSAGE_MAGIC)
		return -EPROTO;
	return n - (ssize_t)sizeof(m->head);
}

static int begin_refused(uint32_t state)
{
	static const char *const texts[] = {
		[TP_CAPTURE_BUSY] =
			"another capture is running\n  next: wait for its end, or end it",
		[TP_CAPTURE_UNUSABLE] = "turnpike-dataplane does not understand the request\n"
					"  next: use the relayctl of the same version",
		[TP_CAPTURE_NO_MEMORY] = "turnpike-dataplane has no memory left for a capture",
	};

	fprintf(stderr, "relayctl: %s\n",
		state < TP_ARRAY_LEN(texts) && texts[state] != NULL ? texts[state] : "refused");
	return RCTL_EXIT_REFUSED;
}

static int begin_read(struct taking *t, int fd, struct message *m)
{
	struct tp_capture_begin begin;
	ssize_t n = message_receive(fd, m, BEGIN_MS);

	if (n != (ssize_t)sizeof(begin) || m->head.kind != TP_CAPTURE_BEGIN) {
		fprintf(stderr, "relayctl: turnpike-dataplane does not answer\n"
				"  next: see that it runs, of the same version: relayctl status\n");
		return RCTL_EXIT_NO_DAEMON;
	}
	memcpy(&begin, m->body, sizeof(begin));
	t->wall_ns = begin.wall_ns;
	return begin.state == TP_CAPTURE_RUNS ? RCTL_EXIT_OK : begin_refused(begin.state);
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
		.time_ns = rec->time_ns + t->wall_ns,
		.data = rec + 1,
		.taken = rec->taken,
		.len = rec->len,
		.outbound = rec->way == TP_CAPTURE_SENT};

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

// Another version's records, or torn ones, are passed over.
static void records_write(struct taking *t, const uint8_t *body, size_t len)
{
	while (len >= sizeof(struct tp_capture_record)) {
		const struct tp_capture_record *rec = (const struct tp_capture_record *)body;

		if (rec->size < sizeof(*rec) || rec->size > len || rec->size % 8 != 0 ||
			rec->taken > rec->size - sizeof(*rec))
			return;
		if (rec->port < t->n_ports)
			record_write(t, rec);
		body += rec->size;
		len -= rec->size;
	}
}

static const char *cause_text(const struct taking *t)
{
	static const char *const texts[] = {
		[TP_CAPTURE_FULL] = "as many as asked for",
		[TP_CAPTURE_OVER] = "its time is over",
		[TP_CAPTURE_LEFT] = "ended here",
		[TP_CAPTURE_ENDED] = "the allocation has ended",
		[TP_CAPTURE_ALONE] = "turnpike-control went away",
		[TP_CAPTURE_STOPPED] = "turnpike-dataplane stops",
	};

	if (!t->ended)
		return "turnpike-dataplane went away: there may have been more";
	return t->end.cause < TP_ARRAY_LEN(texts) ? texts[t->end.cause] : "?";
}

static void file_end(struct taking *t)
{
	uint64_t missed = 0;

	for (uint32_t i = 0; i < t->n_ports; i++) {
		pcapng_statistics(t->out, i, t->first_ns, t->last_ns,
			t->frames_of[i] + t->end.missed[i], t->end.missed[i]);
		missed += t->end.missed[i];
	}
	fprintf(stderr, "relayctl: %" PRIu64 " frames captured, %" PRIu64 " missed: %s\n",
		t->frames, missed, cause_text(t));
	if (t->refused > 0)
		fprintf(stderr,
			"  %" PRIu64 " of them did not leave: the port was full (tx_full)\n",
			t->refused);
}

// To the capture's end, or to the reader's.
static void messages_read(struct taking *t, int fd, struct message *m)
{
	bool leaving = false;

	while (!t->ended) {
		ssize_t n = message_receive(fd, m, leaving ? LEAVE_MS : -1);

		if (interrupted && !leaving) {
			(void)shutdown(fd, SHUT_WR);
			leaving = true;
		}
		if (n == 0 || (n < 0 && n != -EINTR))
			return;
		if (n > 0 && m->head.kind == TP_CAPTURE_RECORDS) {
			records_write(t, m->body, (size_t)n);
			// A file that can't be written, or a pipe without a reader.
			if (fflush(t->out) != 0)
				return;
		} else if (n == (ssize_t)sizeof(t->end) && m->head.kind == TP_CAPTURE_END) {
			memcpy(&t->end, m->body, sizeof(t->end));
			t->ended = true;
		}
	}
}

static int file_close(FILE *out)
{
	int failed = ferror(out);

	return (out == stdout ? fflush(out) : fclose(out)) != 0 || failed ? -1 : 0;
}

int rctl_capture_run(int fd, const char *path, const json_t *result, uint32_t snaplen)
{
	static struct message m;
	const struct sigaction end = {.sa_handler = on_signal};
	struct taking t = {.out = NULL};
	int rc = begin_read(&t, fd, &m);

	if (rc != RCTL_EXIT_OK)
		return rc;
	t.out = file_open(path);
	if (t.out == NULL)
		return RCTL_EXIT_USAGE;
	interrupted = 0;
	(void)sigaction(SIGINT, &end, NULL);
	(void)sigaction(SIGTERM, &end, NULL);
	file_begin(&t, json_object_get(result, "ports"), snaplen);
	// Whoever reads a pipe may know now that it runs.
	(void)fflush(t.out);
	messages_read(&t, fd, &m);
	file_end(&t);
	if (file_close(t.out) != 0) {
		perror("relayctl: the capture can't be written");
		return RCTL_EXIT_REFUSED;
	}
	return t.ended ? RCTL_EXIT_OK : RCTL_EXIT_NO_DAEMON;
}
