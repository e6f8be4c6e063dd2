// SPDX-License-Identifier: BSD-3-Clause
// A numbered stream through a TURN relay, judged from both ends. See usage below.
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "report.h"

static const char sm_usage[] =
	"stream run --server ADDR[:PORT] --user NAME (--password-file F | --secret-file F)\n"
	"    (--peer ADDR[:PORT] | --peer-relay) [OPTION...]\n"
	"stream echo ADDR:PORT\n"
	"stream run --help lists the options.\n";

static volatile sig_atomic_t sm_stop;

static void on_signal(int signal)
{
	(void)signal;
	sm_stop = 1;
}

static int echo(const char *where)
{
	struct sm_end e;
	union tc_addr at, from;
	uint8_t buf[2048];

	if (tc_addr_parse(&at, where, 0) < 0 || sm_end_open(&e, NULL, &at, NULL) < 0) {
		fprintf(stderr, "stream: cannot listen at '%s'\n", where);
		return 1;
	}
	while (!sm_stop) {
		struct pollfd p = {.fd = e.fd, .events = POLLIN};
		int n;

		(void)poll(&p, 1, -1);
		while ((n = sm_end_receive(&e, buf, sizeof(buf), &from)) >= 0)
			(void)sendto(
				e.fd, buf, (size_t)n, MSG_DONTWAIT, &from.sa, tc_addr_len(&from));
	}
	sm_end_close(&e);
	return 0;
}

static int run(int argc, char **argv)
{
	static struct sm_options options;
	struct sm_run r;
	int status = 1, rc = sm_options_read(&options, argc, argv);

	if (rc != 0)
		return rc > 0 ? 0 : 2;
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
