// SPDX-License-Identifier: BSD-3-Clause
#include "testpmd.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bench/clock.h>
#include <bench/cores.h>
#include <bench/host.h>
#include "replay.h"

#define PROMPT	    "testpmd> "
#define ANSWER_MS   20000 // on a busy machine its main thread waits long for its share
#define START_MS    60000
#define END_NS	    5000000000ull
#define ARGS_MAX    40
#define NO_HUGE_MIB "768"
#define LEAST	    19 // niceness; with SCHED_IDLE a busy machine leaves it nothing to answer with

static void exec_testpmd(
	const char *capture, const int *cores, unsigned n_cores, int main_core, bool huge_pages)
{
	char lcores[64], pcap[512], mbufs[48], prefix[48], options[3][24];
	const char *args[ARGS_MAX] = {"dpdk-testpmd", "--main-lcore=0", "--no-pci",
		"--no-telemetry", prefix, "--iova-mode=va", lcores, "--vdev", pcap, "--vdev",
		"net_null0,no-rx=1"};
	int n = 11, at, len;

	snprintf(prefix, sizeof(prefix), "--file-prefix=relaybench-testpmd-%u", n_cores);
	at = snprintf(lcores, sizeof(lcores), "--lcores=0@%d", main_core);
	len = snprintf(pcap, sizeof(pcap), "net_pcap0,infinite_rx=1");
	for (unsigned i = 0; i < n_cores; i++) {
		at += snprintf(lcores + at, sizeof(lcores) - (size_t)at, ",%u@%d", i + 1, cores[i]);
		len += snprintf(pcap + len, sizeof(pcap) - (size_t)len, ",rx_pcap=%s", capture);
	}
	snprintf(options[0], sizeof(options[0]), "--nb-cores=%u", n_cores);
	snprintf(options[1], sizeof(options[1]), "--rxq=%u", n_cores);
	snprintf(options[2], sizeof(options[2]), "--txq=%u", n_cores);
	snprintf(mbufs, sizeof(mbufs), "--total-num-mbufs=%u", BENCH_BUFFERS);
	if (huge_pages) {
		args[n++] = "--in-memory";
	} else {
		args[n++] = "--no-huge";
		args[n++] = "--no-shconf";
		args[n++] = "-m";
		args[n++] = NO_HUGE_MIB;
	}
	args[n++] = "--";
	args[n++] = "-i";
	args[n++] = "--record-core-cycles";
	args[n++] = mbufs;
	for (unsigned i = 0; i < TP_ARRAY_LEN(options); i++)
		args[n++] = options[i];
	bench_cores_all();
	execvp(args[0], (char *const *)(uintptr_t)args);
	_exit(127);
}

// Reads until `mark` stands in the text since the last call of text_clear. False after `ms`.
static bool text_wait(struct bench_testpmd *t, const char *mark, int ms)
{
	uint64_t end = bench_clock_ns(CLOCK_MONOTONIC) + (uint64_t)ms * TP_NS_PER_MS;
	struct pollfd p = {.fd = t->fd, .events = POLLIN};

	while (strstr(t->text, mark) == NULL) {
		uint64_t now = bench_clock_ns(CLOCK_MONOTONIC);
		ssize_t n;

		if (now >= end || t->len + 1 >= sizeof(t->text))
			return false;
		if (poll(&p, 1, (int)((end - now) / TP_NS_PER_MS) + 1) <= 0)
			continue;
		n = read(t->fd, t->text + t->len, sizeof(t->text) - 1 - t->len);
		if (n <= 0)
			return false;
		t->len += (size_t)n;
		t->text[t->len] = '\0';
	}
	return true;
}

static void text_clear(struct bench_testpmd *t)
{
	t->len = 0;
	t->text[0] = '\0';
}

static bool say(struct bench_testpmd *t, const char *line)
{
	text_clear(t);
	return write(t->fd, line, strlen(line)) == (ssize_t)strlen(line);
}

// Its threads that forward: EAL names them.
static bool workers_find(struct bench_testpmd *t)
{
	char path[sizeof(((struct dirent *)0)->d_name) + 64], name[32];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", t->pid, e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fgets(name, sizeof(name), f) != NULL && strstr(name, "worker") != NULL &&
			t->n_workers < TP_ARRAY_LEN(t->workers))
			t->workers[t->n_workers++] = atoi(e->d_name);
		fclose(f);
	}
	if (d != NULL)
		closedir(d);
	return t->n_workers != 0;
}

// Its main thread polls the prompt without a pause. That must not disturb: it gets little
// of its core, and nothing between the runs.
static void rest(const struct bench_testpmd *t, bool boost)
{
	setpriority(PRIO_PROCESS, (id_t)t->pid, LEAST);
	if (boost)
		bench_host_boost(t->pid);
	kill(t->pid, SIGSTOP);
}

