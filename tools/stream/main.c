// SPDX-License-Identifier: BSD-3-Clause
// A numbered stream through a TURN relay, judged from both ends. See usage below.
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "report.h"

static const char sm_usage[] =
	"stream run --server ADDR[:PORT] --user NAME (--password-file F | --secret-file F)\n"
	"    (--peer ADDR[:PORT] [--peer-netns NS] | --peer-relay [--peer-netns NS])\n"
	"    [--netns NS] [--bind ADDR[:PORT]] [--peer-bind ADDR] [--data channel|send]\n"
	"    [--family 4|6] [--streams N] [--rate PPS] [--size OCTETS] [--seconds S] [--drain-ms "
	"MS]\n"
	"    [--at MS:allocate-again|refresh|refresh-zero|permission|channel]... [--live]\n"
	"stream echo ADDR:PORT\n"
	"\n"
	"Allocates on a TURN server, relays numbered packets to a peer and back, and prints as "
	"JSON what\n"
	"was lost, doubled, reordered or late, which ICMP errors came, and how the requests given "
	"by --at\n"
	"(times count from the stream's start, sent by the first client) were answered.\n"
	"--peer-netns NS opens the peer's socket in that namespace, where it sends a stream of its "
	"own;\n"
	"without it an echo is expected at --peer. With --peer-relay the peer is a second TURN "
	"client.\n"
	"Rate and size are per stream and direction. Exit: 0 ran, 1 set-up failed, 2 usage.\n";

static volatile sig_atomic_t sm_stop;

static void on_signal(int signal)
{
	(void)signal;
	sm_stop = 1;
}

static int echo(const char *where)
{
	struct sm_end e;
	union sm_addr at, from;
	uint8_t buf[2048];

	if (sm_addr_parse(&at, where, 0) < 0 || sm_end_open(&e, NULL, &at, NULL) < 0) {
		fprintf(stderr, "stream: cannot listen at '%s'\n", where);
		return 1;
	}
	while (!sm_stop) {
		struct pollfd p = {.fd = e.fd, .events = POLLIN};
		int n;

		(void)poll(&p, 1, -1);
		while ((n = sm_end_receive(&e, buf, sizeof(buf), &from)) >= 0)
			(void)sendto(
				e.fd, buf, (size_t)n, MSG_DONTWAIT, &from.sa, sm_addr_len(&from));
	}
	sm_end_close(&e);
	return 0;
}

static int run(int argc, char **argv)
{
	static struct sm_options options;
	struct sm_run r;
	int status = 1;

	if (sm_options_parse(&options, argc, argv) < 0)
		return 2;
	// Sleep as long as asked, not 50 microseconds longer.
	(void)prctl(PR_SET_TIMERSLACK, 1ul);
	if (sm_run_init(&r, &options, &sm_stop) == 0) {
		sm_run_go(&r);
		sm_report_print(&r, stdout);
		status = 0;
	}
	sm_run_fini(&r);
	return status;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (argc >= 2 && strcmp(argv[1], "run") == 0)
		return run(argc - 1, argv + 1);
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		return echo(argv[2]);
	fputs(sm_usage, stderr);
	return 2;
}
