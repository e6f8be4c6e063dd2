// SPDX-License-Identifier: BSD-3-Clause
#include <io/eal.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <io/cycles.h>
#include <log/log.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>

#define EAL_ARGS_MAX	64u
#define EAL_MIB		(1024u * 1024u)
#define EAL_NO_HUGE_MIB 512u // less than this fails with larger rings

static FILE *log_stream;

static ssize_t write_log(void *cookie, const char *text, size_t len)
{
	size_t n = len;

	(void)cookie;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (n > 0)
		log_event(LOG_EV_DPDK_MESSAGE, LOG_FIELDS(log_text("text", text, n)));
	return (ssize_t)len;
}

static int print_bpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[512];
	int n;

	if (level != LIBBPF_WARN)
		return 0;
	n = vsnprintf(text, sizeof(text), format, args);
	write_log(NULL, text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
	return n;
}

static void redirect_log(void)
{
	const cookie_io_functions_t functions = {.write = write_log};

	libbpf_set_print(print_bpf);
	log_stream = fopencookie(NULL, "w", functions);
	if (log_stream == NULL)
		return;
	setvbuf(log_stream, NULL, _IOLBF, 1024);
	rte_openlog_stream(log_stream);
}

static cpu_set_t cores_allowed(void)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		CPU_ZERO(&allowed);
	return allowed;
}

unsigned io_eal_cores_choose(unsigned *cores, unsigned n)
{
	cpu_set_t allowed = cores_allowed();
	unsigned usable[CPU_SETSIZE];
	unsigned n_usable = 0;

	for (unsigned c = 0; c < CPU_SETSIZE; c++) {
		if (CPU_ISSET(c, &allowed))
			usable[n_usable++] = c;
	}
	if (n_usable == 0)
		usable[n_usable++] = 0;
	for (unsigned i = 0; i < n; i++)
		cores[i] = usable[n_usable - 1 - i % n_usable];
	return n < n_usable ? n : n_usable - 1;
}

// All but the workers' cores, if there are others.
static cpu_set_t main_cores(const struct eal_settings *s, const cpu_set_t *allowed)
{
	cpu_set_t others = *allowed;

	for (unsigned i = 0; i < s->n_cores; i++)
		CPU_CLR(s->cores[i], &others);
	return CPU_COUNT(&others) == 0 ? *allowed : others;
}

// Where lcore 0 (the main thread) and DPDK's helpers run. EAL takes an lcore for one of no node if
// its cores are of several: then it looks for memory everywhere, instead of giving up where its own
// node has none.
static void print_main_cores(FILE *f, const struct eal_settings *s)
{
	cpu_set_t allowed = cores_allowed();
	cpu_set_t cores = s->of_no_node ? allowed : main_cores(s, &allowed);
	const char *between = "";

	fprintf(f, "0@(");
	for (unsigned c = 0; c < CPU_SETSIZE; c++) {
		if (CPU_ISSET(c, &cores)) {
			fprintf(f, "%s%u", between, c);
			between = ",";
		}
	}
	fprintf(f, ")");
}

struct arguments {
	char *list[EAL_ARGS_MAX];
	int n;
	bool failed;
};

// EAL keeps the pointers it is given, until io_eal_stop.
static struct arguments arguments;

static void free_arguments(void)
{
	for (int i = 0; i < arguments.n; i++)
		free(arguments.list[i]);
	arguments = (struct arguments){.n = 0};
}

static void add(struct arguments *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct arguments *a, const char *format, ...)
{
	va_list args;

	if (a->n + 1 >= (int)EAL_ARGS_MAX) {
		a->failed = true;
		return;
	}
	va_start(args, format);
	if (vasprintf(&a->list[a->n], format, args) < 0)
		a->failed = true;
	else
		a->n++;
	va_end(args);
}

static void add_lcores(struct arguments *a, const struct eal_settings *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL) {
		a->failed = true;
		return;
	}
	print_main_cores(f, s);
	for (unsigned i = 0; i < s->n_cores; i++)
		fprintf(f, ",%u@%u", i + 1, s->cores[i]);
	if (fclose(f) == 0)
		add(a, "--lcores=%s", text);
	else
		a->failed = true;
	free(text);
}

static void add_memory(struct arguments *a, const struct eal_settings *s)
{
	if (!s->no_huge) {
		add(a, "--in-memory");
	} else {
		uint64_t mib = s->memory_octets / EAL_MIB + 64;

		// --in-memory and --no-huge exclude each other.
		add(a, "--no-huge");
		add(a, "--no-shconf");
		add(a, "-m");
		add(a, "%llu", (unsigned long long)(mib > EAL_NO_HUGE_MIB ? mib : EAL_NO_HUGE_MIB));
	}
	add(a, "--iova-mode=va");
}