int bench_testpmd_start(struct bench_testpmd *t, const char *capture, const int *cores,
	unsigned n_cores, int main_core, bool huge_pages, bool boost, char *wrong,
	size_t wrong_size)
{
	int status;

	text_clear(t);
	t->n_workers = 0;
	t->pid = forkpty(&t->fd, NULL, NULL, NULL);
	if (t->pid == 0)
		exec_testpmd(capture, cores, n_cores, main_core, huge_pages);
	if (t->pid < 0) {
		t->pid = 0;
		snprintf(wrong, wrong_size, "dpdk-testpmd: %s", strerror(errno));
		return -errno;
	}
	if (text_wait(t, PROMPT, START_MS) && workers_find(t)) {
		rest(t, boost);
		return 0;
	}
	if (waitpid(t->pid, &status, WNOHANG) == t->pid) {
		t->pid = 0;
		close(t->fd);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
			snprintf(wrong, wrong_size,
				"dpdk-testpmd is not installed (or: --no-testpmd)");
			return -ENOENT;
		}
	}
	bench_testpmd_stop(t);
	snprintf(wrong, wrong_size, "dpdk-testpmd does not start: ...%.110s",
		t->len > 110 ? t->text + t->len - 110 : t->text);
	return -EPROTO;
}

// The number behind the last `name` in its report.
static bool number_find(const struct bench_testpmd *t, const char *name, double *value)
{
	const char *at = NULL;

	for (const char *next = t->text; (next = strstr(next, name)) != NULL; next++)
		at = next;
	return at != NULL && sscanf(at + strlen(name), "%lf", value) == 1;
}

// CPU time of a forwarding thread, which is exact while that rests. 0: there is none.
static uint64_t worker_cpu_ns(const struct bench_testpmd *t, unsigned worker)
{
	char path[64];
	unsigned long long ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", t->pid, t->workers[worker]);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	fclose(f);
	return ns;
}

static uint64_t workers_cpu_ns(const struct bench_testpmd *t)
{
	uint64_t ns = 0;

	for (unsigned i = 0; i < t->n_workers; i++)
		ns += worker_cpu_ns(t, i);
	return ns;
}

// From "start" to "stop"; its text is the report then.
static bool forward(struct bench_testpmd *t, enum bench_rival rival, uint64_t ns)
{
	const struct timespec interval = {
		.tv_sec = (time_t)(ns / TP_NS_PER_S), .tv_nsec = (long)(ns % TP_NS_PER_S)};
	char line[64];

	snprintf(line, sizeof(line), "set fwd %s\n", bench_rival_name(rival));
	if (!say(t, line) || !text_wait(t, PROMPT, ANSWER_MS) || !say(t, "start\n") ||
		!text_wait(t, PROMPT, ANSWER_MS))
		return false;
	nanosleep(&interval, NULL);
	return say(t, "stop\n") && text_wait(t, "Done.", ANSWER_MS);
}

int bench_testpmd_run(struct bench_testpmd *t, enum bench_rival rival, uint64_t ns,
	struct bench_rate *rate, char *wrong, size_t wrong_size)
{
	uint64_t cpu_ns = workers_cpu_ns(t);
	double packets = 0, cycles = 0;
	bool good;

	kill(t->pid, SIGCONT);
	good = forward(t, rival, ns);
	kill(t->pid, SIGSTOP);
	cpu_ns = workers_cpu_ns(t) - cpu_ns;
	if (!good || !number_find(t, "RX-packets:", &packets) ||
		!number_find(t, "CPU cycles/packet=", &cycles) || packets < 1 || cpu_ns == 0) {
		snprintf(wrong, wrong_size, "dpdk-testpmd's report is not understood");
		return -EPROTO;
	}
	rate->pps = packets * t->n_workers * 1e9 / (double)cpu_ns;
	// Its own count leaves polling out, but runs on while the core is somebody else's.
	rate->cycles = fmin(cycles, t->n_workers * bench_cycles_hz() / rate->pps);
	return 0;
}

void bench_testpmd_stop(struct bench_testpmd *t)
{
	uint64_t end = bench_clock_ns(CLOCK_MONOTONIC) + END_NS;
	const struct timespec nap = {.tv_nsec = 10000000};

	if (t->pid == 0)
		return;
	// On a busy machine its end, too, wants a share of the core.
	setpriority(PRIO_PROCESS, (id_t)t->pid, 0);
	kill(t->pid, SIGCONT);
	say(t, "quit\n");
	while (waitpid(t->pid, NULL, WNOHANG) == 0) {
		char scrap[4096];
		struct pollfd p = {.fd = t->fd, .events = POLLIN};

		// Its remaining output must not block it.
		if (poll(&p, 1, 0) > 0 && read(t->fd, scrap, sizeof(scrap)) > 0)
			continue;
		nanosleep(&nap, NULL);
		if (bench_clock_ns(CLOCK_MONOTONIC) > end)
			kill(t->pid, SIGKILL);
	}
	close(t->fd);
	t->pid = 0;
}
