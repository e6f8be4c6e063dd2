// SPDX-License-Identifier: BSD-3-Clause
// A main for fuzz targets without a fuzzer: replays files, and directories of files, as an ordinary
// test, then the same with a few random changes.
//
//   TARGET [-m CHANGES] [-s SEED] FILE|DIRECTORY...
//
// -m: so many changed inputs in all (default 0), -s: the seed of their choice, printed.
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX  (1u << 20)
#define INPUTS_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t *data;
	size_t size;
};

static struct input inputs[INPUTS_MAX];
static size_t n_inputs;
static uint64_t state;

static uint32_t random_below(uint32_t n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33) % n;
}

// Octets behind the end must be out of bounds, so each run gets memory of just its size.
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);

	if (copy == NULL)
		abort();
	if (size != 0)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int load_file(const char *path)
{
	struct input *in = &inputs[n_inputs];
	FILE *f = fopen(path, "rb");

	if (f == NULL || n_inputs == INPUTS_MAX) {
		fprintf(stderr, "%s: %s\n", path, f == NULL ? strerror(errno) : "too many inputs");
		if (f != NULL)
			fclose(f);
		return -1;
	}
	in->data = malloc(INPUT_MAX);
	if (in->data == NULL)
		abort();
	in->size = fread(in->data, 1, INPUT_MAX, f);
	fclose(f);
	in->data = realloc(in->data, in->size + 1);
	if (in->data == NULL)
		abort();
	n_inputs++;
	return 0;
}

static int load(const char *path)
{
	char name[4096];
	struct dirent *e;
	struct stat st;
	int r = 0;
	DIR *d;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return load_file(path);
	d = opendir(path);
	if (d == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (r == 0 && (e = readdir(d)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.')
			r = load_file(name);
	}
	closedir(d);
	return r;
}

// Some bytes changed, sometimes the end cut off, sometimes two inputs joined.
static void run_changed(void)
{
	const struct input *a = &inputs[random_below((uint32_t)n_inputs)];
	const struct input *b = &inputs[random_below((uint32_t)n_inputs)];
	size_t size = a->size;
	uint8_t *data;

	data = malloc(a->size + b->size + 1);
	if (data == NULL)
		abort();
	memcpy(data, a->data, a->size);
	if (random_below(4) == 0) {
		memcpy(data + size, b->data, b->size);
		size += b->size;
	}
	if (size != 0 && random_below(4) == 0)
		size = random_below((uint32_t)size);
	for (unsigned n = random_below(8); n > 0 && size > 0; n--) {
		uint8_t *octet = &data[random_below((uint32_t)size)];

		*octet = random_below(2) ? (uint8_t)random_below(256)
					 : (uint8_t)(*octet ^ 1u << random_below(8));
	}
	run(data, size);
	free(data);
}

int main(int argc, char **argv)
{
	unsigned long changes = 0;
	int option;

	state = 1;
	while ((option = getopt(argc, argv, "m:s:")) != -1) {
		if (option == 'm') {
			changes = strtoul(optarg, NULL, 0);
		} else if (option == 's') {
			state = strtoull(optarg, NULL, 0);
		} else {
			fprintf(stderr, "usage: %s [-m CHANGES] [-s SEED] FILE|DIRECTORY...\n",
				argv[0]);
			return 2;
		}
	}
	for (int i = optind; i < argc; i++)
		if (load(argv[i]) != 0)
			return 1;
	if (n_inputs == 0) {
		fprintf(stderr, "%s: no input; name a file or a corpus directory\n", argv[0]);
		return 1;
	}
	printf("seed %llu, %zu inputs, %lu changed\n", (unsigned long long)state, n_inputs,
		changes);
	fflush(stdout);
	for (size_t i = 0; i < n_inputs; i++)
		run(inputs[i].data, inputs[i].size);
	for (unsigned long i = 0; i < changes; i++)
		run_changed();
	for (size_t i = 0; i < n_inputs; i++)
		free(inputs[i].data);
	return 0;
}