// Returns whether PCI cards are among them.
static bool add_devices(struct arguments *a, const struct eal_settings *s)
{
	char member[64];
	bool pci = false;

	for (unsigned i = 0; i < s->n_devices; i++) {
		const struct io_device *d = &s->devices[i];

		for (unsigned m = 0; io_device_member(d, m, member, sizeof(member)); m++) {
			if (!io_device_is_pci(member))
				continue;
			add(a, "--allow=%s", member);
			pci = true;
		}
		if (d->driver != IO_PCI)
			continue;
		add(a, "--allow=%s%s%s", d->name, d->args[0] != '\0' ? "," : "", d->args);
		pci = true;
	}
	if (!pci)
		add(a, "--no-pci");
	return pci;
}

// EAL's own directory, and the one above it.
static void directories_name(char above[PATH_MAX], char own[PATH_MAX + 64], const char *instance)
{
	const char *run = geteuid() == 0 ? IO_EAL_ROOT_DIRECTORY : getenv("XDG_RUNTIME_DIR");

	snprintf(above, PATH_MAX, "%s/dpdk", run == NULL ? "/tmp" : run);
	snprintf(own, PATH_MAX + 64, "%s/turnpike-%s", above, instance);
}

void io_eal_directory_make(const char *instance, const char *run_directory)
{
	char above[PATH_MAX], own[PATH_MAX + 64];

	if (geteuid() != 0)
		(void)setenv("XDG_RUNTIME_DIR", run_directory, 1);
	directories_name(above, own, instance);
	(void)mkdir(above, 0700);
	(void)mkdir(own, 0700);
}

// Takes the main thread off the workers' cores. EAL is not told: it keeps the node.
static void main_thread_move(const struct eal_settings *s, const cpu_set_t *allowed)
{
	cpu_set_t cores = main_cores(s, allowed);

	(void)sched_setaffinity(0, sizeof(cores), &cores);
}

int io_eal_start(const struct eal_settings *s, struct steer_fault *fault)
{
	struct arguments *a = &arguments;
	char *given[EAL_ARGS_MAX]; // EAL changes the order
	cpu_set_t allowed = cores_allowed();
	const struct io_cycles_moment began = io_cycles_now();
	struct io_cycles_moment ready;
	bool pci;
	int err;

	add(a, "turnpike-dataplane");
	add(a, "--file-prefix=turnpike-%s", s->instance);
	add(a, "--no-telemetry");
	add(a, "--log-level=*:warning");
	// It warns of every size of huge page that is not there.
	add(a, "--log-level=lib.eal:error");
	add(a, "--main-lcore=0");
	add_lcores(a, s);
	add_memory(a, s);
	pci = add_devices(a, s);
	if (a->failed) {
		err = -ENOMEM;
	} else {
		redirect_log();
		optind = 1;
		memcpy(given, a->list, sizeof(given));
		io_cycles_hurry(!pci);
		err = rte_eal_init(a->n, given) < 0 ? -rte_errno : 0;
		io_cycles_hurry(false);
		optind = 1;
		if (s->of_no_node)
			main_thread_move(s, &allowed);
	}
	if (err != 0)
		return steer_fault_set(fault, err,
			"see the dpdk_message lines; dataplane.hugepages: never works without huge "
			"pages",
			"DPDK can't start: %s", strerror(-err));
	ready = io_cycles_now();
	io_cycles_hz_set(io_cycles_between(&began, &ready));
	return 0;
}

void io_eal_stop(const struct eal_settings *s)
{
	char above[PATH_MAX], own[PATH_MAX + 64];

	rte_eal_cleanup();
	free_arguments();
	if (log_stream != NULL) {
		rte_openlog_stream(NULL);
		fclose(log_stream);
		log_stream = NULL;
	}
	directories_name(above, own, s->instance);
	if (rmdir(own) == 0)
		rmdir(above);
}

int io_eal_launch(unsigned index, int (*run)(void *), void *arg)
{
	return rte_eal_remote_launch(run, arg, index + 1);
}

void io_eal_join(unsigned n_workers)
{
	for (unsigned i = 0; i < n_workers; i++)
		rte_eal_wait_lcore(i + 1);
}

int io_eal_worker_node(unsigned index)
{
	return (int)rte_lcore_to_socket_id(index + 1);
}

unsigned io_eal_worker_core(unsigned index)
{
	return (unsigned)rte_lcore_to_cpu_id((int)index + 1);
}
